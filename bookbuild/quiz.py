"""The source of a quiz question: a question, options, and for each option why it is right or wrong.

    ```{quiz} quiz-context
    What does the decoder receive?

    - [ ] All encoder states.
      : No. Only the last one leaves the encoder.
    - [x] The last encoder state.
      : Yes. Everything else is gone.
    ```

`[x]` marks the one right answer. Text may run on over indented lines; an explanation
may hold several paragraphs, indented by four.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

_OPTION = re.compile(r"- \[(?P<mark>[ xX])\] +(?P<text>\S.*)")
_EXPLANATION = re.compile(r"  : +(?P<text>\S.*)")


@dataclass(frozen=True)
class Passage:
    """Lines of Markdown, and where the first stands in the directive's body."""

    lines: tuple[str, ...]
    offset: int

    @property
    def text(self) -> str:
        """The passage as one string."""
        return "\n".join(self.lines)


@dataclass(frozen=True)
class Option:
    """One answer to choose: its words on one line, whether they are right, and why."""

    right: bool
    text: Passage
    explanation: Passage


@dataclass(frozen=True)
class Quiz:
    """A question on one line, what belongs to it (code, formulas), and its options."""

    question: Passage
    details: Passage
    options: tuple[Option, ...]


def parse_quiz(body: Sequence[str]) -> Quiz:
    """Read the body of a quiz directive; ValueError says what is missing and what to write."""
    starts = [number for number, line in enumerate(body) if _OPTION.match(line)]
    if len(starts) < 2:
        raise ValueError(
            f"expected at least two options, got {len(starts)}: write each as '- [ ] text', "
            "the right one as '- [x] text'"
        )
    before = list(body[: starts[0]])
    end = next((number for number, line in enumerate(before) if not line.strip()), len(before))
    question = " ".join(line.strip() for line in before[:end])
    if not question:
        raise ValueError("expected a question before the options, got none")
    ends = [*starts[1:], len(body)]
    options = tuple(_option(body, start, end) for start, end in zip(starts, ends, strict=True))
    right = sum(option.right for option in options)
    if right != 1:
        raise ValueError(f"expected exactly one right option '- [x] text', got {right}")
    return Quiz(Passage((question,), 0), Passage(tuple(before[end:]), end), options)


def _option(body: Sequence[str], start: int, end: int) -> Option:
    head = _OPTION.match(body[start])
    assert head is not None  # the caller found the start by this pattern
    explained = next((n for n in range(start, end) if _EXPLANATION.match(body[n])), None)
    if explained is None:
        raise ValueError(
            f"option {head['text']!r} does not explain itself: "
            "add a line '  : why it is right or wrong'"
        )
    first = _EXPLANATION.match(body[explained])
    assert first is not None
    text = " ".join((head["text"], *(line.strip() for line in body[start + 1 : explained])))
    explanation = (first["text"], *(_unindent(line) for line in body[explained + 1 : end]))
    return Option(head["mark"] != " ", Passage((text,), start), Passage(explanation, explained))


def _unindent(line: str) -> str:
    return line[4:] if line.startswith("    ") else line.strip()
