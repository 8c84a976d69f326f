"""Answers to the exercises of chapter 04, right and wrong, as readers would write them."""

# ruff: noqa: N803  W_Q, W_K and W_V are what the field calls them.

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from transformer_lite.attention import scaled_dot_product_attention


def regression_by_softmax(queries: Tensor, keys: Tensor, values: Tensor, width: float) -> Tensor:
    energies = -((queries[:, None] - keys[None, :]) ** 2) / (2 * width**2)
    return torch.softmax(energies, dim=-1) @ values


def regression_by_exponentials(
    queries: Tensor, keys: Tensor, values: Tensor, width: float
) -> Tensor:
    energies = -0.5 * ((keys - queries.unsqueeze(1)) / width).square()
    powers = (energies - energies.max(dim=1, keepdim=True).values).exp()
    return (powers * values).sum(dim=1) / powers.sum(dim=1)


def regression_by_loop(queries: Tensor, keys: Tensor, values: Tensor, width: float) -> Tensor:
    means = []
    for query in queries:
        weights = (-(query - keys).pow(2) / (2 * width * width)).softmax(0)
        means.append(torch.dot(weights, values))
    return torch.stack(means)


def regression_by_product(queries: Tensor, keys: Tensor, values: Tensor, width: float) -> Tensor:
    """What all keys share, the query's square, is left out."""
    energies = (torch.outer(queries, keys) - keys**2 / 2) / width**2
    return energies.softmax(-1) @ values


def attend_by_filling(
    x: Tensor, y: Tensor, W_Q: Tensor, W_K: Tensor, W_V: Tensor, mask: Tensor
) -> Tensor:
    queries, keys, values = x @ W_Q, y @ W_K, y @ W_V
    energies = queries @ keys.transpose(1, 2) / math.sqrt(keys.shape[-1])
    energies = energies.masked_fill(~mask[:, None, :], -math.inf)
    return torch.softmax(energies, dim=-1) @ values


def attend_by_adding(
    x: Tensor, y: Tensor, W_Q: Tensor, W_K: Tensor, W_V: Tensor, mask: Tensor
) -> Tensor:
    energies = torch.einsum("btd,dk,ek,bse->bts", x, W_Q, W_K, y) * W_K.size(1) ** -0.5
    weights = (energies + torch.where(mask, 0.0, -1e9).unsqueeze(1)).softmax(dim=2)
    return weights @ y @ W_V


def attend_by_package(
    x: Tensor, y: Tensor, W_Q: Tensor, W_K: Tensor, W_V: Tensor, mask: Tensor
) -> Tensor:
    return scaled_dot_product_attention(x @ W_Q, y @ W_K, y @ W_V, mask[:, None])[0]


def self_attention(x: Tensor, W_Q: Tensor, W_K: Tensor, W_V: Tensor) -> Tensor:
    energies = x @ W_Q @ (x @ W_K).mT / math.sqrt(W_Q.shape[1])
    return energies.softmax(-1) @ x @ W_V


def gap_by_layer(
    x: Tensor, W_Q: Tensor, W_K: Tensor, W_V: Tensor, positions: Tensor, order: Tensor
) -> float:
    def layer(words: Tensor) -> Tensor:
        return self_attention(words + positions, W_Q, W_K, W_V)

    return float((layer(x[:, order]) - layer(x)[:, order]).abs().max())


def gap_by_moving_back(
    x: Tensor, W_Q: Tensor, W_K: Tensor, W_V: Tensor, positions: Tensor, order: Tensor
) -> Tensor:
    """The permutation undone on the other side: the same differences, at other places."""
    moved = self_attention(x.index_select(1, order) + positions, W_Q, W_K, W_V)
    back = moved[:, torch.argsort(order)]
    return torch.max(torch.abs(back - self_attention(x + positions, W_Q, W_K, W_V)))


def gap_by_attend(
    x: Tensor, W_Q: Tensor, W_K: Tensor, W_V: Tensor, positions: Tensor, order: Tensor
) -> float:
    everything = torch.ones_like(x[..., 0], dtype=torch.bool)
    outputs = []
    for words in (x, x[:, order]):
        placed = words + positions
        outputs.append(attend_by_filling(placed, placed, W_Q, W_K, W_V, everything))
    return torch.dist(outputs[1], outputs[0][:, order], p=math.inf).item()


RIGHT: dict[str, list[Callable[..., Any]]] = {
    "nadaraya-watson": [
        regression_by_softmax,
        regression_by_exponentials,
        regression_by_loop,
        regression_by_product,
    ],
    "attend": [attend_by_filling, attend_by_adding, attend_by_package],
    "order-gap": [gap_by_layer, gap_by_moving_back, gap_by_attend],
}

