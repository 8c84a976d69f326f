"""The exercises of chapter 03, scoring functions; what they say is in `mistakes.toml`."""

import math
from collections.abc import Callable, Iterator
from functools import partial

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from transformer_lite.exercises.exercise import Arguments, Exercise, Function, Symptom
from transformer_lite.exercises.families import (
    CLOSE,
    OF_ENERGIES,
    OF_HIDDEN_LAYER,
    altered,
    batch_mixing,
    changes_with,
    close,
    meet,
    position_mixing,
    rows_not_one,
    same_with,
    tenths,
    turned,
)

# ---- masked-attention: score, mask, softmax, blend


def masked_attention(
    query: Float[Tensor, "B T K"],
    keys: Float[Tensor, "B S K"],
    values: Float[Tensor, "B S D"],
    mask: Bool[Tensor, "B S"],
) -> Float[Tensor, "B T D"]:
    """softmax(query keysᵀ / √K) values, over the real positions (True in mask) of each sentence.

    Source: Vaswani et al. 2017, equation 1.
    """
    rows, steps, width = query.shape
    contexts = torch.zeros(rows, steps, values.shape[2])
    for row, real in enumerate(mask):
        for step in range(steps):
            energies = keys[row, real] @ query[row, step] / width**0.5
            shares = torch.exp(energies)
            contexts[row, step] = shares @ values[row, real] / shares.sum()
    return contexts


def _attention_cases(generator: torch.Generator) -> Iterator[Arguments]:
    """Sentences of unequal length; sizes that differ, and sizes that agree."""
    draw = partial(tenths, generator, 20)
    sizes = [
        ([2], 1, 3, 4, 2), ([3, 1], 2, 3, 3, 2), ([2, 4], 3, 4, 2, 3), ([2, 3, 1], 3, 3, 3, 3),
        ([3], 4, 4, 4, 1), ([4, 5], 2, 5, 9, 4), ([6, 2, 5], 4, 6, 16, 5),
    ]  # fmt: skip
    for lengths, steps, size, width, d_value in sizes:
        rows, mask = len(lengths), torch.arange(size) < torch.tensor(lengths)[:, None]
        keys, values = draw(rows, size, width), draw(rows, size, d_value)
        yield draw(rows, steps, width), keys, values, mask


def _wrong_attention(
    query: Tensor,
    keys: Tensor,
    values: Tensor,
    mask: Tensor,
    divisor: str = "root",
    divisor_of_weights: str = "none",
    seen: str = "right",
    kept: str = "none",
    hidden: float = -torch.inf,
    axis: int = -1,
    turn: str = "transpose",
) -> Tensor:
    """Another scale or mask, of the energies or of the weights; another axis; keys not turned."""
    divisors = {"root": query.shape[-1] ** 0.5, "none": 1.0, "width": query.shape[-1]}
    energies = query @ turned(keys, turn) / divisors[divisor]
    energies = energies.masked_fill(~altered(mask, seen)[:, None], hidden)
    weights = energies.softmax(axis) / divisors[divisor_of_weights]
    return (weights * altered(mask, kept)[:, None]) @ values


def _weights_not_one(arguments: Arguments, value: Tensor, answer: Function) -> bool:
    """Where all values are 1, so are all contexts."""
    query, keys, values, mask = arguments
    return not close(answer(query, keys, torch.ones_like(values), mask), torch.ones_like(value))


# What hides a position: where all are hidden the one gives NaN, the other equal weights.
HIDING = (-torch.inf, -1e9)

MASKED_ATTENTION = Exercise(
    masked_attention,
    _attention_cases,
    _wrong_attention,
    {
        "not-scaled": [{"divisor": "none"}],
        "divided-by-width": [{"divisor": "width"}],
        "scaled-after-softmax": [{"divisor": "none", "divisor_of_weights": "root"}],
        "mask-after-softmax": [{"seen": "none", "kept": "right"}],
        "mask-inverted": [{"seen": "inverted", "hidden": hidden} for hidden in HIDING],
        "not-masked": [{"seen": "none"}],
        "wrong-axis": [{"axis": axis, "hidden": hidden} for axis in (0, 1) for hidden in HIDING],
        "keys-not-transposed": [{"turn": "not"}, {"turn": "view"}],
    },
    (
        changes_with(
            "reads-padding",
            lambda query, keys, values, mask: (query, keys, values + ~mask[..., None], mask),
        ),
        batch_mixing(4),
        Symptom("rows-not-one", _weights_not_one),
        # Vectors that repeat their numbers have twice the dot product, and √2 times the root.
        changes_with(
            "scale-ignores-width",
            lambda query, keys, *rest: (query.tile(2), keys.tile(2) / 2**0.5, *rest),
        ),
    ),
)

