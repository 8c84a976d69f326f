"""Answers to the exercises of chapter 14, right and wrong, as readers would write them."""

from collections.abc import Callable
from functools import reduce
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from transformer_lite.attention import scaled_dot_product_attention


def leave_by_mask(query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    energies = keys @ query / query.shape[-1] ** 0.5
    own = torch.eye(len(keys), dtype=torch.bool)
    return energies.expand(len(keys), -1).masked_fill(own, -torch.inf).softmax(dim=-1) @ values


def leave_by_cutting(query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    rows = []
    for j in range(len(keys)):
        k, v = (torch.cat([x[:j], x[j + 1 :]]) for x in (keys, values))
        rows.append(F.scaled_dot_product_attention(query[None], k, v)[0])
    return torch.stack(rows)


def leave_by_sharing_out(query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """A weight set to 0, and the rest divided by what is left."""
    weights = torch.softmax(keys @ query / query.numel() ** 0.5, 0)
    left = weights.repeat(len(keys), 1).fill_diagonal_(0)
    return left / left.sum(1, keepdim=True) @ values


def leave_by_subtraction(query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    weights = torch.softmax(keys @ query / query.numel() ** 0.5, 0)[:, None]
    return (weights.mT @ values - weights * values) / (1 - weights)


def rollout_by_page(maps: Tensor) -> Tensor:
    flow = own = torch.eye(maps.shape[-1])
    for layer in maps.mean(dim=1):
        flow = (layer + own) / 2 @ flow
    return flow


def rollout_downwards(maps: Tensor) -> Tensor:
    """From the last layer to the first, the product on the other side."""
    own = torch.eye(maps.size(-1)).expand_as(maps)
    flow = torch.eye(maps.size(-1))
    for layer in reversed(0.5 * maps + 0.5 * own):
        flow = flow @ torch.mean(layer, 0)
    return flow


def rollout_by_multi_dot(maps: Tensor) -> Tensor:
    layers = torch.lerp(maps.mean(1), torch.eye(maps.shape[-1]), 0.5)
    return torch.linalg.multi_dot([torch.eye(maps.shape[-1]), *layers.flip(0)])


def handed_by_einsum(weights: Tensor, values: Tensor, output: Tensor) -> Tensor:
    parts = output.unflatten(1, (len(values), -1))  # D H K
    return torch.einsum("hts,hsk,dhk->tsd", weights, values, parts).norm(dim=-1)


def handed_by_layer(weights: Tensor, values: Tensor, output: Tensor) -> Tensor:
    """All heads' weighted values laid side by side, through the layer."""
    weighted = weights.unsqueeze(-1) * values.unsqueeze(1)  # H T S K
    beside = weighted.permute(1, 2, 0, 3).flatten(2)  # T S HK
    return torch.linalg.vector_norm(F.linear(beside, output), dim=2)


def handed_by_chunks(weights: Tensor, values: Tensor, output: Tensor) -> Tensor:
    vectors: Any = 0
    for head, part in enumerate(output.chunk(len(weights), dim=1)):
        vectors = vectors + weights[head].unsqueeze(2) * (values[head] @ part.T)
    return (vectors**2).sum(-1).sqrt()


RIGHT: dict[str, list[Callable[..., Any]]] = {
    "leave-one-out": [leave_by_mask, leave_by_cutting, leave_by_sharing_out, leave_by_subtraction],
    "rollout": [rollout_by_page, rollout_downwards, rollout_by_multi_dot],
    "handed-over": [handed_by_einsum, handed_by_layer, handed_by_chunks],
}

# ---- Mistakes as readers write them


def leave_with(
    change: Callable[[int, Tensor, Tensor], None], query: Tensor, keys: Tensor, values: Tensor
) -> Tensor:
    """Attention once for each word, with something changed in a copy of the keys and values."""
    rows = []
    for place in range(len(keys)):
        k, v = keys.clone(), values.clone()
        change(place, k, v)
        rows.append(scaled_dot_product_attention(query[None], k, v)[0])
    return torch.cat(rows)


def empty_value(place: int, keys: Tensor, values: Tensor) -> None:
    values[place] = 0


def empty_key(place: int, keys: Tensor, values: Tensor) -> None:
    keys[place] = 0


def leave_nothing_out(query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    return leave_with(lambda *_: None, query, keys, values)


def leave_by_product(query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """A mask as a factor of the energies."""
    seen = 1 - torch.eye(len(keys))
    return (keys @ query / len(query) ** 0.5 * seen).softmax(1) @ values


def leave_with_mask_inverted(query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    rows = query.expand(len(keys), -1)
    return F.scaled_dot_product_attention(
        rows, keys, values, attn_mask=torch.eye(len(keys), dtype=torch.bool)
    )


def leave_down_the_columns(query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    energies = (keys @ query).repeat(len(keys), 1) / len(query) ** 0.5
    return energies.fill_diagonal_(-torch.inf).softmax(dim=0) @ values


def leave_unscaled(query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    return leave_by_mask(query * len(query) ** 0.5, keys, values)


def rollout_of(layers: Tensor) -> Tensor:
    return reduce(torch.matmul, layers.flip(0))


def rollout_backwards(maps: Tensor) -> Tensor:
    flow = torch.eye(maps.shape[-1])
    for layer in maps.mean(1):
        flow = flow @ (0.5 * layer + 0.5 * torch.eye(len(layer)))
    return flow


def rollout_by_heads(maps: Tensor) -> Tensor:
    own = torch.eye(maps.shape[-1])
    return torch.stack([rollout_of((head + own) / 2) for head in maps.unbind(1)]).mean(0)


def rollout_of_axes(maps: Tensor) -> Tensor:
    """The mean over the layers, the product over the heads."""
    return rollout_of(0.5 * maps.mean(0) + 0.5 * torch.eye(maps.shape[-1]))


def handed_by_sizes(weights: Tensor, values: Tensor, output: Tensor) -> Tensor:
    parts = output.unflatten(1, (len(values), -1)).transpose(0, 1)
    sizes = (values @ parts.mT).norm(dim=-1)  # H S
    return (weights * sizes[:, None]).sum(0)


def handed_by_mean_map(weights: Tensor, values: Tensor, output: Tensor) -> Tensor:
    beside = values.transpose(0, 1).flatten(1)  # S HK
    return weights.mean(0) * (beside @ output.T).norm(dim=-1)


def handed_by_view(weights: Tensor, values: Tensor, output: Tensor) -> Tensor:
    """The heads' axis laid behind the width before both become one."""
    weighted = weights[..., None] * values[:, None]  # H T S K
    return F.linear(weighted.permute(1, 2, 3, 0).flatten(2), output).norm(dim=-1)


def handed_by_rows(weights: Tensor, values: Tensor, output: Tensor) -> Tensor:
    weighted = weights[..., None] * values[:, None]
    return (weighted.permute(1, 2, 0, 3).flatten(2) @ output).norm(dim=-1)


# ---- Symptoms: wrong in a way that no row computes


def leave_the_next_out(query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    return leave_by_mask(query, keys, values).roll(1, 0)


def leave_unscaled_and_emptied(query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    weights = (keys @ query).softmax(0)
    return weights @ values - weights[:, None] * values


def rollout_from_the_second(maps: Tensor) -> Tensor:
    own = torch.eye(maps.shape[-1])
    flow = own
    for layer in range(1, len(maps)):
        flow = (maps[layer].mean(0) + own) / 2 @ flow
    return flow


def rollout_of_first_head(maps: Tensor) -> Tensor:
    return rollout_by_page(maps[:, :1])


def rollout_of_sums(maps: Tensor) -> Tensor:
    """The heads added up."""
    return rollout_of((maps.sum(1) + torch.eye(maps.shape[-1])) / 2)


def handed_in_shares(weights: Tensor, values: Tensor, output: Tensor) -> Tensor:
    sizes = handed_by_einsum(weights, values, output)
    return sizes / sizes.sum(-1, keepdim=True)


def handed_with_another_softmax(weights: Tensor, values: Tensor, output: Tensor) -> Tensor:
    return handed_by_einsum(weights.softmax(-1), values, output)


NAMED: list[tuple[str, Callable[..., Any], str | None]] = [
    ("leave-one-out", lambda *case: leave_with(empty_value, *case), "value-emptied"),
    ("leave-one-out", lambda *case: leave_with(empty_key, *case), "energy-0"),
    ("leave-one-out", leave_by_product, "energy-0"),
    (
        "leave-one-out",
        lambda *case: leave_nothing_out(*case) - leave_by_mask(*case),
        "difference",
    ),
    ("leave-one-out", leave_with_mask_inverted, "only-what-was-hidden"),
    (
        "leave-one-out",
        lambda *case: leave_nothing_out(*case) - leave_with(empty_value, *case),
        "only-what-was-hidden",
    ),
    ("leave-one-out", leave_nothing_out, "nothing-hidden"),
    ("leave-one-out", leave_down_the_columns, "wrong-axis"),
    ("leave-one-out", leave_unscaled, "scaled-by-other-number"),
    ("rollout", rollout_backwards, "first-layer-last"),
    ("rollout", lambda maps: rollout_of(maps.mean(1)), "residual-left-out"),
    (
        "rollout",
        lambda maps: rollout_of(maps.mean(1) + torch.eye(maps.shape[-1])),
        "residual-whole",
    ),
    ("rollout", rollout_of_axes, "heads-multiplied"),
    ("rollout", rollout_by_heads, "heads-apart"),
    (
        "rollout",
        lambda maps: (maps.mean((0, 1)) + torch.eye(maps.shape[-1])) / 2,
        "layers-added",
    ),
    ("rollout", lambda maps: rollout_by_page(maps[-1:]), "one-layer"),
    ("rollout", lambda maps: rollout_by_page(maps).T, "columns-ask"),
    ("handed-over", handed_by_sizes, "sizes-added"),
    ("handed-over", handed_by_mean_map, "weights-averaged"),
    ("handed-over", lambda w, *rest: handed_by_layer(w / len(w), *rest), "heads-averaged"),
    (
        "handed-over",
        lambda w, v, output: handed_by_layer(w, v, torch.eye(output.shape[1])),
        "output-left-out",
    ),
    ("handed-over", handed_by_view, "columns-dealt-out"),
    ("handed-over", handed_by_rows, "output-turned"),
    (
        "handed-over",
        lambda w, *rest: handed_by_layer(torch.ones_like(w), *rest),
        "weights-left-out",
    ),
    ("handed-over", lambda *case: handed_by_layer(*case) ** 2, "another-size"),
    ("leave-one-out", leave_the_next_out, "still-seen"),
    ("leave-one-out", leave_unscaled_and_emptied, "rows-not-one"),
    ("leave-one-out", lambda q, k, v: leave_by_mask(q.abs(), k, v), None),
    ("rollout", rollout_from_the_second, "layer-ignored"),
    ("rollout", rollout_of_first_head, "order-of-heads-matters"),
    ("rollout", rollout_of_sums, "rows-not-one"),
    ("rollout", lambda maps: rollout_by_page(maps**2 / (maps**2).sum(-1, keepdim=True)), None),
    ("handed-over", handed_in_shares, "other-words-count"),
    ("handed-over", handed_with_another_softmax, "not-in-step-with-weights"),
    ("handed-over", lambda *case: handed_by_layer(*case) * 3, None),
]

# ---- Mutants of the references: which names take each other's place, what changes nothing

NAMES = {
    "place": "other",
    "other": "place",
    "hidden": "place",
    "heads": "width",
    "step": "place",
}

EQUIVALENT = [
    ("rollout", "1 → 2"),  # the last two axes are equally long
    (
        "handed-over",
        "handed += weights[head, step, place] * (mine @ values[head, place]) → "
        "handed -= weights[head, step, place] * (mine @ values[head, place])",
    ),
]
