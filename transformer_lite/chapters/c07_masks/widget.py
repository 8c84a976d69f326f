"""Chapter 07: paint who may look at whom; weights, gradients and paths follow."""

import math
from collections.abc import Callable, Sequence
from itertools import product
from textwrap import wrap
from typing import Any, NamedTuple

import torch
import traitlets
from torch import Tensor

from transformer_lite.attention import scaled_dot_product_attention
from transformer_lite.masks import causal_mask
from transformer_lite.palette import MASK, NEUTRAL, OUTPUT
from transformer_lite.widgets.base import StillWidget, front_end
from transformer_lite.widgets.drawing import INK, QUIET, bar, card, label, text
from transformer_lite.widgets.frames import WIDTH, Question, Slider

HEAD = 3  # of the encoder's first layer, from 0: the one that looks from "wears" to "hat"
SIZES = range(4, 7)  # tokens: a page carries what each row shows under each of its 2**T masks
ROW, COLUMN = 4, 2  # from 1: the cell that the question forbids
ANSWERS = ("that weight", "its row", "its column", "all weights")
BECAUSE = "Each row has a softmax of its own, which shares 1 among those that are left."
TITLES = ("gradients", "paths, 2 layers", "paths, 3 layers")
# In pixels: from cell to cell, a square at least and at most, and the left ends of both maps.
_CELL, _SMALLEST, _LARGEST, _LEFTS = 23, 3, 19, (54, 202)
_TOP, _HEIGHT = 70, 232  # of the maps, and of the picture
_MARGIN, _LINE, _LETTERS = 20, 20, 38  # of the still picture; as many letters fit one of its lines
_MAY, _MAY_NOT = NEUTRAL + "30", MASK + "b0"  # cells; a square is to be seen on both

Attend = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


class _Row(NamedTuple):
    """What a token that asks shows under one row of a mask: a number for each that answers."""

    weights: list[float]
    gradients: list[float]
    told: str


