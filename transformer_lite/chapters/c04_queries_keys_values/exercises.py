"""The exercises of chapter 04, queries, keys and values; what they say is in `mistakes.toml`."""

# ruff: noqa: N803  W_Q, W_K and W_V are what the field calls them.

from collections.abc import Callable, Iterator
from functools import partial, reduce

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from transformer_lite.exercises.exercise import Arguments, Exercise, Function, Symptom
from transformer_lite.exercises.families import batch_mixing, changes_with, close, tenths

# ---- nadaraya-watson: attention without learning


def nadaraya_watson(
    queries: Float[Tensor, " T"],
    keys: Float[Tensor, " S"],
    values: Float[Tensor, " S"],
    width: float,
) -> Float[Tensor, " T"]:
    """The mean of the values for each query q, weighted by exp(−(q − k)² / 2 width²) of their keys.

    Source: Nadaraya 1964; Watson 1964.
    """
    means = torch.zeros_like(queries)
    for place, query in enumerate(queries):
        energies = -((query - keys) ** 2) / (2 * width**2)
        shares = torch.exp(energies - energies.max())
        means[place] = (shares * values).sum() / shares.sum()
    return means


def _regression_cases(generator: torch.Generator) -> Iterator[Arguments]:
    """Narrow and wide; as many queries as keys, and not; queries far from every key."""
    for asking, answering, width in [(1, 3, 1.0), (3, 3, 0.5), (4, 2, 2.0), (2, 6, 0.75)]:
        # No two keys are equally far from a query: one of them is the nearest.
        keys = torch.randperm(61, generator=generator)[:answering] / 10 - 3
        yield tenths(generator, 30, asking) + 0.03, keys, tenths(generator, 20, answering), width
    # Whole numbers: of squares this large few digits are left for a fraction.
    keys, values = torch.tensor([-2.0, 0.0, 1.0, 3.0]), tenths(generator, 20, 4)
    yield torch.tensor([1.0, 100.0, -60.0]), keys, values, 0.5
    yield torch.tensor([-90.0, 3.0, 0.0, 200.0]), keys, values, 2.0


def _wrong_regression(
    queries: Tensor,
    keys: Tensor,
    values: Tensor,
    width: float,
    energy: str = "right",
    softmax: str = "over the keys",
    blended: str = "values",
) -> Tensor:
    """Other energies, other weights, or something else that is blended."""
    distance = queries[:, None] - keys
    energies = {
        "right": -(distance**2) / (2 * width**2),
        "without sign": distance**2 / (2 * width**2),
        "width not squared": -(distance**2) / (2 * width),
        "width multiplied": -(distance**2) / 2 * width**2,
        "2 missing": -(distance**2) / width**2,
        "distance not squared": -distance.abs() / (2 * width**2),
        "distance over width": -distance.abs() / width,
        "distance with its sign": -distance / (2 * width**2),
    }[energy]
    powers = energies.exp()
    quotients = powers / powers.sum(-1, keepdim=True)
    weights = {
        "over the keys": energies.softmax(-1),
        "over the queries": energies.softmax(0),
        "not normalised": powers,
        "divided by the number of keys": powers / len(keys),
        "by hand": quotients,
        "by hand, no NaN": quotients.nan_to_num(0.0),
        "nearest": (distance.abs() == distance.abs().amin(-1, keepdim=True)).float(),
    }[softmax]
    return weights @ {"values": values, "keys": keys}[blended]


def _weights_not_one(arguments: Arguments, value: Tensor, answer: Function) -> bool:
    """Where all values are 1, so are all means."""
    queries, keys, values, width = arguments
    return not close(answer(queries, keys, torch.ones_like(values), width), torch.ones_like(value))


NADARAYA_WATSON = Exercise(
    nadaraya_watson,
    _regression_cases,
    _wrong_regression,
    {
        "softmax-over-queries": [{"softmax": "over the queries"}],
        "far-keys-weigh-most": [
            {"energy": "without sign", "softmax": how} for how in ("over the keys", "by hand")
        ],
        "bell-of-other-width": [
            {"energy": how, "softmax": softmax}
            for how in ("width not squared", "width multiplied", "2 missing")
            for softmax in ("over the keys", "by hand")
        ],
        "not-normalised": [
            {"softmax": how} for how in ("not normalised", "divided by the number of keys")
        ],
        "distance-not-squared": [
            {"energy": f"distance {how}"} for how in ("not squared", "over width", "with its sign")
        ],
        "exponential-underflows": [{"softmax": "by hand"}, {"softmax": "by hand, no NaN"}],
        "keys-blended": [{"blended": "keys"}],
        "nearest-key-alone": [{"softmax": "nearest"}],
    },
    (
        batch_mixing(1),
        Symptom("rows-not-one", _weights_not_one),
        changes_with("depends-on-origin", lambda q, k, *rest: (q + 1, k + 1, *rest)),
        changes_with("depends-on-unit", lambda q, k, v, width: (2 * q, 2 * k, v, 2 * width)),
    ),
)

