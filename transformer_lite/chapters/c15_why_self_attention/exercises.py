"""The exercises of chapter 15, why self-attention; what they say is in `mistakes.toml`."""

import math
from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from transformer_lite.exercises.exercise import Arguments, Exercise, Function, Symptom
from transformer_lite.exercises.families import changes_with, close, tenths

# ---- steps-to-reach: how many layers until one place depends on another


def steps_to_reach(sees: Bool[Tensor, "S S"]) -> Int[Tensor, "S S"]:
    """The least number of layers after which place t depends on input s; −1 where it never does."""
    size = len(sees)
    layers = torch.full((size, size), -1)
    for place in range(size):
        known = {place}
        for depth in range(size):
            for other in known:
                layers[place, other] = depth
            near = {s for middle in known for s in range(size) if sees[middle, s]}
            known = {s for s in near if layers[place, s] < 0}
    return layers


def _reach_cases(generator: torch.Generator) -> Iterator[Arguments]:
    """A recurrent layer, all at once, a window; one-way graphs; gaps that grow; one for all."""
    everything = torch.ones(12, 12, dtype=torch.bool)
    window = everything.tril().triu(-1)
    yield (window[:3, :3],)
    yield (everything[:2, :2],)
    yield (everything[:7, :7].tril(1).triu(-1),)
    for size in (4, 5, 7, 9):
        drawn = torch.rand(size, size, generator=generator) < 1.2 / size
        yield (drawn.fill_diagonal_(True),)
    apart = torch.arange(12) - torch.arange(12)[:, None]
    yield ((apart == 0) | (apart == -1) | (apart == -3),)
    star = torch.eye(6, dtype=torch.bool)
    star[0], star[:, 0] = True, True
    yield (star,)
    yield (window,)


def _wrong_steps(
    sees: Tensor,
    turned: bool = False,
    most: int = 99,
    count: str = "least",
    never: str = "−1",
    one: str = "a layer",
) -> Tensor:
    """Columns for rows, too few layers, another count, other numbers for none and for never."""
    size = len(sees)
    edges = (sees.T if turned else sees).double()
    known, layers = torch.eye(size).double(), torch.full((size, size), -1)
    for depth in range(min(most + 1, size)):
        new = (known > 0) & ((layers < 0) | (count == "last"))
        layers[new] = known.long()[new] if count == "paths" else depth
        known = known @ (known if count == "doubled" and depth else edges)
        known = known if count == "paths" else known.sign()
    reached = layers >= 0
    if count == "places":
        layers = (torch.arange(size) - torch.arange(size)[:, None]).abs()
    layers += {"a layer": 0, "none": 1}.get(one, torch.eye(size).long())
    return layers.where(reached, {"−1": -1, "0": 0, "S": size}[never])


def _chains(value: Tensor) -> Tensor:
    """By t, middle and s: the layers from s to the middle and on to t; −1 where there is no way."""
    first, second = value[:, :, None], value[None]
    return (first + second).where((first >= 0) & (second >= 0), -1)


def _stops_early(arguments: Arguments, value: Tensor, _: Function) -> bool:
    return bool(((_chains(value) >= 0) & (value[:, None] < 0)).any())


def _longer_than_a_chain(arguments: Arguments, value: Tensor, _: Function) -> bool:
    chains = _chains(value)
    return bool(((chains >= 0) & (value[:, None] > chains)).any())


STEPS_TO_REACH = Exercise(
    steps_to_reach,
    _reach_cases,
    _wrong_steps,
    {
        "read-by-column": [{"turned": True}],
        "never-is-not-near": [{"never": "0"}, {"never": "S"}],
        "counts-from-one": [{"one": "none"}, {"one": "none, for itself"}],
        "few-layers": [{"most": 1}, {"most": 2}],
        "not-the-least": [{"count": "last"}],
        "doubled": [{"count": "doubled"}],
        "distance-of-places": [{"count": "places"}],
        "paths-counted": [{"count": "paths"}],
    },
    (
        Symptom("longer-than-a-chain", _longer_than_a_chain),
        Symptom("stops-early", _stops_early),
    ),
)

# ---- merge-blocks: one attention from those over blocks of the keys


def merge_blocks(
    largest: Float[Tensor, " M"], sums: Float[Tensor, " M"], outputs: Float[Tensor, "M D"]
) -> Float[Tensor, " D"]:
    """The softmax-weighted average over all blocks, from what is kept of each.

    Source: Dao et al. 2022, "FlashAttention", section 3.1.
    """
    top = max(largest.tolist())
    above, below = torch.zeros(outputs.shape[1]), 0.0
    for energy, total, output in zip(largest.tolist(), sums.tolist(), outputs, strict=True):
        share = math.exp(energy - top) * total
        above += share * output
        below += share
    return above / below


def _merge_cases(generator: torch.Generator) -> Iterator[Arguments]:
    """Blocks of different sizes, one block alone; energies whose exponentials no float holds."""
    for sizes, d, unit, moved in [
        ((1, 2), 1, 1.0, 0), ((2, 2), 2, 1.0, 1), ((3,), 2, 1.0, 0), ((4, 1, 3), 2, 1.0, -2),
        ((2, 5, 3), 3, 1.0, 0), ((2, 3), 2, 1.0, 100), ((3, 1, 4), 2, 1.0, -110),
        ((2, 2, 3), 2, 50.0, 90),
    ]:  # fmt: skip
        blocks = (tenths(generator, 20, sum(sizes)) * unit + moved).split(sizes)
        values = tenths(generator, 30, sum(sizes), d).split(sizes)
        outputs = [block.softmax(0) @ own for block, own in zip(blocks, values, strict=True)]
        largest = torch.stack([block.max() for block in blocks])
        sums = torch.stack([(block - block.max()).exp().sum() for block in blocks])
        yield largest, sums, torch.stack(outputs)


