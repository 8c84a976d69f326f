// Parts that each widget's module begins with: a stored module cannot import another one.

function build(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// make("p", { class: "note" }, "text", element) and the same for SVG.
function make(tag, attributes = {}, ...children) {
  return build(document.createElement(tag), attributes, children);
}

function makeSvg(tag, attributes = {}, ...children) {
  return build(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

// One of a few values, as radio buttons in a row: those that are offered, in their order.
function makeChoice(legend, values, choose) {
  const group = Math.random().toString(36); // two copies of a widget must not share a group
  const inputs = values.map((value) =>
    make("input", { type: "radio", name: group, value: String(value) }),
  );
  const labels = inputs.map((input, place) => make("label", {}, input, String(values[place])));
  inputs.forEach((input, place) => input.addEventListener("change", () => choose(values[place])));
  const row = make("div", { class: "choice" });
  let shown = null;
  return {
    element: make("fieldset", {}, make("legend", {}, legend), row),
    // Enter chooses what has the focus and goes on.
    whenEntered(goOn) {
      inputs.forEach((input, place) =>
        input.addEventListener("keydown", (event) => {
          if (event.key !== "Enter") return;
          event.preventDefault(); // or it would also press the button that gets the focus
          choose(values[place]);
          goOn();
        }),
      );
    },
    show(value, offered = values) {
      if (offered !== shown) row.replaceChildren(...offered.map((one) => labels[values.indexOf(one)]));
      shown = offered;
      inputs.forEach((input, place) => (input.checked = values[place] === value));
    },
  };
}

// One of many values, or of long ones, of which only the chosen one is to be seen.
function makeMenu(words, values, choose) {
  const options = values.map((value, place) => make("option", { value: place }, String(value)));
  const select = make("select", {}, ...options);
  select.addEventListener("change", () => choose(values[select.value]));
  return {
    element: make("label", {}, make("span", { class: "name" }, words), select),
    show: (value) => (select.value = values.indexOf(value)),
  };
}

// One of many values in their order on a slider, with the value beside it. Where only the first few
// are offered, it ends there and shows the last of them for all others.
function makeSlider(words, values, choose) {
  const input = make("input", { type: "range", min: 1, max: values.length, step: 1 });
  const number = make("span", { class: "number", "aria-hidden": "true" });
  input.addEventListener("input", () => choose(values[input.value - 1]));
  return {
    element: make(
      "label",
      { class: "slider" },
      make("span", { class: "name" }, words),
      input,
      number,
    ),
    show(value, offered = values) {
      input.max = offered.length;
      input.value = values.indexOf(value) + 1;
      number.textContent = values[input.value - 1];
      input.setAttribute("aria-valuetext", number.textContent);
    },
  };
}

// The box that decides whether each change hides the answer.
function makeAsk(choose) {
  const input = make("input", { type: "checkbox" });
  input.addEventListener("change", () => choose(input.checked));
  return {
    element: make("label", { class: "ask quiet" }, input, "Ask me before the answer"),
    show: (ask) => (input.checked = ask),
  };
}

// What came of the reader's guess, also spoken; good is null where nothing is judged.
function makeResult() {
  const element = make("p", { class: "result", role: "status" });
  return {
    element,
    complain(words) {
      element.className = "result";
      element.textContent = words;
    },
    show(headline, comparison, good) {
      element.className = good === null ? "result" : `result ${good ? "good" : "bad"}`;
      element.replaceChildren(make("b", {}, headline), comparison);
    },
    clear() {
      element.className = "result";
      element.replaceChildren();
    },
  };
}

// The root of a widget; no <section>, which a deck would take for a slide. Keys that work its
// controls must not also turn a slide or move to the next cell of a notebook.
function makeCard(name, ...children) {
  const attributes = { class: "transformer-lite", role: "group", "aria-label": name };
  const card = make("div", attributes, make("div", { class: "inside" }, ...children));
  card.dataset.lmSuppressShortcuts = "true"; // JupyterLab looks for this
  card.addEventListener("keydown", (event) => {
    if (event.target.matches("input, select") || [" ", "Enter"].includes(event.key)) {
      event.stopPropagation();
    }
  });
  return card;
}

// Draw now and once after each batch of changes to these names, from this side or from Python;
// returns what stops it.
function follow(model, names, draw) {
  let waiting = false;
  const later = () => {
    if (waiting) return;
    waiting = true;
    queueMicrotask(() => {
      waiting = false;
      draw();
    });
  };
  const events = names.map((name) => `change:${name}`).join(" ");
  model.on(events, later);
  draw();
  return () => model.off(events, later);
}

function change(model, values) {
  for (const [name, value] of Object.entries(values)) model.set(name, value);
  model.save_changes();
}
