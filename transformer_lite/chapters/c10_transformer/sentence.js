// Words: the field that takes an English sentence, and rows of tokens.

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

// Which of the tokens stand in the other list, in the same order: the longest such choice, and of
// these the one with the most tokens in their old places.
function inBoth(tokens, others) {
  const gain = (i, j) => (tokens[i] === others[j] ? 1 + (i === j ? 0.01 : 0) : -1);
  const best = Array.from({ length: tokens.length + 1 }, () => Array(others.length + 1).fill(0));
  for (let i = tokens.length - 1; i >= 0; i -= 1) {
    for (let j = others.length - 1; j >= 0; j -= 1) {
      const both = gain(i, j) + best[i + 1][j + 1];
      best[i][j] = Math.max(both, best[i + 1][j], best[i][j + 1]);
    }
  }
  let j = 0;
  return tokens.map((_, i) => {
    while (j < others.length && best[i][j] === best[i][j + 1]) j += 1;
    const kept = j < others.length && best[i][j] > best[i + 1][j];
    if (kept) j += 1;
    return kept;
  });
}

// The field for a sentence of known words. What is typed stays; only what can be read is handed on.
function makeSentence(known, sentences, longest, choose) {
  // Behind <pad>, <bos>, <eos>, <unk>.
  const ordinary = known.slice(4);
  const input = make("input", { type: "text", autocomplete: "off", spellcheck: "false" });
  const field = make("label", {}, make("span", { class: "name" }, "Type English"), input);
  const menu = makeMenu("or take one", ["…", ...sentences], (one) => {
    if (one !== "…") choose(one);
  });
  const said = make("p", { class: "quiet", role: "status" });
  const row = make("div", { class: "offers" });
  const offers = make("div", { class: "offers" }, said, row);
  const element = make("div", { class: "sentence" }, field, menu.element, offers);
  const normal = () => {
    const text = input.value.normalize("NFC").toLowerCase().trim();
    return text.replace(/[.!?…]+$/, "").trim();
  };
  let [offered, last] = [[], null];
  const listOffers = makeList(
    row,
    (place) => {
      const button = make("button", { type: "button" });
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
    const listed = unfinished ? begins : unknown ? near() : [];
    offered = listed.slice(0, 6).map((word) => ({ unknown, word }));
    listOffers(offered);
    const many = words.length + 1 - longest;
    if (unknown && !unfinished) {
      const close = offered.length ? " Known words near it:" : " No known word is near it.";
      said.textContent = `The model does not know “${unknown}”.${close}`;
    } else if (many > 0) {
      said.textContent = `At most ${longest - 1} words, as in training: leave out ${many}.`;
    } else if (!words.length) said.textContent = "Type a few words.";
    else said.textContent = offered.length ? "Words that begin so:" : "";
    const readable = !unknown && many <= 0 && words.length;
    // The translation below is an older sentence's.
    element.classList.toggle("waiting", !readable);
    if (readable && words.join(" ") !== last) choose(words.join(" "));
  }
  input.addEventListener("input", read);
  return {
    element,
    show(text) {
      // Whatever stands in the field may be half a sentence.
      if (text === last) return;
      last = text;
      menu.show(sentences.includes(text) ? text : "…");
      // Typed by the reader, perhaps with a full stop.
      if (normal() === text) return;
      input.value = text;
      read();
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
