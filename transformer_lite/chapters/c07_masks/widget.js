// Shows what Python computed (widget.py): a row of each map depends on its own row of the mask, and
// is looked up. Only the paths through several layers are computed here.

// The mask: paint(t, u) is called for a cell, choose(t) for the name of a row.
function makeGrid(names, paint, choose) {
  const rows = names.map((asks, t) => {
    const name = make("button", { type: "button", class: "asks" }, asks);
    name.addEventListener("click", () => choose(t));
    const cells = names.map((answers, u) => {
      const words = `${asks} may look at ${answers}`;
      const input = make("input", { type: "checkbox", "aria-label": words });
      input.addEventListener("change", () => paint(t, u));
      return input;
    });
    return [name, ...cells];
  });
  const heads = ["", ...names].map((name) =>
    make("span", { class: "answers", "aria-hidden": "true" }, name),
  );
  const all = rows.flat();
  const grid = make("div", { class: "mask" }, ...heads, ...all);

  // The Tab key comes to one of them, and arrows go on from there.
  const enter = (part) => all.forEach((other) => (other.tabIndex = other === part ? 0 : -1));
  enter(all[0]);
  grid.addEventListener("focusin", ({ target }) => enter(target));
  const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  grid.addEventListener("keydown", (event) => {
    if (!(event.key in steps)) return;
    event.preventDefault();
    event.stopPropagation(); // a deck would turn a slide
    const [at, width] = [all.indexOf(event.target), heads.length];
    const [down, right] = steps[event.key];
    rows[Math.floor(at / width) + down]?.[(at % width) + right]?.focus();
  });
  const legend = make("legend", {}, "Rows ask, columns answer. Choose a cell or a name.");
  return {
    element: make("fieldset", {}, legend, grid),
    show(mask, row, asked) {
      rows.forEach(([name, ...cells], t) => {
        name.setAttribute("aria-pressed", t === row);
        cells.forEach((input, u) => {
          input.checked = mask[t][u];
          input.classList.toggle("asked", String([t, u]) === asked);
        });
      });
    },
  };
}

// A cell for each pair, and in it a square whose area is its number.
function makeMap(size, { step, ends, top }, left, fills, colour) {
  const drawn = Array.from({ length: size ** 2 }, (_, pair) => {
    const [t, u] = [Math.floor(pair / size), pair % size];
    const [x, y] = [left + step * u, top + step * t];
    const cell = makeSvg("rect", { x, y, width: step - 1, height: step - 1 });
    return { t, u, x, y, cell, square: makeSvg("rect", { fill: colour }) };
  });
  const parts = drawn.flatMap(({ cell, square }) => [cell, square]);
  const element = makeSvg("g", { role: "img" }, ...parts);
  return {
    element,
    show(mask, numbers, largest, words) {
      element.setAttribute("aria-label", words);
      for (const { t, u, x, y, cell, square } of drawn) {
        cell.setAttribute("fill", fills[Number(mask[t][u])]);
        const number = numbers[t][u];
        const side = number ? Math.max(ends[0], ends[1] * Math.sqrt(number / largest)) : 0;
        const start = (step - 1 - side) / 2;
        build(square, { x: x + start, y: y + start, width: side, height: side }, []);
      }
    },
  };
}