# ---- concat-energies: one matrix that reads query and key, one behind the other


def concat_energies(
    query: Float[Tensor, "B T Q"],
    keys: Float[Tensor, "B S N"],
    weight: Float[Tensor, "A C"],
    v: Float[Tensor, " A"],
) -> Float[Tensor, "B T S"]:
    """vᵀ tanh(W [query; key]) for every query and key of a sentence; W is `weight`, C = Q + N.

    Source: Luong et al. 2015, section 3.1 (concat).
    """
    rows, steps, _ = query.shape
    energies = torch.zeros(rows, steps, keys.shape[1])
    for row in range(rows):
        for step in range(steps):
            for position, key in enumerate(keys[row]):
                hidden = torch.tanh(weight @ torch.cat([query[row, step], key]))
                energies[row, step, position] = (v * hidden).sum()
    return energies


def _concat_cases(generator: torch.Generator) -> Iterator[Arguments]:
    """Widths that differ and agree, a square W, and as many steps as positions."""
    draw = partial(tenths, generator, 15)
    sizes = [
        (1, 2, 3, 2, 3, 2), (2, 3, 2, 2, 2, 3), (1, 3, 3, 2, 1, 3), (2, 2, 4, 1, 3, 4),
        (3, 4, 4, 3, 2, 2), (2, 3, 5, 3, 3, 4),
    ]  # fmt: skip
    for rows, steps, length, d_query, d_key, hidden in sizes:
        matrix = draw(hidden, d_query + d_key)
        yield draw(rows, steps, d_query), draw(rows, length, d_key), matrix, draw(hidden)


# Repeats each sequence as a whole, or each of its vectors.
REPEATED: dict[str, Callable[[Tensor, int], Tensor]] = {
    "whole": lambda sequence, times: sequence.repeat(1, times, 1),
    "each": lambda sequence, times: sequence.repeat_interleave(times, 1),
}


def _wrong_concat(
    query: Tensor,
    keys: Tensor,
    weight: Tensor,
    v: Tensor,
    columns: str = "query, key",
    pairs: str = "all",
    keys_ask: bool = False,
    **hidden_layer: str,
) -> Tensor:
    """W's columns divided otherwise, other pairs, a turned table, another hidden layer."""
    d_query, d_key = query.shape[2], keys.shape[2]
    middle = (d_query + d_key) // 2
    of_query, of_keys = {
        "query, key": (weight[:, :d_query], weight[:, d_query:]),
        "key, query": (weight[:, d_key:], weight[:, :d_key]),
        "cut at the key": (weight[:, :d_key], weight[:, d_key:]),
        "cut in the middle": (weight[:, :middle], weight[:, middle:]),
        "first, first": (weight[:, :d_query], weight[:, :d_key]),
        "last, last": (weight[:, -d_query:], weight[:, -d_key:]),
    }[columns]
    ours, theirs = query @ of_query.T, keys @ of_keys.T
    if pairs == "all":
        ours, theirs = ours[:, :, None], theirs[:, None]
    elif pairs != "in step":
        table = (ours.shape[1], theirs.shape[1])
        repeat_ours, repeat_theirs = (REPEATED[how] for how in pairs.split())
        ours = repeat_ours(ours, table[1]).unflatten(1, table)
        theirs = repeat_theirs(theirs, table[0]).unflatten(1, table)
    energies = meet(ours, theirs, v, **hidden_layer)
    return energies.mT if keys_ask else energies


CONCAT_ENERGIES = Exercise(
    concat_energies,
    _concat_cases,
    _wrong_concat,
    {
        **OF_HIDDEN_LAYER,
        "key-first": [{"columns": "key, query"}],
        "cut-at-wrong-place": [
            {"columns": columns}
            for columns in ("cut at the key", "cut in the middle", "first, first", "last, last")
        ],
        "wrong-pairs": [
            *({"pairs": pairs} for pairs in ("whole whole", "each each", "whole each", "in step")),
            {"pairs": "in step", "columns": "key, query"},
        ],
        "keys-ask": [{"keys_ask": True}],
    },
    (
        *OF_ENERGIES,
        same_with("v-ignored", lambda query, keys, weight, v: (query, keys, weight, v + 1)),
    ),
)

