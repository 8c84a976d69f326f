"""Pages show stored outputs, execute nothing, and carry addresses only where a copy is hosted."""

import hashlib
import shutil
from pathlib import Path

import nbformat
from bs4 import BeautifulSoup
from editing import change

from bookbuild.notebook.digests import ROOM, outputs_digest
from bookbuild.notebook.stored import chapter_cells
from bookbuild.project import Project

REPOSITORY = "https://github.com/example/course"
SITE = "https://example.github.io/course"
PYPROJECT = """
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[project]
name = "transformer-lite"
version = "1.2.3"
[tool.setuptools.packages.find]
include = ["transformer_lite*"]
"""


def page(folder: Path, name: str = "01-sample") -> str:
    return (folder / f"{name}.html").read_text(encoding="utf-8")


def test_pages_show_stored_outputs_and_no_deck(sample: Project) -> None:
    text = page(sample.build / "html")
    assert '<div class="output stream highlight-myst-ansi' in text
    assert "A line that rises from 1 to 3." in text
    assert "widget-state+json" in text
    assert 'class="widget-still docutils container"' in text
    assert "Only in the deck" not in text
    assert "Two minutes" not in text


def test_a_title_is_text_wherever_it_stands(sample: Project) -> None:
    soup = BeautifulSoup(page(sample.build / "html", "02-plain"), "html.parser")
    titles = {heading.get_text().strip("#") for heading in soup.find_all("h1")}
    assert titles == {"A <b>plain</b> chapter", "2. A <b>plain</b> chapter"}


def test_building_again_executes_nothing_and_warns_of_a_stale_notebook(
    sample: Project, tmp_path: Path, bookbuild
) -> None:
    """The stored output is false, and the page shows it: nobody computed it again."""
    again = Project(tmp_path / "project")
    shutil.copytree(sample.root, again.root)
    assert (again.build / "html" / ".complete").read_text() == ""
    path = again.notebook("02-plain")
    notebook = nbformat.read(path, 4)
    notebook.cells[2].outputs[0].text = "five, as stored\n"
    notebook.metadata[ROOM]["outputs"] = outputs_digest(notebook)  # as if it had been executed
    nbformat.write(notebook, path)
    change(again.book / "02-plain.md", "The sum is two.", "The sum is 2.")
    result = bookbuild(again, "book")
    expected = "warning: notebooks/02-plain.ipynb is out of date: run `make notebooks`\n"
    assert (result.returncode, result.stderr) == (0, expected)
    assert "five, as stored" in page(again.build / "html", "02-plain")
    assert "The sum is 2." in page(again.build / "html", "02-plain")
    assert (again.build / "html" / ".complete").read_text() == "02-plain"


def test_a_warning_of_sphinx_is_an_error(copy: Project, bookbuild) -> None:
    change(copy.book / "index.md", "{doc}`01-sample`", "{doc}`01-simple`")
    result = bookbuild(copy, "book")
    assert result.returncode == 1
    assert "01-simple" in result.stderr


def links(text: str) -> dict[str, str]:
    """The links under a chapter's title, from their words to their address."""
    found = BeautifulSoup(text, "html.parser").select(".chapter-links a")
    return {link.text: str(link["href"]) for link in found}


def test_a_copy_without_address_has_no_dead_link(sample: Project) -> None:
    folder = sample.build / "html"
    found = links(page(folder))
    assert found == {
        "Slides": "slides/01-sample.html",
        "Download the notebook": "notebooks/01-sample.ipynb",
        "To the interactive figure": "#widget",
    }
    files = list(found.values())[:2]
    assert all((folder / address).is_file() for address in files)
    assert page(folder).count('id="widget"') == 1
    assert not links(page(folder, "glossary"))
    assert "colab.research" not in page(folder)


def test_a_hosted_copy_is_stamped_everywhere(copy: Project, bookbuild) -> None:
    (copy.root / "pyproject.toml").write_text(PYPROJECT, encoding="utf-8")
    result = bookbuild(copy, "site", "--repository", REPOSITORY, "--site", SITE)
    assert (result.returncode, result.stderr) == (0, "")
    folder = copy.build / "site"
    (wheel,) = (folder / "notebooks").glob("transformer_lite-*.whl")
    checksum = hashlib.sha256(wheel.read_bytes()).hexdigest()
    assert not (copy.root / "build").exists(), "the build left something among the sources"
    for chapter in copy.chapters:
        found = links(page(folder, chapter.stem))
        assert found["Open in Colab"] == (
            "https://colab.research.google.com/github/example/course/blob/published/notebooks/"
            f"{chapter.stem}.ipynb"
        )
        notebook = nbformat.read(folder / found["Download the notebook"], 4)
        set_up = notebook.cells[0].source
        assert f"'{SITE}/notebooks/{wheel.name}#sha256={checksum}'" in set_up
        assert any(cell.outputs for cell in chapter_cells(notebook))
        assert (folder / found["Slides"]).is_file()
    text = (folder / "notebooks" / "01-sample.ipynb").read_text(encoding="utf-8")
    assert f"({SITE}/01-sample.html#equation-sample-softmax)" in text
    assert f"[attention]({SITE}/glossary.html#term-attention)" in text
    assert f"{SITE}/02-plain.html" in page(folder / "slides")
    # The notebooks in the repository name nobody.
    assert "example" not in (copy.notebooks / "02-plain.ipynb").read_text(encoding="utf-8")


def test_a_hosted_copy_needs_its_addresses(copy: Project, bookbuild) -> None:
    result = bookbuild(copy, "site", "--repository", "", "--site", SITE)
    assert (result.returncode, result.stderr) == (
        1,
        "error: addresses are missing: make site REPOSITORY=https://... SITE=https://...\n",
    )
