const WIDTHS = [4, 8, 16, 32, 64, 128, 256, 512];
const DIVISORS = ["none", "√d", "d"];
// Ten steps to a factor of ten, rounded.
const TEMPERATURES = [
  0.1, 0.125, 0.16, 0.2, 0.25, 0.315, 0.4, 0.5, 0.63, 0.8, 1, 1.25, 1.6, 2, 2.5, 3.15, 4, 5, 6.3, 8,
  10,
];
const BOUNDS = [0.25, 0.5, 0.9];
const BANDS = ["below 0.25", "from 0.25 to 0.5", "from 0.5 to 0.9", "above 0.9"];
const SHORT_BANDS = ["below 0.25", "0.25 – 0.5", "0.5 – 0.9", "above 0.9"];
const COLUMNS = ["key-column", "", "energy-column", "", "weight-column"];
const QUESTION = "Predict: how large will the largest weight be?";

// The dot products of the query with each key over the first components, divided twice.
function weigh(drawn, width, divisor, temperature) {
  const [query, ...keys] = drawn; // in hundredths: sums of whole numbers are exact
  const by = { none: 1, "√d": Math.sqrt(width), d: width }[divisor];
  return keys.map((key) => {
    let product = 0;
    for (let i = 0; i < width; i += 1) product += query[i] * key[i];
    return product / 10000 / by / temperature;
  });
}

function entropy(weights) {
  return weights.reduce((sum, weight) => sum - (weight > 0 ? weight * Math.log(weight) : 0), 0);
}

// Frobenius norm of the softmax's Jacobian, diag(w) - w wᵀ.
function gradientSize(weights) {
  let total = 0;
  weights.forEach((weight, place) => {
    let others = 0; // 1 - w, exact where w is almost 1
    weights.forEach((other, at) => {
      if (at === place) return;
      others += other;
      total += (weight * other) ** 2;
    });
    total += (weight * others) ** 2;
  });
  return Math.sqrt(total);
}

const findBand = (largest) => BOUNDS.filter((bound) => largest >= bound).length;

// The outcome in one sentence, the same as Python's.
function sentence(weights) {
  const largest = Math.max(...weights);
  const key = weights.indexOf(largest) + 1;
  const band = BANDS[findBand(largest)];
  return `The largest weight is ${largest.toFixed(3)}, that of key ${key}: ${band}.`;
}

function compare(prediction, band) {
  if (prediction === null) return "";
  const guess = `You predicted ${BANDS[prediction - 1]}`;
  if (prediction - 1 === band) return `✓ ${guess}: right.`;
  return `✗ ${guess}: it is ${prediction - 1 < band ? "larger" : "smaller"}.`;
}

// A small number with three digits after the point, a very small one as a power of ten.
function power(number) {
  if (number >= 0.001 || number === 0) return decimal(number, 3);
  const [digit, exponent] = number.toExponential(0).split("e-");
  const raised = [...exponent].map((figure) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[figure]).join("");
  return `${digit} × 10⁻${raised}`;
}

// Where the axis of the energies ends: at the next of 0.1, 0.3, 1, 3, 10 and so on.
function findEnd(energies) {
  const largest = Math.max(...energies.map(Math.abs));
  return [0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3000].find((end) => largest <= end) ?? 10000;
}

// A bar from zero to the right, or to either side where there are negative numbers too.
function makeBar(kind, share, centred = false) {
  const length = Math.abs(share) * (centred ? 50 : 100);
  const start = centred ? 50 - (share < 0 ? length : 0) : 0;
  const fill = make("i", { style: `left: ${start}%; width: ${length}%` });
  return make("span", { class: `bar ${kind}`, "aria-hidden": "true" }, fill);
}

// A line for each key: its energy, and its weight unless that is covered.
function drawKeys(place, energies, weights, shown) {
  const end = findEnd(energies);
  const heaviest = weights.indexOf(Math.max(...weights));
  const cell = (kind, ...content) => make("td", { class: kind }, ...content);
  const covered = () => ["?", make("span", { class: "unseen" }, "covered")];
  const rows = energies.map((energy, key) => {
    return make(
      "tr",
      shown && key === heaviest ? { class: "heaviest" } : {},
      make("th", { scope: "row" }, make("span", { class: "word" }, "key "), String(key + 1)),
      cell("", makeBar("energy", energy / end, true)),
      cell("amount", decimal(energy, 2)),
      cell("", makeBar("weight", shown ? weights[key] : 0)),
      cell("amount", ...(shown ? [weights[key].toFixed(3)] : covered())),
    );
  });
  const heading = (words, note) =>
    make("th", { colspan: 2, scope: "colgroup" }, words, make("small", {}, note));
  place.replaceChildren(
    make("caption", { class: "unseen" }, "Energies and weights of the eight keys"),
    make(
      "colgroup",
      {},
      ...COLUMNS.map((kind) => make("col", { class: kind })),
    ),
    make(
      "thead",
      {},
      make(
        "tr",
        {},
        make("th", { scope: "col" }, make("span", { class: "unseen" }, "Key")),
        heading("Energy", `bars from −${end} to ${end}`),
        heading("Weight", "bars from 0 to 1"),
      ),
    ),
    make("tbody", {}, ...rows),
  );
}

