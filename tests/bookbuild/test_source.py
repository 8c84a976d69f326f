"""Chapters are read as cells; what is for the deck alone leaves the page."""

from pathlib import Path

import pytest

from bookbuild.source import SourceError, page_text, read_cells

EXTENSIONS = frozenset({"dollarmath"})
TEXT = """\
---
jupytext:
  text_representation:
    format_name: myst
kernelspec:
  name: python3
---

# Title

+++ {"slideshow": {"slide_type": "notes"}}

Say hello.

+++ {"tags": ["slide-only"], "slideshow": {"slide_type": "slide"}}


## Deck

+++

Back on the page.

```{code-cell} ipython3
:tags: [hide-input]

x = 1
```
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "01-sample.md"
    path.write_text(text, encoding="utf-8")
    return path


def test_cells_know_their_lines_and_who_sees_them(tmp_path: Path) -> None:
    cells = read_cells(write(tmp_path, TEXT), EXTENSIONS)
    lines = TEXT.splitlines()
    assert [lines[cell.line - 1] for cell in cells if cell.kind == "markdown"] == [
        cell.source.splitlines()[0] for cell in cells if cell.kind == "markdown"
    ]
    assert [cell.slide_only for cell in cells] == [False, True, True, False, False]
    assert [cell.slide_type for cell in cells] == ["", "notes", "slide", "", ""]
    assert (cells[-1].kind, cells[-1].source, cells[-1].tags) == ("code", "x = 1", {"hide-input"})


def test_the_page_loses_the_deck_and_keeps_its_line_numbers(tmp_path: Path) -> None:
    text = page_text(write(tmp_path, TEXT), EXTENSIONS)
    before, after = TEXT.splitlines(), text.splitlines()
    assert len(before) == len(after)
    gone = {
        number for number, (old, new) in enumerate(zip(before, after, strict=True)) if old != new
    }
    assert {before[number] for number in gone} == {
        '+++ {"slideshow": {"slide_type": "notes"}}',
        "Say hello.",
        '+++ {"tags": ["slide-only"], "slideshow": {"slide_type": "slide"}}',
        "## Deck",
    }
    assert all(after[number] == "" for number in gone)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (("[hide-input]", "[hide-imput]"), r"01-sample.md:2\d: unknown tag 'hide-imput'"),
        (("[hide-input]", "[slide-only]"), r"01-sample.md:2\d: a slide-only code cell"),
        (("{code-cell} ipython3\n:tags: [hide-input]", "{raw-cell}"), "raw cells"),
    ],
)
def test_cells_that_no_output_can_carry_are_refused(
    change: tuple[str, str], complaint: str, tmp_path: Path
) -> None:
    path = write(tmp_path, TEXT.replace(*change))
    with pytest.raises(SourceError, match=complaint):
        read_cells(path, EXTENSIONS)
