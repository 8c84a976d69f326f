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

// One of a few values, as radio buttons in a row; decorate(value) gives what stands behind each.
function makeChoice(legend, values, choose, decorate = () => []) {
  const group = Math.random().toString(36); // two copies of a widget must not share a group
  const inputs = values.map((value) =>
    make("input", { type: "radio", name: group, value: String(value) }),
  );
  const labels = inputs.map((input, place) =>
    make("label", {}, input, String(values[place]), ...decorate(values[place])),
  );
  inputs.forEach((input, place) => input.addEventListener("change", () => choose(values[place])));
  return {
    element: make(
      "fieldset",
      {},
      make("legend", {}, legend),
      make("div", { class: "choice" }, ...labels),
    ),
    show(value) {
      inputs.forEach((input, place) => (input.checked = values[place] === value));
    },
  };
}

// A whole number on a slider, with the number beside it.
function makeSlider(words, least, most, unit, choose) {
  const input = make("input", { type: "range", min: least, max: most, step: 1 });
  const number = make("span", { class: "number", "aria-hidden": "true" });
  input.addEventListener("input", () => choose(Number(input.value)));
  return {
    element: make(
      "label",
      { class: "slider" },
      make("span", { class: "name" }, words),
      input,
      number,
    ),
    show(value) {
      input.value = value;
      input.setAttribute("aria-valuetext", `${value} ${unit(value)}`);
      number.textContent = value;
    },
  };
}

// The root of a widget; no <section>, which a deck would take for a slide. Keys that work its controls must not also turn a slide or move to the next
// cell of a notebook.
function makeCard(name, ...children) {
  const attributes = { class: "transformer-lite", role: "group", "aria-label": name };
  const card = make("div", attributes, make("div", { class: "inside" }, ...children));
  card.dataset.lmSuppressShortcuts = "true"; // JupyterLab looks for this
  card.addEventListener("keydown", (event) => {
    if (event.target.matches("input") || [" ", "Enter"].includes(event.key)) {
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
