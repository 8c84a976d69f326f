// The page's side: the model (engine.js) runs at each change, and everything shown is read from the
// trace of that run. There is one opened box at a time.

const NEGATIVE = [20, 62, 112]; // dark for negative, light for positive: to be read without colour
const ZERO = [140, 145, 150];
const POSITIVE = [255, 214, 102];

// Children of an element, one for each item, kept from draw to draw: whoever has the focus keeps it.
function makeList(element, create, update) {
  const parts = [];
  return (items) => {
    items.forEach((item, place) => {
      if (!parts[place]) element.append((parts[place] = create(place)));
      parts[place].hidden = false;
      update(parts[place], item, place);
    });
    parts.slice(items.length).forEach((part) => (part.hidden = true));
  };
}

function decimal(number) {
  const words = number.toFixed(2);
  return Number(words) === 0 ? "0.00" : words.replace("-", "−");
}

// A picture of numbers, one pixel each; missing ones may not be seen. A share has a shade of the
// output's colour, any other number lies between two colours that end at −limit and limit.
function paint(canvas, rows, columns, limit, shares) {
  [canvas.width, canvas.height] = [columns, Math.max(1, rows.length)];
  const context = canvas.getContext("2d");
  const image = context.createImageData(canvas.width, canvas.height);
  rows.forEach((row, place) => {
    for (let column = 0; column < columns; column += 1) {
      const number = row[column];
      let colour = [95, 107, 100, 255];
      if (number !== undefined && shares) colour = [148, 82, 163, 255 * number ** 0.7];
      else if (number !== undefined) {
        const share = Math.max(-1, Math.min(1, number / limit));
        const end = share < 0 ? NEGATIVE : POSITIVE;
        const mix = (zero, part) => zero + (end[part] - zero) * Math.abs(share);
        colour = [...ZERO.map(mix), 255];
      }
      image.data.set(colour, 4 * (place * columns + column));
    }
  });
  context.putImageData(image, 0, 0);
}

// Rows with their tokens, columns with theirs, and one cell that is put in words: under the pointer,
// or moved to by arrow keys.
function makeMatrix(follow, entered) {
  const canvas = make("canvas", { "aria-hidden": "true" });
  const cursor = make("div", { class: "cursor" });
  const cells = make("div", { class: "cells", tabindex: 0, role: "application" }, canvas, cursor);
  const [names, heads] = [make("div", { class: "names" }), make("div", { class: "heads" })];
  const said = make("output", { class: "said" });
  let now = { rows: [[]], columns: 1 };
  const listRows = makeList(
    names,
    (place) => {
      const name = make("button", { type: "button", class: "plain" });
      name.addEventListener("click", () => follow(place));
      return name;
    },
    (name, words, place) => {
      name.textContent = words;
      name.setAttribute("aria-pressed", place === now.row);
    },
  );
  const listColumns = makeList(heads, () => make("span"), (head, words) => (head.textContent = words));
  const go = (row, column, hold) => {
    const within = (place, length) => Math.max(0, Math.min(length - 1, place));
    entered([within(row, now.rows.length), within(column, now.columns)], hold);
  };
  const point = (event, hold) => {
    const { left, top, width, height } = canvas.getBoundingClientRect();
    const at = (share, length) => Math.floor(share * length);
    go(
      at((event.clientY - top) / height, now.rows.length),
      at((event.clientX - left) / width, now.columns),
      hold,
    );
  };
  cells.addEventListener("pointermove", (event) => point(event, false));
  cells.addEventListener("pointerleave", () => entered(null, false));
  cells.addEventListener("click", (event) => point(event, true));
  const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  cells.addEventListener("keydown", (event) => {
    if (!(event.key in steps)) return;
    event.preventDefault();
    event.stopPropagation(); // a deck would turn a slide
    go(now.cell[0] + steps[event.key][0], now.cell[1] + steps[event.key][1], true);
  });
  return {
    element: make("div", { class: "matrix" }, make("span"), heads, names, cells),
    said,
    // rows, columns, names, heads, row (the one followed), cell, limit, shares, words, label
    show(values) {
      now = values;
      const { rows, columns, cell } = values;
      paint(canvas, rows, columns, values.limit, values.shares);
      heads.classList.toggle("turned", values.turned);
      for (const part of [cells, heads]) part.style.setProperty("--columns", values.heads.length);
      cells.style.setProperty("--rows", rows.length);
      cells.setAttribute("aria-label", `${values.label}. Arrow keys read cells.`);
      const box = { left: cell[1] / columns, top: cell[0] / rows.length };
      Object.assign(box, { width: 1 / columns, height: 1 / rows.length });
      for (const [side, share] of Object.entries(box)) cursor.style[side] = `${100 * share}%`;
      listRows(values.names);
      listColumns(values.heads);
      said.textContent = values.words;
    },
  };
}

