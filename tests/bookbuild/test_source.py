"""Chapters are read as cells; what is for the deck alone leaves the page."""

from pathlib import Path

import pytest

from bookbuild.source import SourceError, check_page, page_text, read_cells

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


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("One.\n\n```{code-cell}\nx = 1\n", "3: a block begins with ``` and never ends"),
        ("One.\n\n````python\n```\n\nTwo.", "3: a block begins with ```` and never ends"),
        ("> ~~~\n> x", "1: a block begins with ~~~ and never ends"),
        ("```", "1: a block begins with ``` and never ends"),
        ("One.\n\n```{tip} Use `x`\nTwo.\n\n    ```\n", "3: a directive whose line is read as"),
        ("One.\nCaf\udce9.", "2: text must be UTF-8, but it has the byte 0xe9"),
    ],
)
def test_a_page_that_would_be_read_otherwise_than_meant_is_refused(
    text: str, complaint: str, tmp_path: Path
) -> None:
    path = tmp_path / "preface.md"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(SourceError) as caught:
        check_page(path, EXTENSIONS)
    assert str(caught.value).startswith(f"preface.md:{complaint}")


@pytest.mark.parametrize(
    "text", ["> ```\n> x\n> ```  ", "- ~~~~\n  ~~~\n  ~~~~\n", "    ```\n", TEXT]
)
def test_fences_that_end_pass(text: str, tmp_path: Path) -> None:
    check_page(write(tmp_path, text), EXTENSIONS)
