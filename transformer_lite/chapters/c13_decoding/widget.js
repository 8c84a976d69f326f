// Shows the searches that Python placed and put into words (widget.py); as long as the reader is
// asked, that of greedy decoding, which is a beam of 1.

// A tree that grows downwards: a row for each token, and a line down to each.
function makeTree(viewBox, colours) {
  const shape = makeSvg("g");
  const [look, quiet] = [{ fill: "none" }, { fill: colours.quiet }];
  const gone = { stroke: colours.dropped, "stroke-width": 1.5, "stroke-dasharray": 3 };
  const element = makeSvg("svg", { viewBox, role: "img" }, shape);
  return {
    element,
    show(nodes, step) {
      const grown = nodes.filter(({ row }) => row <= step);
      const grounds = new Map(grown.map(({ row, y }) => [row, y]));
      const numbers = [...grounds].map(([row, y]) =>
        makeSvg("text", { x: 0, y: y - 4, ...quiet }, String(row)),
      );
      const living = grown.filter(({ until }) => step <= until);
      const dropped = grown.filter(({ until }) => step > until);
      const lines = [
        ...dropped.map(({ points }) => makeSvg("polyline", { points, ...look, ...gone })),
        ...living.map(({ points, thickness }) =>
          makeSvg("polyline", { points, ...look, stroke: colours.living, "stroke-width": thickness }),
        ),
      ];
      const words = grown.map((node) => {
        const place = { x: node.x + 5, y: node.y - 4, "font-weight": node.bold ? 600 : 400 };
        return makeSvg("text", dropped.includes(node) ? { ...place, ...quiet } : place, node.words);
      });
      shape.replaceChildren(...numbers, ...lines, ...words);
      const said = [...grounds.keys()].map((row) => {
        const [kept, lost] = [living, dropped].map((nodes) =>
          nodes
            .filter((node) => node.row === row)
            .map(({ words }) => words.replace(/^✗ /, ""))
            .map((words) => words.replace("✗", "greedy's token").replace("■", "ended "))
            .join(", "),
        );
        return `${row}: ${kept}${lost && ` (dropped: ${lost})`}`;
      });
      element.setAttribute("aria-label", said.join("; "));
    },
  };
}

// What a step chose from, or what has ended: a title, then a line for each, and perhaps a remark.
// A mark comes as the first letter of a fate, with the place in the ranking behind it.
function makeTable(lines, marks) {
  const rows = lines.map(([code, words, ...numbers], place) => {
    const fate = code && Object.keys(marks).find((one) => one[0] === code[0]);
    const [look, ranked] = [fate || (place ? "remark quiet" : "title"), code.slice(1)];
    const spoken = fate ? { "aria-label": `${fate} ${ranked}`.trim(), role: "img" } : {};
    const sign = make("span", spoken, fate ? marks[fate] + ranked : "");
    const cells = [words, ...numbers.map((one) => one.replace("-", "−"))];
    return make("p", { class: look }, sign, ...cells.map((cell) => make("span", {}, cell)));
  });
  return make("div", {}, ...rows);
}

function read(search, marks) {
  const nodes = search.nodes.split("\n").map((one) => {
    const [row, until, bold, thickness, points, words] = one.split("\t");
    const [x, y] = points.split(" ").at(-1).split(",").map(Number);
    return { row: +row, until: +until, bold: +bold, thickness, points, x, y, words };
  });
  const listed = search.listed
    .split("\n\n")
    .map((step) => step.split("\n").map((one) => one.split("\t")));
  return { ...search, nodes, tables: listed.map((lines) => makeTable(lines, marks)) };
}

function render({ model, el }) {
  const { heading, question, controls, references, covered, notes, marks, picture, colours } =
    model.get("shown");
  const searches = model.get("shown").searches.map((widths) =>
    widths.map((search) => read(search, marks)),
  );
  const [captions, widths, steps] = ["caption", "width", "step"].map((name) =>
    controls.find((control) => control.name === name),
  );
  // A prediction is about one search: it goes with it.
  const choose = (values) => change(model, { ...values, prediction: null, revealed: false });
  const caption = makeChoice(captions.legend, captions.values, (value) => choose({ caption: value }));
  const width = makeChoice(widths.legend, widths.values, (value) => choose({ width: value }));
  const slider = makeSlider(steps.legend, steps.values, (step) => change(model, { step }));
  const guess = makeChoice(question.legend, question.values, (prediction) =>
    change(model, { prediction }),
  );
  const button = make("button", { type: "button" }, "Reveal");
  const asked = make("div", { class: "guess" }, guess.element, button);
  const result = makeResult();
  const ask = makeAsk((value) => choose({ ask: value }));
  const reference = make("p", { class: "quiet" });
  const cover = make("p", { class: "name" }, covered);
  const legend = make("p", { class: "quiet" }, notes);
  const tree = makeTree(picture, colours);
  const list = make("div", { class: "listed" });
  const parts = [
    make("div", { class: "settings" }, caption.element, reference, width.element, slider.element),
    make("div", { class: "outcome" }, asked, result.element, ask.element),
    make("div", { class: "pictures" }, cover, tree.element, legend, list),
  ];
  el.append(makeCard(heading, make("div", { class: "beam" }, ...parts)));

  function reveal() {
    if (model.get("prediction") === null) {
      result.complain("Choose one of the answers first.");
      guess.element.querySelector("input").focus();
      return;
    }
    change(model, { revealed: true });
    slider.element.querySelector("input").focus();
  }
  button.addEventListener("click", reveal);
  guess.element.addEventListener("keydown", ({ key }) => {
    if (key === "Enter") reveal(); // what has the focus need not be chosen
  });

  let printing = false; // nobody can reveal anything on paper
  function draw() {
    const prediction = model.get("prediction");
    const place = captions.values.indexOf(model.get("caption"));
    const [greedy, own] = [1, model.get("width")].map(
      (width) => searches[place][widths.values.indexOf(width)],
    );
    const asking = model.get("ask") && !model.get("revealed") && own !== greedy && !printing;
    const search = asking ? greedy : own;
    const step = Math.min(model.get("step"), search.tables.length);
    caption.show(model.get("caption"));
    reference.textContent = `Reference: ${references[place]}`;
    width.show(model.get("width"));
    slider.show(model.get("step"), steps.values.slice(0, search.tables.length));
    cover.hidden = !asking;
    tree.show(search.nodes, step);
    // All lie on top of each other: there is room for the longest, and nothing jumps.
    const tables = new Set([...own.tables, ...search.tables]);
    for (const one of tables) one.classList.toggle("out", one !== search.tables[step - 1]);
    if (tables.size !== list.childElementCount || !tables.has(list.lastChild)) {
      list.replaceChildren(...tables);
    }
    guess.show(prediction);
    ask.show(model.get("ask"));
    asked.hidden = !asking;
    const right = prediction === own.answer;
    if (asking) result.clear();
    else if (prediction === null) result.show(own.finding, "", null);
    else if (right) result.show(own.finding, `✓ You predicted ${prediction}: right.`, true);
    else result.show(own.finding, `✗ You predicted ${prediction}; it is ${own.answer}.`, false);
  }
  const print = ({ type }) => {
    printing = type === "beforeprint";
    draw();
  };
  const gone = new AbortController();
  window.addEventListener("beforeprint", print, gone);
  window.addEventListener("afterprint", print, gone);
  const stop = follow(model, ["caption", "width", "step", "prediction", "ask", "revealed"], draw);
  return () => {
    gone.abort();
    stop();
  };
}

export default { render };
