// Shows what Python has (widget.py): a question first, then the table and the chosen cell.

const TRENDS = {
  lower: ["▼", "lower in every seed"],
  higher: ["▲", "higher in every seed"],
  same: ["=", "the same"],
  "": ["≈", "lower in some seeds, higher in others"],
};

// The first check that sees a bug.
const firstSeen = ({ cells }, checks) =>
  checks[Math.max(0, cells.findIndex(([mark]) => mark === "✗"))][0];

// Arrows and clicks choose; the Tab key comes to the chosen cell alone.
function makeTable(label, key, bugs, checks, choose) {
  const cell = (role, attributes, ...inside) => make("div", { role, ...attributes }, ...inside);
  const heads = ["bug", "loss", "free", ...checks.map(([name]) => name)];
  const head = heads.map((name) => cell("columnheader", { "aria-label": name }, name));
  head[0].prepend(make("p", { class: "quiet" }, key));
  const rows = bugs.map((bug) => {
    const [sign, words] = TRENDS[bug.trend];
    const trend = make("span", { class: "trend", role: "img", "aria-label": words }, sign);
    const cells = bug.cells.map(([mark], place) => {
      const [name] = checks[place];
      const said = `${name}: ${mark === "✗" ? "sees it" : "passed"}`;
      const look = { class: mark === "✗" ? "seen" : "", "data-check": name, "aria-label": said };
      return cell("gridcell", { tabindex: -1, ...look }, mark);
    });
    const numbers = [bug.loss, bug.name === "right" ? "" : trend];
    const share = cell("gridcell", {});
    const own = [
      cell("rowheader", {}, bug.story),
      cell("gridcell", { class: bug.trend }, ...numbers),
      share,
    ];
    return { bug, cells, share, element: cell("row", {}, ...own, ...cells) };
  });
  const all = [cell("row", { class: "heads" }, ...head), ...rows.map((row) => row.element)];
  const element = cell("grid", { class: "checks", "aria-label": label }, ...all);
  // By hand: scrollIntoView would move a deck, too.
  const keepInFrame = ({ offsetTop, offsetHeight }) => {
    const frame = element.parentNode;
    const least = offsetTop + offsetHeight - frame.clientHeight;
    frame.scrollTop = Math.min(Math.max(frame.scrollTop, least), offsetTop - all[0].offsetHeight);
  };
  const at = (target) => rows.find((row) => row.element.contains(target));
  element.addEventListener("click", ({ target }) => {
    const { bug } = at(target) ?? {};
    const { dataset } = target.closest("[data-check]") ?? {};
    if (bug) choose(bug.name, dataset?.check ?? firstSeen(bug, checks));
  });
  const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  const ends = { Home: 0, End: checks.length - 1 };
  element.addEventListener("keydown", (event) => {
    if (!(event.key in moves || event.key in ends)) return;
    event.preventDefault();
    event.stopPropagation(); // a deck would turn a slide
    const listed = rows.filter((row) => !row.element.hidden);
    const row = at(event.target);
    const [down, right] = moves[event.key] ?? [0, 0];
    const column = ends[event.key] ?? row.cells.indexOf(event.target) + right;
    const to = listed[listed.indexOf(row) + down]?.cells[column];
    if (to) choose(at(to).bug.name, to.dataset.check);
  });
  return {
    element,
    show(bug, check, names, share, focus) {
      head[2].textContent = share;
      head[2].setAttribute("aria-label", share);
      for (const row of rows) {
        row.share.textContent = row.bug[share];
        const chosen = row.bug.name === bug;
        row.element.hidden = !names.includes(row.bug.name);
        row.element.classList.toggle("chosen", chosen);
        for (const one of row.cells) {
          const here = chosen && one.dataset.check === check;
          one.setAttribute("aria-selected", here);
          one.tabIndex = here ? 0 : -1;
          if (here && focus) one.focus({ preventScroll: true });
        }
        if (chosen) keepInFrame(row.element);
      }
      head.forEach((one, place) => one.classList.toggle("chosen", heads[place] === check));
    },
  };
}

// Code, in which the lines that the other has not got are marked.
function makeCode(title, lines, others) {
  const marked = lines.split("\n").map((line) => {
    const look = others.split("\n").includes(line) ? {} : { class: "differs" };
    return make("span", look, `${line}\n`);
  });
  const name = make("p", { class: "name" }, title);
  return make("div", { class: "lines" }, name, make("pre", {}, ...marked));
}

