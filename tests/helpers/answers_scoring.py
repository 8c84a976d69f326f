"""Right answers to the exercises of chapter 03, written as readers would write them."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from transformer_lite.scores import AdditiveScore, ScaledDotScore
from transformer_lite.windows import PredictiveWindow


def scaled_by_product(query: Tensor, keys: Tensor) -> Tensor:
    return query @ keys.transpose(1, 2) / math.sqrt(query.shape[-1])


def scaled_by_einsum(query: Tensor, keys: Tensor) -> Tensor:
    return torch.einsum("btk,bsk->bts", query, keys) * query.size(-1) ** -0.5


def scaled_on_both_sides(query: Tensor, keys: Tensor) -> Tensor:
    root = query.shape[2] ** 0.25
    return torch.bmm(query / root, (keys / root).mT)


def scaled_by_package(query: Tensor, keys: Tensor) -> Tensor:
    energies: Tensor = ScaledDotScore()(query, keys)
    return energies


def concat_by_expanding(query: Tensor, keys: Tensor, weight: Tensor, v: Tensor) -> Tensor:
    steps, length = query.shape[1], keys.shape[1]
    asking = query.unsqueeze(2).expand(-1, -1, length, -1)
    asked = keys.unsqueeze(1).expand(-1, steps, -1, -1)
    pairs = torch.cat([asking, asked], dim=-1)
    return torch.tanh(pairs @ weight.T) @ v


def concat_by_splitting(query: Tensor, keys: Tensor, weight: Tensor, v: Tensor) -> Tensor:
    for_query, for_key = weight.split([query.shape[-1], keys.shape[-1]], dim=1)
    both = (query @ for_query.T)[:, :, None] + (keys @ for_key.T)[:, None]
    return both.tanh() @ v


def concat_by_repeating(query: Tensor, keys: Tensor, weight: Tensor, v: Tensor) -> Tensor:
    columns = []
    for s in range(keys.shape[1]):
        repeated = keys[:, s : s + 1].repeat(1, query.shape[1], 1)
        hidden = torch.nn.functional.linear(torch.cat([query, repeated], dim=2), weight)
        columns.append((torch.tanh(hidden) * v).sum(-1))
    return torch.stack(columns, dim=2)


def concat_by_package(query: Tensor, keys: Tensor, weight: Tensor, v: Tensor) -> Tensor:
    width = query.shape[2]
    score = AdditiveScore(width, keys.shape[2], len(weight))
    state = {"query.weight": weight[:, :width], "key.weight": weight[:, width:]}
    score.load_state_dict(state | {"v.weight": v[None]})
    energies: Tensor = score(query, keys)
    return energies


def temperature_by_softmax(energies: Tensor, tau: float) -> Tensor:
    return torch.softmax(energies / tau, dim=-1)


def temperature_by_exponentials(energies: Tensor, tau: float) -> Tensor:
    scaled = energies / tau
    powers = torch.exp(scaled - scaled.max(dim=-1, keepdim=True).values)
    return powers / powers.sum(dim=-1, keepdim=True)


def temperature_by_logarithm(energies: Tensor, tau: float) -> Tensor:
    return (energies / tau).log_softmax(-1).exp()


def temperature_by_powers(energies: Tensor, tau: float) -> Tensor:
    """Weights to the power of 1 / tau, in logarithms."""
    return (energies.log_softmax(-1) / tau).softmax(-1)


def local_by_where(weights: Tensor, centre: Tensor, radius: int) -> Tensor:
    positions = torch.arange(weights.shape[1])
    distance = positions[None, :] - centre[:, None]
    sigma = radius / 2
    gaussian = torch.exp(-(distance**2) / (2 * sigma**2))
    return torch.where(distance.abs() <= radius, weights * gaussian, 0.0)


def local_by_masked_fill(weights: Tensor, centre: Tensor, radius: int) -> Tensor:
    distance = (torch.arange(weights.size(1)).float() - centre.unsqueeze(1)).abs()
    local = weights * torch.exp(-2 * distance.square() / radius**2)
    return local.masked_fill(distance > radius, 0.0)


def local_by_package(weights: Tensor, centre: Tensor, radius: int) -> Tensor:
    distance = (torch.arange(weights.shape[1]) - centre[:, None])[:, None]
    local = PredictiveWindow(1, radius).reweight(weights[:, None], distance)
    return (local * (distance.abs() <= radius))[:, 0]


RIGHT: dict[str, list[Callable[..., Any]]] = {
    "scaled-dot-energies": [
        scaled_by_product,
        scaled_by_einsum,
        scaled_on_both_sides,
        scaled_by_package,
    ],
    "concat-energies": [
        concat_by_expanding,
        concat_by_splitting,
        concat_by_repeating,
        concat_by_package,
    ],
    "temperature": [
        temperature_by_softmax,
        temperature_by_exponentials,
        temperature_by_logarithm,
        temperature_by_powers,
    ],
    "local-window": [local_by_where, local_by_masked_fill, local_by_package],
}
