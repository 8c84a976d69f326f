"""The still picture of the decoder stepper."""

from collections.abc import Iterator
from textwrap import wrap
from typing import Any

from transformer_lite.chapters.c02_additive_attention.step import Step, mark
from transformer_lite.palette import NEUTRAL, OUTPUT, QUERY
from transformer_lite.widgets.drawing import QUIET, bar, card, decimal, text

WIDTH = 640
LEFT, RIGHT = 84, 624  # where source tokens stand
LETTERS, LINE = 62, 20  # of running text: letters in a line, and pixels from line to line
ROW = 116  # pixels from one row of source tokens to the next
TALLEST = 32  # a weight of 1


def draw(step: Step, number: int, written: list[str]) -> str:
    """An SVG picture: source tokens with energies and weights, the context, and the new token."""
    *tokens, _ = map(mark, step.source)  # <eos> is set smaller
    cell = max(32, 9 * max(map(len, tokens)) + 8)
    columns = (RIGHT - LEFT) // cell
    starts = range(0, len(step.source), columns)
    title = f"Step {number + 1}: written so far {' '.join(map(mark, written[:-1])) or '(nothing)'}"
    body, y = _lines(title, 30, weight=600, size=15)
    for start in starts:
        places = range(start, min(start + columns, len(step.source)))
        body += _row(step, places, cell, y + 14)
        y += ROW
    body += _context(step, y + 14)
    chances = ", ".join(f"{mark(token)} {chance:.2f}" for token, chance in step.likely)
    likely, y = _lines(f"written now: {mark(step.written)} (likeliest: {chances})", y + 68)
    sentence, y = _lines(step.sentence(), y + 8, weight=600)
    return card(WIDTH, y - 2, [*body, *likely, *sentence])


def _lines(words: str, y: int, **look: Any) -> tuple[list[str], int]:
    """Words on as many lines as they need, the first one at y, and where the next one would be."""
    rows = wrap(words, LETTERS)
    drawn = [text(20, y + LINE * row, line, **look) for row, line in enumerate(rows)]
    return drawn, y + LINE * len(rows)


def _row(step: Step, places: range, cell: int, top: int) -> Iterator[str]:
    """Some source tokens, each above its energy and its weight."""
    baseline = top + 36 + TALLEST
    yield text(20, top, "source", colour=QUIET)
    yield text(20, top + 20, "energy", colour=QUIET)
    yield text(20, baseline + 14, "weight", colour=QUIET)
    for column, place in enumerate(places):
        middle = LEFT + cell * (column + 0.5)
        weight = step.weights[place]
        heavy = 700 if place == step.heaviest else 400
        size = 10 if place + 1 == len(step.source) else 15
        yield text(middle, top, mark(step.source[place]), "middle", heavy, size)
        yield text(middle, top + 20, decimal(step.energies[place], 1), "middle", heavy, 11)
        yield bar(middle - 8, baseline - TALLEST * weight, 16, TALLEST * weight, QUERY)
        yield bar(middle - 12, baseline, 24, 1, NEUTRAL)
        yield text(middle, baseline + 14, f"{weight:.2f}", "middle", heavy, 11)


def _context(step: Step, y: int) -> Iterator[str]:
    """The first components of the context, on a line of its colour."""
    yield text(20, y + 24, "context", colour=QUIET)
    for column, number in enumerate(step.context):
        x = LEFT + 56 * column
        yield text(x + 24, y + 24, decimal(number, 2), "middle")
        yield bar(x, y + 31, 48, 3, OUTPUT)
    yield text(LEFT + 56 * len(step.context), y + 24, "…", colour=QUIET)
