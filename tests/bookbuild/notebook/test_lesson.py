"""Lesson cells: what a reader sees without a click is short and about the subject."""

import re
from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_notebook

from bookbuild.notebook.lesson import complaints
from bookbuild.notebook.stored import read_stored
from bookbuild.project import Project
from bookbuild.source import read_cells

COURSE = Project(Path(__file__).resolve().parents[3])
CHAPTERS = [chapter.stem for chapter in COURSE.chapters]


@pytest.mark.parametrize(
    ("code", "complaint"),
    [
        ("assert 1 == 1", "an assert"),
        ("x = 1\n" * 21, "21 lines, at most 20"),
        ("class Model:\n" + "    x = 1\n" * 45, "46 lines, at most 45"),
        (f"x = {'1' * 70}", "74 columns, at most 72"),
        ("print('the loss is lower than before')", "prints words without a value"),
        ("print('the loss', 'is lower')", "prints words without a value"),
        ("import inspect", "shows code by `inspect`"),
        ("print(len(model))\nprint(f'loss ≈ {loss:.2f}')\nprint()\nprint(*row)", None),
        ("class Model:\n" + "    x = 1\n" * 44, None),
    ],
)
def test_a_cell_that_is_no_lesson_is_named(code: str, complaint: str | None) -> None:
    cell = new_code_cell(code)
    found = "".join(complaints(new_notebook(cells=[cell])))
    assert found.startswith(f"code cell 1: {complaint}") if complaint else not found
    cell.metadata["jupyter"] = {"source_hidden": True}
    assert not list(complaints(new_notebook(cells=[cell])))


def test_a_name_that_only_a_check_makes_is_named() -> None:
    check = new_code_cell("import math\nroot = math.sqrt(4)", metadata={"tags": ["check"]})
    folded = new_code_cell("print(root)", metadata={"jupyter": {"source_hidden": True}})
    (found,) = complaints(new_notebook(cells=[check, folded]))
    assert found == "code cell 2: root: only a cell tagged `check` makes that"
    for own in ("root = 2", "def root(): ...", "from numpy import roots as root"):
        assert not list(complaints(new_notebook(cells=[new_code_cell(own), check, folded])))


@pytest.mark.parametrize("name", CHAPTERS)
def test_the_cells_of_a_chapter_are_lessons(name: str) -> None:
    assert list(complaints(read_stored(COURSE, name))) == []


@pytest.mark.parametrize("name", CHAPTERS)
def test_code_on_slides_is_code_of_the_page(name: str) -> None:
    cells = list(read_cells(COURSE.book / f"{name}.md", COURSE.markdown_extensions))
    page = {line.strip() for cell in cells if cell.kind == "code" for line in _lines(cell.source)}
    slides = "\n".join(cell.source for cell in cells if cell.slide_only)
    for listing in re.findall(r"^```python\n(.*?)^```", slides, re.DOTALL | re.MULTILINE):
        assert {line.strip() for line in _lines(listing)} <= page


def _lines(code: str) -> list[str]:
    """Without comments."""
    return [line.partition("  #")[0] for line in code.splitlines()]
