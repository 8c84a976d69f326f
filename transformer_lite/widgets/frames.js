// Shows the frames that Python drew (frames.py): looks up that of the setting, computes nothing.

// Layers on top of each other; `show` fills each with the frame that `find` gives it.
function makePicture({ height, layers }, width) {
  const groups = layers.map(() => makeSvg("g"));
  return {
    element: makeSvg("svg", { viewBox: `0 0 ${width} ${height}` }, ...groups),
    show(find, ask) {
      layers.forEach((layer, place) => {
        const [words, svg] = layer.ask === null || layer.ask === ask ? find(layer) : ["", ""];
        const spoken = { role: "img", "aria-label": words, "aria-hidden": !words };
        const group = build(groups[place], spoken, []);
        group.innerHTML = svg; // made by drawing.py, which escapes what others wrote
      });
    },
  };
}

function render({ model, el }) {
  const frames = model.get("frames");
  const { heading, width, controls, question, offered, pictures, findings } = frames;
  // A prediction is about one setting: it goes with it.
  const choose = (values) => change(model, { ...values, prediction: null });
  const makers = { Choice: makeChoice, Slider: makeSlider, Menu: makeMenu };
  const parts = controls.map(({ name, legend, values, kind }) =>
    makers[kind](legend, values, (value) => choose({ [name]: value })),
  );
  const drawn = pictures.map((picture) => makePicture(picture, width));
  const guess = makeChoice(question.legend, question.values, (prediction) =>
    change(model, { prediction }),
  );
  const button = make("button", { type: "button" }, "Reveal");
  const asked = make("div", { class: "guess" }, guess.element, button);
  const result = makeResult();
  const ask = makeAsk((value) => choose({ ask: value }));
  const settings = make("div", { class: "settings" }, ...parts.map((part) => part.element));
  const outcome = make("div", { class: "outcome" }, asked, result.element, ask.element);
  const tall = pictures.reduce((sum, { height }) => sum + height, 0) > width;
  // A deck puts tall ones side by side.
  const look = { class: tall ? "pictures tall" : "pictures" };
  const shown = make("div", look, ...drawn.map((picture) => picture.element));
  const card = makeCard(heading, make("div", { class: "frames" }, settings, shown, outcome));

  // Places lie in a row for all values of the controls `by`, the last one changing fastest.
  function find({ by, frames, places }) {
    const setting = by.reduce((before, name) => {
      const { values } = controls.find((control) => control.name === name);
      return before * values.length + values.indexOf(model.get(name));
    }, 0);
    return frames[places.split(" ")[setting]];
  }
  // The question goes with its button, and the reader goes on with the slider that was moved last.
  let next = settings.querySelector("[type=range]") ?? settings.querySelector("input, select");
  settings.addEventListener("input", ({ target }) => {
    if (target.type === "range") next = target;
  });
  function reveal() {
    if (model.get("prediction") === null) {
      result.complain("Choose one of the answers first.");
      guess.element.querySelector("input").focus();
      return;
    }
    change(model, { ask: false });
    next.focus();
  }
  button.addEventListener("click", reveal);
  guess.whenEntered(reveal);

  let printing = false; // nobody can reveal anything on paper
  function draw() {
    const [asking, prediction] = [model.get("ask") && !printing, model.get("prediction")];
    const choices = (name) => offered[name] && find(offered[name]);
    controls.forEach(({ name }, place) => parts[place].show(model.get(name), choices(name)));
    drawn.forEach((picture) => picture.show(find, asking));
    guess.show(prediction, choices("prediction"));
    ask.show(asking);
    asked.hidden = !asking;
    const [sentence, answer] = find(findings);
    const right = prediction === null ? null : prediction === answer;
    if (asking) result.clear();
    else if (right === null) result.show(sentence, "", null);
    else if (right) result.show(sentence, `✓ You predicted ${prediction}: right.`, true);
    else result.show(sentence, `✗ You predicted ${prediction}; it is ${answer}.`, false);
  }
  el.append(card);
  const print = ({ type }) => {
    printing = type === "beforeprint";
    draw();
  };
  const gone = new AbortController();
  window.addEventListener("beforeprint", print, gone);
  window.addEventListener("afterprint", print, gone);
  const stop = follow(model, [...controls.map(({ name }) => name), "prediction", "ask"], draw);
  return () => {
    gone.abort();
    stop();
  };
}

export default { render };
