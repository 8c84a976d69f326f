"""The exercises of the book are found and stand under their topics."""

from pathlib import Path

import pytest
from sphinx.errors import ExtensionError

from bookbuild.site.exercise_index import index_tables, read_exercises

EXERCISE = """\
```{{exercise-start}} {title}
:label: {label}
```

*Difficulty {difficulty}, 10 minutes.* Do it.

{code}
```{{exercise-end}}
```

"""


@pytest.fixture
def chapter(tmp_path: Path) -> Path:
    path = tmp_path / "01-a.md"
    path.write_text(
        EXERCISE.format(title="Train", label="ex-01-open", difficulty=3, code="")
        + EXERCISE.format(title="Add", label="ex-01-add", difficulty=2, code='check("add", add)')
        + EXERCISE.format(title="Count", label="ex-01-by-hand", difficulty=1, code="")
    )
    return path


def test_topics_take_chapters_and_single_exercises(chapter: Path) -> None:
    tables = index_tables(read_exercises(chapter), "Masks: 01 02\nSums: ex-01-add\nNone yet: 03\n")
    rows = [line for line in tables.splitlines() if line.startswith(("##", "| {ref}"))]
    assert rows == [
        "## Masks",
        "| {ref}`Count <ex-01-by-hand>` | {doc}`01 <01-a>` | 1 | 10 | by hand |",
        "| {ref}`Train <ex-01-open>` | {doc}`01 <01-a>` | 3 | 10 | open |",
        "## Sums",
        "| {ref}`Add <ex-01-add>` | {doc}`01 <01-a>` | 2 | 10 | code |",
    ]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("Sums: ex-01-add", "ex-01-open must stand under a topic .*: name 01 there"),
        ("Sums: 01 ex-01-gone", "must name exercises, but 'ex-01-gone' is none"),
    ],
)
def test_an_index_that_misses_one_is_an_error(chapter: Path, body: str, message: str) -> None:
    with pytest.raises(ExtensionError, match=message):
        index_tables(read_exercises(chapter), body)


def test_an_exercise_without_measure_is_an_error(chapter: Path) -> None:
    chapter.write_text(chapter.read_text().replace("*Difficulty 2, 10 minutes.*", "Soon."))
    with pytest.raises(ExtensionError, match="ex-01-add must begin with its measure"):
        read_exercises(chapter)


def test_every_exercise_of_the_course_is_found() -> None:
    chapters = list((Path(__file__).parents[3] / "book").glob("[0-9][0-9]-*.md"))
    assert len(chapters) == 16
    for path in chapters:
        assert len(read_exercises(path)) == path.read_text("utf-8").count("{exercise-start}")
