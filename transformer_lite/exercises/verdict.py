"""What a check says about an answer."""

import textwrap
from dataclasses import dataclass, field
from typing import Any, Literal

WIDTH = 72  # characters in a line: what a box on a page shows without scrolling


@dataclass(frozen=True, repr=False)
class Verdict:
    """The result of `check`; it shows itself as one readable paragraph.

    Attributes:
        exercise: name of the exercise.
        outcome: "passed", "failed" or "not attempted".
        message: what was found, in words for the reader.
        misconception: the stable id of the wrong idea that the answer shows, None where no
            catalogued one fits.
        case: arguments with which the answer fails as the message says, so that
            `answer(*verdict.case)` fails again; None where none was tried, or none failed.
    """

    exercise: str
    outcome: Literal["passed", "failed", "not attempted"]
    message: str
    misconception: str | None = None
    case: tuple[Any, ...] | None = field(default=None, compare=False)

    @property
    def passed(self) -> bool:
        """Whether the answer is right."""
        return self.outcome == "passed"

    def __bool__(self) -> bool:
        # Without this, `assert check(...)` would hold for every answer.
        return self.passed

    def __str__(self) -> str:
        mark = {"passed": "✓", "failed": "✗", "not attempted": "○"}[self.outcome]
        return wrap(f"{mark} {self.exercise}, {self.outcome}: {self.message}")

    __repr__ = __str__


def wrap(text: str) -> str:
    """Break lines, as a notebook does not; what continues an indented line is indented more."""
    return "\n".join(
        textwrap.fill(
            line,
            WIDTH,
            subsequent_indent="        " if line.startswith(" ") else "",
            break_long_words=False,
            break_on_hyphens=False,
        )
        for line in text.split("\n")
    )