# ---- attend: one head, asked by one sequence and answered by another


def attend(
    x: Float[Tensor, "B T D"],
    y: Float[Tensor, "B S D"],
    W_Q: Float[Tensor, "D K"],
    W_K: Float[Tensor, "D K"],
    W_V: Float[Tensor, "D N"],
    mask: Bool[Tensor, "B S"],
) -> Float[Tensor, "B T N"]:
    """softmax(x W_Q (y W_K)ᵀ / √K) y W_V, over the real tokens (True in mask) of each y.

    Source: Vaswani et al. 2017, equation 1, and section 3.2.2 for one head.
    """
    rows, steps, _ = x.shape
    contexts = torch.zeros(rows, steps, W_V.shape[1])
    for row, real in enumerate(mask):
        answering = y[row, real]
        for step in range(steps):
            query = x[row, step] @ W_Q
            shares = torch.exp(answering @ W_K @ query / len(query) ** 0.5)
            contexts[row, step] = shares @ (answering @ W_V) / shares.sum()
    return contexts


def _attend_cases(generator: torch.Generator) -> Iterator[Arguments]:
    """Sizes that differ, and sizes that agree, where a wrong idea goes unnoticed."""
    draw = partial(tenths, generator, 12)
    sizes = [
        ([3], 2, 3, 2, 3, 1), ([2, 4], 4, 4, 3, 3, 3), ([3, 1], 2, 3, 3, 2, 2),
        ([2, 3, 1], 3, 3, 2, 4, 2), ([4], 3, 4, 4, 1, 4), ([4, 5], 2, 5, 2, 9, 3),
        ([6, 2, 5], 4, 6, 5, 16, 2),
    ]  # fmt: skip
    for lengths, steps, size, d_model, width, d_value in sizes:
        mask = torch.arange(size) < torch.tensor(lengths)[:, None]
        x, y = draw(len(lengths), steps, d_model), draw(len(lengths), size, d_model)
        yield x, y, draw(d_model, width), draw(d_model, width), draw(d_model, d_value), mask


def _wrong_attend(
    x: Tensor,
    y: Tensor,
    W_Q: Tensor,
    W_K: Tensor,
    W_V: Tensor,
    mask: Tensor,
    query: str = "x W_Q",
    key: str = "y W_K",
    value: str = "y W_V",
    divisor: str = "root of K",
    hides: str = "answering",
    hidden: float = -torch.inf,
    axis: int = -1,
) -> Tensor:
    """Other products for queries, keys and values; another scale, mask or axis."""
    known = {"x": x, "y": y, "W_Q": W_Q, "W_K": W_K, "W_V": W_V}
    queries, keys, values = (
        reduce(torch.matmul, [known[name] for name in product.split()])
        for product in (query, key, value)
    )
    root_of_model, root_of_width = (size**0.5 for size in W_Q.shape)
    energies = queries @ keys.mT
    energies /= {"root of K": root_of_width, "root of D": root_of_model, "none": 1.0}[divisor]
    real = {"answering": mask[:, None], "asking": mask[:, :, None], "sentences": mask}[hides]
    return energies.masked_fill(~real, hidden).softmax(axis) @ values


def _heads_not_one(arguments: Arguments, value: Tensor, answer: Function) -> bool:
    """Where all tokens of y are alike, their one value is every result."""
    x, y, *matrices, mask = arguments
    alike = y[:, :1].expand_as(y)
    expected = (alike[:, :1] @ matrices[-1]).expand_as(value)
    return not close(answer(x, alike, *matrices, mask), expected)


def _differs_alone(arguments: Arguments, value: Tensor, answer: Function) -> bool:
    x, y, *matrices, mask = arguments
    return not close(answer(x[:1], y[:1], *matrices, mask[:1]), value[:1])


# What hides a token: where all are hidden the one gives NaN, the other equal weights.
HIDING = (-torch.inf, -1e9)
FROM_X = {"key": "x W_K", "value": "x W_V"}

ATTEND = Exercise(
    attend,
    _attend_cases,
    _wrong_attend,
    {
        "keys-from-x": [FROM_X, {"key": "x W_K"}, {"value": "x W_V"}],
        "queries-from-y": [{"query": "y W_Q"}, {"query": "y W_Q", **FROM_X}],
        "projections-exchanged": [
            {"query": query, "key": key}
            for query, key in [("x W_K", "y W_Q"), ("x W_K", "y W_K"), ("x W_Q", "y W_Q")]
        ],
        "values-not-blended": [{"value": "y"}, {"value": "y W_K"}],
        "divided-by-model-width": [{"divisor": "root of D"}],
        "not-scaled": [{"divisor": "none"}],
        "mask-along-wrong-axis": [
            {"hides": hides, "hidden": hidden}
            for hides in ("asking", "sentences")
            for hidden in HIDING
        ],
        "softmax-over-queries": [{"axis": 1, "hidden": hidden} for hidden in HIDING],
    },
    (
        changes_with(
            "reads-padding",
            lambda x, y, W_Q, W_K, W_V, mask: (x, y + ~mask[..., None], W_Q, W_K, W_V, mask),
        ),
        Symptom("depends-on-batch-mates", _differs_alone),
        Symptom("rows-not-one", _heads_not_one),
    ),
)

