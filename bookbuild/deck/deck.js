// Start the deck. Each slide is scaled to the window; a slide whose content is taller than the frame is
// scaled down to fit, so that nothing is cut off on the screen or on paper.
const FRAME = { width: 1280, height: 720 };

function fit() {
  const slides = document.querySelectorAll(".slides > section, .slides > section > section");
  for (const slide of [...slides].filter((part) => !part.querySelector(":scope > section"))) {
    slide.style.zoom = 1;
    const hidden = slide.style.display;
    slide.style.display = "block";
    const ratio = FRAME.height / slide.offsetHeight;
    slide.style.display = hidden;
    if (ratio < 1) slide.style.zoom = ratio;
  }
}

// In the view for paper, reveal.js rearranges the slides first.
const arranged = new Promise((resolve) => Reveal.on("pdf-ready", resolve));

Reveal.initialize({
  ...FRAME,
  margin: 0.02,
  center: false,
  hash: true,
  slideNumber: "c/t",
  transition: "none",
  pdfMaxPagesPerSlide: 1,
  pdfSeparateFragments: false,
  plugins: [RevealNotes],
}).then(async () => {
  await MathJax.startup.promise;
  if (Reveal.isPrintView()) await arranged;
  fit();
  Reveal.layout();
  document.documentElement.dataset.deck = "ready";
});
