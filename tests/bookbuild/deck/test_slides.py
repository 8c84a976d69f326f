"""Cells become slides by their `slide_type`; what makes no slide is named with its line."""

from typing import Any

import nbformat
import pytest

from bookbuild.deck.slides import Slide, arrange
from bookbuild.notebook.convert import Shown
from bookbuild.source import Cell, SourceError


def stacks(*cells: tuple[str, str, str]) -> list[list[Slide]]:
    """The slides of a chapter with these cells: kind, slide_type, text."""
    shown = []
    for line, (kind, slide_type, text) in enumerate(cells, 1):
        metadata: dict[str, Any] = {"slideshow": {"slide_type": slide_type}} if slide_type else {}
        shown.append(Shown(Cell(kind, text, line, metadata), text))
    code = [nbformat.v4.new_code_cell(text) for kind, _, text in cells if kind == "code"]
    return arrange(shown, nbformat.v4.new_notebook(cells=code), "01-sample.md")


def test_slides_stack_and_notes_stay_beside_them() -> None:
    found = stacks(
        ("markdown", "", "page only"),
        ("markdown", "slide", "one"),
        ("markdown", "notes", "say it"),
        ("markdown", "fragment", "two"),
        ("markdown", "subslide", "below"),
        ("code", "slide", "x = 1"),
        ("markdown", "-", "after"),
    )
    assert [len(stack) for stack in found] == [2, 1]
    first, below = found[0]
    assert first.parts == ["<p>one</p>\n", '<div class="fragment"><p>two</p>\n</div>']
    assert first.notes == ["<p>say it</p>\n"]
    assert below.parts == ["<p>below</p>\n"]
    assert found[1][0].parts[1] == "<p>after</p>\n"


@pytest.mark.parametrize(
    ("cells", "complaint"),
    [
        ([("markdown", "", "a")], "01-sample.md: no slides"),
        ([("markdown", "slides", "a")], "01-sample.md:1: slide_type 'slides': expected one of"),
        ([("markdown", "-", "a")], "01-sample.md:1: slide_type '-' before the first slide"),
        ([("code", "slide", "x = 1\n" * 13)], "01-sample.md:1: 13 lines of code on a slide"),
    ],
)
def test_what_makes_no_slide_is_named(cells: list[tuple[str, str, str]], complaint: str) -> None:
    with pytest.raises(SourceError) as caught:
        stacks(*cells)
    assert str(caught.value).startswith(complaint)