def _wrong_merge(
    largest: Tensor, sums: Tensor, outputs: Tensor, shares: str = "both", divided: str = "by all"
) -> Tensor:
    """Other shares for the blocks, or another number to divide by."""
    heights = (largest - largest.max()).exp()
    weights = {
        "both": heights * sums,
        "even": torch.ones_like(sums),
        "sums": sums,
        "largest": heights,
        "largest alone": (largest == largest.max()).float(),
        "not moved": largest.exp() * sums,
        "turned": (largest.min() - largest).exp() * sums,
    }[shares]
    below: dict[str, Any] = {
        "by all": weights.sum(),
        "by sums": sums.sum(),
        "by blocks": len(sums),
        "numerators": (heights * sums).sum(),
        "not at all": 1,
    }
    return weights @ outputs / below[divided]


def _without_ones(arguments: Arguments, value: Tensor, answer: Function) -> bool:
    largest, sums, outputs = arguments
    return not close(answer(largest, sums, torch.ones_like(outputs)), torch.ones_like(value))


MERGE_BLOCKS = Exercise(
    merge_blocks,
    _merge_cases,
    _wrong_merge,
    {
        "plain-mean": [{"shares": "even"}],
        "largest-left-out": [{"shares": "sums"}],
        "sums-left-out": [{"shares": "largest"}],
        "best-block-alone": [{"shares": "largest alone"}],
        "exponential-too-large": [{"shares": "not moved"}],
        "sign-turned": [{"shares": "turned"}],
        "outputs-not-multiplied-up": [{"shares": "largest", "divided": "numerators"}],
        "not-divided": [{"divided": how} for how in ("not at all", "by sums", "by blocks")],
    },
    (
        Symptom("rows-not-one", _without_ones),
        changes_with("changed-by-what-all-share", lambda m, *rest: (m + 3, *rest)),
        changes_with("order-matters", lambda *tensors: tuple(tensor.flip(0) for tensor in tensors)),
    ),
)

# ---- count-layer: the multiply-adds of four layers


def count_layer(n: int, d: int, kernel: int) -> Int[Tensor, " 4"]:
    """Multiply-adds of self-attention, GRU, convolution and feed-forward network, without biases.

    Source: Vaswani et al. 2017, table 1 and sections 3.2 and 3.3, with all matrices counted.
    """
    matrix = n * d * d  # all words through one matrix of the width of the model
    projections = matrix + matrix + matrix + matrix  # queries, keys, values and W_O
    products = n * n * d + n * n * d  # energies and blends
    gates = 3 * (matrix + matrix)  # reset, update and proposal; each of word and state
    windows = kernel * matrix
    network = n * d * (4 * d) + n * (4 * d) * d
    return torch.tensor([projections + products, gates, windows, network])


def _count_cases(generator: torch.Generator) -> Iterator[Arguments]:
    """Numbers to follow by hand; long and short sentences, where either product is the larger."""
    yield from [(2, 3, 2), (3, 1, 2), (5, 4, 3), (1, 6, 3), (8, 8, 1), (100, 64, 7), (30, 512, 3)]


def _wrong_count(
    n: int, d: int, kernel: int, projections: int = 4, products: int = 2, gates: int = 6,
    windows: str = "all", network: int = 8, counted: str = "multiply-adds",
) -> Tensor:  # fmt: skip
    """Other numbers of matrices d × d, other windows, or other things counted."""
    words = 1 if counted.startswith("parameters") else n
    convolution = {
        "all": words * kernel * d * d,
        "of each channel": words * kernel * d,
        "inside": sum(min(place, kernel) for place in range(1, n + 1)) * d * d,
        "whole": max(n - kernel + 1, 0) * kernel * d * d,
    }[windows]
    attention = projections * words * d * d
    if counted != "parameters alone":
        attention += products * n * n * d
    counts = [attention, gates * words * d * d, convolution, network * words * d * d]
    return torch.tensor(counts) * (2 if counted == "operations" else 1)


def _not_twice_for_twice_the_words(arguments: Arguments, value: Tensor, answer: Function) -> bool:
    n, d, kernel = arguments
    return not close(answer(2 * n, d, kernel)[1:], 2 * value[1:])


def _attention_in_step(arguments: Arguments, value: Tensor, answer: Function) -> bool:
    n, d, kernel = arguments
    return close(answer(2 * n, d, kernel)[0], 2 * value[0])


def _not_fourfold_for_twice_the_width(
    arguments: Arguments, value: Tensor, answer: Function
) -> bool:
    n, d, kernel = arguments
    return not close(answer(n, 2 * d, kernel)[1:], 4 * value[1:])


COUNT_LAYER = Exercise(
    count_layer,
    _count_cases,
    _wrong_count,
    {
        "projections-missing": [{"projections": 0}, {"projections": 3}],
        "one-product": [{"products": 1}],
        "gates-missing": [{"gates": gates} for gates in (1, 2, 3)],
        "channels-apart": [{"windows": "of each channel"}],
        "edges-left-out": [{"windows": "inside"}, {"windows": "whole"}],
        "network-too-small": [{"network": 4}, {"network": 2}],
        "counted-twice": [{"counted": "operations"}],
        "parameters-counted": [{"counted": "parameters"}, {"counted": "parameters alone"}],
    },
    (
        Symptom("not-twice-with-n", _not_twice_for_twice_the_words),
        Symptom("attention-in-step-with-n", _attention_in_step),
        Symptom("not-fourfold-with-d", _not_fourfold_for_twice_the_width),
    ),
)

EXERCISES = (STEPS_TO_REACH, MERGE_BLOCKS, COUNT_LAYER)
