// The page's side: the model (engine.js) runs at each change, and everything shown is read from the
// trace of that run. There is one opened box at a time.

// The boxes as Python lists them, each with its stages: the matrices that it can show, by name.
function readBoxes(boxes) {
  return boxes.map((box, place) => {
    const layer = /^\w+\.\d+/.exec(box.prefix)?.[0];
    const stack = box.side === "source" ? "encoder" : "decoder";
    const stages = box.stages.map((one) => ({ ...one, key: one.name, name: box.prefix + one.name }));
    // Behind the box stands the last vector that it makes, but for the output.
    const behind = stages.at(box.kind === "output" ? 0 : -1).name;
    const heading = `${layer ? named(layer) : stack}: ${box.title}`;
    return { ...box, place, layer, stack, stages, behind, heading };
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
  const parts = boxes.map(({ place, kind, title, layer, stack }) => {
    const strip = make("canvas", { "aria-hidden": "true" });
    const lens = make("span", { class: "lens" });
    const words = make("span", {}, title);
    const attributes = { type: "button", class: `box ${kind}` };
    const button = make("button", attributes, words, lens, strip);
    button.addEventListener("click", () => open(place));
    const column = stacks[stack === "decoder" ? 1 : 0];
    if (layer && !frames[layer]) {
      const input = make("input", { type: "checkbox" });
      input.addEventListener("change", () => toggle([layer], input.checked));
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
  const boxes = readBoxes(shown.boxes);
  const find = (name) => boxes.find(({ stages }) => stages.some((one) => one.name === name));
  const known = shown.source.split(" ");
  const korean = shown.target.split("\n").map((line) => line.split("\t"));
  const transformer = makeTransformer(readWeights(shown.weights, shown.shapes), shown.heads, 1, 2);
  // Nobody can reveal anything on paper.
  let printing = false;
  // What the reader looks at: tokens of both sides (null: the newest), a head (null: the mean of
  // all), a column (null: the one of the largest number), and the cell under the pointer. The
  // unchanged run, the present one, what is drawn.
  let [followed, head, column, under] = [{ source: 1, target: null }, null, null, null];
  let [base, present, drawn] = [{}, {}, {}];
  const asking = () => model.get("ask") && !printing;
  // The box with the answer stays closed until it is given.
  const locked = (opened) => asking() && opened && find(opened) === find(asked.opened);
  const isOff = (part) => model.get("off").includes(part);
  const choose = (values) => change(model, asking() ? values : { ...values, prediction: null });
  const read = (text) => {
    followed = { source: 1, target: null };
    choose({ text, written: 0, rows: {} });
  };
  const write = (written) => {
    followed = { ...followed, target: null };
    choose({ written });
  };
  const toggle = (parts, on) => {
    const others = model.get("off").filter((one) => !parts.includes(one));
    choose({ off: on ? others : [...others, ...parts] });
  };
  const open = (place, title) => {
    const usual = ["weights", "hidden", "sum", "memory", "probabilities"];
    const fits = (one) => (title ? one.title === title : usual.includes(one.key));
    const opened = boxes[place].stages.find(fits).name;
    if (opened !== model.get("opened")) column = null;
    choose({ opened });
    // Perhaps another head of the same.
    draw();
  };
  const mark = (side, place) => {
    followed = { ...followed, [side]: place };
    draw();
  };
  const button = (words, act) => {
    const made = make("button", { type: "button" }, words);
    made.addEventListener("click", act);
    return made;
  };

  const sentence = makeSentence(known, shown.sentences, shown.longest, read);
  const english = makeTokens("English", (place) => mark("source", place));
  const translation = makeTokens("Korean", (place) => mark("target", place));
  const before = make("p");
  const walk = [
    button("back", () => write(Math.max(0, drawn.count - 1))),
    button("next word", () => write(drawn.count + 1)),
    button("all", () => write(shown.most)),
    button("restart", () => write(0)),
  ];
  walk[1].classList.add("main");
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
  // The names of one head of a box, or of all; the map of one, or the mean of those that are on.
  const headsOf = (one, { prefix } = drawn.box) => {
    const every = Array.from({ length: shown.heads }, (_, place) => `${prefix}${place}`);
    return one === null ? every : [every[one]];
  };
  const mapOf = (maps, box, one) => {
    if (one !== null) return maps[one];
    const on = maps.filter((_, place) => !isOff(`${box.prefix}${place}`));
    return meanOf(on.length ? on : maps);
  };
  const heads = makeHeads(
    shown.heads,
    (one) => {
      head = one;
      // They have no mean.
      const energies = drawn.stage.key === "energies" && one !== null;
      open(drawn.box.place, energies ? "energies" : "weights");
    },
    (one, on) => toggle(headsOf(one), on),
  );
  const shares = Array.from({ length: 101 }, (_, place) => place / 100);
  const weight = makeSlider("weight", shares, (share) => {
    const [row, key] = drawn.cell;
    const rows = { ...model.get("rows") };
    for (const one of headsOf(head)) {
      const map = drawn.every[one.split(".").at(-1)];
      if (!isOff(one)) rows[`${one}.${row}`] = reweighted(map[row], key, share);
    }
    column = key;
    choose({ rows });
  });
  const undo = button("undo this row", () => {
    const rows = { ...model.get("rows") };
    for (const one of headsOf(null)) delete rows[`${one}.${drawn.cell[0]}`];
    // The button goes away.
    weight.element.querySelector("input").focus();
    choose({ rows });
  });
  const editing = make("div", { class: "edit" }, weight.element, undo);
  const [heading, formula, shape] = [make("b"), make("span"), make("span")];
  const facts = make("p", { class: "facts" }, formula, shape);
  const ramp = make("canvas");
  const [low, high] = [make("span"), make("span")];
  const legend = make("p", { class: "scale quiet", "aria-hidden": "true" }, low, ramp, high);
  const explained = make("p", { class: "quiet" });
  const [where, lines] = [make("summary"), make("code")];
  const source = make("details", {}, where, make("pre", {}, lines));
  const numbers = make("div", { class: "numbers" }, matrix.element, legend, matrix.said);
  const tools = [heads.element, editing, explained, source];
  const panel = make("div", { class: "panel" }, heading, stage.element, facts, numbers, ...tools);
  const hint = make("p", { class: "quiet" }, "Click a box to see its numbers.");

  const guess = makeChoice(question.legend, question.values, (prediction) =>
    change(model, { prediction }),
  );
  const answer = button("Reveal", reveal);
  answer.classList.add("main");
  const skip = button("skip", () => {
    change(model, { ask: false, prediction: null });
    // This button goes away.
    walk[1].focus();
  });
  const guessing = make("div", { class: "guess" }, guess.element, answer, skip);
  const result = makeResult();
  result.element.tabIndex = -1;
  const positions = makeSlider("Positions ×", shown.factors, (factor) =>
    choose({ positions: factor }),
  );
  const back = button("Put everything back", () => {
    positions.element.querySelector("input").focus();
    choose(UNCHANGED);
  });
  const told = make("span", { class: "quiet" });
  const steps = make("div", { class: "steps" }, ...walk, positions.element, back);
  const title = make("p", { class: "name" });
  // Stay in view.
  const texts = [english.element, translation.element, before, steps];
  const work = [
    map.element,
    make("div", { class: "view" }, guessing, result.element, hint, panel),
    make("div", { class: "next" }, title, bars.element, told),
  ];
  const above = [sentence.element, make("div", { class: "texts" }, ...texts)];
  for (const part of [...above, ...work]) part.style.gridArea = part.className;
  const live = make("div", { class: "live" }, ...above, make("div", { class: "work" }, ...work));
  const card = makeCard(shown.heading, live);
  // In a deck, keys turn slides again once Escape has left the widget; those of a remote always do.
  card.addEventListener("keydown", (event) => {
    if (event.key === "Escape") event.target.blur();
    if (!["PageUp", "PageDown"].includes(event.key)) event.stopPropagation();
  });
  el.append(card);

  function reveal() {
    if (model.get("prediction") === null) {
      result.complain("Choose one of the answers first.");
      guess.element.querySelector("input").focus();
      return;
    }
    const place = asked.text.split(" ").indexOf(question.right);
    [followed, head, column] = [{ source: place, target: asked.written }, null, place];
    change(model, { ...UNCHANGED, ...asked, ask: false });
    // When it is drawn.
    queueMicrotask(() => result.element.focus());
  }
  guess.whenEntered(reveal);

  // The opened matrix: rows, what they and the columns are called, and a cell in words.
  function look(trace, tokens, name) {
    const box = find(name);
    const one = box.stages.find((other) => other.name === name);
    const [maps, wide] = [one.shape === "R × C", one.shape.endsWith("V")];
    const side = one.shape.startsWith("C") ? box.keys : box.side;
    const [asks, answers] = [tokens[side], tokens[box.keys]];
    const every = trace[name];
    const chosen = one.key === "energies" ? (head ?? 0) : head;
    const off = maps && headsOf(chosen, box).every(isOff);
    const rows = (maps && every ? mapOf(every, box, chosen) : every)?.slice(0, asks.length);
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
    const part = chosen === null ? "mean" : numbered[chosen];
    const places = wide ? [`${columns} words`] : ["1", columns];
    return {
      box,
      stage: one,
      side,
      rows,
      every,
      chosen,
      off,
      columns,
      heads: maps ? answers.map(([word]) => word) : inHeads ? numbered : places,
      maps,
      shape:
        `${letters} = ${rows?.length} × ${columns}` +
        `${maps ? `, ${part}` : ""}${off ? ", switched off" : ""}`,
      say(row, at) {
        const number = rows[row][at];
        const digits = one.limit === 1 ? 3 : 2;
        const hidden = number === undefined;
        const value = hidden ? "not to be seen, it comes later" : decimal(number, digits);
        return [`${asks[row][0]}${maps ? " " : ", "}${called(at)}`, value];
      },
    };
  }

  function showPanel(state, trace, tokens) {
    hint.hidden = Boolean(state.opened);
    panel.hidden = !state.opened || Boolean(locked(state.opened));
    if (panel.hidden) return;
    const view = look(trace, tokens, state.opened);
    const { box, stage: one, rows, columns, side, chosen, off, say } = view;
    Object.assign(drawn, view);
    heading.textContent = box.heading;
    stage.show(one.title, titles[box.place]);
    const other = box.keys === box.side ? "x̂" : "memory";
    formula.textContent = one.formula.replace(" y ", ` ${other} `);
    const [page, chapter] = shown.chapters[one.chapter];
    // A page of the book.
    const linked = page && "content_root" in document.documentElement.dataset;
    const reference = linked ? make("a", { href: page }, chapter) : chapter;
    explained.replaceChildren("Explained in ", reference, ".");
    source.hidden = !one.code;
    [where.textContent, lines.textContent] = [one.code, shown.code[one.code]];
    const on = Boolean(rows);
    shape.textContent = on ? view.shape : "Switched off: the layer hands on what it gets.";
    numbers.hidden = !on;
    heads.element.hidden = !on || box.kind !== "attention";
    editing.hidden = true;
    if (!on) return;

    const row = drawn.followed[side];
    const cell = [row, Math.min(column ?? largestOf(rows[row]), columns - 1)];
    drawn.cell = cell;
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
    const scale = Array.from({ length: 65 }, (_, place) => place / 64);
    const shares = scale.map((share) => (kind ? share : 2 * share - 1));
    paint(ramp, [shares], 65, 1, kind);
    [low.textContent, high.textContent] = [kind ? "0" : `−${one.limit}`, one.limit];
    if (box.kind === "attention") {
      const maps = trace[`${box.prefix}weights`];
      const some = [mapOf(maps, box, null), ...maps];
      const seen = some.map((map) => map.slice(0, tokens[box.side].length));
      heads.show(seen, tokens[box.keys].length, chosen, (place) => headsOf(place).every(isOff));
    }
    // A row of one weight has nothing to share, and what comes later cannot be seen.
    const number = rows[row].length > 1 ? rows[row][cell[1]] : undefined;
    editing.hidden = one.key !== "weights" || off || number === undefined;
    if (editing.hidden) return;
    weight.show(Math.round(100 * number) / 100);
    const [name, slider] = weight.element.children;
    const place = head === null ? "all heads" : `head ${head + 1}`;
    name.textContent = `Click a cell, then push the slider (${place})`;
    slider.setAttribute("aria-valuetext", say(...cell).join(": "));
    undo.hidden = !headsOf(null).some((one) => `${one}.${row}` in state.rows);
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
    guessing.hidden = !asking();
    result.element.hidden = !asking() && prediction === null;
    const right = prediction === question.right;
    const verdict = right ? ": right." : `; it is ${question.right}.`;
    const headline = `${right ? "✓" : "✗"} You predicted ${prediction}${verdict}`;
    const complaint = "This box has the answer: answer first, or skip.";
    if (locked(model.get("opened"))) result.complain(complaint);
    else if (asking()) result.clear();
    else if (prediction !== null) result.show(headline, shown.because, right);
  }

  function draw() {
    const names = ["text", "written", "opened", "off", "rows", "positions"];
    const state = Object.fromEntries(names.map((name) => [name, model.get(name)]));
    const ids = [...state.text.split(" ").map((word) => known.indexOf(word)), 2];
    const altered = state.off.length || Object.keys(state.rows).length || state.positions !== 1;
    if (base.text !== state.text) base = { text: state.text, run: transformer.run(ids) };
    const key = JSON.stringify([state.text, state.off, state.rows, state.positions]);
    if (present.key !== key) {
      const run = altered ? transformer.run(ids, state) : base.run;
      // So far as written.
      const same = altered && transformer.run(ids, UNCHANGED, run.tokens).trace;
      present = { key, run, same };
    }
    const { tokens, trace } = present.run;
    const { same } = present;
    const count = Math.min(state.written, tokens.length);
    // Of what the decoder read: <bos> and on.
    const length = Math.min(count + 1, tokens.length);
    const [source, newest] = [Math.min(followed.source, ids.length - 1), length - 1];
    const target = Math.min(followed.target ?? newest, newest);
    drawn = { ...drawn, count, length, followed: { source, target } };
    showTexts(state, ids, tokens, altered);

    const read = ["<bos>", ...tokens.map((id) => korean[id][0])].slice(0, length);
    const next = trace.probabilities[target];
    const marks = same ? "; marks: without your changes" : "";
    title.textContent = `After ${read[target]}: most probable next${marks}`;
    const best = [...next.keys()].sort((one, other) => next[other] - next[one]).slice(0, 5);
    bars.show(
      best.map((id) => ({
        words: `${korean[id][0]} ${korean[id][2]}`.trim(),
        share: next[id],
        before: same ? same.probabilities[target][id] : undefined,
      })),
    );

    const vectors = boxes.map(({ side, behind }) => trace[behind]?.[drawn.followed[side]]);
    const lenses = boxes.map(({ side, kind }, place) => {
      if (side === "source" || !vectors[place]) return "";
      const would = kind === "output" ? trace.logits[target] : transformer.read(vectors[place]);
      const [word, , meaning] = korean[largestOf(would)];
      return `${word} ${meaning.split(/ [/(]/)[0]}`.trim();
    });
    map.show(state.opened && find(state.opened).place, state.off, vectors, lenses);

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