function render({ model, el }) {
  const shown = model.get("shown");
  const { names, presets, question, because, asked, cells, colours } = shown;
  const { titles, note } = shown.layers;
  const [viewBox, drawn, before] = shown.picture;
  const numbers = (table) => table.split(" ").map(Number);
  const [weights, gradients] = [numbers(shown.weights), numbers(shown.gradients)];
  const [told, size] = [shown.told.split("\n"), names.length];
  let printing = false; // nobody can reveal anything on paper
  const asking = () => model.get("ask") && !printing;
  const now = () => (asking() ? asked.masks[0] : model.get("mask"));
  // Whoever paints is not asked any more.
  const choose = (values) =>
    change(model, { mask: now(), ...values, ask: false, prediction: null });
  const toggled = (t, u) =>
    now().map((row, asks) => row.map((may, answers) => may !== (asks === t && answers === u)));

  const preset = makeChoice(
    "Mask",
    presets.map(([name]) => name),
    (chosen) => choose({ mask: presets.find(([name]) => name === chosen)[1], row: null }),
  );
  const grid = makeGrid(
    names,
    (t, u) => choose({ mask: toggled(t, u), row: t + 1 }),
    (t) => change(model, { row: t + 1 }),
  );
  const slider = makeSlider("Layers", [1, 2, 3], (layers) => choose({ layers }));
  const maps = cells.lefts.map((left, place) =>
    makeMap(size, cells, left, colours.cells, colours.squares[place]),
  );
  const axes = makeSvg("g");
  axes.innerHTML = drawn; // made by drawing.py, which escapes what others wrote
  const title = makeSvg("text", { x: cells.lefts[1], y: 12, "font-weight": 600 });
  const outlines = makeSvg("g");
  const drawings = [axes, title, ...maps.map((map) => map.element), outlines];
  const guess = makeChoice(question.legend, question.values, (prediction) =>
    change(model, { prediction }),
  );
  const button = make("button", { type: "button" }, "Reveal");
  const guessing = make("div", { class: "guess" }, guess.element, button);
  const result = makeResult();
  result.element.tabIndex = -1;
  const ask = makeAsk((value) => change(model, { ask: value, layers: 1, prediction: null }));
  const depth = make("div", {}, slider.element, make("p", { class: "quiet" }, note));
  const parts = [
    make("div", { class: "settings" }, preset.element, grid.element, depth),
    make("div", { class: "pictures" }, makeSvg("svg", { viewBox }, ...drawings)),
    make("div", { class: "outcome" }, guessing, result.element, ask.element),
  ];
  el.append(makeCard(shown.heading, make("div", { class: "painter" }, ...parts)));

  function reveal() {
    if (model.get("prediction") === null) {
      result.complain("Choose one of the answers first.");
      guess.element.querySelector("input").focus();
      return;
    }
    change(model, { mask: asked.masks[1], row: asked.cell[0] + 1, ask: false });
    queueMicrotask(() => result.element.focus()); // when it is drawn
  }
  button.addEventListener("click", reveal);
  guess.whenEntered(reveal);

  function draw() {
    const [mask, layers, row] = [now(), model.get("layers"), model.get("row")];
    // Masks of a row are counted as binary numbers; each has a place for each token that asks.
    const places = mask.map((may, t) => may.reduce((code, one) => 2 * code + one, 0) * size + t);
    const look = (table) => places.map((at) => table.slice(at * size, (at + 1) * size));
    const step = mask.map((may, t) => may.map((one, u) => one || t === u));
    let paths = step;
    for (let layer = 1; layer < layers; layer += 1) {
      paths = paths.map((path) => path.map((_, u) => path.some((one, j) => one && step[j][u])));
    }
    const [links, largest] = layers > 1 ? [paths, 1] : [look(gradients), shown.strongest];
    const listed = links.map((link) => names.filter((_, u) => link[u]).join(", ") || "nothing");
    const linked = listed.map((heard, t) => `${names[t]}: ${heard}`).join("; ");
    maps[0].show(mask, look(weights), 1, places.map((at) => told[at]).join("\n"));
    maps[1].show(mask, links, largest, `${titles[layers - 1]} not 0: ${linked}`);
    title.textContent = titles[layers - 1];
    const same = (other) => String(other) === String(mask);
    const [name, , does] = presets.find((one) => same(one[1])) ?? [];
    const revealed = same(asked.masks[1]);
    outlines.innerHTML = revealed ? before : "";
    preset.show(name);
    grid.show(mask, row - 1, asking() && String(asked.cell));
    slider.show(layers);
    const prediction = model.get("prediction");
    guess.show(prediction);
    ask.show(asking());
    guessing.hidden = !asking();
    const zeros = `${links.flat().filter((number) => !number).length} of ${size ** 2}`;
    const after = `After ${layers} layers`;
    const whole =
      layers > 1 ? `${after} ${zeros} pairs have no path.` : `${zeros} gradients are exactly 0.`;
    const found =
      row === null
        ? [does, whole]
        : [
            told[places[row - 1]],
            revealed && row - 1 === asked.cell[0] && asked.grown,
            layers > 1 && `${after} it hears from ${listed[row - 1]}.`,
          ];
    const finding = found.filter(Boolean).join(" ");
    const right = prediction === question.right;
    const judged = right ? [": right.", "✓"] : [`; it is ${question.right}.`, "✗"];
    const verdict = `${judged[1]} You predicted ${prediction}${judged[0]}`;
    if (asking()) result.clear();
    else if (prediction === null) result.show(finding, "", null);
    else result.show(finding, `${verdict} ${because}`, right);
  }
  const print = ({ type }) => {
    printing = type === "beforeprint";
    draw();
  };
  const gone = new AbortController();
  window.addEventListener("beforeprint", print, gone);
  window.addEventListener("afterprint", print, gone);
  const stop = follow(model, ["mask", "row", "layers", "prediction", "ask"], draw);
  return () => {
    gone.abort();
    stop();
  };
}

export default { render };
