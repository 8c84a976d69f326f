"""Chapter 15: what a layer of four kinds needs, by the number of words and their width."""

import math
from functools import partial
from typing import NamedTuple

from transformer_lite.palette import KEY, NEUTRAL
from transformer_lite.widgets.drawing import INK, QUIET, bar, halo, line, text
from transformer_lite.widgets.frames import (
    WIDTH,
    Choice,
    Finding,
    Frame,
    FrameWidget,
    Layer,
    Menu,
    Picture,
    Question,
    Slider,
)

LENGTHS = tuple(2**power for power in range(4, 15))
WIDTHS = (64, 128, 256, 512)
KERNEL, WINDOW = 3, 64
MULTIPLY_ADDS = "multiply-adds"
STEPS = "steps one after another"
PATH = "layers or steps, end to end"
KEPT = "numbers kept to mix words"
ANSWERS = ("fewer", "as many", "more")
# Powers of ten on the axis of each: it stays where it is, whatever n and D are.
AXES = {MULTIPLY_ADDS: range(5, 13), STEPS: range(6), PATH: range(6), KEPT: range(1, 10)}
NOTES = {
    STEPS: (
        "A step of the GRU waits for the one before it.",
        "The others take all words at once.",
    ),
    PATH: (
        f"A layer of convolution reaches {KERNEL - 1} words back,",
        f"one of the window {WINDOW - 1}, a step of the GRU 1.",
    ),
    KEPT: (
        "In a head, a weight for each pair of words;",
        "one state in the GRU, however many words.",
    ),
}
FINDINGS = {
    MULTIPLY_ADDS: "{ratio}: self-attention needs {times:.2f} times the GRU's multiply-adds; "
    "pairs of words are {share:.0f} % of its own.",
    STEPS: "Self-attention needs {attention} step, the GRU {gru}: one for each word.",
    PATH: "The last word sees the first through {attention} layer of self-attention, {gru} steps "
    "of the GRU or {convolution} layers of convolution.",
    KEPT: "One head of self-attention keeps {attention} weights, the GRU a state of {gru} numbers.",
}
# In pixels: the words of the first row, from row to row, the height of a bar; the same of the parts
# of self-attention; from words to their bar, and where formulas begin.
_FIRST, _ROW, _THICK = 54, 34, 10
_PART, _NEXT, _THIN = 212, 25, 5
_DOWN, _FORMULA = 5, 130
_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


class Counts(NamedTuple):
    """A number for each kind of layer."""

    attention: int
    gru: int
    convolution: int
    window: int


NAMES = ("self-attention", "GRU", f"convolution of {KERNEL}", f"window of {WINDOW}")
PARTS = (("projections", "4nD²"), ("pairs of words", "2n²D"))


class WhoWins(FrameWidget):
    """Predict, then see, whether self-attention needs more than a GRU, a convolution, a window.

    What the reader chose can be read back and set: `length` (n), `width` (D), `compared` (one of
    `AXES`), `prediction` (one of `ANSWERS`; None before there is one), and `ask` (hide the answer).

    Args:
        state: initial values of the names above, such as `length=1024`.

    Raises:
        traitlets.TraitError: a value of `state` is outside its range.
    """

    # Beside the slider, five digits need more room than the words of other widgets.
    _css = f"{FrameWidget._css}.transformer-lite .slider {{grid-template-columns: 1fr 3.5em}}"

    heading = "One layer over n words of width D: who wins?"
    length = Slider("Words n", LENGTHS, 128)
    width = Choice("Width D", WIDTHS, 512)
    compared = Menu("What is compared", tuple(AXES), MULTIPLY_ADDS)
    prediction = Question("Predict: compared with the GRU, self-attention needs …", ANSWERS)

    def pictures(self) -> list[Picture]:
        """A row for each kind of layer; below, the parts of self-attention's multiply-adds."""
        layers = [
            Layer(_axis),
            Layer(_formulas),
            Layer(_covered, True),
            *(
                Layer(partial(_row, place), ask)
                for place, ask in enumerate((False, None, None, False))
            ),
            Layer(_below),
            Layer(partial(_part, 0), False),
            Layer(partial(_part, 1), False),
        ]
        return [Picture(_PART + _NEXT + 18, layers)]

    def finding(self, length: int, width: int, compared: str) -> Finding:
        """Self-attention beside the GRU."""
        found = counts(length, width)[compared]
        sentence = FINDINGS[compared].format(
            ratio=_ratio(length, width),
            times=found.attention / found.gru,
            share=100 * parts(length, width)[1] / sum(parts(length, width)),
            **{name: _written(count) for name, count in found._asdict().items()},
        )
        more = (found.attention >= found.gru) + (found.attention > found.gru)
        return Finding(sentence, ANSWERS[more])


def counts(length: int, width: int) -> dict[str, Counts]:
    """What one layer over `length` words of `width` numbers needs, by what is counted.

    Multiply-adds are those of matrix products alone: a GRU has six matrices of D × D, two gates and
    a proposal times input and state; a convolution one for each word that it sees. The path leads
    from the first word to the last in a causal layer, where a word sees only itself and those
    before it.
    Numbers kept are attention weights, or the state; one pair of words is one weight.

    After Table 1 of Vaswani et al. (2017), with constant factors.
    """
    projections, pairs = parts(length, width)
    seen = min(length, WINDOW)
    return {
        MULTIPLY_ADDS: Counts(
            attention=projections + pairs,
            gru=6 * length * width**2,
            convolution=KERNEL * length * width**2,
            window=projections + 2 * length * seen * width,
        ),
        STEPS: Counts(attention=1, gru=length, convolution=1, window=1),
        PATH: Counts(
            attention=1,
            gru=length,
            convolution=math.ceil((length - 1) / (KERNEL - 1)),
            window=math.ceil((length - 1) / (WINDOW - 1)),
        ),
        KEPT: Counts(attention=length**2, gru=width, convolution=0, window=length * seen),
    }


