const MEASURED = [5, 10, 15, 20];
const LONGEST = 20;
const DASHES = { 64: "1.5 3.5", 128: "7 4", 256: "none" };
const BLOCK = 10;

// How many letters are right before the first mistake.
function countRight(target, output) {
  let right = 0;
  while (right < target.length && target[right] === output[right]) right += 1;
  return right;
}

// The outcome in one sentence, the same as Python's.
function verdict(target, output) {
  const length = target.length;
  const right = countRight(target, output);
  if (right < length) {
    const stopped = output.length === right ? ": the model stopped there" : "";
    return `First mistake at letter ${right + 1} of ${length}${stopped}.`;
  }
  const good = length === 1 ? "The one letter is right" : `All ${length} letters are right`;
  const extra = output.length - length;
  return extra ? `${good}, but the model went on: ${extra} too many.` : `${good}.`;
}

function compare(prediction, right) {
  if (prediction === null) return "";
  if (prediction === right) return `You predicted ${prediction}: exactly that.`;
  const difference = Math.abs(prediction - right);
  const side = prediction > right ? "more than it got" : "fewer than it got";
  return `You predicted ${prediction} right: ${difference} ${side}.`;
}

// Ten columns of the strings: number, source, answer, model, and a cross under each mistake.
function makeBlock(start, [source, target, output], shown) {
  const block = make("div", { class: "block" });
  const put = (row, place, text, kind = "") => {
    const column = place < 0 ? 1 : 2 + place + (place >= 5 ? 1 : 0);
    const style = `grid-row: ${row}; grid-column: ${column}`;
    block.append(make("span", { style, class: kind }, text));
  };
  [source, target, shown ? output : target].forEach((letters, row) => {
    if (letters.length > start) put(row + 2, -1, ["source", "answer", "model"][row], "row-name");
  });
  const first = countRight(target, output);
  for (let place = 0; place < BLOCK; place += 1) {
    const index = start + place;
    const [wanted, written] = [target[index] ?? "", output[index] ?? ""];
    if ((index + 1) % 5 === 0 && wanted) put(1, place, String(index + 1), "count");
    put(2, place, source[index] ?? "");
    put(3, place, wanted);
    if (!shown) {
      put(4, place, wanted && "?", "covered");
    } else if (wanted === written) {
      put(4, place, written);
    } else {
      put(4, place, written || "–", "mistake");
      put(5, place, "✗", index === first ? "cross first" : "cross");
    }
  }
  return block;
}

function drawStrings(place, attempt, shown) {
  const [source, target, output] = attempt;
  const columns = Math.max(target.length, shown ? output.length : 0);
  const blocks = [];
  for (let start = 0; start < columns; start += BLOCK) blocks.push(makeBlock(start, attempt, shown));
  const spell = (letters) => [...letters].join(" ");
  const answer = shown ? spell(output) : "covered";
  place.replaceChildren(
    make(
      "p",
      { class: "unseen" },
      `Source: ${spell(source)}. Right answer: ${spell(target)}. Model: ${answer}.`,
    ),
    ...blocks.map((block) => build(block, { "aria-hidden": "true" }, [])),
  );
}

// Two hundred strings make steps of half a percent: 99.5 % must not read as 100 %.
const percent = (share) => `${Number((100 * share).toFixed(1))} %`;

// A piece of the line that stands for a hidden size in the chart.
function drawSwatch(hidden) {
  const line = makeSvg("path", { d: "M0 4h26", "stroke-dasharray": DASHES[hidden] });
  return makeSvg("svg", { class: "swatch", viewBox: "0 0 26 8", "aria-hidden": "true" }, line);
}

function drawChart(place, runs, hidden, length) {
  const [left, top, width, height] = [44, 18, 226, 104];
  const x = (letters) => left + (width * letters) / LONGEST;
  const y = (share) => top + height * (1 - share);
  const line = (name) => runs[name].exact.map((share, i) => `${x(MEASURED[i])},${y(share)}`).join(" ");
  const text = (content, across, down, anchor, kind = "") =>
    makeSvg("text", { x: across, y: down, "text-anchor": anchor, class: kind }, content);
  const others = Object.keys(runs).filter((name) => name !== String(hidden));
  const curve = (name, kind) =>
    makeSvg("polyline", { points: line(name), "stroke-dasharray": DASHES[name], class: kind });
  const exact = runs[hidden].exact;
  const label = MEASURED.map((letters, i) => `${letters} letters ${percent(exact[i])}`).join(", ");
  const svg = makeSvg(
    "svg",
    {
      viewBox: "0 0 310 150",
      role: "img",
      "aria-label": `Exact match, hidden size ${hidden}: ${label}.`,
    },
    text("100 %", left - 4, top + 4, "end"),
    text("0 %", left - 4, top + height + 4, "end"),
    makeSvg("path", { d: `M${left} ${top + height}h${width}` }),
    makeSvg("path", { d: `M${x(length)} ${top - 6}v${height + 6}`, class: "now" }),
    ...others.map((name) => curve(name, "other")),
    curve(String(hidden), "chosen"),
  );
  MEASURED.forEach((letters, i) => {
    const here = letters === length;
    const kind = here ? "here" : "";
    const point = { cx: x(letters), cy: y(exact[i]), r: here ? 5.5 : 4, class: kind };
    svg.append(
      makeSvg("circle", point),
      text(percent(exact[i]), x(letters) + 5, y(exact[i]) - 8, "start", "value"),
      text(letters, x(letters), top + height + 18, "middle"),
    );
  });
  place.replaceChildren(svg);
}

