// Shows what Python prepared (widget.py): maps of per cent, sentences, changed translations.

const readMap = (text) => text.split(",").map((row) => row.split(" ").map(Number));
const share = (percent) => (percent / 100).toFixed(2);
// Places from the largest number to the smallest.
const ranked = (numbers) => numbers.map((_, at) => at).sort((a, b) => numbers[b] - numbers[a]);
const block = (x, y, width, height, fill) => makeSvg("rect", { x, y, width, height, fill });

// Each cell as full as its number is large; a click chooses its row.
function makeMap({ width, left, top, pitch, air, across, ground }, colour, choose) {
  const element = makeSvg("svg", { role: "img" });
  return {
    element,
    show(title, [rows, columns], cells, chosen) {
      element.setAttribute("viewBox", `0 0 ${width} ${top + pitch * rows.length + 4}`);
      const wide = Math.min(pitch, Math.floor(across / columns.length));
      const [x, full] = [(column) => left + wide * column, pitch - air];
      const heads = columns.map((name, column) => {
        const at = `translate(${x(column) + Math.floor(wide / 2) + 5} ${top - 5}) rotate(-90)`;
        return makeSvg("text", { transform: at }, name);
      });
      const lines = rows.map((name, row) => {
        const y = top + pitch * row;
        const look = { x: left - 6, y: y + 14, "text-anchor": "end" };
        if (row === chosen) look["font-weight"] = 600;
        const drawn = columns.map((_, column) => block(x(column), y, wide - air, full, ground));
        cells?.[row].forEach((percent, column) => {
          const high = Math.round((full * percent) / 100);
          drawn.push(block(x(column), y + full - high, wide - air, high, colour));
        });
        const line = makeSvg("g", { class: "asks" }, makeSvg("text", look, name), ...drawn);
        line.addEventListener("click", () => choose(row + 1));
        return line;
      });
      const frame = block(left - 2, top + pitch * chosen - 2, wide * columns.length + 2, pitch, "none");
      build(frame, { stroke: "var(--ink)", "stroke-width": 2 }, []);
      const name = makeSvg("text", { x: 0, y: 14, "font-weight": 600 }, title);
      element.replaceChildren(name, ...heads, ...lines, frame);
      const said = cells?.map((numbers, row) => {
        const [most] = ranked(numbers);
        return `${rows[row]}: ${columns[most]} ${share(numbers[most])}`;
      });
      element.setAttribute("aria-label", said ? `${title}; ${said.join("; ")}` : title);
    },
  };
}

// For each word of a row its weight, and below it what its absence moves.
function makeBars({ width, left, pitch }, colours) {
  const step = pitch + 4; // and a pixel for a per cent
  const element = makeSvg("svg", { role: "img" });
  const ends = [width - 56, width - 2];
  return {
    element,
    show(title, names, ...numbers) {
      element.setAttribute("viewBox", `0 0 ${width} ${step * (names.length + 1) + 4}`);
      const words = (x, y, said) => makeSvg("text", { x, y, "text-anchor": "end" }, said);
      const parts = [makeSvg("text", { x: 0, y: 14, "font-weight": 600 }, title)];
      const heard = [...names];
      names.forEach((name, at) => parts.push(words(left - 6, step * (at + 1) + 17, name)));
      numbers.forEach((row, kind) => {
        const [colour, head] = [colours[kind], ["weight", "moves"][kind]];
        parts.push(block(ends[kind] - 46, step - 5, 46, 3, colour), words(ends[kind], 14, head));
        row.forEach((percent, at) => {
          const [y, said] = [step * (at + 1), kind ? `${percent} %` : share(percent)];
          parts.push(block(left, y + 3 + 9 * kind, percent, 8, colour), words(ends[kind], y + 17, said));
          heard[at] += ` ${head} ${said}`;
        });
      });
      element.replaceChildren(...parts);
      element.setAttribute("aria-label", `${title}: ${heard.join("; ")}`);
    },
  };
}

