"""The notebooks in the repository: whole, clean and compared."""

from pathlib import Path

import pytest

from bookbuild.notebook.policy import check
from bookbuild.notebook.stored import is_as_written, read_stored
from bookbuild.project import Project

COURSE = Project(Path(__file__).resolve().parents[3])


@pytest.mark.parametrize("name", [chapter.stem for chapter in COURSE.chapters])
def test_the_notebook_of_a_chapter_keeps_to_the_policy(name: str) -> None:
    assert check(read_stored(COURSE, name)) == []
    assert is_as_written(COURSE, name)
