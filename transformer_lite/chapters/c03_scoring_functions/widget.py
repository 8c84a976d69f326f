"""Chapter 03: a softmax over dot products, scaled and not, side by side."""

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from transformer_lite.palette import KEY, NEUTRAL, QUERY
from transformer_lite.widgets.drawing import QUIET, Number, bar, bars, decimal, line, text
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
TEMPERATURES = (0.5, 1, 2, 4, 8, 16)
BOUNDS = (0.25, 0.5, 0.9)
BANDS = ("below 0.25", "0.25 to 0.5", "0.5 to 0.9", "above 0.9")
SEED = 3
FARTHEST = 60  # the axis of the energies goes from -60 to 60, whatever the controls say
_STARTS, _SIDE = {"unscaled": 0, "scaled": 180}, 160  # of the two halves, and their width
# In pixels: the axis of the energies, weight 0, how high weight 1 is, and from key to key.
_ENERGIES, _ZERO, _TALLEST, _STEP = 50, 208, 100, 18


@dataclass(frozen=True)
class Attention:
    """What a query makes of eight keys: `energies` after any scaling, and the `weights`."""

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
    """Predict, then see, how the width of query and keys changes a softmax, scaled and unscaled.

    One query and eight keys are drawn once, with independent standard normal components; a width d
    takes the first d of them. What the reader chose can be read back and set: `width` (d),
    `temperature`, `prediction` (one of `BANDS`; None before there is one), and `ask` (hide the
    answer).

    Args:
        state: initial values of the names above, such as `width=512`.

    Raises:
        traitlets.TraitError: a value of `state` is outside its range.
    """

    heading = "Softmax of dot products: unscaled and scaled"
    width = Slider("Width d of query and keys", WIDTHS, 64)
    temperature = Slider("Temperature", TEMPERATURES, 1)
    prediction = Question("Predict: how large is the largest unscaled weight?", BANDS)

    def __init__(self, **state: Any) -> None:
        generator = torch.Generator().manual_seed(SEED)
        drawn = torch.randn(1 + KEYS, WIDTHS[-1], generator=generator, dtype=torch.float64)
        self._query, self._keys = drawn[0], drawn[1:]
        super().__init__(**state)

    @property
    def unscaled(self) -> Attention:
        """Energies q · k and their weights, at the setting that is chosen."""
        return self._attend("unscaled", self.width, self.temperature)

    @property
    def scaled(self) -> Attention:
        """Energies q · k / √d and their weights, at the setting that is chosen."""
        return self._attend("scaled", self.width, self.temperature)

    def pictures(self) -> list[Picture]:
        """Energies above, weights below; unscaled on the left, scaled on the right."""
        layers = [Layer(_axes)]
        for side in _STARTS:
            layers.append(Layer(partial(self._draw_energies, side)))
            layers.append(Layer(partial(self._draw_weights, side), ask=False))
        return [Picture(_ZERO + 60, [*layers, Layer(_covered, ask=True)])]

    def finding(self, width: int, temperature: float) -> Finding:
        """Both largest weights, and the band of the unscaled one."""
        unscaled, scaled = (self._attend(side, width, temperature).largest for side in _STARTS)
        return Finding(
            f"The largest weight is {decimal(unscaled, 2)} unscaled and {decimal(scaled, 2)} "
            f"scaled; equal weights would be {1 / KEYS}.",
            # 0.498 is written 0.50, and must not be said to lie below it.
            BANDS[sum(round(unscaled, 2) >= bound for bound in BOUNDS)],
        )

    def _attend(self, side: str, width: int, temperature: float) -> Attention:
        energies = self._keys[:, :width] @ self._query[:width]
        if side == "scaled":
            energies = energies / math.sqrt(width)
        weights = (energies / temperature).softmax(0)
        return Attention(tuple(energies.tolist()), tuple(weights.tolist()))

    def _draw_energies(self, side: str, width: int) -> Frame:
        """A mark for each key on the axis of the energies."""
        energies = self._attend(side, width, 1).energies
        marks = [
            bar(_STARTS[side] + _SIDE / 2 * (1 + energy / FARTHEST) - 1, _ENERGIES - 14, 2, 14, KEY)
            for energy in energies
        ]
        words = ", ".join(decimal(energy, 1) for energy in energies)
        return Frame(f"{side} energies: {words}", "".join(marks))

    def _draw_weights(self, side: str, width: int, temperature: float) -> Frame:
        """A bar for each key, and two numbers for all of them."""
        attention, start = self._attend(side, width, temperature), _STARTS[side]
        heights = [_TALLEST * weight for weight in attention.weights]
        largest, entropy = decimal(attention.largest, 2), decimal(attention.entropy, 2)
        parts = [
            bars(_across(start, 0), _ZERO, _STEP, 14, heights, QUERY),
            text(start, _ZERO + 38, f"largest weight {largest}"),
            text(start, _ZERO + 56, f"entropy {entropy} of {math.log(KEYS):.2f}"),
        ]
        words = ", ".join(f"{weight:.2f}" for weight in attention.weights)
        return Frame(
            f"{side} weights: {words}; largest {largest}; entropy {entropy} of "
            f"{math.log(KEYS):.2f}",
            "".join(parts),
        )


def _across(start: int, key: int) -> Number:
    """Where the bar of a key begins."""
    return start + 16 + _STEP * key


def _axes() -> Frame:
    """Titles and axes of both halves, which never change."""
    parts = []
    for start, title in zip(
        _STARTS.values(), ("unscaled: q · k", "scaled: q · k / √d"), strict=True
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
