"""A notebook that was cleared, half run, reordered or altered does not pass.

Two guards work together: `policy` reads what is stored, nbval runs it again and compares.
"""

import subprocess
import sys
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode

from bookbuild.notebook.policy import check
from bookbuild.notebook.stored import chapter_cells, code_cells, read_stored
from bookbuild.project import Project
from bookbuild.widgets import STATE, VIEW

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def stored(sample: Project) -> NotebookNode:
    return read_stored(sample, "01-sample")


def test_a_good_notebook_passes(stored: NotebookNode) -> None:
    assert check(stored) == []


def find(notebook: NotebookNode, text: str) -> NotebookNode:
    """The one code cell with this text."""
    (cell,) = [cell for cell in chapter_cells(notebook) if text in cell.source]
    return cell


def clear(notebook: NotebookNode) -> None:
    for cell in chapter_cells(notebook):
        cell.outputs, cell.execution_count = [], None


def run_half(notebook: NotebookNode) -> None:
    for cell in chapter_cells(notebook)[3:]:
        cell.outputs, cell.execution_count = [], None


def reorder(notebook: NotebookNode) -> None:
    first, second = chapter_cells(notebook)[:2]
    first.execution_count, second.execution_count = second.execution_count, first.execution_count


def complain(notebook: NotebookNode) -> None:
    output = nbformat.v4.new_output("stream", name="stderr", text="UserWarning: careful")
    find(notebook, "print(max(numbers))").outputs.append(output)


def fail(notebook: NotebookNode) -> None:
    output = nbformat.v4.new_output("error", ename="KeyError", evalue="lost", traceback=[])
    find(notebook, "print(max(numbers))").outputs = [output]


def ignore_more(notebook: NotebookNode) -> None:
    find(notebook, "print(sum(numbers))").metadata["tags"] = ["nbval-ignore-output"]


def drop_picture(notebook: NotebookNode) -> None:
    find(notebook, "axes.plot").outputs = []


def drop_still(notebook: NotebookNode) -> None:
    for output in find(notebook, "class Doubler").outputs:
        output.data.pop("image/svg+xml", None)


def drop_state(notebook: NotebookNode) -> None:
    notebook.metadata["widgets"][STATE]["state"].clear()


def show_address(notebook: NotebookNode) -> None:
    find(notebook, "print(max(numbers))").outputs[0].text = "<Axes at 0x7f0123456789>"


@pytest.mark.parametrize(
    ("alter", "complaint"),
    [
        (clear, "not executed whole and in order"),
        (run_half, "not executed whole and in order"),
        (reorder, "not executed whole and in order: execution counts are [1, 3, 2, "),
        (complain, "wrote to stderr: 'UserWarning: careful'"),
        (fail, "ended in KeyError: lost"),
        (ignore_more, "only 4 of 6 cells with output are compared: at least 80% have to be"),
        (drop_picture, "has alt text but no stored picture"),
        (drop_still, "shows a widget without a still picture"),
        (drop_state, "the state of widget "),
        (show_address, "shows a memory address"),
    ],
)
def test_what_is_stored_wrongly_is_named(
    alter: Callable[[NotebookNode], None], complaint: str, stored: NotebookNode
) -> None:
    notebook = deepcopy(stored)
    alter(notebook)
    complaints = check(notebook)
    assert any(complaint in text for text in complaints), complaints


def test_running_again_finds_what_does_not_come_out_again(
    stored: NotebookNode, sample: Project, tmp_path: Path
) -> None:
    changed = read_stored(sample, "02-plain")
    find(changed, "print(1 + 1)").outputs[0].text = "7\n"
    assert check(changed) == []  # the stored notebook alone looks right
    for name, notebook in {"changed": changed, "whole": stored}.items():
        nbformat.write(notebook, tmp_path / f"{name}.ipynb")
    # As `make test` does.
    command = [sys.executable, "-m", "pytest", "-rA", "--nbval", "--nbval-current-env"]
    command += ["--nbval-sanitize-with", str(ROOT / "notebooks" / "sanitize.cfg")]
    command += ["-p", "no:cacheprovider", str(tmp_path)]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    failed = [line for line in result.stdout.splitlines() if line.startswith("FAILED")]
    assert len(failed) == 1 and "changed.ipynb" in failed[0], result.stdout[-3000:]
    passed = [line for line in result.stdout.splitlines() if line.startswith("PASSED")]
    assert sum("whole.ipynb" in line for line in passed) == len(code_cells(stored))


def test_a_shown_widget_has_its_view(stored: NotebookNode) -> None:
    outputs = find(stored, "class Doubler").outputs
    assert [VIEW in output.data for output in outputs] == [True]
