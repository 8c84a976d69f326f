"""Notebooks are plain, the same every time, and executed only when it is due."""

import json
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from bookbuild import setup_cell
from bookbuild.notebook import chapter_cells, code_cells
from bookbuild.project import Project, Stamp
from bookbuild.widgets import STATE, VIEW


def read(project: Project, name: str = "01-sample") -> nbformat.NotebookNode:
    return nbformat.read(project.notebooks / f"{name}.ipynb", 4)


def change(project: Project, before: str, after: str, name: str = "01-sample") -> None:
    path = project.book / f"{name}.md"
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after), encoding="utf-8")


def test_a_notebook_begins_with_the_set_up_and_leaves_the_deck_out(sample: Project) -> None:
    notebook = read(sample)
    assert setup_cell.is_setup(notebook.cells[0])
    assert len(chapter_cells(notebook)) == len(code_cells(notebook)) - 1
    text = "\n".join(cell.source for cell in notebook.cells)
    assert "# A sample chapter" in text
    assert "Only in the deck" not in text
    assert "Two minutes" not in text
    assert "jupytext" not in notebook.metadata


def test_numbers_are_those_of_the_pages(sample: Project) -> None:
    page = (sample.build / "html" / "01-sample.html").read_text(encoding="utf-8")
    text = "\n".join(cell.source for cell in read(sample).cells)
    for on_page, in_notebook in [
        ('<span class="eqno">(1.1)', "\\tag{1.1}"),
        ('<span class="eqno">(1.2)', "\\tag{1.2}"),
        ('<span class="caption-number">Fig. 1.1 </span>', "**Fig. 1.1.** Two dots"),
        ('<span class="caption-number">Fig. 1.2 </span>', "**Fig. 1.2.** A rising line, (1.1)."),
        ("Exercise 1.1 ", "#### Exercise 1.1 · Twice"),
        ("Exercise 1.2", "Solution to exercise 1.2"),
    ]:
        assert on_page in page
        assert in_notebook in text


def test_a_solution_with_code_is_folded_cell_by_cell(sample: Project) -> None:
    notebook = read(sample)
    folded = [
        cell.source.splitlines()[0]
        for cell in chapter_cells(notebook)
        if cell.metadata.get("jupyter", {}).get("source_hidden")
    ]
    assert folded == ["def twice(number):"]
    text = "\n".join(cell.source for cell in notebook.cells)
    assert "<summary>Solution to exercise 1.1</summary>\n\nAdd it to itself." in text


def test_executing_again_writes_the_same_bytes(copy: Project, bookbuild) -> None:
    before = (copy.notebooks / "01-sample.ipynb").read_bytes()
    result = bookbuild(copy, "notebooks", "--force", "01-sample")
    assert "01-sample: executed" in result.stdout, result.stderr
    assert (copy.notebooks / "01-sample.ipynb").read_bytes() == before


def test_only_a_change_of_code_or_package_executes(copy: Project, bookbuild) -> None:
    change(copy, "The sum is two.", "The sum is 2.", "02-plain")
    result = bookbuild(copy, "notebooks")
    assert result.stdout == "01-sample: kept its outputs\n02-plain: kept its outputs\n"
    assert "The sum is 2." in read(copy, "02-plain").cells[-1].source

    change(copy, "print(1 + 1)", "print(1 + 2)", "02-plain")
    result = bookbuild(copy, "notebooks")
    assert result.stdout.startswith("01-sample: kept its outputs\n02-plain: executed")
    assert chapter_cells(read(copy, "02-plain"))[0].outputs[0].text == "3\n"

    (copy.package / "results.json").write_text("{}")
    result = bookbuild(copy, "notebooks", "02-plain")
    assert result.stdout.startswith("02-plain: executed")


def test_a_notebook_without_chapter_is_removed(copy: Project, bookbuild) -> None:
    (copy.notebooks / "03-gone.ipynb").write_text("{}")
    result = bookbuild(copy, "notebooks")
    assert "03-gone: removed, its chapter is gone" in result.stdout
    assert not (copy.notebooks / "03-gone.ipynb").exists()


def test_widget_models_are_few_and_named_by_their_order(sample: Project) -> None:
    notebook = read(sample)
    models = notebook.metadata["widgets"][STATE]["state"]
    views = [
        output.data[VIEW]["model_id"]
        for cell in chapter_cells(notebook)
        for output in cell.outputs
        if VIEW in output.get("data", {})
    ]
    assert len(views) == 1
    assert views[0] in models
    assert "_esm" in models[views[0]]["state"]
    assert "IPY_MODEL_" in json.dumps(models)  # the layout, under its new name
    assert len(models) == 2


UNFIT = """\
print(1 + 1)
```

```{code-cell} ipython3
import sys; print("careful", file=sys.stderr)
```

```{code-cell} ipython3
object()
```

```{code-cell} ipython3
import matplotlib.pyplot as plt; plt.plot([1]); plt.show()
"""


