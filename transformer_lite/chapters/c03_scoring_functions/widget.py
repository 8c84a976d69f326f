"""Chapter 03: a softmax over dot products, at any temperature and scaled, side by side."""

import math
from dataclasses import dataclass
from typing import Any

import torch

from transformer_lite.palette import KEY, NEUTRAL, OUTPUT
from transformer_lite.widgets.drawing import QUIET, Number, bars, decimal, line, text
from transformer_lite.widgets.frames import (
    Finding,
    Frame,
    FrameWidget,
    Layer,
    Picture,
    Question,
    Slider,
)

KEYS = 8
WIDTHS = (4, 8, 16, 32, 64, 128, 256, 512)
# As they are written, with their squares: all widths, so that there is a match for each of them.
TEMPERATURES = {
    1: 1, 2: 4, 2.83: 8, 4: 16, 5.66: 32, 8: 64, 11.31: 128, 16: 256, 22.63: 512, 32: 1024,
}  # fmt: skip
BOUNDS = (0.25, 0.5, 0.9)
BANDS = ("below 0.25", "0.25 to 0.5", "0.5 to 0.9", "above 0.9")
SEED = 3
FARTHEST = 60  # the axis of the energies goes from -60 to 60, whatever the controls say
_STARTS, _SIDE = {"unscaled": 0, "scaled": 180}, 160  # of the two halves, and their width
# In pixels: the axis of the energies, weight 0, how high weight 1 is, and from key to key.
_ENERGIES, _ZERO, _TALLEST, _STEP = 50, 208, 100, 18


@dataclass(frozen=True)
class Attention:
    """What a query makes of eight keys: `energies` as the softmax gets them, and `weights`."""

    energies: tuple[float, ...]
    weights: tuple[float, ...]

    @property
    def largest(self) -> float:
        """The largest weight."""
        return max(self.weights)

    @property
    def entropy(self) -> float:
        """0 when one key has all the weight, ln 8 = 2.08 when all have the same."""
        return float(torch.special.entr(torch.tensor(self.weights, dtype=torch.float64)).sum())


class SoftmaxExplorer(FrameWidget):
    """Predict, then see, how width and temperature change a softmax, beside the scaled one.

    One query and eight keys are drawn once, with independent standard normal components; a width d
    takes the first d of them. What the reader chose can be read back and set: `width` (d),
    `temperature` (one of `TEMPERATURES`, of the unscaled side alone), `prediction` (one of `BANDS`;
    None before there is one), and `ask` (hide the answer).

    Args:
        state: initial values of the names above, such as `width=512`.

    Raises:
        traitlets.TraitError: a value of `state` is outside its range.
    """

    heading = "Softmax of dot products: unscaled and scaled"
    width = Slider("Width d of query and keys", WIDTHS, 64)
    temperature = Slider("Temperature of the unscaled side", tuple(TEMPERATURES), 1)
    prediction = Question("Predict: how large is the largest unscaled weight?", BANDS)

    def __init__(self, **state: Any) -> None:
        generator = torch.Generator().manual_seed(SEED)
        drawn = torch.randn(1 + KEYS, WIDTHS[-1], generator=generator, dtype=torch.float64)
        self._query, self._keys = drawn[0], drawn[1:]
        super().__init__(**state)

    @property
    def unscaled(self) -> Attention:
        """Energies q · k / τ and their weights, at the setting that is chosen."""
        return self._unscaled(self.width, self.temperature)

    @property
    def scaled(self) -> Attention:
        """Energies q · k / √d and their weights, at the width that is chosen."""
        return self._scaled(self.width)

    def pictures(self) -> list[Picture]:
        """Energies above, weights below; unscaled on the left, scaled on the right."""
        left, right = self._unscaled, self._scaled
        layers = [
            Layer(_axes),
            Layer(lambda width, temperature: _energies("unscaled", left(width, temperature))),
            Layer(lambda width, temperature: _weights("unscaled", left(width, temperature)), False),
            Layer(lambda width: _energies("scaled", right(width))),
            Layer(lambda width: _weights("scaled", right(width)), False),
            Layer(_covered, True),
        ]
        return [Picture(_ZERO + 60, layers)]

    def finding(self, width: int, temperature: float) -> Finding:
        """Both largest weights, and the band of the unscaled one."""
        unscaled, scaled = self._unscaled(width, temperature), self._scaled(width)
        more = f"Equal weights would be {1 / KEYS}."
        if unscaled == scaled:
            more = f"Both sides are now the same: the temperature is √d = √{width}."
        return Finding(
            f"The largest weight is {decimal(unscaled.largest, 2)} unscaled and "
            f"{decimal(scaled.largest, 2)} scaled. {more}",
            # 0.498 is written 0.50, and must not be said to lie below it.
            BANDS[sum(round(unscaled.largest, 2) >= bound for bound in BOUNDS)],
        )

    def _unscaled(self, width: int, temperature: float) -> Attention:
        return self._attend(width, TEMPERATURES[temperature])

    def _scaled(self, width: int) -> Attention:
        return self._attend(width, width)

    def _attend(self, width: int, square: int) -> Attention:
        """Divided by the root of `square`."""
        energies = self._keys[:, :width] @ self._query[:width] / math.sqrt(square)
        return Attention(tuple(energies.tolist()), tuple(energies.softmax(0).tolist()))


