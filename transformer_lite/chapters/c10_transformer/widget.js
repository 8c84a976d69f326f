// The page's side: the model (engine.js) runs at each change, and everything shown is read from the
// trace of that run. There is one opened box at a time.

// The boxes as Python lists them, each with its stages: the matrices that it can show, by name.
function readBoxes({ boxes, stages }) {
  return boxes.map(([prefix, title, side, keys, places], place) => {
    const parts = prefix.split(".");
    const layer = parts.length > 2 ? parts.slice(0, 2).join(".") : null;
    const stack = { source: "encoder", target: "decoder" }[side];
    const own = places.map((one) => {
      const [key, called, shape, formula, code, chapter, limit] = stages[one];
      return { key, name: prefix + key, title: called, shape, formula, code, chapter, limit };
    });
    const { name: first } = own[0];
    // Behind the box stands the last vector that it makes, but for the output.
    const behind = title === "output" ? first : own.at(-1).name;
    const attends = title.endsWith("attention");
    const heading = `${layer ? named(layer) : stack}: ${title}`;
    const more = { layer, stack, behind, attends, heading, stages: own };
    return { place, prefix, title, side, keys, ...more };
  });
}

// The boxes of the model, encoder and decoder side by side, the first at the bottom. Each shows the
// vector of the followed token behind it, and in the decoder what the output layer would say to it.
function makeMap(boxes, open, toggle) {
  const frames = {};
  const stacks = ["encoder", "decoder"].map((name) => {
    const attributes = { class: `stack ${name}`, role: "group", "aria-label": name };
    return make("div", attributes, make("span", { class: "name" }, name));
  });
  const parts = boxes.map(({ place, title, layer, stack }) => {
    const strip = make("canvas", { "aria-hidden": "true" });
    const lens = make("span", { class: "lens" });
    const words = make("span", {}, title);
    const kind = title === "memory" || title === "output" ? `box ${title}` : "box";
    const button = make("button", { type: "button", class: kind }, words, lens, strip);
    button.addEventListener("click", () => open(place));
    const column = stacks[stack === "decoder" ? 1 : 0];
    if (layer && !frames[layer]) {
      const input = make("input", { type: "checkbox" });
      input.addEventListener("change", () => toggle(layer));
      const on = make("label", { class: "on" }, input, `layer ${Number(layer.split(".")[1]) + 1}`);
      frames[layer] = { input, frame: make("div", { class: "layer" }, on) };
      column.append(frames[layer].frame);
    }
    (layer ? frames[layer].frame : column).append(button);
    return { button, strip, lens };
  });
  const legend = "Strips: the marked word’s vector after each box.";
  const read = "Words: what the output layer would write if it read there.";
  return {
    element: make(
      "div",
      { class: "map" },
      ...stacks,
      make("p", { class: "quiet" }, `${legend} ${read}`),
    ),
    show(opened, off, vectors, lenses) {
      parts.forEach(({ button, strip, lens }, place) => {
        button.setAttribute("aria-pressed", place === opened);
        strip.hidden = !vectors[place];
        if (vectors[place]) paint(strip, [vectors[place]], vectors[place].length, 6, false);
        lens.textContent = lenses[place] ?? "";
      });
      for (const [layer, { frame, input }] of Object.entries(frames)) {
        input.checked = !off.includes(layer);
        frame.classList.toggle("off", !input.checked);
      }
    },
  };
}

// What the chosen weight leaves is shared by the others as before.
function reweighted(row, place, weight) {
  const rest = 1 - row[place];
  const share = (one) => (rest > 0 ? one / rest : 1 / (row.length - 1));
  return Array.from(row, (one, key) => (key === place ? weight : share(one) * (1 - weight)));
}

function named(part) {
  const [stack, index, kind, head] = part.split(".");
  const attention = kind ? `, ${kind}-attention, head ${Number(head) + 1}` : "";
  return `${stack} layer ${Number(index) + 1}${attention}`;
}

