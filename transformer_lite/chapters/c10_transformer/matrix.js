// Numbers as pictures: a matrix that can be read cell by cell, the maps of heads, bars.

// Dark for negative, light for positive: to be read without colour.
const NEGATIVE = [20, 62, 112];
const ZERO = [140, 145, 150];
const POSITIVE = [255, 214, 102];

// Children of an element, one for each item; they stay from draw to draw, and so does the focus.
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

function decimal(number, digits = 2) {
  const words = number.toFixed(digits);
  return Number(words) === 0 ? words.replace("-", "") : words.replace("-", "−");
}

// A picture of numbers, one pixel each; missing ones may not be seen. A share has a shade of purple,
// any other number lies between two colours that end at −limit and limit.
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

// Rows with their tokens, columns with theirs, and one cell that is put in words: the one under the
// pointer, or the one that was chosen by a click or by arrow keys.
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
    (name, [word, next], place) => {
      name.replaceChildren(word, make("span", {}, next));
      name.setAttribute("aria-pressed", place === now.row);
    },
  );
  const listColumns = makeList(
    heads,
    () => make("span"),
    (head, words) => (head.textContent = words),
  );
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
  // As far as it goes.
  const far = Number.MAX_SAFE_INTEGER;
  const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  Object.assign(steps, { Home: [0, -far], End: [0, far] });
  cells.addEventListener("keydown", (event) => {
    if (!(event.key in steps)) return;
    event.preventDefault();
    go(now.cell[0] + steps[event.key][0], now.cell[1] + steps[event.key][1], true);
  });
  return {
    element: make("div", { class: "matrix" }, make("span"), heads, names, cells),
    said,
    // rows, columns, names, heads, row (the one followed), cell, limit, shares, off, words, label
    show(values) {
      now = values;
      const { rows, columns, cell } = values;
      paint(canvas, rows, columns, values.limit, values.shares);
      heads.classList.toggle("turned", values.maps);
      canvas.classList.toggle("off", values.off);
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

// Maps of the same size as one, each number their mean.
function meanOf(maps) {
  const mean = (row, key) => maps.reduce((sum, map) => sum + map[row][key], 0) / maps.length;
  return maps[0].map((numbers, row) => numbers.map((_, key) => mean(row, key)));
}

// The mean of an attention's heads and each of them: a small map, to be chosen, and whether it is on.
function makeHeads(count, choose, toggle) {
  const parts = Array.from({ length: count + 1 }, (_, place) => {
    const head = place ? place - 1 : null;
    const canvas = make("canvas", { "aria-hidden": "true" });
    const words = place ? `head ${place}` : "mean";
    const button = make("button", { type: "button", class: "head" }, canvas, words);
    button.addEventListener("click", () => choose(head));
    const attributes = { type: "checkbox", "aria-label": `${place ? words : "all heads"} on` };
    const input = make("input", attributes);
    input.addEventListener("change", () => toggle(head, input.checked));
    const on = make("label", { class: "on" }, input, "on");
    return { head, canvas, button, input, element: make("div", {}, button, on) };
  });
  return {
    element: make("div", { class: "small" }, ...parts.map((part) => part.element)),
    show(maps, columns, chosen, off) {
      parts.forEach(({ head, canvas, button, input, element }, place) => {
        paint(canvas, maps[place], columns, 1, true);
        button.setAttribute("aria-pressed", head === chosen);
        input.checked = !off(head);
        element.classList.toggle("off", !input.checked);
      });
    },
  };
}

// The five most probable next words as bars; a line where each stood without the changes.
function makeBars() {
  const [width, step] = [260, 35];
  const viewBox = `0 0 ${width} ${5 * step}`;
  const drawing = makeSvg("svg", { viewBox, role: "img" });
  const block = (x, y, width, height, name = "") =>
    makeSvg("rect", { x, y, width, height, class: name });
  return {
    element: make("div", { class: "pictures" }, drawing),
    show(items) {
      const heard = items.map(({ words, share }) => `${words} ${decimal(share, 3)}`).join(", ");
      drawing.setAttribute("aria-label", `Most probable next words: ${heard}`);
      const parts = items.flatMap(({ words, share, before }, place) => {
        const y = step * place;
        const tick = before === undefined ? [] : [block((width - 4) * before, y + 17, 4, 13)];
        const end = { x: width, y: y + 14, "text-anchor": "end" };
        return [
          makeSvg("text", { x: 0, y: y + 14 }, words),
          makeSvg("text", end, decimal(share, 3)),
          block(0, y + 20, width, 7, "ground"),
          block(0, y + 20, width * share, 7, "bar"),
          ...tick,
        ];
      });
      drawing.replaceChildren(...parts);
    },
  };
}