// How many letters one has to change, to add or to leave out.
function distance(one, other) {
  let row = Array.from({ length: other.length + 1 }, (_, place) => place);
  for (let down = 1; down <= one.length; down += 1) {
    const next = [down];
    for (let across = 1; across <= other.length; across += 1) {
      const same = one[down - 1] === other[across - 1];
      next.push(Math.min(next[across - 1] + 1, row[across] + 1, row[across - 1] + (same ? 0 : 1)));
    }
    row = next;
  }
  return row[other.length];
}

// Which of the tokens stand in the other list in the same order: the longest such choice.
function inBoth(tokens, others) {
  const best = tokens.concat(0).map(() => new Array(others.length + 1).fill(0));
  for (let i = tokens.length - 1; i >= 0; i -= 1) {
    for (let j = others.length - 1; j >= 0; j -= 1) {
      const same = tokens[i] === others[j];
      best[i][j] = same ? best[i + 1][j + 1] + 1 : Math.max(best[i + 1][j], best[i][j + 1]);
    }
  }
  let j = 0;
  return tokens.map((token, i) => {
    while (j < others.length && token !== others[j] && best[i][j + 1] > best[i + 1][j]) j += 1;
    const kept = j < others.length && token === others[j];
    if (kept) j += 1;
    return kept;
  });
}

// The field for a sentence of known words. What is typed stays; only what can be read is handed on.
function makeSentence(known, sentences, longest, choose) {
  const ordinary = known.slice(4); // behind <pad>, <bos>, <eos>, <unk>
  const input = make("input", { type: "text", autocomplete: "off", spellcheck: "false" });
  const field = make("label", {}, make("span", { class: "name" }, "Type English"), input);
  const menu = makeMenu("or take one", ["…", ...sentences], (one) => one !== "…" && choose(one));
  const said = make("p", { class: "quiet", role: "status" });
  const offers = make("div", { class: "offers" });
  const normal = () => input.value.normalize("NFC").toLowerCase().trim().replace(/[.!?…\s]+$/, "");
  let offered = [];
  const listOffers = makeList(
    offers,
    (place) => {
      const button = make("button", { type: "button", class: "light" });
      button.addEventListener("click", () => {
        const { unknown, word } = offered[place];
        const words = normal().split(/\s+/);
        const at = words.indexOf(unknown);
        input.value = words.map((one, i) => (i === at ? word : one)).join(" ");
        if (at === words.length - 1) input.value += " ";
        input.focus();
        read();
      });
      return button;
    },
    (button, { word }) => (button.textContent = word),
  );
  function read() {
    const words = normal().split(/\s+/).filter(Boolean);
    const unknown = words.find((word) => !ordinary.includes(word));
    const typing = /\s$/.test(input.value) ? undefined : words.at(-1);
    const begins = ordinary.filter((word) => typing && word !== typing && word.startsWith(typing));
    const near = () =>
      ordinary
        .map((word) => [distance(unknown, word), word])
        .filter(([far]) => far <= Math.max(2, unknown.length / 2))
        .sort(([one], [other]) => one - other)
        .map(([, word]) => word);
    const unfinished = unknown === typing && begins.length > 0;
    const listed = unknown && !unfinished ? near() : begins;
    offered = listed.slice(0, 6).map((word) => ({ unknown: unknown ?? typing, word }));
    listOffers(offered);
    const many = words.length + 1 - longest;
    if (unknown && !unfinished) {
      const close = offered.length ? " Known words near it:" : " No known word is near it.";
      said.textContent = `The model does not know “${unknown}”.${close}`;
    } else if (many > 0) {
      said.textContent = `At most ${longest - 1} words, as in training: leave out ${many}.`;
    } else if (!words.length) said.textContent = "Type a few words.";
    else said.textContent = offered.length ? "Words that begin so:" : "";
    if (!unknown && many <= 0 && words.length) choose(words.join(" "));
  }
  input.addEventListener("input", read);
  return {
    element: make("div", { class: "sentence" }, field, menu.element, said, offers),
    show(text) {
      menu.show(sentences.includes(text) ? text : "…");
      if (normal() === text) return; // typed by the reader, perhaps with a full stop
      input.value = text;
      said.textContent = "";
      listOffers((offered = []));
    },
  };
}

