"""The notebooks in the repository: whole, clean, compared, and in step with their chapters."""

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from bookbuild.policy import check

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = sorted((ROOT / "book").glob("[0-9][0-9]-*.md"))
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
# Reads the book once and prints the chapters whose notebooks are not what would be written now.
STALE = """
from pathlib import Path
from bookbuild.build import stale_notebooks
from bookbuild.project import Project
from bookbuild.references import collect

project = Project(Path.cwd())
drifted, outdated = stale_notebooks(project, collect(project))
print(*drifted)
"""


def test_every_chapter_has_its_notebook() -> None:
    assert [path.stem for path in NOTEBOOKS] == [path.stem for path in CHAPTERS]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_stored_notebook_keeps_to_the_policy(path: Path) -> None:
    assert check(nbformat.read(path, 4)) == []


def test_notebooks_are_in_step_with_their_chapters() -> None:
    result = subprocess.run(
        [sys.executable, "-c", STALE], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == [], "run `make notebooks`"
