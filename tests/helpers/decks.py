"""What tests of decks share: slides made of a few cells, and what is wrong with those on show."""

from typing import Any

import nbformat
from playwright.sync_api import Page

from bookbuild.deck.slides import Slide, arrange
from bookbuild.notebook.convert import Shown
from bookbuild.source import CHECK, Cell

# What is wrong first with each slide that is shown; in the view for paper these are all.
# Pictures and widgets have to fit; the words in them are not measured.
MISFITS = """() => {
  const DRAWN = "img, .picture, .widget, mjx-container";
  const words = (part) => part.textContent.trim().slice(0, 40);
  const look = (part, name) => parseFloat(getComputedStyle(part)[name]);
  const fault = (part, inner) => {
    const { left, right, top, bottom, width, height } = part.getBoundingClientRect();
    if (!width || !height) return "";
    if (left < inner.left - 1 || right > inner.right + 1) return "is too wide";
    if (top < inner.top - 1 || bottom > inner.bottom + 1) return "is too tall";
    if (part.matches("pre, mjx-container") && part.scrollWidth > part.clientWidth + 1) {
      return "is too wide";
    }
    const written = [...part.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    const least = part.closest("pre, code") ? 24 : 28;
    if (!written || part.closest(DRAWN) || look(part, "fontSize") >= least) return "";
    return `must be at least ${least} px, but it is ${look(part, "fontSize")} px`;
  };
  const first = (frame, number) => {
    if (!frame.checkVisibility()) return [];
    const { left, top, width } = frame.getBoundingClientRect();
    const scale = width / frame.offsetWidth;
    const inner = {
      left: left + scale * look(frame, "paddingLeft"),
      right: left + scale * (frame.offsetWidth - look(frame, "paddingRight")),
      top: top + scale * look(frame, "paddingTop"),
      bottom: top + scale * (frame.offsetHeight - look(frame, "paddingBottom")),
    };
    const name = `slide ${number + 1} "${frame.querySelector("h1, h2, h3")?.textContent ?? ""}"`;
    return [...frame.querySelectorAll("*")]
      .filter((part) => !part.parentElement.closest(DRAWN))
      .map((part) => [part, fault(part, inner)])
      .filter(([, complaint]) => complaint)
      .slice(0, 1)
      .map(([part, complaint]) => `${name}: ${part.tagName} ${complaint}: ${words(part)}`);
  };
  return [...document.querySelectorAll(".frame")].flatMap(first);
}"""


def misfits(page: Page) -> list[str]:
    """What is wrong with the slides that are shown, each named by its number and heading."""
    return page.evaluate(MISFITS)


def stacks(*cells: tuple[str, str, str]) -> list[list[Slide]]:
    """The slides of a chapter with these cells: kind, slide_type, text.

    The text of a cell of the kind "html" or "plain" is what its code showed; "check" is code too.
    """
    shown, code = [], []
    for line, (kind, slide_type, text) in enumerate(cells, 1):
        metadata: dict[str, Any] = {"slideshow": {"slide_type": slide_type}} if slide_type else {}
        outputs = []
        if kind in {"html", "plain"}:
            outputs = [nbformat.v4.new_output("display_data", {f"text/{kind}": text})]
            metadata["tags"] = ["slide-hide-input"]
        if kind == "check":
            metadata["tags"] = [CHECK]
        kind = kind if kind == "markdown" else "code"
        shown.append(Shown(Cell(kind, text, line, metadata), text))
        if kind == "code":
            code.append(nbformat.v4.new_code_cell(text, outputs=outputs))
    return arrange(shown, nbformat.v4.new_notebook(cells=code), "01-sample.md")