// Tokens in a row, each a button that follows it: lines of words, the first one large.
function makeTokens(name, follow) {
  const row = make("div", { class: "tokens", role: "group", "aria-label": name });
  return {
    element: row,
    show: makeList(
      row,
      (place) => {
        const button = make("button", { type: "button", class: "token" });
        button.addEventListener("click", () => follow(place));
        return button;
      },
      (button, { lines, followed, changed }) => {
        const [first, ...others] = lines;
        const rest = others.filter(Boolean).map((line) => make("small", {}, line));
        button.replaceChildren(make("b", {}, changed ? `≠ ${first}` : first), ...rest);
        button.setAttribute("aria-pressed", Boolean(followed));
        button.classList.toggle("changed", Boolean(changed));
      },
    ),
  };
}

// The five most probable next words as bars; a line where each stood without the changes.
function makeBars(output) {
  const drawing = makeSvg("svg", { viewBox: "0 0 340 130", role: "img" });
  return {
    element: make("div", { class: "pictures" }, drawing),
    show(title, items) {
      const heard = items.map(({ words, share }) => `${words} ${decimal(share)}`).join(", ");
      drawing.setAttribute("aria-label", `${title}: ${heard}`);
      const parts = items.flatMap(({ words, share, before }, place) => {
        const y = 26 * place;
        const short = words.length > 21 ? `${words.slice(0, 20)}…` : words;
        const tick = before ?? share;
        return [
          makeSvg("text", { x: 0, y: y + 18 }, short),
          makeSvg("rect", { x: 180, y: y + 4, width: 112 * share, height: 18, fill: output }),
          makeSvg("rect", { x: 180, y: y + 4, width: 1, height: 18 }),
          ...(before === undefined
            ? []
            : [makeSvg("rect", { x: 178 + 112 * tick, y: y + 1, width: 4, height: 24 })]),
          makeSvg("text", { x: 340, y: y + 18, "text-anchor": "end" }, decimal(share)),
        ];
      });
      drawing.replaceChildren(...parts);
    },
  };
}

