"""Addresses appear only where a copy is hosted."""

import re
import subprocess

import pytest
from editing import change

from bookbuild.hosting import Stamp, configured_stamp
from bookbuild.project import Project


def test_half_a_stamp_is_refused() -> None:
    with pytest.raises(ValueError, match="repository and commit belong together"):
        Stamp(repository="https://github.com/example/course")


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
