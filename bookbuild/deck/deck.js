// Start the deck. Each slide is scaled to the window, and all to the same measure.

// In the view for paper, reveal.js rearranges the slides first.
const arranged = new Promise((resolve) => Reveal.on("pdf-ready", resolve));

Reveal.initialize({
  width: 1280,
  height: 720,
  margin: 0,
  center: false,
  hash: true,
  slideNumber: "c/t",
  transition: "none",
  pdfSeparateFragments: false,
  plugins: [RevealNotes],
}).then(async () => {
  await MathJax.startup.promise;
  if (Reveal.isPrintView()) await arranged;
  document.documentElement.dataset.deck = "ready";
});
Reveal.addKeyBinding({ keyCode: 69, key: "E", description: "Version to print" }, () => {
  location.search = "?view=print";
});

// A control of a widget takes the keys, reveal.js then none: a clicker must go on all the same, and
// Escape or the next slide gives the keys back.
Reveal.on("slidechanged", () => document.activeElement.blur());
const KEYS = {
  PageDown: () => Reveal.next(),
  PageUp: () => Reveal.prev(),
  Escape: () => document.activeElement.blur(),
};
document.addEventListener(
  "keydown",
  (event) => {
    if (!(event.key in KEYS) || !document.activeElement?.matches("input, select")) return;
    event.preventDefault();
    event.stopPropagation();
    KEYS[event.key]();
  },
  true,
);
