"""Addresses appear only where a copy is hosted."""

import pytest
from editing import change

from bookbuild.hosting import Stamp, configured_stamp
from bookbuild.project import Project


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
    assert Stamp(repository).colab("01-sample") == expected


def test_the_configuration_may_name_the_copy(copy: Project) -> None:
    assert configured_stamp(copy) == Stamp()
    change(copy.config, 'url: ""', 'url: "https://github.com/example/course"')
    stamp = configured_stamp(Project(copy.root))
    assert stamp == Stamp("https://github.com/example/course")
