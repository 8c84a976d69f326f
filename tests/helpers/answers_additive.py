"""Right answers to the exercises of chapter 02, written as readers would write them."""

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