# ---- temperature: one number that makes a softmax sharp or flat


def temperature(energies: Float[Tensor, "*rows S"], tau: float) -> Float[Tensor, "*rows S"]:
    """Softmax of energies / tau over the last axis."""
    rows = []
    for row in energies.reshape(-1, energies.shape[-1]):
        powers = torch.exp((row - row.max()) / tau)
        rows.append(powers / powers.sum())
    return torch.stack(rows).reshape(energies.shape)


def _temperature_cases(generator: torch.Generator) -> Iterator[Arguments]:
    """Hot and cold; one row, several, several matrices; energies near 1000."""
    for shape, tau in [((3,), 0.5), ((2, 4), 2.0), ((3, 3), 0.25), ((2, 2, 5), 4.0)]:
        yield tenths(generator, 40, *shape), tau
    # Whole numbers, ties among them: energies this large have few digits left for a fraction.
    yield torch.tensor([[1000.0, 990.0, 1000.0], [3.0, 3.0, -1000.0]]), 0.01
    yield torch.tensor([[1000.0, 992.0, 984.0], [-1000.0, -1000.0, -992.0]]), 8.0


def _wrong_temperature(
    energies: Tensor,
    tau: float,
    scale: str = "divided",
    scaled: str = "energies",
    softmax: str = "right",
    axis: int = -1,
) -> Tensor:
    """`tau` with another effect, on energies or on weights, and another softmax."""

    def change(numbers: Tensor) -> Tensor:
        return {
            "divided": numbers / tau,
            "multiplied": numbers * tau,
            "by the root": numbers / tau**0.5,
            "by the square": numbers / tau**2,
        }[scale]

    if scaled == "weights":
        weights = change(energies.softmax(-1))
        return weights.softmax(-1) if softmax == "twice" else weights
    energies = change(energies)
    highest = energies.max() if softmax == "one maximum for all" else 0.0
    powers = (energies - highest).exp()
    quotients = powers / powers.sum(-1, keepdim=True)
    return {
        "right": energies.softmax(axis),
        "twice": energies.softmax(-1).softmax(-1),
        "missing": energies,
        "by hand": quotients,
        "by hand, no NaN": quotients.nan_to_num(0.0),
        "one maximum for all": quotients,
    }[softmax]


def _growth(answer: Function) -> float:
    """How much the largest of three weights grows from temperature 1 to 3.

    Not of a case, because there are some in which no temperature makes a difference.
    """
    energies = torch.tensor([0.0, 1.0, 3.0])
    return float(answer(energies, 3.0).max() - answer(energies, 1.0).max())


def _order_lost(arguments: Arguments, value: Tensor, answer: Function) -> bool:
    energies = arguments[0]
    ordered = value.gather(-1, energies.sort(-1).indices)
    return bool((ordered.diff(dim=-1) < -CLOSE).any())


TEMPERATURE = Exercise(
    temperature,
    _temperature_cases,
    _wrong_temperature,
    {
        "multiplied": [{"scale": "multiplied"}],
        "scaled-after-softmax": [
            {"scaled": "weights", "scale": scale} for scale in ("divided", "multiplied")
        ],
        "other-function-of-tau": [{"scale": "by the root"}, {"scale": "by the square"}],
        "wrong-axis": [{"axis": axis} for axis in (0, 1, -2)],
        "exponential-overflows": [{"softmax": "by hand"}, {"softmax": "by hand, no NaN"}],
        "one-maximum-for-all": [{"softmax": "one maximum for all"}],
        "softmax-twice": [{"softmax": "twice"}, {"softmax": "twice", "scaled": "weights"}],
        "no-softmax": [{"softmax": "missing"}],
    },
    (
        rows_not_one(),
        Symptom("order-lost", _order_lost),
        Symptom("tau-ignored", lambda arguments, value, answer: abs(_growth(answer)) < CLOSE),
        Symptom("sharper-when-hot", lambda arguments, value, answer: _growth(answer) > CLOSE),
    ),
)

