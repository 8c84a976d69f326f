"""Pages show stored outputs, execute nothing, and carry addresses only where a copy is hosted."""

import re
import subprocess
from pathlib import Path

import nbformat
import pytest

from bookbuild.notebook import chapter_cells
from bookbuild.project import Project, Stamp, configured_stamp

REPOSITORY = "https://github.com/example/course"
SITE = "https://example.github.io/course"


def page(folder: Path, name: str = "01-sample") -> str:
    return (folder / f"{name}.html").read_text(encoding="utf-8")


def change(file: Path, before: str, after: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert before in text
    file.write_text(text.replace(before, after), encoding="utf-8")


def test_pages_show_stored_outputs_and_no_deck(sample: Project) -> None:
    text = page(sample.build / "html")
    assert '<div class="output stream highlight-myst-ansi' in text
    assert "A line that rises from 1 to 3." in text
    assert "widget-state+json" in text
    assert 'class="widget-still docutils container"' in text
    assert "Only in the deck" not in text
    assert "Two minutes" not in text


def test_building_pages_executes_nothing(copy: Project, bookbuild) -> None:
    """The stored output is false, and the page shows it: nobody computed it again."""
    path = copy.notebooks / "02-plain.ipynb"
    notebook = nbformat.read(path, 4)
    notebook.cells[2].outputs[0].text = "five, as stored\n"
    nbformat.write(notebook, path)
    result = bookbuild(copy, "book")
    assert result.returncode == 0, result.stderr
    assert "five, as stored" in page(copy.build / "html", "02-plain")

    notebook.cells[2].outputs[0].text = "six, as stored\n"
    nbformat.write(notebook, path)
    assert bookbuild(copy, "book").returncode == 0
    assert "six, as stored" in page(copy.build / "html", "02-plain")


def test_a_chapter_whose_code_left_its_notebook_behind_is_not_built(
    copy: Project, bookbuild
) -> None:
    change(copy.book / "02-plain.md", "print(1 + 1)", "print(1 + 2)")
    result = bookbuild(copy, "book")
    assert result.returncode == 1
    assert (
        "02-plain.md: code cell 1 of the chapter is not the one in its notebook: "
        "run `make notebooks`" in result.stderr
    )


def test_a_missing_notebook_is_named(copy: Project, bookbuild) -> None:
    (copy.notebooks / "02-plain.ipynb").unlink()
    result = bookbuild(copy, "book")
    assert result.returncode == 1
    assert "notebooks/02-plain.ipynb is missing: run `make notebooks`" in result.stderr


def test_a_stale_notebook_is_a_warning(copy: Project, bookbuild) -> None:
    change(copy.book / "02-plain.md", "The sum is two.", "The sum is 2.")
    result = bookbuild(copy, "book")
    expected = "warning: notebooks/02-plain.ipynb is out of date: run `make notebooks`\n"
    assert (result.returncode, result.stderr) == (0, expected)


def test_a_warning_of_sphinx_is_an_error(copy: Project, bookbuild) -> None:
    change(copy.book / "index.md", "{doc}`01-sample`", "{doc}`01-simple`")
    result = bookbuild(copy, "book")
    assert result.returncode == 1
    assert "01-simple" in result.stderr


def buttons(text: str) -> dict[str, str]:
    """Buttons of a chapter's header: from their tooltip to their address."""
    found = re.findall(r'<a href="([^"]+)"[^>]*?class="btn[^>]*?title="([^"]+)"', text, re.DOTALL)
    return {tip: address for address, tip in found}


def test_a_copy_without_address_has_no_dead_button(sample: Project) -> None:
    folder = sample.build / "html"
    found = buttons(page(folder))
    assert found == {
        "Slides of this chapter": "slides/01-sample.html",
        "Download this chapter as a notebook": "notebooks/01-sample.ipynb",
    }
    assert all((folder / address).is_file() for address in found.values())
    assert not buttons(page(folder, "glossary")).keys() & found.keys()
    assert "colab.research" not in page(folder)


def test_a_hosted_copy_is_stamped_everywhere(copy: Project, bookbuild) -> None:
    result = bookbuild(
        copy, "site", "--repository", REPOSITORY, "--site", SITE, "--commit", "abc123"
    )
    assert (result.returncode, result.stderr) == (0, "")
    folder = copy.build / "site"
    for chapter in copy.chapters:
        found = buttons(page(folder, chapter.stem))
        assert found["Open this chapter in Colab"] == (
            "https://colab.research.google.com/github/example/course/blob/published/notebooks/"
            f"{chapter.stem}.ipynb"
        )
        notebook = nbformat.read(folder / found["Download this chapter as a notebook"], 4)
        set_up = notebook.cells[0].source
        assert f"repository = {REPOSITORY!r}" in set_up
        assert "commit = 'abc123'" in set_up
        assert any(cell.outputs for cell in chapter_cells(notebook))
        assert (folder / found["Slides of this chapter"]).is_file()
    text = (folder / "notebooks" / "01-sample.ipynb").read_text(encoding="utf-8")
    assert f"({SITE}/01-sample.html#equation-sample-softmax)" in text
    assert f"{SITE}/02-plain.html" in page(folder / "slides")
    # The notebooks in the repository name nobody.
    assert "example" not in (copy.notebooks / "02-plain.ipynb").read_text(encoding="utf-8")


def test_a_hosted_copy_needs_its_addresses(copy: Project, bookbuild) -> None:
    result = bookbuild(copy, "site", "--repository", "", "--site", SITE)
    assert (result.returncode, result.stderr) == (
        1,
        "error: addresses are missing: make site REPOSITORY=https://... SITE=https://...\n",
    )


@pytest.mark.parametrize(
    ("repository", "expected"),
    [
        ("", ""),
        ("https://gitlab.example/group/course", ""),
        (
            "https://github.com/example/course.git",
            "https://colab.research.google.com/github/example/course/blob/published"
            "/notebooks/01-sample.ipynb",
        ),
    ],
)
def test_colab_opens_notebooks_on_github_only(repository: str, expected: str) -> None:
    assert Stamp(repository, "abc" if repository else "").colab("01-sample") == expected


def test_the_configuration_may_name_the_copy(copy: Project) -> None:
    assert configured_stamp(copy) == Stamp()
    change(copy.config, 'url: ""', 'url: "https://github.com/example/course"')

    for command in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "first"]):
        identity = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
        subprocess.run(["git", *identity, *command], cwd=copy.root, check=True)
    stamp = configured_stamp(Project(copy.root))
    assert stamp.repository == "https://github.com/example/course"
    assert re.fullmatch(r"[0-9a-f]{40}", stamp.commit)