# ---- Mistakes as readers write them


def regression_by_hand(queries: Tensor, keys: Tensor, values: Tensor, width: float) -> Tensor:
    powers = torch.exp(-((queries[:, None] - keys) ** 2) / (2 * width**2))
    return powers @ values / powers.sum(dim=1)


def regression_with_epsilon(queries: Tensor, keys: Tensor, values: Tensor, width: float) -> Tensor:
    powers = torch.exp(-((queries[:, None] - keys) ** 2) / (2 * width**2))
    return powers @ values / (powers.sum(dim=1) + 1e-12)


def regression_without_brackets(
    queries: Tensor, keys: Tensor, values: Tensor, width: float
) -> Tensor:
    return (-((queries[:, None] - keys) ** 2) / 2 * width**2).softmax(-1) @ values


def regression_with_columns(queries: Tensor, keys: Tensor, values: Tensor, width: float) -> Tensor:
    energies = -((queries[None, :] - keys[:, None]) ** 2) / (2 * width**2)  # S × T
    return energies.softmax(-1).T @ values


def nearest_neighbour(queries: Tensor, keys: Tensor, values: Tensor, width: float) -> Tensor:
    return values[(queries[:, None] - keys).abs().argmin(-1)]


def attend_itself(
    x: Tensor, y: Tensor, W_Q: Tensor, W_K: Tensor, W_V: Tensor, mask: Tensor
) -> Tensor:
    return attend_by_filling(x, x, W_Q, W_K, W_V, mask)


def attend_with_keys_for_values(
    x: Tensor, y: Tensor, W_Q: Tensor, W_K: Tensor, W_V: Tensor, mask: Tensor
) -> Tensor:
    keys = y @ W_K
    energies = x @ W_Q @ keys.mT / math.sqrt(keys.shape[-1])
    return energies.masked_fill(~mask[:, None], -1e9).softmax(-1) @ keys


def attend_by_model_width(
    x: Tensor, y: Tensor, W_Q: Tensor, W_K: Tensor, W_V: Tensor, mask: Tensor
) -> Tensor:
    energies = x @ W_Q @ (y @ W_K).mT / math.sqrt(x.shape[-1])
    return energies.masked_fill(~mask[:, None], -math.inf).softmax(-1) @ y @ W_V


def attend_masking(hide: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Tensor]:
    def attend(x: Tensor, y: Tensor, W_Q: Tensor, W_K: Tensor, W_V: Tensor, mask: Tensor) -> Tensor:
        energies = x @ W_Q @ (y @ W_K).mT / math.sqrt(W_Q.shape[-1])
        return hide(energies, mask).softmax(-1) @ y @ W_V

    return attend


def gap_of(
    before: Callable[[Tensor, Tensor], Tensor], after: Callable[[Tensor, Tensor], Tensor]
) -> Callable[..., float]:
    """Positions are added to the words as `before` leaves them."""

    def gap(
        x: Tensor, W_Q: Tensor, W_K: Tensor, W_V: Tensor, positions: Tensor, order: Tensor
    ) -> float:
        moved = self_attention(before(x, order) + positions, W_Q, W_K, W_V)
        outputs = self_attention(x + positions, W_Q, W_K, W_V)
        return (moved - after(outputs, order)).abs().max().item()

    return gap


def gap_of_permuted_sums(
    x: Tensor, W_Q: Tensor, W_K: Tensor, W_V: Tensor, positions: Tensor, order: Tensor
) -> float:
    words = x + positions
    outputs = self_attention(words, W_Q, W_K, W_V)
    return (self_attention(words[:, order], W_Q, W_K, W_V) - outputs[:, order]).abs().max().item()


def gap_without_absolute(
    x: Tensor, W_Q: Tensor, W_K: Tensor, W_V: Tensor, positions: Tensor, order: Tensor
) -> float:
    moved = self_attention(x[:, order] + positions, W_Q, W_K, W_V)
    return (moved - self_attention(x + positions, W_Q, W_K, W_V)[:, order]).max().item()


# ---- Symptoms: wrong in a way that no row computes


def regression_of_mean_query(queries: Tensor, *rest: Any) -> Tensor:
    return regression_by_softmax((queries + queries.mean()) / 2, *rest)


def regression_by_dot_product(
    queries: Tensor, keys: Tensor, values: Tensor, width: float
) -> Tensor:
    return (torch.outer(queries, keys) / width**2).softmax(-1) @ values


