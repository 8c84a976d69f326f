"""The still picture of the bottleneck explorer."""

from collections.abc import Iterator

from transformer_lite.chapters.c01_bottleneck.attempt import Attempt
from transformer_lite.palette import NEUTRAL, WRONG
from transformer_lite.widgets.still import INK, QUIET, card, text

WIDTH, HEIGHT = 640, 300
LEFT, STEP = 84, 25  # where the first letter stands, and pixels from letter to letter
CHART = (84, 204, 300, 68)  # left, top, width and height of the plotting area


def draw(attempt: Attempt, hidden: int, exact_match: dict[int, int | float]) -> str:
    """An SVG picture: the three strings letter by letter, and the share of exact matches."""
    columns = max(len(attempt.target), len(attempt.output))
    width = max(WIDTH, LEFT + STEP * columns)
    letters = "letter" if len(attempt.source) == 1 else "letters"
    title = f"A string of {len(attempt.source)} {letters}, hidden size {hidden}"
    body = [
        text(20, 30, title, weight=600, size=15),
        *_row("source", attempt.source, 62),
        *_row("answer", attempt.target, 90),
        *_row("model", attempt.output.ljust(len(attempt.target), "–"), 118, attempt.wrong_places),
        text(20, 164, attempt.verdict(), weight=600),
        *_chart(exact_match),
    ]
    return card(width, HEIGHT, body)


def percent(share: int | float) -> str:
    """A share as it is written beside a point, such as 40 % or 99.5 %."""
    return f"{100 * share:.1f}".removesuffix(".0") + " %"


def _row(name: str, letters: str, y: int, wrong: list[int] | None = None) -> Iterator[str]:
    """One string; letters counted in `wrong` are bold, underlined and crossed."""
    yield text(20, y, name, colour=QUIET)
    for place, letter in enumerate(letters, 1):
        x = LEFT + STEP * (place - 0.5)
        missed = place in (wrong or [])
        yield text(x, y, letter, "middle", 700 if missed else 400, 16)
        if missed:
            yield f'<path d="M{x - 8:g} {y + 5}h16" stroke="{WRONG}" stroke-width="2.5"/>'
            yield text(x, y + 20, "✗", "middle", colour=WRONG, weight=700)


def _chart(exact_match: dict[int, int | float]) -> Iterator[str]:
    """The share of exact matches against length, each point with its number."""
    left, top, width, height = CHART
    longest = max(exact_match)
    yield text(20, top + 4, "100 %", colour=QUIET, size=11)
    yield text(20, top + height + 4, "0 %", colour=QUIET, size=11)
    yield f'<path d="M{left} {top + height}h{width}" stroke="{NEUTRAL}"/>'
    points = [
        (left + width * length / longest, top + height * (1 - share), length, share)
        for length, share in exact_match.items()
    ]
    line = " ".join(f"{x:g},{y:g}" for x, y, _, _ in points)
    yield f'<polyline points="{line}" fill="none" stroke="{INK}" stroke-width="2"/>'
    for x, y, length, share in points:
        yield f'<circle cx="{x:g}" cy="{y:g}" r="3.5" fill="{INK}"/>'
        yield text(x + 5, y - 6, percent(share), size=11)
        yield text(x, top + height + 17, str(length), "middle", colour=QUIET, size=11)
    yield text(left + width + 30, top + 24, "Exact match", weight=600)
    yield text(left + width + 30, top + 44, "by length of the string", colour=QUIET)