// What the weights are like as a whole.
function drawMeasures(place, weights, shown) {
  const most = Math.log(weights.length);
  const plain = (value) => decimal(value, 3);
  const nats = `in nats, at most log ${weights.length} = ${plain(most)}`;
  const norm = "norm of the softmax’s Jacobian, at most 0.5";
  const measures = [
    ["Largest weight", "at most 1", Math.max(...weights), 1, plain],
    ["Entropy", nats, entropy(weights), most, plain],
    ["Gradient that gets through", norm, gradientSize(weights), 0.5, power],
  ];
  place.replaceChildren(
    ...measures.map(([name, note, value, end, write]) =>
      make(
        "div",
        {},
        make("p", {}, name, make("small", {}, note)),
        make("p", {}, makeBar("measure", shown ? value / end : 0), shown ? write(value) : "?"),
      ),
    ),
  );
}

function render({ model, el }) {
  // What the reader changes hides the answer again, unless they asked to see it all the time.
  const choose = (values) => change(model, { ...values, prediction: null, revealed: false });
  const width = makeSlider(
    "Width d of query and keys",
    WIDTHS,
    (value) => choose({ width: value }),
    (value) => `${value} components`,
  );
  const divisor = makeChoice(
    "Dot products divided by",
    DIVISORS,
    (value) => choose({ divisor: value }),
    (value) => [value === "none" ? "nothing" : value],
  );
  const temperature = makeSlider("Then divided by the temperature", TEMPERATURES, (value) =>
    choose({ temperature: value }),
  );
  const draws = makeChoice("Draw", countTo(5), (value) => choose({ draw: value }));
  const guess = makeChoice(
    QUESTION,
    countTo(BANDS.length),
    (prediction) => change(model, { prediction }),
    (band) => [SHORT_BANDS[band - 1]],
  );
  const button = make("button", { type: "button" });
  const question = make("div", { class: "guess" }, guess.element, button);
  const result = makeResult();
  const ask = makeAsk((value) => choose({ ask: value }));
  const keys = make("table", { class: "keys" });
  const measures = make("div", { class: "measures" });
  const card = makeCard(
    "Softmax: width, divisor and temperature",
    make(
      "div",
      { class: "softmax" },
      make(
        "div",
        { class: "settings" },
        ...[width, divisor, temperature, draws].map((control) => control.element),
      ),
      keys,
      make("div", { class: "outcome" }, question, result.element, ask.element),
      measures,
    ),
  );

  function reveal() {
    if (model.get("prediction") === null) {
      result.complain("Choose one of the four answers first.");
      guess.inputs[0].focus();
      return;
    }
    change(model, { revealed: true });
    button.focus(); // the answers cannot be chosen any more
  }
  function next() {
    choose({ draw: (model.get("draw") % 5) + 1 });
    draw(); // the answers can be chosen again before one has the focus
    guess.inputs[0].focus();
  }
  button.addEventListener("click", () => (model.get("revealed") ? next() : reveal()));
  guess.whenEntered(reveal);

  function draw() {
    const names = ["draws", "draw", "width", "divisor", "temperature", "prediction", "revealed"];
    const [drawn, number, ...rest] = names.map((name) => model.get(name));
    const [components, by, heat, prediction, revealed] = rest;
    const shown = revealed || !model.get("ask");
    const energies = weigh(drawn[number - 1], components, by, heat);
    const weights = softmax(energies);
    width.show(components);
    divisor.show(by);
    temperature.show(heat);
    draws.show(number);
    guess.show(prediction, revealed);
    ask.show(model.get("ask"));
    question.hidden = !model.get("ask");
    button.textContent = revealed ? "Next draw" : "Reveal";
    drawKeys(keys, energies, weights, shown);
    drawMeasures(measures, weights, shown);
    if (!shown) {
      result.clear();
      return;
    }
    const band = findBand(Math.max(...weights));
    const good = prediction === null ? null : prediction - 1 === band;
    result.show(sentence(weights), compare(prediction, band), good);
  }
  el.append(card);
  return follow(
    model,
    ["draws", "draw", "width", "divisor", "temperature", "prediction", "revealed", "ask"],
    draw,
  );
}

export default { render };
