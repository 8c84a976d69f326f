"""Answers to the exercises of chapter 02, right and wrong, as readers would write them."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from transformer_lite.masks import masked_softmax
from transformer_lite.scores import AdditiveScore, weighted_average

Weights = dict[str, Tensor]


def additive_by_broadcast(query: Tensor, keys: Tensor, weights: Weights) -> Tensor:
    from_query = query @ weights["W"].T
    from_keys = keys @ weights["U"].T
    hidden = torch.tanh(from_query[:, None, :] + from_keys)
    return hidden @ weights["v"]


def additive_by_einsum(query: Tensor, keys: Tensor, weights: Weights) -> Tensor:
    from_query = torch.einsum("ad,bd->ba", weights["W"], query).unsqueeze(1)
    from_keys = torch.einsum("an,bsn->bsa", weights["U"], keys)
    return torch.einsum("a,bsa->bs", weights["v"], (from_query + from_keys).tanh())


def additive_by_loop(query: Tensor, keys: Tensor, weights: Weights) -> Tensor:
    columns = []
    for s in range(keys.shape[1]):
        hidden = torch.tanh(query @ weights["W"].T + keys[:, s] @ weights["U"].T)
        columns.append((hidden * weights["v"]).sum(dim=1))
    return torch.stack(columns, dim=1)


def additive_by_package(query: Tensor, keys: Tensor, weights: Weights) -> Tensor:
    width, query_width = weights["W"].shape
    score = AdditiveScore(query_width, keys.shape[2], width)
    state = {"query.weight": weights["W"], "key.weight": weights["U"]}
    score.load_state_dict(state | {"v.weight": weights["v"][None]})
    energies: Tensor = score(query[:, None], keys)
    return energies[:, 0]


def masked_by_two_fills(energies: Tensor, mask: Tensor) -> Tensor:
    padding = ~mask[:, None, :]
    hidden = energies.masked_fill(padding, -1e9)
    return hidden.softmax(dim=-1).masked_fill(padding, 0.0)


def masked_by_minus_infinity(energies: Tensor, mask: Tensor) -> Tensor:
    hidden = energies.masked_fill(~mask.unsqueeze(1), float("-inf"))
    return torch.softmax(hidden, dim=2).nan_to_num(0.0)


def masked_by_adding(energies: Tensor, mask: Tensor) -> Tensor:
    real = mask[:, None, :].float()
    return torch.softmax(energies + (1 - real) * -1e9, dim=-1) * real


def masked_by_exponentials(energies: Tensor, mask: Tensor) -> Tensor:
    real = mask[:, None, :]
    powers = (energies - energies.amax(-1, keepdim=True)).exp() * real
    return powers / powers.sum(-1, keepdim=True).clamp(min=1e-9)


def masked_by_renormalising(energies: Tensor, mask: Tensor) -> Tensor:
    weights = energies.softmax(-1) * mask[:, None]
    total = weights.sum(-1, keepdim=True)
    return torch.where(total > 0, weights / total, 0.0)


def masked_by_package(energies: Tensor, mask: Tensor) -> Tensor:
    return masked_softmax(energies, mask[:, None])


def context_by_product(weights: Tensor, values: Tensor) -> Tensor:
    return weights @ values


def context_by_bmm(weights: Tensor, values: Tensor) -> Tensor:
    return torch.bmm(weights, values)


def context_by_einsum(weights: Tensor, values: Tensor) -> Tensor:
    return torch.einsum("bts,bsn->btn", weights, values)


def context_by_broadcast(weights: Tensor, values: Tensor) -> Tensor:
    return (weights.unsqueeze(-1) * values.unsqueeze(1)).sum(dim=2)


def join_by_slices(last: Tensor) -> Tensor:
    return torch.cat([last[0::2], last[1::2]], dim=-1)


def join_by_view(last: Tensor) -> Tensor:
    directions, rows, width = last.shape
    apart = last.view(directions // 2, 2, rows, width)
    return apart.transpose(1, 2).reshape(directions // 2, rows, 2 * width)


def join_by_unbind(last: Tensor) -> Tensor:
    forward, backward = last.unflatten(0, (-1, 2)).unbind(1)
    return torch.cat([forward, backward], dim=2)


def join_by_loop(last: Tensor) -> Tensor:
    layers = [torch.cat([last[i], last[i + 1]], dim=1) for i in range(0, last.shape[0], 2)]
    return torch.stack(layers)


def run_both_ways(source: Tensor, layers: int, width: int) -> tuple[Tensor, Tensor]:
    """Outputs and final states of a bidirectional encoder."""
    gru = nn.GRU(source.shape[2], width, layers, batch_first=True, bidirectional=True)
    outputs, last = gru(source)
    return outputs, last


RIGHT: dict[str, list[Callable[..., Any]]] = {
    "additive-energies": [
        additive_by_broadcast,
        additive_by_einsum,
        additive_by_loop,
        additive_by_package,
    ],
    "masked-weights": [
        masked_by_two_fills,
        masked_by_minus_infinity,
        masked_by_adding,
        masked_by_exponentials,
        masked_by_renormalising,
        masked_by_package,
    ],
    "context-vectors": [
        context_by_product,
        context_by_bmm,
        context_by_einsum,
        context_by_broadcast,
        weighted_average,
    ],
    "join-directions": [join_by_slices, join_by_view, join_by_unbind, join_by_loop],
}

# ---- Mistakes as readers write them


def additive_untransposed(query: Tensor, keys: Tensor, weights: Weights) -> Tensor:
    hidden = torch.tanh((query @ weights["W"])[:, None] + keys @ weights["U"])
    return hidden @ weights["v"]


def additive_without_axis(query: Tensor, keys: Tensor, weights: Weights) -> Tensor:
    hidden = torch.tanh(query @ weights["W"].T + keys @ weights["U"].T)
    return hidden @ weights["v"]


def tanh_of_each(query: Tensor, keys: Tensor, weights: Weights) -> Tensor:
    from_query = torch.tanh(query @ weights["W"].T)[:, None]
    return (from_query + torch.tanh(keys @ weights["U"].T)) @ weights["v"]


def hidden_summed(query: Tensor, keys: Tensor, weights: Weights) -> Tensor:
    hidden = (query @ weights["W"].T)[:, None] + keys @ weights["U"].T
    return hidden.tanh().sum(-1)


def first_query_for_all(query: Tensor, keys: Tensor, weights: Weights) -> Tensor:
    return additive_by_broadcast(query[:1].expand_as(query), keys, weights)


def of_keys_alone(query: Tensor, keys: Tensor, weights: Weights) -> Tensor:
    return (keys @ weights["U"].T).tanh() @ weights["v"]


def of_the_query_alone(query: Tensor, keys: Tensor, weights: Weights) -> Tensor:
    energies = (query @ weights["W"].T).tanh() @ weights["v"]
    return energies[:, None].expand(keys.shape[:2])


def masked_by(where: Callable[[Tensor], Tensor], value: float) -> Callable[..., Tensor]:
    def masked(energies: Tensor, mask: Tensor) -> Tensor:
        return energies.masked_fill(where(mask), value).softmax(-1)

    return masked


def inverted_by_adding(energies: Tensor, mask: Tensor) -> Tensor:
    return (energies + mask[:, None] * -1e9).softmax(-1)


def unshifted(energies: Tensor, mask: Tensor) -> Tensor:
    powers = energies.exp() * mask[:, None]
    return powers / powers.sum(-1, keepdim=True)


def by_sigmoid(energies: Tensor, mask: Tensor) -> Tensor:
    return energies.sigmoid() * mask[:, None]


def context_in_a_loop_over_steps(weights: Tensor, values: Tensor) -> Tensor:
    steps = [weights[:, t, :, None] * values for t in range(weights.shape[1])]
    return torch.stack(steps, dim=1)


def context_without_axis(weights: Tensor, values: Tensor) -> Tensor:
    return (weights.unsqueeze(-1) * values.unsqueeze(2)).sum(dim=2)


def join_top_layer(last: Tensor) -> Tensor:
    return torch.cat([last[-2], last[-1]], dim=1)


def join_by_flattening(last: Tensor) -> Tensor:
    return last.view(last.shape[0] // 2, last.shape[1], 2 * last.shape[2])


def forward_twice(last: Tensor) -> Tensor:
    return torch.cat([last[::2], last[::2]], dim=-1)


# ---- Symptoms: wrong in a way that no row computes


def over_the_batch(query: Tensor, keys: Tensor, weights: Weights) -> Tensor:
    energies = additive_by_broadcast(query, keys, weights)
    return energies - energies.mean(0)


def centred(query: Tensor, keys: Tensor, weights: Weights) -> Tensor:
    energies = additive_by_broadcast(query, keys, weights)
    return energies - energies.mean(-1, keepdim=True)


def of_positions(query: Tensor, keys: Tensor, weights: Weights) -> Tensor:
    positions = torch.arange(keys.shape[1])
    return positions * additive_by_broadcast(query, torch.zeros_like(keys), weights)


def added_apart(query: Tensor, keys: Tensor, weights: Weights) -> Tensor:
    from_keys = torch.tanh(keys @ weights["U"].T) @ weights["v"]
    return from_keys + (query @ weights["W"].T).sum(1, keepdim=True)


def without_v(query: Tensor, keys: Tensor, weights: Weights) -> Tensor:
    hidden = (query @ weights["W"].T)[:, None] + keys @ weights["U"].T
    return hidden.tanh().square().sum(-1)


def a_little_for_padding(energies: Tensor, mask: Tensor) -> Tensor:
    return masked_by_package(energies, mask) + 0.01 * ~mask[:, None]


def halved(energies: Tensor, mask: Tensor) -> Tensor:
    return masked_by_package(energies, mask) / 2


def shared_energies(energies: Tensor, mask: Tensor) -> Tensor:
    return masked_by_package(energies + energies.mean(0).argsort(-1), mask)


def shaken_by_padding(energies: Tensor, mask: Tensor) -> Tensor:
    level = energies.masked_fill(mask[:, None], 0.0).sum((1, 2), keepdim=True)
    return masked_by_package(energies * (1 + level.sin()), mask)


def next_sentence(weights: Tensor, values: Tensor) -> Tensor:
    return context_by_product(weights, values) + 0.1 * values.mean(1, keepdim=True).roll(1, 0)


def smoothed(weights: Tensor, values: Tensor) -> Tensor:
    return context_by_product(weights + 0.05, values)


def rounded(weights: Tensor, values: Tensor) -> Tensor:
    return context_by_product(weights, values).round()


def sharpened(weights: Tensor, values: Tensor) -> Tensor:
    squared = weights.square()
    shares = squared / squared.sum(-1, keepdim=True).clamp(min=1e-9)
    return context_by_product(shares, values)


def doubled(weights: Tensor, values: Tensor) -> Tensor:
    return 2 * context_by_product(weights, values)


def neighbours_joined(last: Tensor) -> Tensor:
    return join_by_slices(last.roll(1, 1))


def next_layer_joined(last: Tensor) -> Tensor:
    return join_by_slices(last.roll(1, 0))


NAMED: list[tuple[str, Callable[..., Any], str | None]] = [
    ("additive-energies", additive_untransposed, "weights-transposed"),
    ("additive-energies", additive_without_axis, "query-along-positions"),
    ("additive-energies", tanh_of_each, "tanh-misplaced"),
    ("additive-energies", hidden_summed, "v-ignored"),
    ("additive-energies", first_query_for_all, "depends-on-batch-mates"),
    ("additive-energies", of_keys_alone, "query-ignored-by-softmax"),
    ("additive-energies", of_the_query_alone, "source-ignored"),
    ("masked-weights", masked_by(lambda mask: ~mask[:, None], -torch.inf), "empty-row-nan"),
    ("masked-weights", masked_by(lambda mask: ~mask[:, None], -1e9), "empty-row-uniform"),
    ("masked-weights", masked_by(lambda mask: ~mask[:, None], -1e4), "padding-gets-weight"),
    ("masked-weights", masked_by(lambda mask: ~mask[:, None], 0.0), "energy-zero-at-padding"),
    ("masked-weights", masked_by(lambda mask: ~mask, -torch.inf), "mask-along-steps"),
    ("masked-weights", masked_by(lambda mask: mask[:, None], -torch.inf), "mask-inverted"),
    ("masked-weights", inverted_by_adding, "mask-inverted"),
    ("masked-weights", unshifted, "not-finite"),
    ("masked-weights", by_sigmoid, "rows-not-one"),
    ("context-vectors", context_in_a_loop_over_steps, "not-summed"),
    ("context-vectors", context_without_axis, "values-along-steps"),
    ("context-vectors", lambda weights, values: values @ weights, "operands-swapped"),
    ("context-vectors", lambda weights, values: weights @ values[0], "depends-on-batch-mates"),
    ("join-directions", join_top_layer, "one-layer"),
    ("join-directions", join_by_flattening, "reshaped"),
    ("join-directions", lambda last: last[-1], "one-direction"),
    ("join-directions", forward_twice, "numbers-lost"),
    ("additive-energies", over_the_batch, "depends-on-batch-mates"),
    ("additive-energies", centred, "depends-on-other-keys"),
    ("additive-energies", of_positions, "source-ignored"),
    ("additive-energies", added_apart, "query-ignored-by-softmax"),
    ("additive-energies", without_v, "v-ignored"),
    ("additive-energies", lambda *case: 2 * additive_by_broadcast(*case), None),
    ("additive-energies", lambda query, keys, weights: keys[0], None),
    ("masked-weights", a_little_for_padding, "padding-gets-weight"),
    ("masked-weights", halved, "rows-not-one"),
    ("masked-weights", shared_energies, "depends-on-batch-mates"),
    ("masked-weights", shaken_by_padding, "reads-padding"),
    ("masked-weights", lambda energies, mask: masked_by_package(energies / 2, mask), None),
    ("context-vectors", next_sentence, "depends-on-batch-mates"),
    # `weights.T @ values`: sizes fit in few cases, and the verdict has to show one of them.
    (
        "context-vectors",
        lambda weights, values: weights.permute(2, 1, 0) @ values,
        "leaves-the-range",
    ),
    ("context-vectors", smoothed, "reads-weight-zero"),
    ("context-vectors", rounded, "not-proportional"),
    ("context-vectors", doubled, "leaves-the-range"),
    ("context-vectors", sharpened, None),
    ("join-directions", lambda last: join_by_slices(last) / 2, "numbers-lost"),
    ("join-directions", neighbours_joined, "depends-on-batch-mates"),
    ("join-directions", next_layer_joined, "layers-mixed"),
    ("join-directions", lambda last: join_by_slices(last).flip(2), None),
]

# ---- Mutants of the references: which names take each other's place, what changes nothing

NAMES = {
    "W": "U",
    "U": "W",
    "state": "key",
    "key": "query",
    "keys": "query",
    "step": "position",
    "position": "step",
    "seen": "shares",
    "shares": "seen",
    "forward": "backward",
    "backward": "forward",
}

EQUIVALENT = [
    # No steps either way.
    ("masked-weights", "0 → -1"),
    # The last axis of a matrix is axis 1.
    ("join-directions", "-1 → +1"),
]
