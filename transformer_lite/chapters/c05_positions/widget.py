"""Chapter 05: a position on six dials and in six bits, and what a shift does to both."""

import math
from collections.abc import Sequence

from transformer_lite.palette import KEY, NEUTRAL, QUERY
from transformer_lite.widgets.drawing import (
    CARD,
    INK,
    QUIET,
    Number,
    area,
    bars,
    decimal,
    dot,
    halo,
    line,
    text,
)
from transformer_lite.widgets.frames import (
    Finding,
    Frame,
    FrameWidget,
    Layer,
    Picture,
    Question,
    Slider,
)

DIALS = 6
POSITIONS, SHIFTS = range(32), range(17)
# Slow ones first, as the bits of a number are written. The formula of the paper with 64 for 10000,
# at width 12: 64^(−2i/12) = 1 / 2^i, so that dials slow down as bits do.
FREQUENCIES = [1 / 2**place for place in reversed(range(DIALS))]
NAMES = [*(f"1/{2**place}" for place in reversed(range(1, DIALS))), "1"]
NONE = "none"
ANSWERS = ("ω = 1", "ω = 1/2", "ω = 1/4", "a slower one", NONE)
# In pixels: from column to column, from the top to the middle of a dial, and its radius.
_STEP, _MIDDLE, _RADIUS = 46, 46, 20
_COLUMNS = [86 + _STEP * column for column in range(DIALS)]
_TURNS, _HERE, _THERE, _FLIPS = 88, 116, 146, 170  # lines of words
# The profile: its left and right end, products of 0 and 6, the height of its title.
_LEFT, _RIGHT, _ZERO, _SIX, _TITLE = 30, 316, 298, 232, 206


class PositionDials(FrameWidget):
    """Predict, then see, what a shift does to a position on dials, and to the same one in bits.

    Each dial is one pair of the sinusoidal encoding, at width 12 with the base 64: its hand stands
    at (cos ωt, sin ωt). What the reader chose can be read back and set: `position` (t), `shift`
    (k), `prediction` (one of `ANSWERS`; None before there is one), and `ask` (hide the answer).

    Args:
        state: initial values of the names above, such as `shift=6`.

    Raises:
        traitlets.TraitError: a value of `state` is outside its range.
    """

    heading = "A position on six dials and in six bits"
    position = Slider("Position t", POSITIONS, 3)
    shift = Slider("Shift k", SHIFTS, 6)
    prediction = Question(
        "Predict: on which dial do the hands of t and t + k point furthest apart?", ANSWERS
    )

    def pictures(self) -> list[Picture]:
        """Dials, bits below them, and the product of two encodings over their distance."""
        layers = [
            Layer(_dials),
            Layer(lambda position: _hands("t", position, 6, QUERY)),
            Layer(lambda position, shift: _hands("t + k", position + shift, 3, KEY), False),
            Layer(_turns, False),
            Layer(_covered, True),
            Layer(lambda position: _bits("t", position, _HERE, QUERY)),
            Layer(lambda position, shift: _bits("t+k", position + shift, _THERE, KEY)),
            Layer(_flips),
            Layer(_profile),
            Layer(_marker),
        ]
        return [Picture(_ZERO + 42, layers)]

    def finding(self, shift: int) -> Finding:
        """The dial whose hands are furthest apart, and the product: both the same for every t."""
        if not shift:
            return Finding("Without a shift all hands agree, and each dial adds 1: 6 in all.", NONE)
        turns = _all_turns(shift)
        apart = [abs(turn - round(turn)) for turn in turns]
        furthest = apart.index(max(apart))
        return Finding(
            f"At every t the hands of ω = {NAMES[furthest]} are furthest apart, after "
            f"{turns[furthest]:.2f} turns, and the product is {decimal(product(shift), 2)}. Which "
            "bits flip depends on t: move it.",
            f"ω = {NAMES[furthest]}",
        )


def product(shift: int) -> float:
    """PE(t) · PE(t + k), for every t: each dial adds the cosine of the angle that it turned by."""
    return sum(math.cos(frequency * shift) for frequency in FREQUENCIES)


def _all_turns(shift: int) -> list[float]:
    return [frequency * shift / math.tau for frequency in FREQUENCIES]


def _digits(number: int) -> str:
    return f"{number:0{DIALS}b}"


def _name(name: str, y: Number) -> str:
    return text(0, y, name, colour=QUIET)


