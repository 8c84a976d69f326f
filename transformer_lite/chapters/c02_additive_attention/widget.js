const TERMS = 3; // of the weighted sum, written out; the others are one line
const LABEL = 24; // letters of a token, as in Python's pictures
const PREDICT = "Predict: which source token will weigh most in this step?";
const SHOWN = "Under each source token its energy, then its weight as a bar and a number";

// A token as it stands on the page: a space leaves a mark, of a long token the beginning is enough.
function mark(token) {
  const letters = [...token];
  if (letters.length > LABEL) return `${letters.slice(0, LABEL - 1).join("")}…`;
  return token === " " ? "␣" : token;
}
const spell = (token) => (token === " " ? "space" : `“${token}”`);
const nameOf = (source, place) => `${spell(source[place])}, token ${place + 1} of ${source.length}`;

// The sum of these values, each times its weight.
function addUp(places, weights, values) {
  return values[0].map((_, column) =>
    places.reduce((sum, place) => sum + weights[place] * values[place][column], 0),
  );
}

function findHeaviest(weights) {
  return weights.indexOf(Math.max(...weights));
}

// The outcome in one sentence, the same as Python's.
function sentence(source, weights) {
  const heaviest = findHeaviest(weights);
  return `Most weight, ${weights[heaviest].toFixed(2)} of 1: ${nameOf(source, heaviest)}.`;
}

function compare(prediction, source, weights) {
  if (prediction === null) return "";
  if (weights[prediction] === Math.max(...weights)) return "✓ You predicted exactly that.";
  const weight = weights[prediction].toFixed(2);
  return `✗ You predicted ${nameOf(source, prediction)}; its weight is ${weight}.`;
}

// The source tokens as radio buttons, each with room for its energy and its weight.
function makeTokens(source, choose) {
  const energies = source.map(() => make("span", { class: "energy" }));
  const fills = source.map(() => make("i"));
  const numbers = source.map(() => make("span", { class: "weight" }));
  const choice = makeChoice(PREDICT, [...source.keys()], choose, (place) => [
    make("span", { class: "token" }, mark(source[place])),
    energies[place],
    make("span", { class: "column" }, fills[place]),
    numbers[place],
  ]);
  const legend = choice.element.querySelector("legend");
  return {
    ...choice,
    // weights: null while they are covered.
    fill(step, weights) {
      legend.textContent = weights ? SHOWN : PREDICT;
      const heaviest = weights ? findHeaviest(weights) : -1;
      choice.element.classList.toggle("covered", !weights);
      source.forEach((_, place) => {
        const [energy, weight] = weights
          ? [decimal(step.energies[place], 1), weights[place].toFixed(2)]
          : ["", "?"];
        energies[place].textContent = energy;
        numbers[place].textContent = weight;
        fills[place].style.height = `${weights ? 100 * weights[place] : 0}%`;
        const input = choice.inputs[place];
        input.parentElement.classList.toggle("heaviest", place === heaviest);
        const measured = weights ? `, energy ${energy}, weight ${weight}` : "";
        input.setAttribute("aria-label", `${nameOf(source, place)}${measured}`);
      });
    },
  };
}

// What has been written, and what is being written now.
function drawWritten(place, steps, number, shown) {
  const before = steps.slice(0, number).map((step) => make("span", {}, mark(step.written)));
  const now = make("b", {}, shown ? mark(steps[number].written) : "?");
  place.replaceChildren(make("span", { class: "name" }, "Written"), ...before, now);
}

// The context as a sum: the heaviest tokens one by one, all others together.
function drawSum(place, { source, values }, weights) {
  const order = [...source.keys()].sort((one, other) => weights[other] - weights[one]);
  const [single, rest] = [order.slice(0, TERMS), order.slice(TERMS)];
  const row = (kind, name, numbers) =>
    make(
      "tr",
      { class: kind },
      make("th", { scope: "row" }, ...name),
      ...numbers.map((number) => make("td", {}, decimal(number, 2))),
    );
  const rows = single.map((at) =>
    row("value", [`${weights[at].toFixed(2)} × `, make("b", {}, mark(source[at]))], values[at]),
  );
  if (rest.length) {
    rows.push(row("rest", [`the other ${rest.length}, weighted`], addUp(rest, weights, values)));
  }
  const context = addUp([...source.keys()], weights, values);
  rows.push(row("context", ["= context"], context));
  place.replaceChildren(
    make(
      "caption",
      {},
      `Context: weighted sum of encoder outputs, first ${context.length} numbers`,
    ),
    make("tbody", {}, ...rows),
  );
}

