"""The notebooks in the repository: whole, clean and compared."""

from pathlib import Path

import nbformat
import pytest

from bookbuild.notebook.policy import check

ROOT = Path(__file__).resolve().parents[3]
CHAPTERS = sorted((ROOT / "book").glob("[0-9][0-9]-*.md"))
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def test_every_chapter_has_its_notebook() -> None:
    assert [path.stem for path in NOTEBOOKS] == [path.stem for path in CHAPTERS]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_stored_notebook_keeps_to_the_policy(path: Path) -> None:
    assert check(nbformat.read(path, 4)) == []
