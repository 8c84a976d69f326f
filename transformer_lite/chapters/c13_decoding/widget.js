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
        const place = { x: node.x + 6, y: node.y - 4, "font-weight": node.bold ? 600 : 400 };
        return makeSvg("text", dropped.includes(node) ? { ...place, ...quiet } : place, node.words);
      });
      shape.replaceChildren(...numbers, ...lines, ...words);
      const said = [...grounds.keys()].map((row) => {
        const [kept, lost] = [living, dropped].map((nodes) =>
          nodes
            .filter((node) => node.row === row)
            .map(({ words }) => words.replace(/^✗ /, "").replace("■", "ended"))
            .join(", "),
        );
        return `${row}: ${kept}${lost && ` (dropped: ${lost})`}`;
      });
      element.setAttribute("aria-label", said.join("; "));
    },
  };
}

// What a step chose from, or what has ended: a title, then a line for each.
function makeList(marks) {
  const element = make("div", { class: "listed" });
  return {
    element,
    show(lines) {
      const fates = Object.fromEntries(Object.entries(marks).map(([fate, mark]) => [mark, fate]));
      const rows = lines.map(([mark, ...cells]) => {
        const look = mark ? fates[mark] : "title";
        const spoken = mark ? { "aria-label": fates[mark], role: "img" } : {};
        const sign = make("span", spoken, mark);
        return make("p", { class: look }, sign, ...cells.map((cell) => make("span", {}, cell)));
      });
      element.replaceChildren(...rows);
    },
  };
}

function read(search) {
  const nodes = search.nodes.split("\n").map((one) => {
    const [row, until, bold, thickness, points, words] = one.split("\t");
    const [x, y] = points.split(" ").at(-1).split(",").map(Number);
    return { row: +row, until: +until, bold: +bold, thickness, points, x, y, words };
  });
  const listed = search.listed
    .split("\n\n")
    .map((step) => step.split("\n").map((one) => one.split("\t")));
  return { ...search, nodes, listed };
}

function render({ model, el }) {
  const { heading, question, controls, references, covered, notes, marks, picture, colours } =
    model.get("shown");
  const searches = model.get("shown").searches.map((widths) => widths.map(read));
  const [captions, widths, steps] = ["caption", "width", "step"].map((name) =>
    controls.find((control) => control.name === name),
  );
  // A prediction is about one search: it goes with it.
  const choose = (values) => change(model, { ...values, prediction: null });
  const caption = makeChoice(captions.legend, captions.values, (value) => choose({ caption: value }));
  const width = makeChoice(widths.legend, widths.values, (value) => choose({ width: value }));
  const slider = makeSlider(steps.legend, steps.values, (step) => change(model, { step }));
  const guess = makeChoice(question.legend, question.values, (prediction) =>
    change(model, { prediction }),
  );
  const button = make("button", { type: "button" }, "Reveal");
  const asked = make("div", { class: "guess" }, guess.element, button);
  const result = makeResult();
  const ask = makeAsk((value) => change(model, { ask: value, prediction: null }));
  const reference = make("p", { class: "quiet" });
  const cover = make("p", { class: "name" }, covered);
  const legend = make("p", { class: "quiet" }, notes);
  const [tree, list] = [makeTree(picture, colours), makeList(marks)];
  const parts = [
    make("div", { class: "settings" }, caption.element, reference, width.element, slider.element),
    make("div", { class: "pictures" }, cover, tree.element, list.element, legend),
    make("div", { class: "outcome" }, asked, result.element, ask.element),
  ];
  el.append(makeCard(heading, make("div", { class: "beam" }, ...parts)));

  function reveal() {
    if (model.get("prediction") === null) {
      result.complain("Choose one of the answers first.");
      guess.element.querySelector("input").focus();
      return;
    }
    change(model, { ask: false });
    slider.element.querySelector("input").focus();
  }
  button.addEventListener("click", reveal);
  guess.whenEntered(reveal);

  let printing = false; // nobody can reveal anything on paper
  function draw() {
    const [asking, prediction] = [model.get("ask") && !printing, model.get("prediction")];
    const place = captions.values.indexOf(model.get("caption"));
    const own = searches[place][widths.values.indexOf(model.get("width"))];
    const search = asking ? searches[place][0] : own;
    const step = Math.min(model.get("step"), search.listed.length);
    caption.show(model.get("caption"));
    reference.textContent = `Reference: ${references[place]}`;
    width.show(model.get("width"));
    slider.show(model.get("step"), steps.values.slice(0, search.listed.length));
    cover.hidden = !asking;
    tree.show(search.nodes, step);
    list.show(search.listed[step - 1]);
    guess.show(prediction);
    ask.show(asking);
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
  const stop = follow(model, ["caption", "width", "step", "prediction", "ask"], draw);
  return () => {
    gone.abort();
    stop();
  };
}

export default { render };