function render({ model, el }) {
  const shown = model.get("shown");
  const { question, lists, checks } = shown;
  const [viewBox, drawn] = shown.picture;
  const bugs = shown.bugs.map((bug) => {
    return { ...bug, cells: bug.cells.split("\n").map((cell) => cell.split("\t")) };
  });
  const firstOf = (names) => names.slice(0, 2).at(-1); // below the right model, if there is one
  const find = (name) => bugs.find((one) => one.name === name);
  let printing = false; // nobody can reveal anything on paper
  let focus = false; // whether the chosen cell is to get it
  const asking = () => model.get("ask") && !printing;
  const table = makeTable(shown.heading, shown.key, bugs, checks, (bug, check) => {
    focus = true;
    change(model, { bug, check });
  });
  const offered = lists.map(([name]) => name);
  const only = makeChoice("Show", offered, (chosen) => {
    const bug = firstOf(lists[offered.indexOf(chosen)][2]);
    change(model, { only: chosen, bug, check: firstSeen(find(bug), checks) });
  });
  const count = make("p", { class: "quiet" });
  const unit = make("p", { class: "quiet" }, shown.unit);
  const dots = bugs.map(({ place: [cx, cy] }) => makeSvg("circle", { cx, cy }));
  const axes = makeSvg("g");
  axes.innerHTML = drawn; // by drawing.py, which escapes
  const picture = makeSvg("svg", { viewBox, role: "img" }, axes, ...dots);
  const guess = makeChoice(question.legend, question.values, (prediction) =>
    change(model, { prediction }),
  );
  const button = make("button", { type: "button" }, "Reveal");
  const guessing = make("div", { class: "guess" }, guess.element, button);
  const before = make("p", {}, shown.before);
  const result = makeResult();
  result.element.tabIndex = -1;
  const ask = makeAsk((value) => change(model, { ask: value, prediction: null }));
  const cell = make("div", { class: "told" });
  const frame = make("div", { class: "window" }, table.element);
  const settings = make("div", { class: "settings" }, only.element, count);
  const free = make("div", { class: "free" }, settings, frame, cell, unit);
  const outcome = make("div", { class: "outcome" }, before, guessing, result.element, ask.element);
  const top = make("div", { class: "top" }, outcome, make("div", { class: "pictures" }, picture));
  el.append(makeCard(shown.heading, make("div", { class: "bugs" }, top, free)));

  function reveal() {
    if (model.get("prediction") === null) {
      result.complain("Choose one of the answers first.");
      guess.element.querySelector("input").focus();
      return;
    }
    change(model, { ask: false });
    queueMicrotask(() => result.element.focus()); // when it is drawn
  }
  button.addEventListener("click", reveal);
  guess.whenEntered(reveal);

  function showCell(bug, check) {
    const place = checks.findIndex(([name]) => name === check);
    const [mark, found, suspects] = bug.cells[place];
    const seen = mark === "✗";
    const code = bug.wrong
      ? [makeCode("✗ wrong", bug.wrong, bug.right), makeCode("✓ right", bug.right, bug.wrong)]
      : [];
    const own = [make("b", {}, bug.story), make("p", {}, bug.words ?? "All checks pass."), ...code];
    const said = make("p", { class: `result ${seen ? "bad" : "good"}`, "aria-live": "polite" });
    said.append(`${mark} ${found}`);
    const why = seen ? `Shows so: ${suspects}.` : "A right model may be like that.";
    const asked = [make("b", {}, check), make("p", {}, checks[place][1]), said];
    cell.replaceChildren(
      make("div", { class: "half" }, ...own, make("p", { class: "quiet" }, bug.told)),
      make("div", { class: "half" }, ...asked, make("p", { class: "quiet" }, why)),
    );
  }

  function draw() {
    const [check, prediction] = [model.get("check"), model.get("prediction")];
    // On paper: the six, and the chosen one.
    const listed = lists.find(([name]) => name === (printing ? "lower loss" : model.get("only")));
    const [chosen, words, names] = listed;
    const own = model.get("bug");
    const bug = find(printing || names.includes(own) ? own : firstOf(names));
    only.show(chosen);
    count.textContent = names.includes(bug.name) ? words : `${words} And the chosen one.`;
    guess.show(prediction);
    ask.show(asking());
    for (const part of [before, guessing]) part.hidden = !asking();
    free.hidden = asking();
    dots.forEach((dot, place) => {
      const { name } = bugs[place];
      const marked = asking() ? question.names.includes(name) : name === bug.name;
      const faint = !asking() && !names.includes(name);
      build(dot, { r: marked ? 6 : 4, class: marked ? "marked" : faint ? "faint" : "" }, []);
      if (marked) dot.parentNode.append(dot); // in front
    });
    const told = `${bug.story}: training loss ${bug.loss}, sentences right ${bug.free}`;
    picture.setAttribute("aria-label", asking() ? shown.before : `${shown.headline} ${told}`);
    showCell(bug, check);
    const share = chosen === "copies right" ? "copied" : "free";
    table.show(bug.name, check, [...names, bug.name], share, focus);
    // As far as the chosen cell stays in view; a deck would be moved.
    for (const part of focus && !el.closest(".reveal") ? [cell, document.activeElement] : []) {
      part.scrollIntoView({ block: "nearest" });
    }
    focus = false;
    const right = prediction === question.right;
    const judged = right ? `✓ You predicted ${prediction}: right.` : `✗ You predicted ${prediction}.`;
    const verdict = `${judged} ${shown.because}`;
    if (asking()) result.clear();
    else if (prediction === null) result.show(shown.headline, "", null);
    else result.show(shown.headline, verdict, right);
  }
  const print = ({ type }) => {
    printing = type === "beforeprint";
    draw();
  };
  const gone = new AbortController();
  window.addEventListener("beforeprint", print, gone);
  window.addEventListener("afterprint", print, gone);
  const stop = follow(model, ["bug", "check", "only", "prediction", "ask"], draw);
  return () => {
    gone.abort();
    stop();
  };
}

export default { render };