def _energies(side: str, attention: Attention) -> Frame:
    """A mark for each key on the axis of the energies; what joins them is their range."""
    marks = []
    for energy in sorted(attention.energies):
        x = _STARTS[side] + _SIDE / 2 * (1 + energy / FARTHEST)
        marks += [(x, _ENERGIES), (x, _ENERGIES - 14), (x, _ENERGIES)]
    words = ", ".join(decimal(energy, 1) for energy in attention.energies)
    return Frame(f"{side} energies: {words}", line(marks, KEY, 2))


def _weights(side: str, attention: Attention) -> Frame:
    """A bar for each key, and two numbers for all of them."""
    start, heights = _STARTS[side], [_TALLEST * weight for weight in attention.weights]
    largest = f"largest weight {decimal(attention.largest, 2)}"
    entropy = f"entropy {decimal(attention.entropy, 2)} of {math.log(KEYS):.2f}"
    parts = [
        bars(_across(start, 0), _ZERO, _STEP, 14, heights, OUTPUT),
        text(start, _ZERO + 38, largest),
        text(start, _ZERO + 56, entropy),
    ]
    words = ", ".join(f"{weight:.2f}" for weight in attention.weights)
    return Frame(f"{side} weights: {words}; {largest}; {entropy}", "".join(parts))


def _across(start: int, key: int) -> Number:
    """Where the bar of a key begins."""
    return start + 16 + _STEP * key


def _axes() -> Frame:
    """Titles and axes of both halves, which never change."""
    parts = []
    for start, title in zip(
        _STARTS.values(), ("unscaled: q · k / τ", "scaled: q · k / √d"), strict=True
    ):
        end = start + _SIDE
        parts += [
            text(start, 12, title, weight=600),
            line([(start, _ENERGIES), (end, _ENERGIES)], NEUTRAL, 1),
            text(start, _ENERGIES + 14, f"−{FARTHEST}", colour=QUIET),
            text(start + _SIDE / 2, _ENERGIES + 14, "energies", "middle", colour=QUIET),
            text(end, _ENERGIES + 14, str(FARTHEST), "end", colour=QUIET),
            text(start, 88, "weights, from 0 to 1", colour=QUIET),
            text(start, _ZERO - _TALLEST + 8, "1", colour=QUIET),
            text(start, _ZERO, "0", colour=QUIET),
            line([(start + 12, _ZERO - _TALLEST), (end, _ZERO - _TALLEST)], NEUTRAL, 0.5, "2 3"),
            line([(start + 12, _ZERO), (end, _ZERO)], NEUTRAL, 1),
            *(
                text(_across(start, key) + 7, _ZERO + 14, str(key + 1), "middle", colour=QUIET)
                for key in range(KEYS)
            ),
        ]
    return Frame("", "".join(parts))


def _covered() -> Frame:
    covered = text(96, _ZERO - 44, "covered until you predict", colour=QUIET)
    return Frame("weights: covered", covered)