# ---- local-window: a Gaussian window around the place where a query looks


def local_window(
    weights: Float[Tensor, "B S"], centre: Float[Tensor, " B"], radius: int
) -> Float[Tensor, "B S"]:
    """Weights times exp(−(s − p)² / 2σ²) with σ = D / 2, and 0 where |s − p| > D.

    p is the row's centre and D the radius; positions s count from 0.

    Source: Luong et al. 2015, section 3.2.
    """
    deviation = radius / 2
    local = torch.zeros_like(weights)
    for row, middle in enumerate(centre.tolist()):
        for position, weight in enumerate(weights[row]):
            distance = position - middle
            if -radius <= distance <= radius:
                local[row, position] = weight * math.exp(-(distance**2) / (2 * deviation**2))
    return local


def _window_cases(generator: torch.Generator) -> Iterator[Arguments]:
    """Centres on a position, between two, and near both ends; windows that reach over an end."""
    windows = [
        ([2.0], 5, 1), ([1.3, 3.6], 6, 2), ([0.2, 6.7, 3.0], 8, 3), ([4.0, 2.5], 7, 2),
        ([0.4, 1.8, 3.3, 2.0], 4, 1), ([5.5], 12, 4),
    ]  # fmt: skip
    for centres, size, radius in windows:
        # Each row in hundredths, with something for every position.
        drawn = torch.randint(size, (len(centres), 100 - size), generator=generator)
        counts = torch.stack([torch.bincount(row, minlength=size) for row in drawn]) + 1
        yield counts / 100, torch.tensor(centres), radius


def _wrong_window(
    weights: Tensor,
    centre: Tensor,
    radius: int,
    exponent: str = "right",
    reach: float = 1.0,
    edges_seen: bool = True,
    axis_for_positions: bool = True,
    normalised: bool = False,
) -> Tensor:
    """Another exponent, a window that reaches other than one radius, another result."""
    middle = centre[:, None] if axis_for_positions else centre
    distance = torch.arange(weights.shape[1]) - middle
    deviation = radius / 2
    exponents = {
        "right": -(distance**2) / (2 * deviation**2),
        "deviation is radius": -(distance**2) / (2 * radius**2),
        "without 2": -(distance**2) / deviation**2,
        "deviation not squared": -(distance**2) / (2 * deviation),
        "variance not in brackets": -(distance**2) / 2 * deviation**2,
        "distance not squared": -distance / (2 * deviation**2),
        "distance without sign": -distance.abs() / (2 * deviation**2),
        "none": 0.0 * distance,
    }
    far, edge = distance.abs(), radius * reach
    inside = far <= edge if edges_seen else far < edge
    local = weights * exponents[exponent].exp() * inside
    return local / local.sum(-1, keepdim=True) if normalised else local


def _outside(arguments: Arguments, value: Tensor, answer: Function) -> bool:
    weights, centre, radius = arguments
    distance = torch.arange(weights.shape[1]) - centre[:, None]
    return bool(value[distance.abs() > radius].any())


LOCAL_WINDOW = Exercise(
    local_window,
    _window_cases,
    _wrong_window,
    {
        "sigma-is-radius": [{"exponent": "deviation is radius"}],
        "two-missing": [{"exponent": "without 2"}],
        "sigma-not-squared": [
            {"exponent": how} for how in ("deviation not squared", "variance not in brackets")
        ],
        "distance-not-squared": [
            {"exponent": f"distance {how}"} for how in ("not squared", "without sign")
        ],
        "window-of-wrong-width": [{"edges_seen": False}, {"reach": 0.5}],
        "renormalised": [{"normalised": True, "reach": reach} for reach in (1.0, math.inf)],
        "gaussian-missing": [{"exponent": "none"}],
        "centre-along-positions": [
            {"axis_for_positions": False, "reach": reach} for reach in (1.0, math.inf)
        ],
    },
    (
        batch_mixing(2),
        Symptom("weight-outside-window", _outside),
        position_mixing("positions-mixed", 0),
        Symptom(
            "weights-grow",
            lambda arguments, value, answer: bool((value > arguments[0] + CLOSE).any()),
        ),
    ),
)

EXERCISES = (MASKED_ATTENTION, CONCAT_ENERGIES, TEMPERATURE, LOCAL_WINDOW)
