"""The exercises of chapter 02, additive attention; what they say is in `mistakes.toml`."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from transformer_lite.exercises.exercise import Arguments, Exercise, Function, Symptom
from transformer_lite.exercises.families import (
    OF_ENERGIES,
    OF_HIDDEN_LAYER,
    batch_mixing,
    changes_with,
    close,
    meet,
    rows_not_one,
    same_with,
    tenths,
    turned,
)

Weights = dict[str, Tensor]

# ---- additive-energies: how well each encoder state fits the decoder's


def additive_energies(
    query: Float[Tensor, "B D"], keys: Float[Tensor, "B S N"], weights: Weights
) -> Float[Tensor, "B S"]:
    """vᵀ tanh(W query + U key) for every key, with W: A × D, U: A × N, v: A.

    Source: Bahdanau et al. 2015, appendix A.1.2.
    """
    energies = torch.zeros(keys.shape[:2])
    for row, state in enumerate(query):
        for position, key in enumerate(keys[row]):
            hidden = torch.tanh(weights["W"] @ state + weights["U"] @ key)
            energies[row, position] = (weights["v"] * hidden).sum()
    return energies


def _energy_cases(generator: torch.Generator) -> Iterator[Arguments]:
    """Widths that differ, and widths that agree, where a wrong product goes unnoticed."""
    draw = partial(tenths, generator, 15)
    sizes = [
        (1, 3, 2, 3, 2), (2, 3, 2, 2, 2), (2, 4, 3, 3, 3), (3, 3, 2, 4, 3), (4, 5, 3, 3, 5),
        (2, 6, 4, 3, 4),
    ]  # fmt: skip
    for rows, length, d_query, d_key, hidden in sizes:
        weights = {"W": draw(hidden, d_query), "U": draw(hidden, d_key), "v": draw(hidden)}
        yield draw(rows, d_query), draw(rows, length, d_key), weights


def _wrong_energies(
    query: Tensor,
    keys: Tensor,
    weights: Weights,
    matrices: str = "WU",
    turn: str = "transpose",
    axis_for_positions: bool = True,
    **hidden_layer: str,
) -> Tensor:
    """Other matrices for query and keys, or turned otherwise; another hidden layer."""
    of_query, of_keys = (turned(weights[name][None], turn)[0] for name in matrices)
    asked = query @ of_query
    if axis_for_positions:
        asked = asked[:, None]
    return meet(asked, keys @ of_keys, weights["v"], **hidden_layer)


ADDITIVE_ENERGIES = Exercise(
    additive_energies,
    _energy_cases,
    _wrong_energies,
    {
        **OF_HIDDEN_LAYER,
        "weights-transposed": [{"turn": "not"}],
        "weights-swapped": [{"matrices": names} for names in ("UW", "WW", "UU")],
        "query-along-positions": [{"axis_for_positions": False}],
    },
    (
        *OF_ENERGIES,
        same_with("v-ignored", lambda query, keys, w: (query, keys, w | {"v": w["v"] + 1})),
    ),
)

# ---- masked-weights: from energies to weights, with nothing for padding

LOWEST = torch.finfo(torch.float32).min


def masked_weights(
    energies: Float[Tensor, "B T S"], mask: Bool[Tensor, "B S"]
) -> Float[Tensor, "B T S"]:
    """Softmax over the real positions (True in mask) of every row, exactly 0 at the others."""
    weights = torch.zeros_like(energies)
    for row, real in enumerate(mask):
        for step in range(energies.shape[1] if real.any() else 0):
            seen = energies[row, step, real]
            shares = torch.exp(seen - seen.max())
            weights[row, step, real] = shares / shares.sum()
    return weights


def _weight_cases(generator: torch.Generator) -> Iterator[Arguments]:
    """Sentences of unequal length, one with no word at all; energies far from 0 and far apart.

    Within a sentence the energies of padding are close to those of words. So a softmax over both,
    divided afterwards by the sum over the words, is right, too.
    """
    sizes = [
        ([2, 3], 1, 3, 0), ([3], 2, 5, 0), ([3, 1], 2, 4, 0), ([2, 0], 2, 3, 0),
        ([3, 5, 1], 5, 5, 0), ([2, 4, 3], 3, 4, -20000), ([4, 2], 3, 5, 300),
    ]  # fmt: skip
    for lengths, steps, size, level in sizes:
        energies = tenths(generator, 20, len(lengths), steps, size)
        yield energies + level, torch.arange(size) < torch.tensor(lengths)[:, None]
    far_apart = torch.randint(-200, 201, (2, 2, 4), generator=generator).float()
    yield far_apart, torch.ones(2, 4, dtype=torch.bool)


HIDDEN: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "lowest": lambda energies, where: energies.masked_fill(where, LOWEST),
    "infinity": lambda energies, where: energies.masked_fill(where, -torch.inf),
    "a billion less": lambda energies, where: energies - 1e9 * where,
    "zero": lambda energies, where: energies * ~where,
    "not": lambda energies, where: energies,
}


def _wrong_weights(
    energies: Tensor,
    mask: Tensor,
    where: str = "padding",
    hidden: str = "lowest",
    emptied: bool = True,
    axis: int = -1,
) -> Tensor:
    """Something hidden before the softmax over an axis, and emptied after it; or not."""
    places = {
        "padding": ~mask[:, None],
        "words": mask[:, None],
        "padding of other sentences": ~mask,
        "steps": ~mask[:, :, None],
    }[where]
    weights = HIDDEN[hidden](energies, places).softmax(axis)
    return weights.masked_fill(places, 0.0) if emptied else weights


# The ways to hide something that people write.
HIDING: list[dict[str, Any]] = [
    {"hidden": hidden, "emptied": emptied}
    for hidden in ("lowest", "infinity", "a billion less")
    for emptied in (True, False)
] + [{"hidden": "not"}]

MASKED_WEIGHTS = Exercise(
    masked_weights,
    _weight_cases,
    _wrong_weights,
    {
        "softmax-over-queries": [
            {"axis": 1, **way} for way in [*HIDING, {"hidden": "not", "emptied": False}]
        ],
        "not-masked": [{"hidden": "not", "emptied": False}],
        "mask-after-softmax": [{"hidden": "not"}],
        "mask-inverted": [{"where": "words", **way} for way in HIDING],
        "energy-zero-at-padding": [{"hidden": "zero", "emptied": False}],
        "empty-row-nan": [{"hidden": "infinity", "emptied": False}],
        "empty-row-uniform": [{"emptied": False}],
        "mask-along-steps": [
            {"where": where, **way}
            for where in ("padding of other sentences", "steps")
            for way in HIDING
        ],
    },
    (
        Symptom(
            "padding-gets-weight",
            lambda arguments, value, answer: bool((value * ~arguments[1][:, None]).any()),
        ),
        rows_not_one(lambda energies, mask: mask.any(-1)),
        batch_mixing(2),
        changes_with("reads-padding", lambda energies, mask: (energies + ~mask[:, None], mask)),
    ),
)

# ---- context-vectors: the weighted sums of the encoder's states


def context_vectors(
    weights: Float[Tensor, "B T S"], values: Float[Tensor, "B S N"]
) -> Float[Tensor, "B T N"]:
    """For every step the sum of the values, each times its weight.

    Source: Bahdanau et al. 2015, equation 5.
    """
    contexts = torch.zeros(*weights.shape[:2], values.shape[2])
    for row, vectors in enumerate(values):
        for step, shares in enumerate(weights[row]):
            for share, vector in zip(shares, vectors, strict=True):
                contexts[row, step] += share * vector
    return contexts


def _context_cases(generator: torch.Generator) -> Iterator[Arguments]:
    """Weights in tenths; sizes that differ and that agree; padding, and a row that sees nothing."""
    sizes = [
        (1, 2, 3, 2), (2, 2, 2, 3), (1, 3, 3, 3), (3, 4, 5, 2), (2, 3, 4, 3), (3, 3, 3, 3),
    ]  # fmt: skip
    for rows, steps, length, width in sizes:
        weights = torch.empty(rows, steps, length)
        for row, sentence in enumerate(weights):
            real = max(length - row, 1)
            for step in range(steps):
                drawn = torch.randint(real, (10,), generator=generator)
                sentence[step] = torch.bincount(drawn, minlength=length) / 10
        if rows == 2:
            weights[1, -1] = 0.0
        yield weights, tenths(generator, 90, rows, length, width)


COMBINED: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "summed over positions": torch.matmul,
    "summed over steps": lambda shares, values: (shares[..., None] * values[:, None]).sum(1),
    "summed over width": lambda shares, values: (shares[..., None] * values[:, None]).sum(3),
    "not summed": lambda shares, values: shares[..., None] * values[:, None],
    "values along steps": lambda shares, values: (shares[..., None] * values[:, :, None]).sum(2),
    "values transposed": lambda shares, values: shares @ values.mT,
    "values first": lambda shares, values: values @ shares,
}


def _wrong_contexts(
    weights: Tensor,
    values: Tensor,
    shares: str = "weights",
    combined: str = "summed over positions",
) -> Tensor:
    """Other shares than the weights; shares and values combined in another way."""
    length = weights.shape[2]
    used = {
        "weights": weights,
        "mean": torch.full_like(weights, 1 / length),
        "sum": torch.ones_like(weights),
        "by column": weights.mT,
        "by length": weights / length,
        "softmax": weights.softmax(-1),
    }[shares]
    return COMBINED[combined](used, values)


def _leaves_the_range(arguments: Arguments, value: Any, answer: Function) -> bool:
    weights, values = arguments
    seen = weights.sum(-1, keepdim=True) > 0
    low, high = values.amin(1, keepdim=True) - 1e-4, values.amax(1, keepdim=True) + 1e-4
    return bool((seen & ((value < low) | (value > high))).any())


CONTEXT_VECTORS = Exercise(
    context_vectors,
    _context_cases,
    _wrong_contexts,
    {
        "weights-ignored": [{"shares": "mean"}, {"shares": "sum"}],
        "weights-transposed": [{"shares": "by column"}],
        "values-along-steps": [{"combined": "values along steps"}],
        "values-transposed": [{"combined": "values transposed"}],
        "operands-swapped": [{"combined": "values first"}],
        "not-summed": [
            {"combined": how} for how in ("not summed", "summed over steps", "summed over width")
        ],
        "divided-by-length": [{"shares": "by length"}],
        "softmax-again": [{"shares": "softmax"}],
    },
    (
        batch_mixing(2),
        # A value that no step gives a weight may be any other.
        changes_with(
            "reads-weight-zero",
            lambda weights, values: (weights, values + (weights == 0).all(1)[:, :, None]),
        ),
        changes_with("not-proportional", lambda weights, values: (weights, 2 * values), factor=2.0),
        Symptom("leaves-the-range", _leaves_the_range),
    ),
)

# ---- join-directions: both final states of a bidirectional encoder, side by side


def join_directions(last: Float[Tensor, "C B D"]) -> Float[Tensor, "L B E"]:
    """For every layer the forward state and behind it the backward state (C = 2L, E = 2D)."""
    layers = []
    for layer in range(len(last) // 2):
        forward, backward = last[2 * layer], last[2 * layer + 1]
        layers.append(torch.cat([forward, backward], dim=-1))
    return torch.stack(layers)


def _join_cases(generator: torch.Generator) -> Iterator[Arguments]:
    """One layer and several, one sentence and several; no number twice in one case."""
    for layers, rows, width in [(1, 2, 2), (2, 1, 2), (2, 2, 3), (1, 1, 3), (3, 2, 2), (2, 4, 4)]:
        shape = (2 * layers, rows, width)
        numbers = torch.randperm(199, generator=generator)[: 2 * layers * rows * width] - 99
        yield (numbers.reshape(shape) / 10,)


SIDES: dict[str, Callable[[Tensor], tuple[Tensor, ...]]] = {
    "every layer": lambda last: (last[::2], last[1::2]),
    "every layer, backward first": lambda last: (last[1::2], last[::2]),
    "halves": lambda last: last.chunk(2),
    "halves, backward first": lambda last: last.chunk(2)[::-1],
    "top": lambda last: (last[-2], last[-1]),
    "top alone": lambda last: (last[-2:-1], last[-1:]),
    "bottom": lambda last: (last[0], last[1]),
    "bottom alone": lambda last: (last[:1], last[1:2]),
}
ONE_LAYER = ("top", "top alone", "bottom", "bottom alone")
JOINED: dict[str, Callable[[tuple[Tensor, ...], int], Tensor]] = {
    "cat": torch.cat,
    "stack": torch.stack,
    "left": lambda sides, axis: sides[0],
    "right": lambda sides, axis: sides[1],
    "sum": lambda sides, axis: sides[0] + sides[1],
    "mean": lambda sides, axis: (sides[0] + sides[1]) / 2,
}


def _wrong_join(
    last: Tensor, sides: str = "every layer", joined: str = "cat", axis: int = -1, order: str = ""
) -> Tensor:
    """Other states for the two sides, joined in another way; or all states only reshaped."""
    shape = (len(last) // 2, last.shape[1], -1)
    if order == "memory":
        return last.reshape(shape)
    if order == "memory, sentences first":
        return last.transpose(0, 1).reshape(shape)
    states = JOINED[joined](SIDES[sides](last), axis)
    return states.transpose(0, 1) if order == "sentences first" else states


def _layers_mixed(arguments: Arguments, value: Any, answer: Function) -> bool:
    (last,) = arguments
    other = torch.cat([last[:2] + 1, last[2:]])
    return not close(answer(other)[1:], value[1:])


JOIN_DIRECTIONS = Exercise(
    join_directions,
    _join_cases,
    _wrong_join,
    {
        "one-direction": [
            {"sides": sides, "joined": side}
            for sides in ("every layer", *ONE_LAYER)
            for side in ("left", "right")
        ],
        "one-layer": [{"sides": sides} for sides in ONE_LAYER],
        "reshaped": [{"order": "memory"}, {"order": "memory, sentences first"}],
        "halves": [{"sides": "halves"}, {"sides": "halves, backward first"}],
        "backward-first": [{"sides": "every layer, backward first"}],
        "added-not-joined": [{"joined": "sum"}, {"joined": "mean"}],
        "joined-on-wrong-axis": [
            *({"axis": axis} for axis in (0, 1)),
            *({"joined": "stack", "axis": axis} for axis in (0, 1, 2, 3)),
        ],
        "batch-first": [{"order": "sentences first"}],
    },
    (
        Symptom(
            "numbers-lost",
            lambda arguments, value, answer: (
                not close(value.flatten().sort().values, arguments[0].flatten().sort().values)
            ),
        ),
        batch_mixing(1, axis=1),
        Symptom("layers-mixed", _layers_mixed),
    ),
)

EXERCISES = (ADDITIVE_ENERGIES, MASKED_WEIGHTS, CONTEXT_VECTORS, JOIN_DIRECTIONS)