def test_what_cannot_be_published_stops_the_notebook(copy: Project, bookbuild) -> None:
    change(copy, "print(1 + 1)\n", UNFIT, "02-plain")
    before = (copy.notebooks / "02-plain.ipynb").read_bytes()
    result = bookbuild(copy, "notebooks", "02-plain")
    assert result.returncode == 1
    assert result.stderr.splitlines() == [
        "error: 02-plain: code cell 3: wrote to stderr: 'careful'",
        "02-plain: code cell 4: shows a memory address, which changes every time: "
        "end plots with plt.show()",
        "02-plain: code cell 5: draws a picture without alt text: "
        "add `mystnb: {image: {alt: ...}}` to the cell",
    ]
    assert (copy.notebooks / "02-plain.ipynb").read_bytes() == before


def test_a_cell_that_fails_is_shown(copy: Project, bookbuild) -> None:
    change(copy, "print(1 + 1)", "raise KeyError('lost')", "02-plain")
    result = bookbuild(copy, "notebooks", "02-plain")
    assert result.returncode == 1
    assert "02-plain: a cell failed" in result.stderr
    assert "KeyError: 'lost'" in result.stderr


# Under pytest ipykernel does not take descriptor 2 for a cell's output: it is the kernel's own.
OWN_WORD = """\
import os; os.write(2, b"the kernel's own word")
print(1 + 1)
"""


def test_what_only_the_kernel_says_is_no_output_and_no_message(copy: Project, bookbuild) -> None:
    change(copy, "print(1 + 1)\n", OWN_WORD, "02-plain")
    result = bookbuild(copy, "notebooks", "02-plain")
    assert result.stderr == ""
    assert chapter_cells(read(copy, "02-plain"))[0].outputs[0].text == "2\n"


def test_a_cell_that_ends_the_kernel_is_an_error_with_the_kernels_words(
    copy: Project, bookbuild
) -> None:
    change(copy, "print(1 + 1)\n", OWN_WORD + "os._exit(3)\n", "02-plain")
    before = (copy.notebooks / "02-plain.ipynb").read_bytes()
    result = bookbuild(copy, "notebooks", "02-plain")
    assert result.returncode == 1
    assert result.stderr == (
        "error: 02-plain: Kernel died (code cells begun: 2)\nthe kernel's own word\n"
    )
    assert (copy.notebooks / "02-plain.ipynb").read_bytes() == before


def test_an_unknown_chapter_is_named(copy: Project, bookbuild) -> None:
    result = bookbuild(copy, "notebooks", "07-masks")
    assert result.returncode == 1
    assert result.stderr.strip() == (
        "error: no chapter is called '07-masks': expected some of 01-sample, 02-plain"
    )


def run_set_up(stamp: Stamp, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the set-up cell where transformer_lite cannot be imported."""
    script = folder / "set_up.py"
    script.write_text(setup_cell.node(stamp).source)
    command = [sys.executable, "-S", str(script)]  # -S: no installed packages
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_the_set_up_cell_says_when_it_has_no_repository(tmp_path: Path) -> None:
    result = run_set_up(Stamp(), tmp_path)
    assert result.stderr.splitlines()[-1] == (
        "ImportError: transformer_lite is not installed, and this copy of the notebook names no "
        "repository to install it from: run it in an environment made by `make book`."
    )


def test_the_set_up_cell_never_installs_torch(tmp_path: Path) -> None:
    result = run_set_up(Stamp("https://example.invalid/course", "abc"), tmp_path)
    assert result.stderr.splitlines()[-1] == (
        "ImportError: PyTorch is not installed: install it first, this notebook never does."
    )


def test_the_set_up_cell_says_when_the_repository_cannot_be_reached(tmp_path: Path) -> None:
    script = tmp_path / "set_up.py"
    missing = (tmp_path / "nowhere").as_uri()
    # As if the package were not there, with everything else as it is.
    hide = (
        "import importlib.util as util\n"
        "real = util.find_spec\n"
        "util.find_spec = lambda name: None if name == 'transformer_lite' else real(name)\n"
    )
    script.write_text(hide + setup_cell.node(Stamp(missing, "abc")).source)
    command = [sys.executable, str(script)]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.stderr.splitlines()[-1].startswith(
        f"ImportError: transformer_lite cannot be installed from {missing}: "
    )


def test_the_set_up_cell_does_nothing_where_the_package_is(tmp_path: Path) -> None:
    (tmp_path / "transformer_lite.py").touch()
    result = run_set_up(Stamp(), tmp_path)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_half_a_stamp_is_refused() -> None:
    with pytest.raises(ValueError, match="repository and commit belong together"):
        Stamp(repository="https://github.com/example/course")
