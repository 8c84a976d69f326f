"""A plan of lectures has the minutes of its slides, and none that do not fit."""

import pytest
from sphinx.errors import ExtensionError

from bookbuild.project import Project
from bookbuild.site.lecture_plan import plan_table


@pytest.fixture
def project(tmp_path) -> Project:
    """Two chapters, of one and three and of two minutes."""
    project = Project(tmp_path)
    project.book.mkdir()
    project.config.write_text("title: A book\n")
    pages = {"01-first": [("Start", "One"), ("Middle", "Three")], "02-next": [("On", "Two")]}
    for name, slides in pages.items():
        text = "\n".join(
            f'+++ {{"slideshow": {{"slide_type": "slide"}}}}\n\n## {heading}\n\n'
            f'+++ {{"slideshow": {{"slide_type": "notes"}}}}\n\n{minutes} minutes.\n'
            for heading, minutes in slides
        )
        (project.book / f"{name}.md").write_text(text)
    return project


def test_minutes_are_added_up_without_what_is_left_out(project: Project) -> None:
    body = "- 01-first: [Middle]\n  02-next: []\n- 01-first: []\n"
    assert plan_table(project, body, 4).splitlines()[2:] == [
        "| 01 {doc}`01-first`, without: Middle<br>02 {doc}`02-next` | 3 |",
        "| 01 {doc}`01-first` | 4 |",
    ]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("- 01-first: []", "lecture 1 must take at most 3 minutes, but it takes 4: leave"),
        ("- 01-first: [Midle]", "must name slides of 01-first, but none is headed 'Midle'"),
        ("- 03-gone: []", "03-gone"),
    ],
)
def test_a_plan_that_cannot_be_held_is_an_error(project: Project, body: str, message: str) -> None:
    with pytest.raises(ExtensionError, match=message):
        plan_table(project, body, 3)