// The boxes of the model, encoder and decoder side by side, the first at the bottom. Each shows the
// vector of the followed token behind it, and in the decoder what the output layer would say to it.
function makeMap(boxes, open, toggle) {
  const frames = {};
  const stacks = ["encoder", "decoder"].map((name) => {
    const attributes = { class: `stack ${name}`, role: "group", "aria-label": name };
    return make("div", attributes, make("span", { class: "name" }, name));
  });
  const parts = boxes.map(([prefix, title], place) => {
    const strip = make("canvas", { "aria-hidden": "true" });
    const lens = make("span", { class: "lens" });
    const words = make("span", {}, title);
    const button = make("button", { type: "button", class: "box" }, words, lens, strip);
    button.addEventListener("click", () => open(place));
    const stack = stacks[place > boxes.findIndex((box) => box[1] === "memory") ? 1 : 0];
    const [kind, index, more] = prefix.split(".");
    if (more) {
      const layer = `${kind}.${index}`;
      if (!frames[layer]) {
        const input = make("input", { type: "checkbox" });
        input.addEventListener("change", () => toggle(layer));
        const on = make("label", { class: "on" }, input, `layer ${Number(index) + 1}`);
        const frame = make("div", { class: "layer" }, on);
        stack.append(frame);
        frames[layer] = { frame, input };
      }
      frames[layer].frame.append(button);
    } else {
      if (title === "memory" || title === "output") button.classList.add(title);
      stack.append(button);
    }
    return { button, strip, lens };
  });
  return {
    element: make("div", { class: "map" }, ...stacks),
    show(opened, off, vectors, lenses) {
      parts.forEach(({ button, strip, lens }, place) => {
        button.setAttribute("aria-pressed", place === opened);
        strip.hidden = !vectors[place];
        if (vectors[place]) paint(strip, [vectors[place]], vectors[place].length, 6, false);
        lens.textContent = lenses[place] ?? "";
      });
      for (const [layer, { frame, input }] of Object.entries(frames)) {
        input.checked = !off.includes(layer);
        frame.classList.toggle("off", !input.checked);
      }
    },
  };
}

// The four heads of an attention: a small map each, to be chosen, and whether it is on.
function makeHeads(count, choose, toggle) {
  const parts = Array.from({ length: count }, (_, head) => {
    const canvas = make("canvas", { "aria-hidden": "true" });
    const button = make("button", { type: "button", class: "head" }, canvas, `head ${head + 1}`);
    button.addEventListener("click", () => choose(head));
    const input = make("input", { type: "checkbox", "aria-label": `head ${head + 1} on` });
    input.addEventListener("change", () => toggle(head));
    return { canvas, button, input, element: make("div", {}, button, make("label", {}, input, "on")) };
  });
  return {
    element: make("div", { class: "four" }, ...parts.map((part) => part.element)),
    show(maps, columns, chosen, off) {
      parts.forEach(({ canvas, button, input }, head) => {
        paint(canvas, maps[head], columns, 1, true);
        button.setAttribute("aria-pressed", head === chosen);
        input.checked = !off(head);
      });
    },
  };
}

// What the chosen weight leaves is shared by the others as before.
function reweighted(row, place, weight) {
  const rest = 1 - row[place];
  const share = (one) => (rest > 0 ? one / rest : 1 / (row.length - 1));
  return Array.from(row, (one, key) => (key === place ? weight : share(one) * (1 - weight)));
}

function named(part) {
  const [stack, index, kind, head] = part.split(".");
  const attention = kind ? `, ${kind}-attention` : "";
  return `${stack} layer ${Number(index) + 1}${attention}${head ? `, head ${Number(head) + 1}` : ""}`;
}

