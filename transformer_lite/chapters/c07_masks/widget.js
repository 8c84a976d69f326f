// Shows what Python computed (widget.py): a row of each map depends on its own row of the mask, and
// is looked up. Only the paths through several layers are computed here.

// The mask: paint(t, u, may) is called for a cell, visit(t) when the focus enters a row.
function makeGrid(names, paint, visit) {
  const inputs = names.map((asks, t) =>
    names.map((answers, u) => {
      const name = `${asks} may look at ${answers}`;
      const input = make("input", { type: "checkbox", "aria-label": name });
      input.addEventListener("change", () => paint(t, u, input.checked));
      return input;
    }),
  );
  const all = inputs.flat();
  const place = (input) => {
    const t = inputs.findIndex((row) => row.includes(input));
    return [t, inputs[t].indexOf(input)];
  };
  const head = (name, kind) => make("span", { class: kind, "aria-hidden": "true" }, name);
  const heads = names.map((name) => head(name, "row"));
  const columns = ["", ...names].map((name) => head(name, "column"));
  const rows = inputs.flatMap((row, t) => [heads[t], ...row]);
  const look = { class: "mask", style: `--size: ${names.length}` };
  const grid = make("div", look, ...columns, ...rows);

  // The Tab key comes to one cell, and arrows go on from there.
  const enter = (input) => all.forEach((other) => (other.tabIndex = other === input ? 0 : -1));
  enter(all[0]);
  grid.addEventListener("focusin", ({ target }) => {
    enter(target);
    visit(place(target)[0]);
  });
  const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  grid.addEventListener("keydown", (event) => {
    if (!(event.key in steps)) return;
    event.preventDefault();
    const [t, u] = place(event.target).map((at, axis) => at + steps[event.key][axis]);
    inputs[t]?.[u]?.focus();
  });

  // A mouse draws over cells and makes all like the first one; a finger taps, or scrolls the page.
  let brush = null;
  const stroke = ({ target, buttons }) => {
    if (brush !== null && buttons === 1 && all.includes(target)) paint(...place(target), brush);
  };
  grid.addEventListener("pointerdown", (event) => {
    const draws = event.pointerType === "mouse" && all.includes(event.target);
    brush = draws ? !event.target.checked : null;
    stroke(event);
  });
  grid.addEventListener("pointerover", stroke);
  grid.addEventListener("pointerleave", () => (brush = null));
  grid.addEventListener("click", (event) => {
    if (brush !== null && event.detail) event.preventDefault(); // it is painted already
  });
  return {
    element: make("fieldset", {}, make("legend", {}, "Each row asks; each column answers"), grid),
    focus: (t, u) => inputs[t][u].focus(),
    show(mask, row, asked) {
      inputs.forEach((cells, t) => cells.forEach((input, u) => (input.checked = mask[t][u])));
      all.forEach((input) => input.classList.toggle("asked", String(place(input)) === asked));
      heads.forEach((one, t) => one.classList.toggle("chosen", t === row));
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
  const { names, presets, question, because, asked, picture, titles, cells, colours } = shown;
  const numbers = (table) => table.split(" ").map(Number);
  const [weights, gradients] = [numbers(shown.weights), numbers(shown.gradients)];
  const [told, size] = [shown.told.split("\n"), names.length];
  let printing = false; // nobody can reveal anything on paper
  const asking = () => model.get("ask") && !printing;
  const now = () => (asking() ? presets["look-ahead"] : model.get("mask"));
  // Whoever paints is not asked any more.
  const choose = (values) =>
    change(model, { mask: now(), ...values, ask: false, prediction: null });
  const painted = (mask, t, u, may) =>
    mask.map((row, asks) => row.map((old, answers) => (asks === t && answers === u ? may : old)));

  const preset = makeChoice("Mask", Object.keys(presets), (name) =>
    choose({ mask: presets[name], row: asked[0] + 1 }),
  );
  const grid = makeGrid(
    names,
    (t, u, may) => choose({ mask: painted(now(), t, u, may), row: t + 1 }),
    (t) => change(model, { row: t + 1 }),
  );
  const slider = makeSlider("Layers", [1, 2, 3], (layers) => choose({ layers }));
  const maps = cells.lefts.map((left, place) =>
    makeMap(size, cells, left, colours.cells, colours.squares[place]),
  );
  const axes = makeSvg("g");
  axes.innerHTML = picture.axes; // made by drawing.py, which escapes what others wrote
  const title = makeSvg("text", { x: cells.lefts[1], y: 12, "font-weight": 600 });
  const view = { viewBox: `0 0 ${picture.width} ${picture.height}` };
  const svg = makeSvg("svg", view, axes, title, ...maps.map((map) => map.element));
  const guess = makeChoice(question.legend, question.values, (prediction) =>
    change(model, { prediction }),
  );
  const button = make("button", { type: "button" }, "Reveal");
  const guessing = make("div", { class: "guess" }, guess.element, button);
  const result = makeResult();
  const ask = makeAsk((value) => change(model, { ask: value, layers: 1, prediction: null }));
  const parts = [
    make("div", { class: "settings" }, preset.element, grid.element, slider.element),
    make("div", { class: "pictures" }, svg),
    make("div", { class: "outcome" }, guessing, result.element, ask.element),
  ];
  el.append(makeCard(shown.heading, make("div", { class: "painter" }, ...parts)));

  function reveal() {
    if (model.get("prediction") === null) {
      result.complain("Choose one of the answers first.");
      guess.element.querySelector("input").focus();
      return;
    }
    change(model, { mask: painted(now(), ...asked, false), ask: false });
    grid.focus(...asked);
  }
  button.addEventListener("click", reveal);
  guess.whenEntered(reveal);

  function draw() {
    const [mask, layers, row] = [now(), model.get("layers"), model.get("row") - 1];
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
    preset.show(Object.keys(presets).find((name) => String(presets[name]) === String(mask)));
    grid.show(mask, row, asking() && String(asked));
    slider.show(layers);
    const prediction = model.get("prediction");
    guess.show(prediction);
    ask.show(asking());
    guessing.hidden = !asking();
    const zeros = links.flat().filter((number) => number === 0).length;
    const one = `${zeros} of ${size ** 2} gradients are exactly 0.`;
    const several = `After ${layers} layers it hears from ${listed[row]}.`;
    const finding = `${told[places[row]]} ${layers > 1 ? several : one}`;
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