function render({ model, el }) {
  // What the reader changes hides the answer again, unless they asked to see it all the time.
  const choose = (values) => change(model, { ...values, prediction: null, revealed: false });
  const slider = makeSlider(
    "Length of the string",
    countTo(LONGEST),
    (length) => (length === 1 ? "1 letter" : `${length} letters`),
    (length) => choose({ length }),
  );
  const sizes = makeChoice("Hidden size", [64, 128, 256], (hidden) => choose({ hidden }), (hidden) => [
    String(hidden),
    drawSwatch(hidden),
  ]);
  const samples = makeChoice("String", [1, 2, 3, 4], (sample) => choose({ sample }));
  const strings = make("div", { class: "strings" });
  const id = `guess-${Math.random().toString(36).slice(2)}`;
  const number = make("input", { type: "number", min: 0, inputmode: "numeric", id });
  const button = make("button", { type: "button" });
  const question = make(
    "label",
    { for: number.id },
    "Predict: how many letters will it get right before the first mistake?",
  );
  const guess = make("div", { class: "guess" }, question, number, button);
  const result = makeResult();
  const ask = makeAsk((value) => choose({ ask: value }));
  const picture = make("div");
  const caption = make("p", { class: "quiet" });
  const chart = make("div", { class: "chart" }, caption, picture);
  const card = makeCard(
    "The bottleneck: a string through one vector",
    make(
      "div",
      { class: "bottleneck" },
      make("div", { class: "settings" }, slider.element, sizes.element, samples.element),
      strings,
      make("div", { class: "outcome" }, guess, result.element, ask.element),
      chart,
    ),
  );

  // Not a form: the frame that a notebook host puts around outputs may forbid to submit one.
  function reveal() {
    const prediction = Number(number.value);
    const length = model.get("length");
    if (number.value === "" || !Number.isInteger(prediction) || prediction < 0 || prediction > length) {
      number.setAttribute("aria-invalid", "true");
      result.complain(`Type a whole number from 0 to ${length} first.`);
      number.focus();
      return;
    }
    change(model, { prediction, revealed: true });
  }
  function next() {
    choose({ sample: (model.get("sample") % 4) + 1 });
    number.focus();
  }
  button.addEventListener("click", () => (model.get("revealed") ? next() : reveal()));
  number.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !model.get("revealed")) reveal();
  });

  function draw() {
    const [runs, length, hidden] = ["runs", "length", "hidden"].map((name) => model.get(name));
    const [sample, prediction] = [model.get("sample"), model.get("prediction")];
    const attempt = runs[hidden].attempts[length - 1][sample - 1];
    const [, target, output] = attempt;
    const shown = model.get("revealed") || !model.get("ask");
    slider.show(length);
    sizes.show(hidden);
    samples.show(sample);
    ask.show(model.get("ask"));
    guess.hidden = !model.get("ask");
    number.max = length;
    number.value = prediction ?? "";
    number.readOnly = model.get("revealed");
    number.removeAttribute("aria-invalid");
    button.textContent = model.get("revealed") ? "Next string" : "Reveal";
    drawStrings(strings, attempt, shown);
    drawChart(picture, runs, hidden, length);
    caption.textContent = `Exact match by length, hidden size ${hidden}`;
    if (!shown) {
      result.clear();
      return;
    }
    const perfect = target === output;
    const headline = `${perfect ? "✓" : "✗"} ${verdict(target, output)}`;
    result.show(headline, compare(prediction, countRight(target, output)), perfect);
  }
  el.append(card);
  return follow(
    model,
    ["runs", "length", "hidden", "sample", "prediction", "revealed", "ask"],
    draw,
  );
}

export default { render };