function render({ model, el }) {
  const shown = model.get("shown");
  const { question, asked } = shown;
  const boxes = readBoxes(shown);
  const find = (name) => boxes.find(({ stages }) => stages.some((one) => one.name === name));
  const known = shown.source.split(" ");
  const korean = shown.target.split("\n").map((line) => line.split("\t"));
  const transformer = makeTransformer(readWeights(shown.weights, shown.shapes), shown.heads, 1, 2);
  let printing = false; // nobody can reveal anything on paper
  // What the reader looks at: tokens of both sides (null: the newest), a head, a column (null: the
  // one of the largest number), and the cell under the pointer. The unchanged run, what is drawn.
  let [followed, head, column, under] = [{ source: 1, target: null }, 0, null, null];
  let [base, drawn] = [{}, {}];
  const asking = () => model.get("ask") && !printing;
  const now = () => {
    const names = ["text", "written", "opened", "off", "rows", "positions"];
    const values = Object.fromEntries(names.map((name) => [name, model.get(name)]));
    return asking() ? { ...asked, ...UNCHANGED, opened: null } : values;
  };
  // Whoever does something is not asked any more.
  const choose = (values) => change(model, { ...now(), ...values, ask: false, prediction: null });
  const read = (text) => {
    followed = { source: 1, target: null };
    choose({ text, written: 0, rows: {} });
  };
  const toggle = (part) => {
    const { off } = now();
    choose({ off: off.includes(part) ? off.filter((one) => one !== part) : [...off, part] });
  };
  const open = (place, title) => {
    const usual = ["weights", "hidden", "sum", "memory", "probabilities"];
    const fits = (one) => (title ? one.title === title : usual.includes(one.key));
    column = null;
    choose({ opened: boxes[place].stages.find(fits).name });
  };
  const mark = (side, place) => {
    followed = { ...followed, [side]: place };
    draw();
  };
  const button = (words, act) => {
    const made = make("button", { type: "button", class: "light" }, words);
    made.addEventListener("click", act);
    return made;
  };

  const sentence = makeSentence(known, shown.sentences, shown.longest, read);
  const english = makeTokens("English", (place) => mark("source", place));
  const translation = makeTokens("Korean", (place) => mark("target", place));
  const before = make("p");
  const walk = [
    button("back", () => choose({ written: Math.max(0, drawn.count - 1) })),
    button("next word", () => choose({ written: drawn.count + 1 })),
    button("all", () => choose({ written: shown.most })),
    button("restart", () => choose({ written: 0 })),
  ];
  walk[1].classList.remove("light");
  const bars = makeBars();
  const map = makeMap(boxes, open, toggle);
  const titles = boxes.map(({ stages }) => stages.map((one) => one.title));
  const every = [...new Set(titles.flat())];
  const stage = makeChoice("Show", every, (title) => open(drawn.box.place, title));
  const matrix = makeMatrix(
    (row) => mark(drawn.side, row),
    (at, hold) => {
      under = hold ? null : at;
      if (hold) column = at[1];
      if (hold) mark(drawn.side, at[0]);
      else draw();
    },
  );
  const heads = makeHeads(
    shown.heads,
    (one) => {
      head = one;
      open(drawn.box.place, drawn.stage.key === "energies" ? "energies" : "weights");
    },
    (one) => toggle(`${drawn.box.prefix}${one}`),
  );
  const shares = Array.from({ length: 101 }, (_, place) => place / 100);
  const together = make("input", { type: "checkbox" });
  together.checked = true;
  const edited = (one) => `${drawn.box.prefix}${one}.${drawn.cell[0]}`;
  const weight = makeSlider("weight", shares, (share) => {
    const [row, key] = drawn.cell;
    const rows = { ...now().rows };
    drawn.every.forEach((map, one) => {
      if (together.checked || one === head) rows[edited(one)] = reweighted(map[row], key, share);
    });
    column = key;
    choose({ rows });
  });
  const undo = button("undo this row", () => {
    const rows = { ...now().rows };
    drawn.every.forEach((_, one) => delete rows[edited(one)]);
    weight.element.querySelector("input").focus(); // the button goes away
    choose({ rows });
  });
  const all = make("label", { class: "on" }, together, "in all heads");
  const editing = make("div", { class: "edit" }, weight.element, all, undo);
  const [heading, formula, shape] = [make("b"), make("span"), make("span")];
  const facts = make("p", { class: "facts" }, formula, shape);
  const legend = make("p", { class: "scale quiet", "aria-hidden": "true" });
  const explained = make("p", { class: "quiet" });
  const [where, lines] = [make("summary"), make("code", { tabindex: 0 })];
  const source = make("details", {}, where, make("pre", {}, lines));
  const numbers = make("div", { class: "numbers" }, matrix.element, legend, matrix.said);
  const tools = [heads.element, editing, explained, source];
  const panel = make("div", { class: "panel" }, heading, stage.element, facts, numbers, ...tools);

  const guess = makeChoice(question.legend, question.values, (prediction) =>
    change(model, { prediction }),
  );
  const answer = make("button", { type: "button" }, "Reveal");
  const guessing = make("div", { class: "guess" }, guess.element, answer);
  const result = makeResult();
  result.element.tabIndex = -1;
  const ask = makeAsk((value) => change(model, { ask: value, prediction: null }));
  const positions = makeSlider("Positions ×", shown.factors, (factor) =>
    choose({ positions: factor }),
  );
  const back = button("Put everything back", () => {
    positions.element.querySelector("input").focus();
    choose(UNCHANGED);
  });
  const told = make("span", { class: "quiet" });
  const steps = make("div", { class: "steps" }, ...walk);
  const title = make("p", { class: "name" });
  const parts = [
    sentence.element,
    make("div", { class: "texts" }, english.element, translation.element, before, steps),
    make("div", {}, title, bars.element),
    map.element,
    make("div", { class: "view" }, guessing, result.element, panel),
    make("div", { class: "changes" }, positions.element, back, told),
    ask.element,
  ];
  const areas = ["sentence", "texts", "next", "map", "view", "changes", "ask"];
  parts.forEach((part, place) => (part.style.gridArea = areas[place]));
  el.append(makeCard(shown.heading, make("div", { class: "live" }, ...parts)));

  function reveal() {
    if (model.get("prediction") === null) {
      result.complain("Choose one of the answers first.");
      guess.element.querySelector("input").focus();
      return;
    }
    const place = asked.text.split(" ").indexOf(question.right);
    [followed, column] = [{ source: place, target: asked.written }, place];
    change(model, { ...now(), ...asked, ask: false });
    queueMicrotask(() => result.element.focus()); // when it is drawn
  }
  answer.addEventListener("click", reveal);
  guess.whenEntered(reveal);

  // The opened matrix: rows, what they and the columns are called, and a cell in words.
  function look(trace, tokens, name) {
    const box = find(name);
    const one = box.stages.find((other) => other.name === name);
    const [maps, wide] = [one.shape === "R × C", one.shape.endsWith("V")];
    const side = one.shape.startsWith("C") ? box.keys : box.side;
    const [asks, answers] = [tokens[side], tokens[box.keys]];
    const rows = (maps ? trace[name]?.[head] : trace[name])?.slice(0, asks.length);
    const columns = maps ? answers.length : (rows?.[0].length ?? 1);
    const inHeads = ["query", "key", "value", "heads"].includes(one.key);
    const numbered = Array.from({ length: shown.heads }, (_, place) => `head ${place + 1}`);
    const called = (at) => {
      const size = columns / shown.heads;
      if (maps) return (one.key === "weights" ? "looks at " : "and ") + answers[at][0];
      if (wide) return korean[at].filter(Boolean).join(" ");
      return inHeads
        ? `${numbered[Math.floor(at / size)]}, number ${(at % size) + 1}`
        : `number ${at + 1}`;
    };
    const letter = { source: "S", target: "T" };
    const letters = one.shape.replace("R", letter[box.side]).replace("C", letter[box.keys]);
    return {
      box,
      stage: one,
      side,
      rows,
      every: trace[name],
      columns,
      heads: maps ? answers.map(([word]) => word) : inHeads ? numbered : ["1", columns],
      maps,
      shape: `${letters} = ${rows?.length} × ${columns}${maps ? " in each head" : ""}`,
      say(row, at) {
        const number = rows[row][at];
        const value = number === undefined ? "not to be seen, it comes later" : decimal(number);
        return [`${asks[row][0]}${maps ? " " : ", "}${called(at)}`, value];
      },
    };
  }

  function showPanel(state, trace, tokens) {
    panel.hidden = !state.opened;
    if (panel.hidden) return;
    const view = look(trace, tokens, state.opened);
    const { box, stage: one, rows, columns, side, say } = view;
    heading.textContent = box.heading;
    stage.show(one.title, titles[box.place]);
    const other = box.keys === box.side ? "x̂" : "memory";
    formula.textContent = one.formula.replace(" y ", ` ${other} `);
    const [page, chapter] = one.chapter;
    const linked = page && "content_root" in document.documentElement.dataset; // a page of the book
    const reference = linked ? make("a", { href: page }, chapter) : chapter;
    explained.replaceChildren("Explained in ", reference, ".");
    [where.textContent, lines.textContent] = [one.code, shown.code[one.code]];
    const on = Boolean(rows);
    shape.textContent = on ? view.shape : "Switched off: the layer hands on what it gets.";
    numbers.hidden = !on;
    heads.element.hidden = !on || !box.attends;
    editing.hidden = !on || one.key !== "weights";
    if (!on) return;

    const row = drawn.followed[side];
    const cell = [row, Math.min(column ?? largestOf(rows[row]), columns - 1)];
    Object.assign(drawn, view, { cell });
    const at = under ?? cell;
    const kind = ["weights", "probabilities"].includes(one.key);
    matrix.show({
      ...view,
      names: tokens[side],
      row,
      cell: at,
      limit: one.limit,
      shares: kind,
      words: say(...at).join(": "),
      label: `${box.heading}, ${one.title}, ${view.shape}`,
    });
    const ends = [kind ? "0" : `−${one.limit}`, `${one.limit}`];
    legend.replaceChildren(ends[0], make("span", { class: kind ? "shares" : "" }), ends[1]);
    if (box.attends) {
      const maps = trace[`${box.prefix}weights`];
      const some = maps.map((map) => map.slice(0, tokens[box.side].length));
      heads.show(some, tokens[box.keys].length, head, (place) =>
        state.off.includes(`${box.prefix}${place}`),
      );
    }
    if (editing.hidden) return;
    weight.show(Math.round(100 * (rows[cell[0]][cell[1]] ?? 0)) / 100);
    weight.element.querySelector(".name").textContent = `Change: ${say(...cell)[0]}`;
    undo.hidden = !drawn.every.some((_, one) => edited(one) in state.rows);
  }

  function showTexts(state, ids, tokens, altered) {
    const { count, length, followed: at } = drawn;
    const kept = inBoth(tokens.slice(0, count), base.run.tokens);
    sentence.show(state.text);
    english.show(ids.map((id, place) => ({ lines: [known[id]], followed: place === at.source })));
    translation.show(
      [["<bos>", "", "begin"], ...tokens.slice(0, count).map((id) => korean[id])].map(
        (lines, place) => ({
          lines,
          followed: place === at.target && place < length,
          changed: place > 0 && !kept[place - 1],
        }),
      ),
    );
    before.hidden = !altered;
    const list = (line) => base.run.tokens.map((id) => korean[id][line]).filter(Boolean);
    const label = make("span", { class: "name" }, "Without your changes: ");
    const meaning = make("span", { class: "quiet" }, ` ${list(2).join(" · ")}`);
    before.replaceChildren(label, list(0).join(" "), meaning);
    const ends = [count === 0, count === tokens.length];
    walk.forEach((one, place) => one.setAttribute("aria-disabled", ends[place % 3 ? 1 : 0]));
  }

  function showChanges(state, altered) {
    const edited = Object.keys(state.rows).length;
    const rows = edited ? [`${edited} ${edited > 1 ? "rows" : "row"} of weights`] : [];
    const list = [...state.off.map((part) => `${named(part)} off`), ...rows];
    told.textContent = list.length ? `Changed: ${list.join("; ")}.` : "";
    positions.show(state.positions);
    back.hidden = !altered;
  }

  function showAnswer() {
    const prediction = model.get("prediction");
    guess.show(prediction);
    ask.show(asking());
    guessing.hidden = !asking();
    result.element.hidden = !asking() && prediction === null;
    const right = prediction === question.right;
    const verdict = right ? ": right." : `; it is ${question.right}.`;
    const headline = `${right ? "✓" : "✗"} You predicted ${prediction}${verdict}`;
    if (asking()) result.clear();
    else if (prediction !== null) result.show(headline, shown.because, right);
  }

  function draw() {
    const state = now();
    const ids = [...state.text.split(" ").map((word) => known.indexOf(word)), 2];
    const altered = state.off.length || Object.keys(state.rows).length || state.positions !== 1;
    if (base.text !== state.text) base = { text: state.text, run: transformer.run(ids) };
    const { tokens, trace } = altered ? transformer.run(ids, state) : base.run;
    const count = Math.min(state.written, tokens.length);
    const length = Math.min(count + 1, tokens.length); // of what the decoder read: <bos> and on
    const [source, newest] = [Math.min(followed.source, ids.length - 1), length - 1];
    const target = Math.min(followed.target ?? newest, newest);
    drawn = { ...drawn, count, length, followed: { source, target } };
    showTexts(state, ids, tokens, altered);

    const next = trace.probabilities[newest];
    const same = altered && transformer.run(ids, UNCHANGED, tokens.slice(0, length)).trace;
    title.textContent = `Most probable next words${same ? "; marks: without your changes" : ""}`;
    const best = [...next.keys()].sort((one, other) => next[other] - next[one]).slice(0, 5);
    bars.show(
      best.map((id) => ({
        words: `${korean[id][0]} ${korean[id][2]}`.trim(),
        share: next[id],
        before: same ? same.probabilities[newest][id] : undefined,
      })),
    );

    const vectors = boxes.map(({ side, behind }) => trace[behind]?.[drawn.followed[side]]);
    const lenses = boxes.map(({ side, title }, place) => {
      if (side === "source" || !vectors[place]) return "";
      const would = title === "output" ? trace.logits[target] : transformer.read(vectors[place]);
      const [word, , meaning] = korean[largestOf(would)];
      return `${word} ${meaning.split(/ [/(]/)[0]}`.trim();
    });
    map.show(state.opened && find(state.opened).place, state.off, vectors, lenses);

    const read = ["<bos>", ...tokens.map((id) => korean[id][0])].slice(0, length);
    const writes = (place) => (place < count ? korean[tokens[place]][0] : "?");
    showPanel(state, trace, {
      source: ids.map((id) => [known[id], ""]),
      target: read.map((word, place) => [word, ` → ${writes(place)}`]),
    });
    showChanges(state, altered);
    showAnswer();
  }

  const print = ({ type }) => {
    printing = type === "beforeprint";
    draw();
  };
  const gone = new AbortController();
  window.addEventListener("beforeprint", print, gone);
  window.addEventListener("afterprint", print, gone);
  const watched = ["text", "written", "opened", "off", "rows", "positions", "prediction", "ask"];
  const stop = follow(model, watched, draw);
  return () => {
    gone.abort();
    stop();
  };
}

export default { render };
