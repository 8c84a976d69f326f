"""The still picture of the softmax explorer."""

from collections.abc import Iterator, Sequence

from transformer_lite.palette import KEY, NEUTRAL, QUERY
from transformer_lite.widgets.drawing import QUIET, bar, card, decimal, text

WIDTH, HEIGHT = 640, 376
TOP, STEP = 96, 25  # the first key's line, and pixels from key to key
MIDDLE, REACH = 190, 100  # where energy 0 stands, and pixels to the end of the axis
ENDS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0)
START, LENGTH = 400, 150  # where weight 0 stands, and pixels to weight 1


def picture(
    title: str, energies: Sequence[float], weights: Sequence[float], sentences: Sequence[str]
) -> str:
    """An SVG picture: a line for each key with its energy and its weight, and what follows."""
    most = axis(energies)
    body = [
        text(20, 30, title, weight=600, size=15),
        text(MIDDLE - REACH, 62, "energy", weight=600),
        text(MIDDLE - 45, 62, f"bars from −{most:g} to {most:g}", colour=QUIET, size=11),
        text(START, 62, "weight", weight=600),
        text(START + 60, 62, "bars from 0 to 1", colour=QUIET, size=11),
    ]
    for number, (energy, weight) in enumerate(zip(energies, weights, strict=True), 1):
        body += _line(number, energy, weight, most)
    below = TOP + STEP * len(energies)
    for number, sentence in enumerate(sentences):
        body.append(text(20, below + 18 + 22 * number, sentence, weight=400 if number else 600))
    return card(WIDTH, HEIGHT, body)


def axis(energies: Sequence[float]) -> float:
    """Where the axis of the energies ends: at the next of a few round numbers."""
    largest = max(map(abs, energies))
    return next((end for end in ENDS if largest <= end), 10_000.0)


def _line(number: int, energy: float, weight: float, most: float) -> Iterator[str]:
    y = TOP + STEP * (number - 1)
    length = REACH * abs(energy) / most
    heavy = 700 if weight >= 0.5 else 400
    yield text(20, y, f"key {number}", weight=heavy)
    yield bar(MIDDLE - (length if energy < 0 else 0), y - 12, length, 15, KEY)
    yield bar(MIDDLE, y - 15, 1, 21, NEUTRAL)
    yield text(MIDDLE + REACH + 70, y, decimal(energy, 2), "end", heavy)
    yield bar(START, y - 12, LENGTH * weight, 15, QUERY)
    yield bar(START, y - 15, 1, 21, NEUTRAL)
    yield text(START + LENGTH + 50, y, decimal(weight, 3), "end", heavy)