def _row(name: str, y: Number, words: Sequence[str]) -> str:
    """A word below each dial, with the name of the row in front."""
    columns = zip(_COLUMNS, words, strict=True)
    return _name(name, y) + "".join(text(x, y, word, "middle") for x, word in columns)


def _dials() -> Frame:
    """Frequencies, faces, and which hand is which."""
    faces = [
        dot(x, _MIDDLE, radius, colour)
        for x in _COLUMNS
        for radius, colour in ((_RADIUS + 1.5, NEUTRAL), (_RADIUS + 0.5, CARD), (3, NEUTRAL))
    ]
    key = _name("wide t", _MIDDLE - 3) + _name("thin t+k", _MIDDLE + 15)
    return Frame(f"dials of ω = {', '.join(NAMES)}", _row("ω", 14, NAMES) + key + "".join(faces))


def _hands(name: str, position: int, thickness: Number, colour: str) -> Frame:
    """A hand on each dial at (cos ωt, sin ωt), counterclockwise from the right: one shape."""
    points: list[tuple[Number, Number]] = []
    for x, frequency in zip(_COLUMNS, FREQUENCIES, strict=True):
        across, up = math.cos(frequency * position), math.sin(frequency * position)
        tip = x + _RADIUS * across, _MIDDLE - _RADIUS * up
        left = tip[0] - thickness * up / 2, tip[1] - thickness * across / 2
        right = tip[0] + thickness * up / 2, tip[1] + thickness * across / 2
        points += [(x, _MIDDLE), left, right, (x, _MIDDLE)]
    degrees = ", ".join(f"{math.degrees(one * position) % 360:.0f}°" for one in FREQUENCIES)
    return Frame(f"hands at {name} = {position}: {degrees}", area(points, colour))


def _turns(shift: int) -> Frame:
    """By how much each hand turned: t is not asked for."""
    words = [f"{turn:.2f}" for turn in _all_turns(shift)]
    return Frame(f"turns between: {', '.join(words)}", _row("turns", _TURNS, words))


def _covered() -> Frame:
    words = text(_COLUMNS[0] - 16, _TURNS, "covered until you predict", colour=QUIET)
    return Frame("hands at t + k: covered", words)


def _bits(name: str, position: int, y: int, colour: str) -> Frame:
    """A number in binary, with a bar below each 1."""
    digits, title = _digits(position), f"{name} = {position}"
    lamps = bars(_COLUMNS[0] - 14, y + 8, _STEP, 28, [4 * int(digit) for digit in digits], colour)
    written = text(_COLUMNS, y, digits, "middle")
    return Frame(f"{title}, bits {digits}", _name(title, y) + written + lamps)


def _flips(position: int, shift: int) -> Frame:
    """A mark below each bit that differs."""
    different = _digits(position ^ (position + shift))
    places = [x for x, digit in zip(_COLUMNS, different, strict=True) if digit == "1"]
    marks = text(places, _FLIPS, "×" * len(places), "middle")
    return Frame(f"bits that flip: {len(places)}", _name("flips", _FLIPS) + marks)


def _place(shift: int) -> tuple[Number, Number]:
    """Pixels of a point of the profile."""
    across = _LEFT + (_RIGHT - _LEFT) * shift / SHIFTS[-1]
    return across, _ZERO - (_ZERO - _SIX) * product(shift) / DIALS


def _profile() -> Frame:
    """The product over the shift, with its axes."""
    parts = [
        text(0, _TITLE, "PE(t) · PE(t + k), the same for every t", weight=600),
        line([(_LEFT, _ZERO), (_RIGHT, _ZERO)], NEUTRAL, 1),
        line([(_LEFT, _SIX), (_RIGHT, _SIX)], NEUTRAL, 0.5, "2 3"),
        text(_LEFT - 8, _ZERO + 5, "0", "end", colour=QUIET),
        text(_LEFT - 8, _SIX + 5, str(DIALS), "end", colour=QUIET),
        *(
            text(_place(shift)[0], _ZERO + 32, tick, "middle", colour=QUIET)
            for shift, tick in zip(SHIFTS[::4], ("k = 0", "4", "8", "12", "16"), strict=True)
        ),
        line([*map(_place, SHIFTS)], INK, 1.5),
    ]
    return Frame("", "".join(parts))


def _marker(shift: int) -> Frame:
    """The chosen shift on the profile."""
    (x, y), number = _place(shift), decimal(product(shift), 2)
    words = text(x, y - 10, number, "middle", 600)
    return Frame(f"PE(t) · PE(t + {shift}) = {number}", dot(x, y, 5, KEY) + halo(words))