# `Any`: a chapter's folder imports nothing that loads models.
def one_head(translator: Any, sentence: str) -> tuple[list[str], Tensor, Attend]:
    """What a `MaskPainter` needs: one head of a model's first encoder layer, with a sentence.

    Args:
        translator: a `Translator` of a Transformer that has four heads, such as "pocket".
        sentence: known words only, as for `Translator.explain`.
    """
    attention, given = translator.model.encoder.layers[0].self_attention, []
    hook = attention.register_forward_pre_hook(lambda _, inputs: given.append(inputs[0]))
    try:
        tokens = translator.explain(sentence).source_tokens
    finally:
        hook.remove()

    def attend(x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        projected = attention.query(x), attention.key(x), attention.value(x)  # T D each
        query, key, value = (attention.split(one[None])[0, HEAD] for one in projected)  # T K each
        return scaled_dot_product_attention(query, key, value, mask)

    return tokens, given[0][0].clone(), attend  # a clone: inference keeps no gradients


class MaskPainter(StillWidget):
    """Paint a mask: the weights follow, and how strongly each output depends on each input.

    The second map has ‖∂oₜ/∂xᵤ‖, the Frobenius norm, where x makes queries, keys and values. With
    two or three `layers` it has the paths instead: each layer goes from u to t where the mask
    allows it, and along the residual connection. What the reader chose can be read back and set:
    `mask` (T lists of T booleans, True = may attend), `row` (the one that is put in words, from 1),
    `layers`, `prediction` (one of `ANSWERS`; None before there is one), and `ask`: as long as it is
    True, the page shows the look-ahead mask and asks.

    Args:
        tokens: T tokens.
        x: Float[T, D], their vectors.
        attend: from x and a mask Bool[T, T] to outputs and weights, as those of
            `scaled_dot_product_attention`; each row depends on its own row of the mask alone.
        state: initial values of the names above, such as `ask=False`.

    Raises:
        ValueError: T is none of `SIZES`, or x does not fit it.
        traitlets.TraitError: a value of `state` is outside its range.
    """

    _esm, _css = front_end(__file__)

    heading = "Paint a mask: who may look at whom?"
    layers = Slider("Layers", (1, 2, 3), 1)
    mask = traitlets.TraitType[Any, Any](help="Bool[T, T], True = may attend").tag(sync=True)
    ask = traitlets.Bool(True, help="whether the answer waits for a prediction").tag(sync=True)
    shown = traitlets.Dict(help="words, pictures and numbers for the page").tag(sync=True)
    row: int

    def __init__(self, tokens: Sequence[str], x: Tensor, attend: Attend, **state: Any) -> None:
        size = len(tokens)
        if size not in SIZES or x.shape[:-1] != (size,):
            raise ValueError(
                f"there must be {SIZES[0]} to {SIZES[-1]} tokens and a row of x for each, but "
                f"there are {size} tokens, and x has the shape {tuple(x.shape)}"
            )
        self._names = [
            label(token, 6) if tokens.count(token) == 1 else f"{label(token, 4)} {place}"
            for place, token in enumerate(tokens, start=1)
        ]
        self._rows = _all_rows([label(token) for token in tokens], self._names, x, attend)
        self._strongest = max(max(row.gradients) for row in self._rows)
        asks, answers = self._names[ROW - 1], self._names[COLUMN - 1]
        legend = f"You also forbid {asks} to look at {answers} (?). Predict: which weights change?"
        self.add_traits(
            row=Slider("Row", range(1, size + 1), ROW), prediction=Question(legend, ANSWERS)
        )
        presets = _presets(size)
        shown = {
            "heading": self.heading,
            "names": self._names,
            "presets": presets,
            "question": {"legend": legend, "values": ANSWERS, "right": ANSWERS[1]},
            "because": BECAUSE,
            "asked": (ROW - 1, COLUMN - 1),
            # Each as one string: a notebook would store a list with a line for each number.
            "weights": " ".join(f"{number:g}" for row in self._rows for number in row.weights),
            "gradients": " ".join(f"{number:g}" for row in self._rows for number in row.gradients),
            "told": "\n".join(row.told for row in self._rows),
            "strongest": self._strongest,
            "titles": TITLES,
            "picture": {"width": WIDTH, "height": _HEIGHT, "axes": self._axes()},
            "cells": {"step": _CELL, "ends": (_SMALLEST, _LARGEST), "lefts": _LEFTS, "top": _TOP},
            "colours": {"cells": (_MAY_NOT, _MAY), "squares": (OUTPUT, INK)},
        }
        super().__init__(**{"mask": presets["look-ahead"], **state}, shown=shown)

    @traitlets.validate("mask")
    def _check_mask(self, proposal: Any) -> list[list[bool]]:
        mask, size = proposal["value"], len(self._names)
        rows = [row for row in mask if isinstance(row, list)] if isinstance(mask, list) else []
        if [len(row) for row in rows if all(isinstance(one, bool) for one in row)] != size * [size]:
            raise traitlets.TraitError(
                f"mask must be {size} lists of {size} booleans, True = may attend, but it is "
                f"{mask!r:.60}; a tensor gives such lists by .tolist()"
            )
        return rows

    def words(self) -> str:
        """The weights of each row, and what its output depends on."""
        rows, title = self._now(), f"{TITLES[self.layers - 1]} not 0"
        linked = [
            f"{name}: {_listed(self._names, row)}"
            for name, row in zip(self._names, self._links(), strict=True)
        ]
        return "\n".join([*(row.told for row in rows), f"{title}: {'; '.join(linked)}"])

    def finding(self) -> str:
        """What the chosen row sees, and what its output depends on."""
        told, links = self._now()[self.row - 1].told, self._links()
        if self.layers > 1:
            heard = _listed(self._names, links[self.row - 1])
            return f"{told} After {self.layers} layers it hears from {heard}."
        zeros = sum(row.count(0) for row in links)
        return f"{told} {zeros} of {len(links) ** 2} gradients are exactly 0."

    def still(self) -> str:
        """The present mask with its weights, and with its gradients or paths."""
        weights, strongest = [row.weights for row in self._now()], self._strongest
        parts = [
            f"<g transform='translate({_MARGIN} {_MARGIN})'>",
            self._axes(),
            text(_LEFTS[1], 12, TITLES[self.layers - 1], weight=600),
            self._map(_LEFTS[0], weights, 1, OUTPUT),
            self._map(_LEFTS[1], self._links(), 1 if self.layers > 1 else strongest, INK),
            "</g>",
        ]
        lines = wrap(self.finding(), _LETTERS)
        y = 2 * _MARGIN + _HEIGHT
        parts += [text(_MARGIN, y + _LINE * n, line, weight=600) for n, line in enumerate(lines)]
        return card(WIDTH + 2 * _MARGIN, y + _LINE * len(lines), parts)

    def __repr__(self) -> str:
        return f"MaskPainter(mask={self.mask!r}, row={self.row}, layers={self.layers})"

    def _now(self) -> list[_Row]:
        codes = [int("".join(str(int(may)) for may in row), 2) for row in self.mask]
        return [self._rows[code * len(codes) + place] for place, code in enumerate(codes)]

    def _links(self) -> list[list[float]]:
        """From u (across) to t (down): the gradients; with layers, 1 where there is a path."""
        if self.layers == 1:
            return [row.gradients for row in self._now()]
        step = torch.tensor(self.mask).float() + torch.eye(len(self._names))  # T T
        paths: list[list[float]] = step.matrix_power(self.layers).clamp(max=1).tolist()
        return paths

    def _map(self, left: int, numbers: list[list[float]], largest: float, colour: str) -> str:
        """A cell for each pair; in it a square whose area is its number, as `widget.js` has it."""
        parts = []
        for t, u in product(range(len(numbers)), repeat=2):
            x, y = left + _CELL * u, _TOP + _CELL * t
            parts.append(bar(x, y, _CELL - 1, _CELL - 1, _MAY if self.mask[t][u] else _MAY_NOT))
            if number := numbers[t][u]:
                side = max(_SMALLEST, _LARGEST * math.sqrt(number / largest))
                start = (_CELL - 1 - side) / 2
                parts.append(bar(x + start, y + start, side, side, colour))
        return "".join(parts)

    def _axes(self) -> str:
        """Title of the weights, names of rows and columns, and what an empty cell means."""
        parts = [text(_LEFTS[0], 12, "weights", weight=600)]
        for place, name in enumerate(self._names):
            middle = _CELL * place + 16
            parts.append(text(0, _TOP + middle, name))
            parts += [text(left + middle, _TOP - 5, name, turn=-90) for left in _LEFTS]
        bottom = _TOP + _CELL * len(self._names) + 19
        return "".join([*parts, text(_LEFTS[0], bottom, "no square: exactly 0", colour=QUIET)])


def _presets(size: int) -> dict[str, list[list[bool]]]:
    """Masks by name, True = may attend."""
    places = torch.arange(size)
    everything, causal = torch.ones(size, size, dtype=torch.bool), causal_mask(size)
    masks = {
        "everything": everything,
        "padding": everything & (places < size - 2),  # as if the last two were padding
        "look-ahead": causal,
        "window": (places[:, None] - places).abs() <= 1,
        "prefix": causal | (places < 3),
        "empty row": everything & (places[:, None] != ROW - 1),
    }
    return {name: mask.tolist() for name, mask in masks.items()}


def _all_rows(tokens: Sequence[str], names: Sequence[str], x: Tensor, attend: Attend) -> list[_Row]:
    """Of each mask of one row, T rows: one for each token that asks under it.

    Masks are counted as binary numbers, their first column the highest digit. Numbers have three
    digits that count: only 0 is written as 0.
    """
    rows = []
    for one in product((False, True), repeat=len(names)):
        mask = torch.tensor(one).expand(len(names), -1)  # T T
        weights = attend(x, mask)[1]  # T T
        jacobian = torch.func.jacrev(lambda x, mask=mask: attend(x, mask)[0])(x)  # T N T D
        norms = jacobian.square().sum(dim=(1, 3)).sqrt()  # T T
        for place, numbers in enumerate(zip(weights.tolist(), norms.tolist(), strict=True)):
            given, moved = ([float(f"{number:.3g}") for number in row] for row in numbers)
            told = f"{tokens[place]} attends to {_listed(names, given, '{} {:.2f}')}."
            if not any(given):
                told = f"{tokens[place]} may attend to nothing: its weights and its output are 0."
            elif moved[place] and not one[place]:
                told += " It depends on itself all the same: its input makes its query."
            rows.append(_Row(given, moved, told))
    return rows


def _listed(names: Sequence[str], numbers: Sequence[float], form: str = "{}") -> str:
    """The names whose number is not 0."""
    named = zip(names, numbers, strict=True)
    return ", ".join(form.format(name, number) for name, number in named if number) or "nothing"
