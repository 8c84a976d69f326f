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
from transformer_lite.widgets.drawing import INK, QUIET, bar, card, label, line, text
from transformer_lite.widgets.frames import WIDTH, Choice, Question, Slider

HEAD = 3  # of the encoder's first layer, from 0: the one that looks from "wears" to "hat"
SIZE = 6  # tokens, T: a page carries what each row shows under each of its 2**T masks
ROW, COLUMN = 4, 2  # from 1: the cell that the question forbids
ANSWERS = ("that weight", "its row", "its column", "all weights")
BECAUSE = "Each row has a softmax of its own, which shares 1 among those that are left."
LAYERS = "With 2 or 3, each word also keeps its own vector."
TITLES = ("gradients", "paths, 2 layers", "paths, 3 layers")
# In pixels: from cell to cell, a square at least and at most, and the left ends of both maps.
_CELL, _SMALLEST, _LARGEST, _LEFTS = 23, 3, 19, (54, 202)
_TOP, _BOTTOM, _HEIGHT = 70, 227, 232  # of the maps, of the line below them, of the picture
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
    `mask` (T lists of T booleans, True = may attend), `row` (the one that is put in words, from 1;
    None: the mask is), `layers`, `prediction` (one of `ANSWERS`; None before there is one), and
    `ask`: as long as it is True, the page shows the look-ahead mask and asks.

    Args:
        tokens: T tokens, `SIZE` of them.
        x: Float[T, D], their vectors.
        attend: from x and a mask Bool[T, T] to outputs and weights, as those of
            `scaled_dot_product_attention`; each row depends on its own row of the mask alone.
        state: initial values of the names above, such as `ask=False`.

    Raises:
        ValueError: T is not `SIZE`, or x does not fit it.
        traitlets.TraitError: a value of `state` is outside its range.
    """

    _esm, _css = front_end(__file__)

    heading = "Paint a mask: who may look at whom?"
    row = Choice("Row", (None, *range(1, SIZE + 1)), None)
    layers = Slider("Layers", (1, 2, 3), 1)
    prediction = Question("Which weights change?", ANSWERS)
    mask = traitlets.TraitType[Any, Any](help="Bool[T, T], True = may attend").tag(sync=True)
    ask = traitlets.Bool(True, help="whether the answer waits for a prediction").tag(sync=True)
    shown = traitlets.Dict(help="words, pictures and numbers for the page").tag(sync=True)

    def __init__(self, tokens: Sequence[str], x: Tensor, attend: Attend, **state: Any) -> None:
        if len(tokens) != SIZE or x.shape[:-1] != (SIZE,):
            raise ValueError(
                f"there must be {SIZE} tokens and a row of x for each, but there are "
                f"{len(tokens)} tokens, and x has the shape {tuple(x.shape)}"
            )
        self._names = [
            label(token, 6) if tokens.count(token) == 1 else f"{label(token, 4)} {place}"
            for place, token in enumerate(tokens, start=1)
        ]
        self._rows = _all_rows([label(token) for token in tokens], self._names, x, attend)
        self._strongest = max(max(row.gradients) for row in self._rows)
        self._presets = _presets(self._names)
        asked = causal_mask(SIZE)
        asked[ROW - 1, COLUMN - 1] = False
        self._asked: tuple[list[list[bool]], ...] = (causal_mask(SIZE).tolist(), asked.tolist())
        before, after = (self._under(mask)[ROW - 1].weights for mask in self._asked)
        kept = [old for old, new in zip(before, after, strict=True) if new]
        listed = ", ".join(f"{old:.2f}" for old in kept)
        self._grown = f"Before: {listed}; each ×\u00a0{1 / sum(kept):.1f}."
        self._outlines = _outlines(before)
        asks, answers = self._names[ROW - 1], self._names[COLUMN - 1]
        legend = f"You also forbid {asks} to look at {answers} (?). Predict: which weights change?"
        shown = {
            "heading": self.heading,
            "names": self._names,
            "presets": self._presets,  # no dictionary: a notebook would sort it
            "question": {"legend": legend, "values": ANSWERS, "right": ANSWERS[1]},
            "because": BECAUSE,
            "asked": {"cell": (ROW - 1, COLUMN - 1), "masks": self._asked, "grown": self._grown},
            # Each as one string: a notebook would store a list with a line for each number.
            "weights": " ".join(f"{number:g}" for row in self._rows for number in row.weights),
            "gradients": " ".join(f"{number:g}" for row in self._rows for number in row.gradients),
            "told": "\n".join(row.told for row in self._rows),
            "strongest": self._strongest,
            "layers": {"titles": TITLES, "note": LAYERS},
            "picture": (f"0 0 {WIDTH} {_HEIGHT}", self._axes(), self._outlines),
            "cells": {"step": _CELL, "ends": (_SMALLEST, _LARGEST), "lefts": _LEFTS, "top": _TOP},
            "colours": {"cells": (_MAY_NOT, _MAY), "squares": (OUTPUT, INK)},
        }
        super().__init__(**{"mask": self._asked[0], **state}, shown=shown)

    @traitlets.validate("mask")
    def _check_mask(self, proposal: Any) -> list[list[bool]]:
        mask = proposal["value"]
        rows = [row for row in mask if isinstance(row, list)] if isinstance(mask, list) else []
        if [len(row) for row in rows if all(isinstance(one, bool) for one in row)] != SIZE * [SIZE]:
            raise traitlets.TraitError(
                f"mask must be {SIZE} lists of {SIZE} booleans, True = may attend, but it is "
                f"{mask!r:.60}; a tensor gives such lists by .tolist()"
            )
        return rows

    def words(self) -> str:
        """The weights of each row, and what its output depends on."""
        rows, title = self._under(self.mask), f"{TITLES[self.layers - 1]} not 0"
        linked = [
            f"{name}: {_listed(self._names, row)}"
            for name, row in zip(self._names, self._links(), strict=True)
        ]
        return "\n".join([*(row.told for row in rows), f"{title}: {'; '.join(linked)}"])

    def finding(self) -> str:
        """What the chosen row sees, or what the mask does, and what depends on what."""
        links, after = self._links(), f"After {self.layers} layers"
        zeros = f"{sum(row.count(0) for row in links)} of {SIZE**2}"
        if self.row is None:
            told = [says for _, mask, says in self._presets if mask == self.mask]
            none = f"{after} {zeros} pairs have no path."
            told.append(none if self.layers > 1 else f"{zeros} gradients are exactly 0.")
        else:
            told = [self._under(self.mask)[self.row - 1].told]
            if self.mask == self._asked[1] and self.row == ROW:
                told.append(self._grown)
            if self.layers > 1:
                told.append(f"{after} it hears from {_listed(self._names, links[self.row - 1])}.")
        return " ".join(told)

    def still(self) -> str:
        """The present mask with its weights, and with its gradients or paths."""
        weights, strongest = [row.weights for row in self._under(self.mask)], self._strongest
        parts = [
            f"<g transform='translate({_MARGIN} {_MARGIN})'>",
            self._axes(),
            text(_LEFTS[1], 12, TITLES[self.layers - 1], weight=600),
            self._map(_LEFTS[0], weights, 1, OUTPUT),
            self._map(_LEFTS[1], self._links(), 1 if self.layers > 1 else strongest, INK),
            self._outlines if self.mask == self._asked[1] else "",
            "</g>",
        ]
        lines = wrap(self.finding(), _LETTERS)
        y = 2 * _MARGIN + _HEIGHT
        parts += [text(_MARGIN, y + _LINE * n, line, weight=600) for n, line in enumerate(lines)]
        return card(WIDTH + 2 * _MARGIN, y + _LINE * len(lines), parts)

    def __repr__(self) -> str:
        return f"MaskPainter(mask={self.mask!r}, row={self.row}, layers={self.layers})"

    def _under(self, mask: list[list[bool]]) -> list[_Row]:
        codes = [int("".join(str(int(may)) for may in row), 2) for row in mask]
        return [self._rows[code * SIZE + place] for place, code in enumerate(codes)]

    def _links(self) -> list[list[float]]:
        """From u (across) to t (down): the gradients; with layers, 1 where there is a path."""
        if self.layers == 1:
            return [row.gradients for row in self._under(self.mask)]
        step = torch.tensor(self.mask).float() + torch.eye(SIZE)  # T T
        paths: list[list[float]] = step.matrix_power(self.layers).clamp(max=1).tolist()
        return paths

    def _map(self, left: int, numbers: list[list[float]], largest: float, colour: str) -> str:
        """A cell for each pair; in it a square whose area is its number, as `widget.js` has it."""
        parts = []
        for t, u in product(range(SIZE), repeat=2):
            x, y = left + _CELL * u, _TOP + _CELL * t
            parts.append(bar(x, y, _CELL - 1, _CELL - 1, _MAY if self.mask[t][u] else _MAY_NOT))
            if number := numbers[t][u]:
                start, side = _square(number / largest)
                parts.append(bar(x + start, y + start, side, side, colour))
        return "".join(parts)

    def _axes(self) -> str:
        """Title of the weights, names of rows and columns, and what an empty cell means."""
        parts = [text(_LEFTS[0], 12, "weights", weight=600)]
        for place, name in enumerate(self._names):
            middle = _CELL * place + 16
            parts.append(text(0, _TOP + middle, name))
            parts += [text(left + middle, _TOP - 5, name, turn=-90) for left in _LEFTS]
        return "".join([*parts, text(_LEFTS[0], _BOTTOM, "no square: exactly 0", colour=QUIET)])


def _presets(names: Sequence[str]) -> list[tuple[str, list[list[bool]], str]]:
    """Names, masks (True = may attend), and what they do."""
    places = torch.arange(SIZE)
    everything, causal = torch.ones(SIZE, SIZE, dtype=torch.bool), causal_mask(SIZE)
    nobody = f"{names[ROW - 1]} sees nobody: its weights and its output are 0."
    padded = f"As if the last two were padding: nobody sees {names[-2]} and {names[-1]}."
    presets = [
        ("everything", everything, "Everybody sees everybody."),
        ("look-ahead", causal, "Each word sees itself and those before it."),
        ("padding", everything & (places < SIZE - 2), padded),
        (
            "window",
            (places[:, None] - places).abs() <= 1,
            "Each word sees itself and its neighbours.",
        ),
        ("prefix", causal | (places < 3), "The first three see each other, the rest look back."),
        ("empty row", everything & (places[:, None] != ROW - 1), nobody),
    ]
    return [(name, mask.tolist(), says) for name, mask, says in presets]


def _square(share: float) -> tuple[float, float]:
    """Where a square whose area is a share of the largest begins in its cell, and its side."""
    side = max(_SMALLEST, _LARGEST * math.sqrt(share))
    return (_CELL - 1 - side) / 2, side


def _outlines(weights: Sequence[float]) -> str:
    """The sizes that the weights of the asked row had."""
    parts = [text(WIDTH, _BOTTOM, "outline: before", anchor="end", colour=QUIET)]
    for u, weight in enumerate(weights):
        if weight:
            start, side = _square(weight)
            left, top = _LEFTS[0] + _CELL * u + start, _TOP + _CELL * (ROW - 1) + start
            corners = [(0, 0), (side, 0), (side, side), (0, side), (0, 0)]
            parts.append(line([(left + x, top + y) for x, y in corners], INK, 1))
    return "".join(parts)


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
            elif not one[place] and sum(one) == 1:
                told += " It does not depend on itself: one key alone gets 1, whatever is asked."
            elif not one[place]:
                told += " It depends on itself all the same: its input makes its query."
            rows.append(_Row(given, moved, told))
    return rows


def _listed(names: Sequence[str], numbers: Sequence[float], form: str = "{}") -> str:
    """The names whose number is not 0."""
    named = zip(names, numbers, strict=True)
    return ", ".join(form.format(name, number) for name, number in named if number) or "nothing"