function render({ model, el }) {
  const shown = model.get("shown");
  const { boxes, stages, question, asked, code } = shown;
  const known = shown.source.split(" ");
  const korean = shown.target.split("\n").map((line) => line.split("\t"));
  const transformer = makeTransformer(readWeights(shown.weights, shown.shapes), shown.heads, 1, 2);
    let printing = false; // nobody can reveal anything on paper
  let [followed, head, cell, under] = [{ source: 1, target: null }, 0, [0, 0], null];
  let [base, drawn] = [{}, null]; // of a sentence, unchanged; and what is shown now
  const asking = () => model.get("ask") && !printing;
  const unchanged = { off: [], rows: {}, positions: 1 };
  const now = () => {
    const names = ["text", "written", "opened", "off", "rows", "positions"];
    const values = Object.fromEntries(names.map((name) => [name, model.get(name)]));
    return asking() ? { ...values, ...asked, ...unchanged, opened: null } : values;
  };
  // Whoever does something is not asked any more.
  const choose = (values) =>
    change(model, { ...now(), ...values, ask: false, prediction: null });
  const read = (text) => {
    followed = { source: 1, target: null };
    choose({ text, written: 0, rows: {} });
  };
  const toggle = (part) => {
    const { off } = now();
    choose({ off: off.includes(part) ? off.filter((one) => one !== part) : [...off, part] });
  };
  const open = (place, title) => {
    const [prefix, , some] = boxes[place];
    const names = some.map((one) => stages[one]);
    const usual = ["weights", "sum", "memory", "probabilities"];
    const stage = names.find(([, one]) => (title ? one === title : usual.includes(one)));
    choose({ opened: prefix + stage[0] });
  };
  const mark = (side, place) => {
    followed = { ...followed, [side]: place };
    draw();
  };
  const button = (words, act) => {
    const made = make("button", { type: "button", class: "light" }, words);
    made.addEventListener("click", act);
    return made;
  };

  const sentence = makeSentence(known, shown.sentences, shown.longest, read);
  const english = makeTokens("English", (place) => mark("source", place));
  const translation = makeTokens("Korean", (place) => mark("target", place));
  const before = makeTokens("Korean, unchanged", () => {});
  const walk = [
    button("back", () => choose({ written: Math.max(0, drawn.count - 1) })),
    button("next word", () => choose({ written: drawn.count + 1 })),
    button("all", () => choose({ written: shown.most })),
    button("restart", () => choose({ written: 0 })),
  ];
  walk[1].classList.remove("light");
  const bars = makeBars("var(--output)");
  const map = makeMap(boxes, (place) => open(place), toggle);
  const titles = boxes.map(([, , some]) => some.map((one) => stages[one][1]));
  const every = [...new Set(titles.flat())];
  const stage = makeChoice("Show", every, (title) => open(drawn.place, title));
  const matrix = makeMatrix(
    (row) => mark(drawn.side, row),
    (at, hold) => {
      under = hold ? null : at;
      if (hold) cell = at;
      draw();
    },
  );
  const heads = makeHeads(
    shown.heads,
    (one) => {
      head = one;
      open(drawn.place, drawn.name.endsWith("energies") ? "energies" : "weights");
    },
    (one) => toggle(`${drawn.name.split(".").slice(0, 3).join(".")}.${one}`),
  );

  const weight = makeSlider("", Array.from({ length: 101 }, (_, place) => place / 100), (share) => {
    const [row, key] = cell;
    const weights = reweighted(drawn.rows[row], key, share);
    choose({ rows: { ...now().rows, [`${drawn.own}.${row}`]: weights } });
  });
  const undo = button("undo this row", () => {
    const rows = { ...now().rows };
    delete rows[`${drawn.own}.${cell[0]}`];
    choose({ rows });
  });
  const editing = make("div", { class: "edit" }, weight.element, undo);
  const [heading, formula] = [make("b"), make("p", { class: "formula" })];
  const [shape, lines, where] = [make("span"), make("code"), make("span")];
  const source = make("details", {}, make("summary", {}, where), make("pre", { tabindex: 0 }, lines));
  const explained = make("p", { class: "quiet" });
  const legend = make("div", { class: "scale quiet" });
  const facts = make("div", { class: "facts" }, formula, shape);
  const seen = [stage.element, facts, matrix.element, legend, matrix.said, heads.element, editing];
  const panel = make("div", { class: "panel" }, heading, ...seen, explained, source);

  const guess = makeChoice(question.legend, question.values, (prediction) =>
    change(model, { prediction }),
  );
  const answer = make("button", { type: "button" }, "Reveal");
  const guessing = make("div", { class: "guess" }, guess.element, answer);
  const result = makeResult();
  result.element.tabIndex = -1;
  const ask = makeAsk((value) => change(model, { ask: value, prediction: null }));
  const positions = makeSlider("Positions ×", shown.factors, (factor) => choose({ positions: factor }));
  const back = button("Put everything back", () => choose(unchanged));
  const told = make("span", { class: "quiet" });
  const changes = make("div", { class: "changes" }, positions.element, back, told);
  const beside = make("p", { class: "name" }, "without your changes");
  const written = make("div", {}, translation.element, beside, before.element);
  const steps = make("div", { class: "steps" }, ...walk);
  const texts = make("div", { class: "texts" }, english.element, written, steps);
  const next = make("div", {}, make("p", { class: "name" }, "Most probable next words"), bars.element);
  const view = make("div", { class: "view" }, guessing, result.element, panel);
  const parts = [
    sentence.element,
    make("div", { class: "top" }, texts, next),
    make("div", { class: "bottom" }, map.element, view),
    changes,
    ask.element,
  ];
  el.append(makeCard(shown.heading, make("div", { class: "live" }, ...parts)));

  function reveal() {
    if (model.get("prediction") === null) {
      result.complain("Choose one of the answers first.");
      guess.element.querySelector("input").focus();
      return;
    }
    const place = asked.text.split(" ").indexOf(question.right);
    [followed, cell] = [{ source: place, target: asked.written }, [asked.written, place]];
    change(model, { ...now(), ...asked, ask: false });
    queueMicrotask(() => result.element.focus()); // when it is drawn
  }
  answer.addEventListener("click", reveal);
  guess.whenEntered(reveal);

  // Which side asks and which answers in a matrix, its rows and what its columns are called.
  function look(state, trace, english, target) {
    const place = boxes.findIndex(([prefix, , some]) =>
      some.some((one) => prefix + stages[one][0] === state.opened),
    );
    const [prefix, title, some] = boxes[place];
    const [key, , letters, how, code, chapter, limit] =
      stages[some.find((one) => prefix + stages[one][0] === state.opened)];
    const decoder = place > boxes.findIndex((box) => box[1] === "memory");
    const answers = decoder && !prefix.includes("cross") ? "target" : "source";
    const asks = decoder ? "target" : "source";
    const side = letters.startsWith("C") ? answers : asks;
    const tokens = { source: english, target };
    const maps = letters === "R × C";
    const own = `${prefix}${head}`;
    const kept = trace[state.opened];
    const rows = (maps ? kept?.[head] : kept)?.slice(0, tokens[side].length);
    const split = { query: "Q", key: "K", value: "V", heads: "heads" }[key];
    const columns = maps ? tokens[answers].length : (rows?.[0].length ?? 1);
    const fours = Array.from({ length: shown.heads }, (_, one) => `head ${one + 1}`);
    const names = maps
      ? tokens[answers].map((one) => one.short)
      : split
        ? fours
        : ["1", `${columns}`];
    const stack = decoder ? "decoder" : "encoder";
    const called = prefix.split(".").length > 2 ? named(prefix.split(".").slice(0, 2).join(".")) : stack;
    const value = (number) => (number === undefined ? "may not be seen: it comes later" : decimal(number));
    const say = (row, column) => {
      const [from, number] = [tokens[side][row].short, value(rows[row][column])];
      if (maps) {
        const verb = key === "weights" ? "looks at" : "and";
        return `${from} ${verb} ${tokens[answers][column].short}: ${number}`;
      }
      if (letters.endsWith("V")) return `${from}: ${korean[column].filter(Boolean).join(" ")} ${number}`;
      if (!split) return `${from}, number ${column + 1}: ${number}`;
      const size = columns / shown.heads;
      const [one, at] = [Math.floor(column / size) + 1, (column % size) + 1];
      return `${from}, head ${one}, number ${at}: ${number}`;
    };
    const sizes = letters.replace("R", asks === "source" ? "S" : "T");
    const letter = sizes.replace("C", answers === "source" ? "S" : "T");
    return {
      place, prefix, side, rows, columns, names, say, maps, own, key, limit, code, chapter,
      name: state.opened,
      tokens: tokens[side],
      heading: `${called}: ${title}`,
      formula: how.replace("y ", prefix.includes("cross") ? "memory " : "x̂ "),
      shape: `${letter} = ${rows?.length} × ${columns}${maps ? `, in each of ${shown.heads} heads` : ""}`,
    }; // prettier-ignore
  }

  function showPanel(state, trace, english, target) {
    panel.hidden = !state.opened;
    if (panel.hidden) return;
    const view = look(state, trace, english, target);
    drawn = { ...drawn, ...view };
    heading.textContent = view.heading;
    const shares = ["weights", "probabilities"].includes(view.key);
    stage.show(
      titles[view.place].find((_, at) => stages[boxes[view.place][2][at]][0] === view.key),
      titles[view.place],
    );
    formula.textContent = view.formula;
    shape.textContent = view.rows ? view.shape : "";
    const off = !view.rows;
    for (const part of [matrix.element, legend, matrix.said]) part.hidden = off;
    const attends = /self|cross/.test(view.prefix);
    heads.element.hidden = off || !attends;
    editing.hidden = off || view.key !== "weights";
    const link = make("a", { href: view.chapter[0] }, view.chapter[1]);
    const linked = "content_root" in document.documentElement.dataset && view.chapter[0];
    const by = view.chapter[0] ? ["Explained in ", linked ? link : view.chapter[1], "."] : [];
    explained.replaceChildren(...(off ? ["Switched off: the layer hands on what it gets."] : by));
    where.textContent = view.code;
    lines.textContent = code[view.code];
    if (off) return;
    const within = ([row, column]) => [
      Math.min(row, view.rows.length - 1),
      Math.min(column, view.columns - 1),
    ];
    cell = within(cell);
    const at = within(under ?? cell);
    matrix.show({
      rows: view.rows,
      columns: view.columns,
      names: view.tokens.map((one) => one.long),
      heads: view.names,
      turned: view.maps,
      row: drawn.followed[view.side],
      cell: at,
      limit: view.limit,
      shares,
      words: view.say(...at),
      label: `${view.heading}, ${view.shape}`,
    });
    const ends = shares ? ["0", "1"] : [`−${view.limit}`, "0", `${view.limit}`];
    legend.replaceChildren(...ends.map((end) => make("span", {}, end)));
    legend.classList.toggle("shares", shares);
    if (attends) {
      const maps = trace[`${view.prefix}weights`].map((one) => one.slice(0, view.rows.length));
      const asks = maps.map((one) => one.slice(0, drawn.length[view.prefix[0]]));
      const columns = asks[0].at(-1).length;
      heads.show(asks, columns, head, (one) => state.off.includes(`${view.prefix}${one}`));
    }
    if (!editing.hidden) {
      const share = view.rows[cell[0]][cell[1]] ?? 0;
      weight.show(Math.round(100 * share) / 100);
      weight.element.querySelector(".name").textContent = `Your weight: ${view.say(...cell).split(":")[0]}`;
      undo.hidden = !(`${view.own}.${cell[0]}` in state.rows);
    }
  }

  function draw() {
    const state = now();
    const ids = [...state.text.split(" ").map((word) => known.indexOf(word)), 2];
    if (base.text !== state.text) base = { text: state.text, run: transformer.run(ids) };
    const altered = state.off.length || Object.keys(state.rows).length || state.positions !== 1;
    const run = altered ? transformer.run(ids, state) : base.run;
    const { tokens, trace } = run;
    const count = Math.min(state.written, tokens.length);
    const read = Math.min(count + 1, tokens.length); // rows of the decoder: <bos> and what follows
    const same = altered ? transformer.run(ids, undefined, tokens.slice(0, read)).trace : trace;
    drawn = {
      count,
      length: { e: ids.length, d: read },
      followed: {
        source: Math.min(followed.source, ids.length - 1),
        target: Math.min(followed.target ?? read - 1, read - 1),
      },
    };
    const { source: s, target: t } = drawn.followed;
    sentence.show(state.text);
    english.show(ids.map((id, place) => ({ lines: [known[id]], followed: place === s })));
    const lined = ([word, sound, meaning]) => [word, sound, meaning];
    const kept = inBoth(tokens.slice(0, count), base.run.tokens);
    translation.show(
      ["", ...tokens.slice(0, count)].map((id, place) => ({
        lines: place ? lined(korean[id]) : ["<bos>", "", "begin"],
        followed: place === t && place < read,
        changed: place > 0 && !kept[place - 1],
      })),
    );
    beside.hidden = before.element.hidden = !altered;
    before.show(base.run.tokens.map((id) => ({ lines: lined(korean[id]) })));
    walk[0].setAttribute("aria-disabled", count === 0);
    walk[3].setAttribute("aria-disabled", count === 0);
    for (const one of walk.slice(1, 3)) one.setAttribute("aria-disabled", count === tokens.length);

    const [shares, others] = [trace.probabilities[read - 1], same.probabilities[read - 1]];
    const best = [...shares.keys()].sort((one, other) => shares[other] - shares[one]).slice(0, 5);
    const spell = (id) => [...korean[id].slice(0, 2), korean[id][2] && `“${korean[id][2]}”`];
    bars.show(
      "Most probable next words",
      best.map((id) => ({
        words: spell(id).filter(Boolean).join(" "),
        share: shares[id],
        before: altered ? others[id] : undefined,
      })),
    );

    const last = { source: "sum", target: "sum", "": "" };
    const vectors = boxes.map(([prefix, title]) => {
      const stack = prefix.split(".")[0];
      const name = prefix ? `${prefix}${last[stack] ?? "residual"}` : { memory: "memory", output: "features" }[title];
      const decoder = stack === "target" || stack === "decoder" || title === "output";
      return trace[name]?.[decoder ? t : s];
    });
    const lenses = boxes.map(([prefix, title], place) => {
      if (!/^(target|decoder)/.test(prefix) || !vectors[place]) return title === "output" ? meant(largestOf(trace.logits[t])) : "";
      return meant(largestOf(transformer.read(vectors[place])));
    });
    const opened = boxes.findIndex(([prefix, , some]) =>
      some.some((one) => prefix + stages[one][0] === state.opened),
    );
    map.show(opened, state.off, vectors, lenses);
    const words = ids.map((id) => ({ short: known[id], long: known[id] }));
    const rows = Array.from({ length: read }, (_, place) => {
      const [from, to] = [place ? korean[tokens[place - 1]][0] : "<bos>", place < count ? korean[tokens[place]][0] : "?"];
      return { short: from, long: `${from} → ${to}` };
    });
    showPanel(state, trace, words, rows);

    positions.show(state.positions);
    const edited = Object.keys(state.rows).length;
    const list = [
      ...state.off.map((part) => `${named(part)} off`),
      ...(edited ? [`${edited} ${edited > 1 ? "rows" : "row"} of weights`] : []),
    ];
    told.textContent = list.length ? `Changed: ${list.join("; ")}.` : "";
    back.hidden = !altered;
    const prediction = model.get("prediction");
    guess.show(prediction);
    ask.show(asking());
    guessing.hidden = !asking();
    const right = prediction === question.right;
    const verdict = right
      ? `✓ You predicted ${prediction}: right.`
      : `✗ You predicted ${prediction}; it is ${question.right}.`;
    result.element.hidden = !asking() && prediction === null;
    if (asking()) result.clear();
    else if (prediction !== null) result.show(verdict, shown.because, right);
  }
  // A Korean token and its first meaning.
  const meant = (id) => `${korean[id][0]} ${korean[id][2].split(/ [/(]/)[0]}`.trim();

  const print = ({ type }) => {
    printing = type === "beforeprint";
    draw();
  };
  const gone = new AbortController();
  window.addEventListener("beforeprint", print, gone);
  window.addEventListener("afterprint", print, gone);
  const watched = ["text", "written", "opened", "off", "rows", "positions", "prediction", "ask"];
  const stop = follow(model, watched, draw);
  return () => {
    gone.abort();
    stop();
  };
}

export default { render };
