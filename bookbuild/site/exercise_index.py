"""Sphinx extension: `{exercise-index}` is a table for each topic with all exercises of the book.

Its body has a line for each topic. A chapter's number stands for those of its exercises that no
line names:

    Masks: 07 ex-02-weights
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

from bookbuild.project import Project
from bookbuild.source import read_text

_INDEX = re.compile(r"^```\{exercise-index\}\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
_EXERCISE = re.compile(
    r"^```\{exercise-start\} (?P<title>[^\n]+)\n:label: (?P<label>\S+)\n```\n"
    r"(?P<text>.*?)^```\{exercise-end\}$",
    re.MULTILINE | re.DOTALL,
)
_MEASURE = re.compile(r"\s*\*Difficulty (\d), (\d+) minutes\.\*")


@dataclass(frozen=True)
class Exercise:
    """One exercise of a chapter; `kind` is "by hand", "code" (with a check) or "open"."""

    chapter: str
    label: str
    title: str
    difficulty: int
    minutes: int
    kind: str


def read_exercises(chapter: Path) -> list[Exercise]:
    """The exercises of a chapter in order; ExtensionError where one has no difficulty or time."""
    exercises = []
    for found in _EXERCISE.finditer(read_text(chapter)):
        measure = _MEASURE.match(found["text"])
        if measure is None:
            raise ExtensionError(
                f"{found['label']} must begin with its measure, but it does not: write "
                "'*Difficulty 2, 20 minutes.*'"
            )
        kind = "open" if found["label"].endswith("-open") else "by hand"
        if "check(" in found["text"]:
            kind = "code"
        difficulty, minutes = map(int, measure.groups())
        exercises.append(
            Exercise(chapter.stem, found["label"], found["title"], difficulty, minutes, kind)
        )
    return exercises


def index_tables(exercises: list[Exercise], body: str) -> str:
    """Markdown: a section for each topic that has exercises, the easiest ones first.

    Raises:
        ExtensionError: an exercise stands under no topic, or a topic names one that is not there.
    """
    places = {
        place: topic
        for topic, _, named in (line.partition(":") for line in body.splitlines())
        for place in named.split()
    }
    labels = {one.label for one in exercises}
    if gone := {place for place in places if not place.isdigit()} - labels:
        raise ExtensionError(f"{{exercise-index}} must name exercises, but {gone.pop()!r} is none")
    tables: dict[str, list[Exercise]] = {topic: [] for topic in places.values()}
    for one in exercises:
        topic = places.get(one.label, places.get(one.chapter[:2]))
        if topic is None:
            raise ExtensionError(
                f"{one.label} must stand under a topic of {{exercise-index}}, but it does not: "
                f"name {one.chapter[:2]} there"
            )
        tables[topic].append(one)
    return "\n\n".join(_section(topic, found) for topic, found in tables.items() if found)


def _section(topic: str, exercises: list[Exercise]) -> str:
    rows = [
        f"| {{ref}}`{one.title} <{one.label}>` | {{doc}}`{one.chapter[:2]} <{one.chapter}>` "
        f"| {one.difficulty} | {one.minutes} | {one.kind} |"
        for one in sorted(exercises, key=lambda one: one.difficulty)
    ]
    head = "| exercise | chapter | difficulty | minutes | kind |\n|---|---|---|---|---|"
    return "\n".join((f"## {topic}\n", head, *rows))


def _list_exercises(app: Sphinx, page: str, source: list[str]) -> None:
    def tables(found: re.Match[str]) -> str:
        chapters = Project(Path(app.srcdir).parent).chapters
        for path in chapters:
            app.env.note_dependency(str(path))
        return index_tables(
            [one for path in chapters for one in read_exercises(path)], found["body"]
        )

    source[0] = _INDEX.sub(tables, source[0])


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the listener; called by Sphinx."""
    app.connect("source-read", _list_exercises)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