// The tokens that the decoder found likeliest.
function drawLikely(place, likely) {
  const rows = likely.map(([token, chance]) =>
    make(
      "tr",
      {},
      make("th", { scope: "row" }, mark(token)),
      make("td", { "aria-hidden": "true" }, make("i", { style: `width: ${100 * chance}%` })),
      make("td", {}, chance.toFixed(2)),
    ),
  );
  place.replaceChildren(
    make("caption", {}, "Written now: the likeliest"),
    make("tbody", {}, ...rows),
  );
}

function render({ model, el }) {
  // What the reader changes hides the answer again, unless they asked to see it all the time.
  const choose = (values) => change(model, { ...values, prediction: null, revealed: false });
  const select = make("select");
  select.addEventListener("change", () => choose({ text: Number(select.value), step: 0 }));
  const texts = make("label", {}, make("span", { class: "name" }, "Source"), select);
  const settings = make("div", { class: "settings" });
  const written = make("p", { class: "written" });
  const tokenBox = make("div");
  const button = make("button", { type: "button" });
  const result = makeResult();
  const ask = makeAsk((value) => choose({ ask: value }));
  const sum = make("table", { class: "sum" });
  const likely = make("table", { class: "likely" });
  const made = make("div", { class: "made" }, sum, likely);
  const card = makeCard(
    "A decoder with attention, one step at a time",
    make(
      "div",
      { class: "stepper" },
      settings,
      written,
      tokenBox,
      make("div", { class: "outcome" }, button, result.element, ask.element),
      made,
    ),
  );

  // Everything about the step that is chosen. A text that was just set in Python may have fewer
  // steps and tokens than the numbers that belonged to the one before it.
  function look() {
    const recorded = model.get("recorded");
    const text = recorded[model.get("text")];
    const number = Math.min(model.get("step"), text.steps.length - 1);
    const step = text.steps[number];
    const guess = model.get("prediction");
    const prediction = guess < text.source.length ? guess : null;
    const shown = model.get("revealed") || !model.get("ask");
    return { recorded, text, number, step, weights: softmax(step.energies), prediction, shown };
  }

  // Controls that depend on the text are made anew with it.
  let parts = {};
  function makeParts(text) {
    const slider = makeSlider(
      `Step (of ${text.steps.length})`,
      countTo(text.steps.length),
      (step) => choose({ step: step - 1 }),
      (step) => `${step} of ${text.steps.length}`,
    );
    const tokens = makeTokens(text.source, (prediction) => change(model, { prediction }));
    tokens.whenEntered(reveal);
    const names = model.get("recorded").map((one) => one.text);
    select.replaceChildren(...names.map((name, value) => make("option", { value }, name)));
    settings.replaceChildren(texts, slider.element);
    tokenBox.replaceChildren(tokens.element);
    return { text, slider, tokens };
  }

  function reveal() {
    if (model.get("prediction") === null) {
      result.complain("Choose a source token first.");
      parts.tokens.inputs[0].focus();
      return;
    }
    change(model, { revealed: true });
    button.focus(); // the tokens cannot be chosen any more
  }
  function next() {
    const { recorded, text, number, weights } = look();
    const last = number + 1 === text.steps.length;
    const place = model.get("text");
    choose(last ? { text: (place + 1) % recorded.length, step: 0 } : { step: number + 1 });
    if (!model.get("ask")) return;
    draw(); // the tokens can be chosen again before one has the focus
    parts.tokens.inputs[last ? 0 : findHeaviest(weights)].focus();
  }
  button.addEventListener("click", () => (look().shown ? next() : reveal()));

  function draw() {
    const { recorded, text, number, step, weights, prediction, shown } = look();
    if (parts.text !== text) parts = makeParts(text);
    select.value = model.get("text");
    parts.slider.show(number + 1);
    parts.tokens.show(prediction, shown);
    parts.tokens.fill(step, shown ? weights : null);
    ask.show(model.get("ask"));
    const last = number + 1 === text.steps.length;
    const onward = last ? (recorded.length > 1 ? "Next source" : "From the start") : "Next step";
    button.textContent = shown ? onward : "Look";
    drawWritten(written, text.steps, number, shown);
    made.hidden = !shown;
    if (!shown) {
      result.clear();
      return;
    }
    drawSum(sum, text, weights);
    drawLikely(likely, step.likely);
    const good = prediction === null ? null : weights[prediction] === Math.max(...weights);
    result.show(sentence(text.source, weights), compare(prediction, text.source, weights), good);
  }
  el.append(card);
  return follow(model, ["recorded", "text", "step", "prediction", "revealed", "ask"], draw);
}

export default { render };
