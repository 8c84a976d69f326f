"""Notebooks are plain, numbered as the pages are, and without the deck."""

import pytest
from nbformat import NotebookNode

from bookbuild.notebook import setup_cell
from bookbuild.notebook.stored import chapter_cells, code_cells, read_stored
from bookbuild.project import Project


@pytest.fixture(scope="module")
def notebook(sample: Project) -> NotebookNode:
    return read_stored(sample, "01-sample")


def text(notebook: NotebookNode) -> str:
    return "\n".join(cell.source for cell in notebook.cells)


def test_a_notebook_begins_with_the_set_up_and_leaves_the_deck_out(notebook: NotebookNode) -> None:
    assert setup_cell.is_setup(notebook.cells[0])
    assert len(chapter_cells(notebook)) == len(code_cells(notebook)) - 1
    assert "# A sample chapter" in text(notebook)
    assert "Only in the deck" not in text(notebook)
    assert "Two minutes" not in text(notebook)
    assert "jupytext" not in notebook.metadata


def test_chapters_link_to_each_other_and_to_nothing_that_is_not_there(
    notebook: NotebookNode, sample: Project
) -> None:
    assert "[the other chapter](02-plain.ipynb), [a page](02-plain.ipynb)" in text(notebook)
    assert sample.notebook("02-plain").is_file()
    assert "glossary" not in text(notebook)
    deck = sample.build / "html" / "slides" / "01-sample.html"
    assert "02-plain.ipynb" not in deck.read_text(encoding="utf-8")


def test_numbers_are_those_of_the_pages(sample: Project, notebook: NotebookNode) -> None:
    page = (sample.build / "html" / "01-sample.html").read_text(encoding="utf-8")
    for on_page, in_notebook in [
        ('<span class="eqno">(1.1)', "\\tag{1.1}"),
        ('<span class="eqno">(1.2)', "\\tag{1.2}"),
        ('<span class="caption-number">Fig. 1.1 </span>', "**Fig. 1.1.** Two dots"),
        ('<span class="caption-number">Fig. 1.2 </span>', "**Fig. 1.2.** A rising line, (1.1)."),
        ("Exercise 1.1 ", "#### Exercise 1.1 · Twice"),
        ("Exercise 1.2", "Solution to exercise 1.2"),
    ]:
        assert on_page in page
        assert in_notebook in text(notebook)


def test_what_opens_on_a_click_is_closed(notebook: NotebookNode) -> None:
    """In JupyterLab by the metadata of cells, in Colab by those and by a list of headings."""
    folded = {
        cell.source.splitlines()[0]: cell.metadata.jupyter
        for cell in chapter_cells(notebook)
        if "jupyter" in cell.metadata
    }
    hidden = {"source_hidden": True}
    assert folded == {
        "import matplotlib.pyplot as plt": hidden,
        "import anywidget": hidden,
        "#@title ✓ checked: the largest number is the last": hidden,
        "def twice(number):": hidden | {"outputs_hidden": True},
    }
    assert {cell.metadata.cellView for cell in notebook.cells if "jupyter" in cell.metadata} == {
        "form"
    }
    closed = {
        cell.source: cell.metadata.id
        for cell in notebook.cells
        if cell.metadata.get("jp-MarkdownHeadingCollapsed")
    }
    assert list(closed) == [
        "## Going further: other sums",
        "##### Solution to exercise 1.1: opens on a click",
        "##### Solution to exercise 1.2: opens on a click",
    ]
    assert notebook.metadata.colab.collapsed_sections == list(closed.values())
    below = [cell.source.strip() for cell in notebook.cells]
    assert below[below.index("##### Solution to exercise 1.1: opens on a click") + 1] == (
        "Add it to itself."
    )
