"""Answers to the exercises of chapter 03, right and wrong, as readers would write them."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from transformer_lite.attention import scaled_dot_product_attention
from transformer_lite.scores import AdditiveScore
from transformer_lite.windows import PredictiveWindow


def attention_by_filling(query: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
    energies = query @ keys.transpose(1, 2) / math.sqrt(query.shape[-1])
    energies = energies.masked_fill(~mask[:, None], float("-inf"))
    return torch.softmax(energies, dim=-1) @ values


def attention_by_adding(query: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
    energies = torch.einsum("btk,bsk->bts", query, keys) * query.size(-1) ** -0.5
    weights = (energies + (1 - mask.float()).unsqueeze(1) * -1e9).softmax(dim=2)
    return torch.einsum("bts,bsd->btd", weights, values)


def attention_by_renormalising(query: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
    root = query.shape[2] ** 0.25
    weights = torch.bmm(query / root, (keys / root).mT).softmax(-1) * mask[:, None, :]
    return torch.bmm(weights / weights.sum(-1, keepdim=True), values)


def attention_by_package(query: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
    contexts, _ = scaled_dot_product_attention(query, keys, values, mask[:, None])
    return contexts


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
    "masked-attention": [
        attention_by_filling,
        attention_by_adding,
        attention_by_renormalising,
        attention_by_package,
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

# ---- Mistakes as readers write them


def mask_along_batch(query: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
    energies = query @ keys.mT / math.sqrt(query.shape[-1])
    return energies.masked_fill(~mask, -math.inf).softmax(-1) @ values


def padding_at_zero(query: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
    energies = query @ keys.mT / math.sqrt(query.shape[-1])
    return (energies * mask[:, None]).softmax(-1) @ values


def values_masked(query: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
    weights = torch.softmax(query @ keys.mT / math.sqrt(query.shape[-1]), dim=-1)
    return weights @ (values * mask[:, :, None])


def concat_in_step(query: Tensor, keys: Tensor, weight: Tensor, v: Tensor) -> Tensor:
    return torch.tanh(torch.cat([query, keys], dim=-1) @ weight.T) @ v


def concat_repeated(query: Tensor, keys: Tensor, weight: Tensor, v: Tensor) -> Tensor:
    steps, length = query.shape[1], keys.shape[1]
    pairs = torch.cat([query.repeat(1, length, 1), keys.repeat(1, steps, 1)], dim=-1)
    return (torch.tanh(pairs @ weight.T) @ v).view(-1, steps, length)


def concat_key_first(query: Tensor, keys: Tensor, weight: Tensor, v: Tensor) -> Tensor:
    width = keys.shape[-1]
    both = (keys @ weight[:, :width].T)[:, None] + (query @ weight[:, width:].T)[:, :, None]
    return both.tanh() @ v


def concat_halved(query: Tensor, keys: Tensor, weight: Tensor, v: Tensor) -> Tensor:
    for_query, for_key = weight[:, : weight.shape[1] // 2], weight[:, weight.shape[1] // 2 :]
    return ((query @ for_query.T)[:, :, None] + (keys @ for_key.T)[:, None]).tanh() @ v


def concat_without_tanh(query: Tensor, keys: Tensor, weight: Tensor, v: Tensor) -> Tensor:
    width = query.shape[-1]
    return (query @ weight[:, :width].T @ v)[:, :, None] + (keys @ weight[:, width:].T @ v)[:, None]


def temperature_by_hand(energies: Tensor, tau: float) -> Tensor:
    powers = torch.exp(energies / tau)
    return powers / powers.sum(dim=-1, keepdim=True)


def temperature_less_the_maximum(energies: Tensor, tau: float) -> Tensor:
    return temperature_by_hand(energies - energies.max(), tau)


def gaussian_by(
    exponent: Callable[[Tensor, float], Tensor], cut: bool = True
) -> Callable[..., Tensor]:
    def local(weights: Tensor, centre: Tensor, radius: int) -> Tensor:
        distance = torch.arange(weights.shape[1]) - centre[:, None]
        gaussian = torch.exp(exponent(distance, radius / 2))
        return weights * gaussian * (distance.abs() <= radius if cut else 1)

    return local


def local_without_axis(weights: Tensor, centre: Tensor, radius: int) -> Tensor:
    distance = torch.arange(weights.shape[1]) - centre
    gaussian = torch.exp(-(distance**2) / (2 * (radius / 2) ** 2))
    return weights * gaussian * (distance.abs() <= radius)


# ---- Symptoms: wrong in a way that no row computes


def queries_mixed(query: Tensor, *rest: Tensor) -> Tensor:
    return attention_by_filling(query + query.mean(0), *rest)


def always_eight(query: Tensor, *rest: Tensor) -> Tensor:
    return attention_by_filling(query * math.sqrt(query.shape[-1]) / 8, *rest)


def mixed_pairs(query: Tensor, keys: Tensor, weight: Tensor, v: Tensor) -> Tensor:
    return concat_by_splitting(query, keys + keys.mean(0), weight, v)


def centred_pairs(query: Tensor, keys: Tensor, weight: Tensor, v: Tensor) -> Tensor:
    energies = concat_by_splitting(query, keys, weight, v)
    return energies - energies.mean(-1, keepdim=True)


def pairs_of_positions(query: Tensor, keys: Tensor, weight: Tensor, v: Tensor) -> Tensor:
    positions = torch.arange(keys.shape[1])
    return positions * concat_by_splitting(query, torch.zeros_like(keys), weight, v)


def pairs_apart(query: Tensor, keys: Tensor, weight: Tensor, v: Tensor) -> Tensor:
    nothing = torch.zeros_like
    from_query = concat_by_splitting(query, nothing(keys), weight, v)
    return from_query + 3 * concat_by_splitting(nothing(query), keys, weight, v)


def pairs_without_v(query: Tensor, keys: Tensor, weight: Tensor, v: Tensor) -> Tensor:
    width = query.shape[-1]
    both = (query @ weight[:, :width].T)[:, :, None] + (keys @ weight[:, width:].T)[:, None]
    return both.tanh().square().sum(-1)


def halved(energies: Tensor, tau: float) -> Tensor:
    return temperature_by_softmax(energies, tau) / 2


def reversed_order(energies: Tensor, tau: float) -> Tensor:
    return temperature_by_softmax(-energies, tau)


def always_at_three(energies: Tensor, tau: float) -> Tensor:
    return temperature_by_softmax(energies, 3.0)


def hot_is_sharp(energies: Tensor, tau: float) -> Tensor:
    return temperature_by_softmax(energies, 1 / tau**3)


def mean_of_centres(weights: Tensor, centre: Tensor, radius: int) -> Tensor:
    return local_by_where(weights, (centre + centre.mean()) / 2, radius)


def wider(weights: Tensor, centre: Tensor, radius: int) -> Tensor:
    return local_by_where(weights, centre, radius + 1)


def other_normalisation(weights: Tensor, centre: Tensor, radius: int) -> Tensor:
    local = local_by_where(weights, centre, radius)
    return local / (1 + local.sum(-1, keepdim=True))


def raised(weights: Tensor, centre: Tensor, radius: int) -> Tensor:
    return 3 * local_by_where(weights, centre, radius)


NAMED: list[tuple[str, Callable[..., Any], str | None]] = [
    ("masked-attention", mask_along_batch, "reads-padding"),
    ("masked-attention", padding_at_zero, "reads-padding"),
    ("masked-attention", values_masked, "mask-after-softmax"),
    ("concat-energies", concat_in_step, "wrong-pairs"),
    ("concat-energies", concat_repeated, "wrong-pairs"),
    ("concat-energies", concat_key_first, "key-first"),
    ("concat-energies", concat_halved, "cut-at-wrong-place"),
    ("concat-energies", concat_without_tanh, "tanh-missing"),
    ("concat-energies", lambda *case: concat_by_splitting(*case).mT, "keys-ask"),
    ("temperature", temperature_by_hand, "exponential-overflows"),
    ("temperature", temperature_less_the_maximum, "one-maximum-for-all"),
    ("temperature", lambda energies, tau: energies.softmax(-1), "tau-ignored"),
    ("temperature", lambda energies, tau: energies.softmax(-1) ** (1 / tau), "rows-not-one"),
    ("local-window", gaussian_by(lambda d, sigma: -(d**2) / sigma**2), "two-missing"),
    ("local-window", gaussian_by(lambda d, sigma: -(d**2) / 2 * sigma**2), "sigma-not-squared"),
    ("local-window", gaussian_by(lambda d, sigma: -d / (2 * sigma**2)), "distance-not-squared"),
    ("local-window", gaussian_by(lambda d, sigma: d**2 / (2 * sigma**2)), "weights-grow"),
    (
        "local-window",
        gaussian_by(lambda d, sigma: -(d**2) / (2 * sigma**2), cut=False),
        "weight-outside-window",
    ),
    ("local-window", local_without_axis, "centre-along-positions"),
    ("masked-attention", queries_mixed, "depends-on-batch-mates"),
    ("masked-attention", lambda *case: attention_by_filling(*case) / 2, "rows-not-one"),
    ("masked-attention", always_eight, "scale-ignores-width"),
    ("masked-attention", lambda query, *rest: attention_by_filling(2 * query, *rest), None),
    ("concat-energies", mixed_pairs, "depends-on-batch-mates"),
    ("concat-energies", centred_pairs, "depends-on-other-keys"),
    ("concat-energies", pairs_of_positions, "source-ignored"),
    ("concat-energies", pairs_apart, "query-ignored-by-softmax"),
    ("concat-energies", pairs_without_v, "v-ignored"),
    ("concat-energies", lambda *case: 2 * concat_by_splitting(*case), None),
    ("temperature", halved, "rows-not-one"),
    ("temperature", reversed_order, "order-lost"),
    ("temperature", always_at_three, "tau-ignored"),
    ("temperature", hot_is_sharp, "sharper-when-hot"),
    ("temperature", lambda energies, tau: temperature_by_softmax(energies, tau + 1), None),
    ("local-window", mean_of_centres, "depends-on-batch-mates"),
    ("local-window", wider, "weight-outside-window"),
    ("local-window", other_normalisation, "positions-mixed"),
    ("local-window", raised, "weights-grow"),
    ("local-window", lambda *case: local_by_where(*case) / 2, None),
]

# ---- Mutants of the references: which names take each other's place, what changes nothing

NAMES = {
    "key": "query",
    "keys": "query",
    "values": "keys",
    "step": "position",
    "position": "step",
    "radius": "deviation",
    "deviation": "radius",
}

EQUIVALENT: list[tuple[str, str]] = []
