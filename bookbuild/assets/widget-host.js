// A host for anywidget front ends on pages without a kernel: it reads the widget state that was saved
// with the outputs, imports each widget's own module and lets it draw. It asks no server for anything.
//
// What it is told: <script type="application/vnd.jupyter.widget-state+json"> holds all models,
// <script type="application/vnd.jupyter.widget-view+json"> marks a place where one is shown, and an
// element of class "widget-still" behind it is the picture for readers whose scripts are off.
(() => {
  "use strict";
  const STATE = 'script[type="application/vnd.jupyter.widget-state+json"]';
  const VIEW = 'script[type="application/vnd.jupyter.widget-view+json"]';

  // Binary values are stored apart from the others, each with the path to its place.
  function restoreBuffers(saved) {
    for (const { path, data } of saved.buffers ?? []) {
      const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
      const place = path.slice(0, -1).reduce((value, key) => value[key], saved.state);
      place[path.at(-1)] = new DataView(bytes.buffer);
    }
    return saved.state;
  }

  // The part of anywidget's model that a front end may use; without a kernel, messages go nowhere.
  function makeModel(saved, findModel) {
    const state = restoreBuffers(saved);
    const listeners = new Map();
    const changed = new Set();
    const tell = (event, ...values) => {
      for (const listener of [...(listeners.get(event) ?? [])]) listener(...values);
    };
    const model = {
      get: (key) => state[key],
      set(key, value) {
        if (typeof key === "object") {
          for (const [name, part] of Object.entries(key)) model.set(name, part);
          return;
        }
        if (state[key] === value) return;
        state[key] = value;
        changed.add(key);
        tell(`change:${key}`, model, value);
      },
      save_changes() {
        if (changed.size) tell("change", model);
        changed.clear();
      },
      on(events, listener) {
        for (const event of events.split(" ")) {
          if (!listeners.has(event)) listeners.set(event, new Set());
          listeners.get(event).add(listener);
        }
      },
      off(events, listener) {
        if (!events) listeners.clear();
        else
          for (const event of events.split(" ")) {
            if (listener) listeners.get(event)?.delete(listener);
            else listeners.delete(event);
          }
      },
      send() {},
      widget_manager: { get_model: async (name) => findModel(name.replace(/^IPY_MODEL_/, "")) },
    };
    return model;
  }

  async function importModule(text) {
    const address = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
    try {
      const found = await import(address);
      return typeof found.default === "function" ? await found.default() : (found.default ?? found);
    } finally {
      URL.revokeObjectURL(address);
    }
  }

  async function show(view, saved, findModel, modules) {
    const name = JSON.parse(view.textContent).model_id;
    const { _esm: text, _css: style } = saved[name]?.state ?? {};
    if (!text) return;
    const still = view.parentElement.querySelector(".widget-still") ?? document.createElement("i");
    const element = document.createElement("div");
    element.className = "widget";
    const model = findModel(name);
    if (!modules.has(text)) modules.set(text, importModule(text));
    const widget = await modules.get(text);
    await widget.initialize?.({ model });
    if (style) {
      const sheet = document.createElement("style");
      sheet.textContent = style;
      document.head.append(sheet);
    }
    view.before(element);
    await widget.render({ model, el: element });
    still.hidden = true;
  }

  async function start() {
    const saved = {};
    for (const script of document.querySelectorAll(STATE)) {
      Object.assign(saved, JSON.parse(script.textContent).state);
    }
    const models = new Map();
    const findModel = (name) => {
      if (!models.has(name)) models.set(name, makeModel(saved[name], findModel));
      return models.get(name);
    };
    const modules = new Map();
    for (const view of document.querySelectorAll(VIEW)) {
      // One widget that fails keeps its still picture and leaves the others alone.
      await show(view, saved, findModel, modules).catch((error) => console.error(error));
    }
    document.documentElement.dataset.widgets = "ready";
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