def parts(length: int, width: int) -> tuple[int, int]:
    """Multiply-adds of self-attention: of its four projections; of scores and weighted values."""
    return 4 * length * width**2, 2 * length**2 * width


def _ratio(length: int, width: int) -> str:
    if length < width:
        return f"n = D/{width // length}"
    return "n = D" if length == width else f"n = {length // width}D"


def _written(count: int) -> str:
    """Up to a million as it is, then with three digits: 69.8 billion."""
    if count < 10**6:
        return f"{count:,}"
    return f"{count / 10**6:.3g} million" if count < 10**9 else f"{count / 10**9:.3g} billion"


def _pixels(count: int, compared: str) -> int:
    """From the left end of the axis; a bar that begins there is seen, too."""
    low, *_, high = AXES[compared]
    return max(round(WIDTH * (math.log10(count) - low) / (high - low)), 2)


def _axis(compared: str) -> Frame:
    """What is counted, powers of ten, and a mark in each row for each of them."""
    axis = AXES[compared]
    low, *_, high = axis
    rows = [(_FIRST, 4, _ROW, _THICK)]
    if compared == MULTIPLY_ADDS:
        rows.append((_PART, 2, _NEXT, _THIN))
    svg = text(0, 12, compared, weight=600)
    for power in axis:
        x = WIDTH * (power - low) / (high - low)
        if (high - power) % 2 == 0 or len(axis) < 8:
            anchor = {low: None, high: "end"}.get(power, "middle")
            svg += text(x, 32, "10" + str(power).translate(_RAISED), anchor, colour=QUIET)
        for y, number, step, thick in rows:
            top = y + _DOWN - 2
            ends = [(x, top), (x, top + number * step)]
            svg += line(ends, NEUTRAL, 1, f"{thick + 4} {step - thick - 4}")
    return Frame("", svg)


def _formulas(length: int, compared: str) -> Frame:
    """Names of the rows, with what is counted there."""
    seen = "n" if length <= WINDOW else str(WINDOW)
    formulas = {
        MULTIPLY_ADDS: ("4nD² + 2n²D", "6nD²", f"{KERNEL}nD²", f"4nD² + 2n·{seen}·D"),
        STEPS: ("1", "n", "1", "1"),
        PATH: ("1", "n", f"⌈(n − 1)/{KERNEL - 1}⌉", f"⌈(n − 1)/{WINDOW - 1}⌉"),
        KEPT: ("n²", "D", "none", f"n·{seen}"),
    }[compared]
    rows = list(zip(NAMES, formulas, strict=True))
    svg = "".join(_named(_FIRST + _ROW * place, *row) for place, row in enumerate(rows))
    words = ", ".join(f"{name} ({formula})" for name, formula in rows)
    return Frame(f"{compared}: {words}", svg)


def _named(y: int, name: str, formula: str) -> str:
    return text(0, y, name) + text(_FORMULA, y, formula, colour=QUIET)


def _row(place: int, length: int, width: int, compared: str) -> Frame:
    """The number of one kind of layer, marked where it is the smallest, and its bar."""
    found, y = counts(length, width)[compared], _FIRST + _ROW * place
    count, fewest = found[place], found[place] == min(found)
    number = f"{'fewest: ' * fewest}{_written(count)}"
    svg = text(WIDTH, y, number, "end", 600 if fewest else None)
    if count:
        colour = NEUTRAL if place else INK
        svg += bar(0, y + _DOWN, _pixels(count, compared), _THICK, colour)
    return Frame(f"{NAMES[place]}: {_written(count)}{', fewest' * fewest}", svg)


def _covered() -> Frame:
    """In place of what would tell the answer."""
    rows = [_FIRST + _ROW * place + _DOWN + _THICK for place in (0, 3)]
    svg = "".join(text(2, y, "covered until you predict", colour=QUIET) for y in rows)
    return Frame(f"{NAMES[0]} and {NAMES[3]}: covered", halo(svg))


def _below(compared: str) -> Frame:
    """The names of self-attention's parts, or where it has none, a word on what is compared."""
    if compared in NOTES:
        first, second = NOTES[compared]
        return Frame(f"{first} {second}", text(0, _PART - 20, first) + text(0, _PART, second))
    names = [_named(_PART + _NEXT * place, *part) for place, part in enumerate(PARTS)]
    return Frame("", text(0, _PART - 20, "in self-attention:", weight=600) + "".join(names))


def _part(place: int, length: int, width: int, compared: str) -> Frame:
    """The number of one part of self-attention's multiply-adds, and its bar."""
    if compared != MULTIPLY_ADDS:
        return Frame("", "")
    count, y = parts(length, width)[place], _PART + _NEXT * place
    filled = bar(0, y + _DOWN, _pixels(count, compared), _THIN, (NEUTRAL, KEY)[place])
    words = f"{PARTS[place][0]} in self-attention: {_written(count)}"
    return Frame(words, text(WIDTH, y, _written(count), "end") + filled)