# ---- order-gap: how far a layer is from permutation equivariance


def order_gap(
    x: Float[Tensor, "B T D"],
    W_Q: Float[Tensor, "D K"],
    W_K: Float[Tensor, "D K"],
    W_V: Float[Tensor, "D N"],
    positions: Float[Tensor, "T D"],
    order: Int[Tensor, " T"],
) -> float:
    """Largest |layer(x permuted) − layer(x) permuted| of self-attention over x + positions.

    `order` says for each place from which place its word comes.
    """

    def layer(words: Tensor) -> Tensor:
        real = torch.ones(words.shape[:2], dtype=torch.bool)
        return attend(words + positions, words + positions, W_Q, W_K, W_V, real)

    return (layer(x[:, order]) - layer(x)[:, order]).abs().max().item()


def _order_cases(generator: torch.Generator) -> Iterator[Arguments]:
    """With positions and without; sizes that differ and agree; orders that undo themselves, too."""
    draw = partial(tenths, generator, 12)
    sizes = [
        (1, [1, 0], 2, 1, 1, 1), (1, [1, 2, 0], 2, 2, 2, 0), (2, [2, 0, 1], 3, 2, 3, 1),
        (3, [1, 2, 0], 2, 3, 1, 1), (2, [3, 1, 0, 2], 3, 2, 2, 1), (2, [4, 2, 0, 1, 3], 4, 3, 3, 0),
        (1, [5, 4, 3, 2, 1, 0], 2, 1, 4, 1),
    ]  # fmt: skip
    for rows, order, d_model, width, d_value, added in sizes:
        matrices = draw(d_model, width), draw(d_model, width), draw(d_model, d_value)
        positions = added * draw(len(order), d_model)
        yield draw(rows, len(order), d_model), *matrices, positions, torch.tensor(order)


# What readers do to a batch of sequences with an order.
MOVED: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "places": lambda sequences, order: sequences[:, order],
    "places, back": lambda sequences, order: sequences[:, order.argsort()],
    "sentences": lambda sequences, order: sequences[order],
    "width": lambda sequences, order: sequences[..., order],
    "nothing": lambda sequences, order: sequences,
}


def _wrong_gap(
    x: Tensor,
    W_Q: Tensor,
    W_K: Tensor,
    W_V: Tensor,
    positions: Tensor,
    order: Tensor,
    words: str = "places",
    outputs: str = "places",
    carried: bool = False,
    measure: str = "largest",
) -> float:
    """Something else moved, before the layer or behind it; another number made of the gaps."""

    def layer(x: Tensor) -> Tensor:
        return _wrong_attend(x, x, W_Q, W_K, W_V, torch.ones(x.shape[:2], dtype=torch.bool))

    before = MOVED[words](x, order)
    places = positions[order] if carried else positions
    gaps = layer(before + places) - MOVED[outputs](layer(x + positions), order)
    number = {
        "largest": gaps.abs().max(),
        "mean": gaps.abs().mean(),
        "sum": gaps.abs().sum(),
        "signed": gaps.max(),
        "signed mean": gaps.mean(),
    }[measure]
    return number.item()


def _gap_without(arguments: Arguments, value: float, answer: Function) -> bool:
    *rest, positions, order = arguments
    return not close(0.0, answer(*rest, torch.zeros_like(positions), order))


def _gap_in_place(arguments: Arguments, value: float, answer: Function) -> bool:
    *rest, order = arguments
    return not close(0.0, answer(*rest, torch.arange(len(order))))


def _batch_not_worst(arguments: Arguments, value: float, answer: Function) -> bool:
    x, *rest = arguments
    return not close(max(answer(sentence, *rest) for sentence in x.split(1)), value)


ORDER_GAP = Exercise(
    order_gap,
    _order_cases,
    _wrong_gap,
    {
        "invariance": [{"outputs": "nothing"}],
        "words-not-permuted": [{"words": "nothing"}],
        "wrong-axis": [{"words": axis, "outputs": axis} for axis in ("sentences", "width")],
        "order-turned-round": [{"outputs": "places, back"}, {"words": "places, back"}],
        "positions-carried": [{"carried": True}],
        "mean-not-largest": [{"measure": "mean"}, {"measure": "sum"}],
        "sign-kept": [{"measure": "signed"}, {"measure": "signed mean"}],
    },
    (
        Symptom("gap-where-nothing-moves", _gap_in_place),
        Symptom("gap-without-positions", _gap_without),
        Symptom("not-of-worst-sentence", _batch_not_worst),
    ),
)

EXERCISES = (NADARAYA_WATSON, ATTEND, ORDER_GAP)
