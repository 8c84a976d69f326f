"""Sort a chapter's cells into slides, by what their metadata says.

A cell takes part when it has `slideshow: {slide_type: ...}`: "slide" begins a slide, "subslide"
one below it, "fragment" a part that comes with the next key press, "-" goes on with the slide,
"notes" are the speaker's. Cells without it stay in the chapter.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from nbformat import NotebookNode

from bookbuild.deck.render import render_code, render_markdown, render_outputs
from bookbuild.notebook.convert import Shown
from bookbuild.notebook.stored import chapter_cells, match_cells
from bookbuild.source import CHECK, Cell, SourceError

_SLIDE_TYPES = frozenset({"slide", "subslide", "fragment", "notes", "-"})
_HIDES_INPUT = frozenset({"hide-cell", "hide-input", "remove-input", "slide-hide-input"})
_HIDES_OUTPUT = frozenset({"hide-cell", "hide-output", "remove-output"})


@dataclass
class Slide:
    """The HTML of one slide, which begins at `line`, and of what the speaker sees beside it."""

    line: int
    parts: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def arrange(shown: list[Shown], stored: NotebookNode, name: str) -> list[list[Slide]]:
    """Stacks of slides; each stack is one step to the right, its slides lie one below the other.

    Raises:
        SourceError: the notebook does not belong to chapter `name`, or a cell cannot be a slide.
    """
    code = [one.cell for one in shown if one.cell.kind == "code"]
    pairs = match_cells(chapter_cells(stored), code, name)
    outputs = {cell.line: node for node, cell in pairs}
    stacks: list[list[Slide]] = []
    for item in shown:
        kind = item.cell.slide_type
        if not kind:
            continue
        _begin(stacks, item.cell, name)
        slide = stacks[-1][-1]
        html = "\n".join(_parts(item, outputs))
        if kind == "notes":
            slide.notes.append(html)
        else:
            slide.parts.append(
                f'<div class="fragment">{html}</div>' if kind == "fragment" else html
            )
    if not stacks:
        raise SourceError(f"{name}: no slides: give its cells `slideshow: {{slide_type: slide}}`")
    return stacks


def _begin(stacks: list[list[Slide]], cell: Cell, name: str) -> None:
    """Begin a slide where a cell of this kind asks for one."""
    kind, where = cell.slide_type, f"{name}:{cell.line}"
    if kind not in _SLIDE_TYPES:
        raise SourceError(f"{where}: slide_type {kind!r}: expected one of {sorted(_SLIDE_TYPES)}")
    if CHECK in cell.tags:
        raise SourceError(f"{where}: a check has no place on a slide: take its slide_type away")
    if kind == "slide":
        stacks.append([Slide(cell.line)])
    elif not stacks:
        raise SourceError(
            f"{where}: slide_type {kind!r} before the first slide: begin with 'slide'"
        )
    elif kind == "subslide":
        stacks[-1].append(Slide(cell.line))


def _parts(item: Shown, outputs: dict[int, NotebookNode]) -> Iterator[str]:
    if item.cell.kind == "markdown":
        yield render_markdown(item.text)
        return
    if not item.cell.tags & _HIDES_INPUT:
        yield render_code(item.text)
    if not item.cell.tags & _HIDES_OUTPUT:
        yield render_outputs(outputs[item.cell.line])