function render({ model, el }) {
  const { heading, attentions, grid, heads, question, titles, note, picture, colours } =
    model.get("shown");
  const captions = model.get("shown").captions.map((one) => {
    const maps = one.maps.map((text) => text.split(";").map(readMap));
    return { ...one, maps, hidden: readMap(one.hidden) };
  });
  const texts = captions.map(({ german }) => german);
  const cross = attentions.length - 1;
  // A prediction is about one word: it goes with it.
  const choose = (values) => change(model, { ...values, prediction: null });
  const chooseRow = (row) => choose({ row });
  const caption = makeMenu("Caption", texts, (one) => choose({ caption: one, row: 1 }));
  const attention = makeChoice("Attention", attentions, (one) => choose({ attention: one }));
  const layers = grid.map(([legend, values], layer) =>
    makeChoice(legend, values, (value) => {
      change(model, { head: heads[grid[0][1].length * layer + values.indexOf(value)] });
    }),
  );
  layers.forEach((layer) => layer.show(null));
  const counts = layers.flatMap(({ element }) =>
    [...element.querySelectorAll("label")].map((one) => one.appendChild(make("small", { class: "quiet" }))),
  );
  const table = { class: "heads", role: "group", "aria-label": "Head" };
  const rowsOf = captions.map(({ axes }) =>
    axes.map(([rows], kind) =>
      makeChoice(kind ? "Written word" : "Source word", rows, (one) => chooseRow(rows.indexOf(one) + 1)),
    ),
  );
  const row = make("div");
  const maps = colours.map((colour) => makeMap(picture, colour, chooseRow));
  const bars = makeBars(picture, colours);
  const drawn = [...maps, bars].map(({ element }) => element);
  const guess = makeChoice(question.legend, question.values, (prediction) =>
    change(model, { prediction }),
  );
  const button = make("button", { type: "button" }, "Reveal");
  const asked = make("div", { class: "guess" }, guess.element, button);
  const result = makeResult();
  result.element.tabIndex = -1;
  const ask = makeAsk((value) => choose({ ask: value }));
  const off = make("input", { type: "checkbox" });
  off.addEventListener("change", () => change(model, { without: off.checked }));
  const without = make("label", { class: "ask" }, off, "Without this head");
  const less = make("p", { class: "less", "aria-live": "polite" });
  const parts = [
    make(
      "div",
      { class: "settings" },
      ...[caption.element, attention.element],
      make("div", table, ...layers.map(({ element }) => element)),
      row,
    ),
    make("div", { class: "outcome" }, asked, result.element, without, less, ask.element),
    make("div", { class: "pictures" }, ...drawn, make("p", { class: "quiet" }, note)),
  ];
  el.append(makeCard(heading, make("div", { class: "inspect" }, ...parts)));

  function reveal() {
    if (model.get("prediction") === null) {
      result.complain("Choose one of the answers first.");
      guess.element.querySelector("input").focus();
      return;
    }
    change(model, { ask: false });
    queueMicrotask(() => result.element.focus()); // when it is drawn
  }
  button.addEventListener("click", reveal);
  guess.whenEntered(reveal);

  function find(one, kind, at, place) {
    const [[rows, columns], numbers] = [one.axes[kind], one.maps[kind][place][at]];
    const [first, second] = ranked(numbers);
    const seen = (column) => `“${columns[column]}” (${share(numbers[column])})`;
    const who = place === heads.length - 1 ? "the mean of all heads" : heads[place];
    const ends = kind === cross && first === columns.length - 1;
    const words = ends ? `, of the words at ${seen(second)}` : "";
    const told = kind === cross ? `; ${one.told[at]}` : "";
    return `“${rows[at]}”: ${who} looks most at ${seen(first)}${words}${told}.`;
  }

  let printing = false; // nobody can reveal anything on paper
  function draw() {
    const [number, kind, place] = [
      texts.indexOf(model.get("caption")),
      attentions.indexOf(model.get("attention")),
      heads.indexOf(model.get("head")),
    ];
    const [one, crossing, prediction] = [captions[number], kind === cross, model.get("prediction")];
    const [axes, words] = [one.axes[kind], rowsOf[number][kind]];
    const at = Math.min(model.get("row"), axes[0].length) - 1;
    const asking = model.get("ask") && crossing && !printing;
    caption.show(model.get("caption"));
    attention.show(attentions[kind]);
    layers.forEach((layer, down) => layer.show(grid[down][1][place - grid[0][1].length * down]));
    counts.forEach((count, head) => (count.textContent = crossing ? ` (${one.agree[head]})` : ""));
    if (row.firstChild !== words.element) row.replaceChildren(words.element);
    words.show(axes[0][at]);
    const weights = one.maps[kind][place];
    maps[0].show(`${titles[0]}: ${heads[place]}`, axes, weights, at);
    maps[1].element.toggleAttribute("hidden", !crossing);
    if (crossing) maps[1].show(titles[asking ? 2 : 1], axes, asking ? null : one.hidden, at);
    const moved = crossing && !asking ? [one.hidden[at]] : [];
    bars.show(axes[0][at], axes[1], weights[at], ...moved);
    const [kept, ...changes] = one.without[kind][place]?.split("\t") ?? [];
    const marked = changes.map((stretch, turn) =>
      stretch ? make(["del", "ins", "span"][turn % 3], {}, stretch) : "",
    );
    off.checked = model.get("without");
    without.hidden = less.hidden = kept === undefined;
    const written = changes.length ? [kept, ...marked] : ["The translation stays the same."];
    less.replaceChildren(...(off.checked ? written : []));
    guess.show(prediction, one.offered[at]);
    ask.show(model.get("ask"));
    asked.hidden = !asking;
    const [finding, right] = [find(one, kind, at, place), one.right[at]];
    if (asking) result.clear();
    else if (prediction === null || !crossing) result.show(finding, "", null);
    else if (prediction === right) result.show(finding, `✓ You predicted ${right}: right.`, true);
    else result.show(finding, `✗ You predicted ${prediction}; it is ${right}.`, false);
  }
  const print = ({ type }) => {
    printing = type === "beforeprint";
    draw();
  };
  const gone = new AbortController();
  window.addEventListener("beforeprint", print, gone);
  window.addEventListener("afterprint", print, gone);
  const names = ["caption", "attention", "head", "row", "without", "prediction", "ask"];
  const stop = follow(model, names, draw);
  return () => {
    gone.abort();
    stop();
  };
}

export default { render };