def regression_of_fixed_width(
    queries: Tensor, keys: Tensor, values: Tensor, width: float
) -> Tensor:
    return regression_by_softmax(queries, keys, values, 1.0)


def attend_with_mates(x: Tensor, *rest: Tensor) -> Tensor:
    return attend_by_filling(x + x.mean(0), *rest)


def gap_from_start(
    x: Tensor, W_Q: Tensor, W_K: Tensor, W_V: Tensor, positions: Tensor, order: Tensor
) -> float:
    """Compares with a layer that adds no positions."""
    moved = self_attention(x[:, order] + positions, W_Q, W_K, W_V)
    return (moved - self_attention(x, W_Q, W_K, W_V)[:, order]).abs().max().item()


def gap_of_running_sum(
    x: Tensor, W_Q: Tensor, W_K: Tensor, W_V: Tensor, positions: Tensor, order: Tensor
) -> float:
    def layer(words: Tensor) -> Tensor:
        return self_attention((words + positions).cumsum(1), W_Q, W_K, W_V)

    return (layer(x[:, order]) - layer(x)[:, order]).abs().max().item()


def gap_of_first_sentence(x: Tensor, *rest: Tensor) -> float:
    return gap_by_layer(x[:1], *rest)


NAMED: list[tuple[str, Callable[..., Any], str | None]] = [
    ("nadaraya-watson", regression_by_hand, "exponential-underflows"),
    ("nadaraya-watson", regression_with_epsilon, "exponential-underflows"),
    ("nadaraya-watson", regression_without_brackets, "bell-of-other-width"),
    ("nadaraya-watson", regression_with_columns, "softmax-over-queries"),
    ("nadaraya-watson", nearest_neighbour, "nearest-key-alone"),
    ("attend", attend_itself, "keys-from-x"),
    ("attend", lambda x, y, *rest: attend_by_filling(y, y, *rest), "queries-from-y"),
    (
        "attend",
        lambda x, y, q, k, *rest: attend_by_filling(x, y, k, q, *rest),
        "projections-exchanged",
    ),
    ("attend", attend_with_keys_for_values, "values-not-blended"),
    ("attend", attend_by_model_width, "divided-by-model-width"),
    (
        "attend",
        attend_masking(lambda energies, mask: energies.masked_fill(~mask, -math.inf)),
        "mask-along-wrong-axis",
    ),
    ("order-gap", gap_of(lambda x, order: x[:, order], lambda x, order: x), "invariance"),
    ("order-gap", gap_of(lambda x, order: x, lambda x, order: x[:, order]), "words-not-permuted"),
    ("order-gap", gap_of(lambda x, order: x[order], lambda x, order: x[order]), "wrong-axis"),
    ("order-gap", gap_of_permuted_sums, "positions-carried"),
    ("order-gap", gap_without_absolute, "sign-kept"),
    ("nadaraya-watson", regression_of_mean_query, "depends-on-batch-mates"),
    ("nadaraya-watson", lambda *case: regression_by_softmax(*case) / 2, "rows-not-one"),
    ("nadaraya-watson", regression_by_dot_product, "depends-on-origin"),
    ("nadaraya-watson", regression_of_fixed_width, "depends-on-unit"),
    ("nadaraya-watson", lambda q, k, v, width: regression_by_softmax(q, k, v, 2 * width), None),
    ("attend", attend_masking(lambda energies, mask: energies), "reads-padding"),
    ("attend", attend_masking(lambda energies, mask: energies * mask[:, None]), "reads-padding"),
    ("attend", attend_with_mates, "depends-on-batch-mates"),
    ("attend", lambda *case: attend_by_filling(*case) / 2, "rows-not-one"),
    ("attend", lambda x, *rest: attend_by_filling(2 * x, *rest), None),
    ("order-gap", gap_from_start, "gap-where-nothing-moves"),
    ("order-gap", gap_of_running_sum, "gap-without-positions"),
    ("order-gap", gap_of_first_sentence, "not-of-worst-sentence"),
    ("order-gap", lambda *case: 2 * gap_by_layer(*case), None),
]

# ---- Mutants of the references: which names take each other's place, what changes nothing

NAMES = {
    "queries": "keys",
    "keys": "queries",
    "values": "keys",
    "query": "answering",
    "x": "y",
    "y": "x",
    "W_Q": "W_K",
    "W_K": "W_Q",
    "W_V": "W_K",
    "positions": "words",
}

EQUIVALENT: list[tuple[str, str]] = []
