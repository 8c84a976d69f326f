"""Sphinx extension: `{lecture-plan} 75` is a table of lectures with the minutes of their slides.

Its body is a list of lectures in YAML; each names its chapters, and of each the slides that are
left out, by their headings:

    - 01-bottleneck: [Predict, Reverse the source]
      02-additive-attention: []

The minutes are the sums of what the decks' notes say, and none may exceed the number behind the
name.
"""

import re
from pathlib import Path
from typing import Any

import yaml
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

from bookbuild.deck.timing import slide_minutes
from bookbuild.project import Project
from bookbuild.source import SourceError

_PLAN = re.compile(
    r"^```\{lecture-plan\} (?P<most>\d+)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL
)


def plan_table(project: Project, body: str, most: int) -> str:
    """Markdown: a row for each lecture, with its chapters, what is left out, and its minutes.

    Raises:
        ExtensionError: no such chapter or slide, or a lecture takes more than `most` minutes.
    """
    rows = ["| lecture | minutes of slides |", "|---|---|"]
    for number, lecture in enumerate(yaml.safe_load(body), 1):
        parts = [_part(project, name, left_out) for name, left_out in lecture.items()]
        minutes = sum(part[1] for part in parts)
        if minutes > most:
            raise ExtensionError(
                f"lecture {number} must take at most {most} minutes, but it takes {minutes}: "
                "leave slides out"
            )
        rows.append(f"| {'<br>'.join(part[0] for part in parts)} | {minutes} |")
    return "\n".join(rows)


def _part(project: Project, name: str, left_out: list[str]) -> tuple[str, int]:
    """What a lecture takes of one chapter, in words, and the minutes of that."""
    try:
        times = slide_minutes(project.book / f"{name}.md", project.markdown_extensions)
    except (OSError, SourceError) as error:
        raise ExtensionError(f"{{lecture-plan}}: {error}") from error
    if unknown := set(left_out) - {heading for heading, _ in times}:
        raise ExtensionError(
            f"{{lecture-plan}} must name slides of {name}, but none is headed {unknown.pop()!r}"
        )
    without = f", without: {' · '.join(left_out)}" if left_out else ""
    minutes = sum(minutes for heading, minutes in times if heading not in left_out)
    return f"{name[:2]} {{doc}}`{name}`{without}", minutes


def _list_lectures(app: Sphinx, page: str, source: list[str]) -> None:
    project = Project(Path(app.srcdir).parent)

    def table(found: re.Match[str]) -> str:
        for path in project.chapters:
            app.env.note_dependency(str(path))
        return plan_table(project, found["body"], int(found["most"]))

    source[0] = _PLAN.sub(table, source[0])


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the listener; called by Sphinx."""
    app.connect("source-read", _list_lectures)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
