"""Answers to the exercises of chapter 07, right and wrong, as readers would write them."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from transformer_lite.masks import causal_mask, masked_softmax, padding_mask


def decoder_mask_by_triangle(lengths: Tensor, size: int) -> Tensor:
    past = torch.tril(torch.ones(size, size)).bool()
    real = torch.arange(size) < lengths.unsqueeze(1)
    return past & real[:, None, None, :]


def decoder_mask_by_places(lengths: Tensor, size: int) -> Tensor:
    key = torch.arange(size)
    query = key.view(-1, 1)
    return (key <= query).logical_and(key < lengths.view(-1, 1, 1, 1))


def decoder_mask_by_forbidding(lengths: Tensor, size: int) -> Tensor:
    future = torch.triu(torch.ones(size, size, dtype=torch.bool), diagonal=1)
    padding = torch.arange(size).expand(len(lengths), size) >= lengths[:, None]
    return ~(future | padding[:, None, None])


def decoder_mask_by_smaller(lengths: Tensor, size: int) -> Tensor:
    """A query sees as many keys as stand up to it, and as there are words."""
    upto = torch.arange(1, size + 1).minimum(lengths[:, None])
    return (torch.arange(size) < upto[..., None])[:, None]


def decoder_mask_by_package(lengths: Tensor, size: int) -> Tensor:
    return causal_mask(size) & padding_mask(lengths, size)[:, None, None]


def softmax_by_lowest(energies: Tensor, mask: Tensor) -> Tensor:
    hidden = energies.masked_fill(~mask, torch.finfo(energies.dtype).min)
    return torch.softmax(hidden, dim=-1) * mask


def softmax_by_infinity(energies: Tensor, mask: Tensor) -> Tensor:
    hidden = energies.masked_fill(mask.logical_not(), -math.inf)
    return hidden.softmax(-1).nan_to_num(nan=0.0)


def softmax_by_logarithm(energies: Tensor, mask: Tensor) -> Tensor:
    """0 for what is allowed, −∞ for what is not, added: in float32, whatever the energies are."""
    weights = torch.softmax(energies + mask.log(), dim=-1)
    return torch.where(mask, weights, 0.0)


def softmax_in_float32(energies: Tensor, mask: Tensor) -> Tensor:
    hidden = torch.where(mask, energies.float(), -1e9)
    return hidden.softmax(dim=-1).masked_fill(~mask, 0)


def softmax_by_exponentials(energies: Tensor, mask: Tensor) -> Tensor:
    lowest = torch.finfo(energies.dtype).min
    highest = energies.masked_fill(~mask, lowest).amax(-1, keepdim=True)
    powers = torch.exp((energies - highest).clamp(max=0)) * mask
    return powers / powers.sum(-1, keepdim=True).clamp(min=1)


def reach_by_power(mask: Tensor, layers: int) -> Tensor:
    step = (mask | torch.eye(len(mask), dtype=torch.bool)).float()
    return torch.linalg.matrix_power(step, layers) > 0


def reach_by_products(mask: Tensor, layers: int) -> Tensor:
    reached = torch.eye(len(mask))
    for _ in range(layers):
        reached = (reached + mask.float() @ reached).clamp(max=1)
    return reached.bool()


def reach_by_broadcast(mask: Tensor, layers: int) -> Tensor:
    first = mask.clone().fill_diagonal_(True)
    reached = first
    for _ in range(layers - 1):
        reached = (first[:, :, None] & reached[None]).any(dim=1)
    return reached


def reach_by_attention(mask: Tensor, layers: int) -> Tensor:
    """A mark for each input, carried through the package's attention."""
    weights = masked_softmax(torch.zeros(mask.shape), mask)
    marks = torch.eye(len(mask))
    for _ in range(layers):
        marks = marks + weights @ marks
    return marks != 0


RIGHT: dict[str, list[Callable[..., Any]]] = {
    "decoder-mask": [
        decoder_mask_by_triangle,
        decoder_mask_by_places,
        decoder_mask_by_forbidding,
        decoder_mask_by_smaller,
        decoder_mask_by_package,
    ],
    "safe-softmax": [
        softmax_by_lowest,
        softmax_by_infinity,
        softmax_by_logarithm,
        softmax_in_float32,
        softmax_by_exponentials,
        masked_softmax,
    ],
    "reach": [reach_by_power, reach_by_products, reach_by_broadcast, reach_by_attention],
}

# ---- Mistakes as readers write them


def torch_style(lengths: Tensor, size: int) -> Tensor:
    """As `torch.nn.Transformer` wants its masks: −∞ or True where nothing may be seen."""
    future = nn.Transformer.generate_square_subsequent_mask(size) < 0
    padding = torch.arange(size) >= lengths[:, None]
    return future | padding[:, None, None]


def mask_of(past: Callable[[Tensor], Tensor], padding: str) -> Callable[..., Tensor]:
    """`past` of a table of ones, and padding made to fit by an index."""

    def mask(lengths: Tensor, size: int) -> Tensor:
        real = torch.arange(size) < lengths[:, None]
        fitted = {"B11T": real[:, None, None], "B1T1": real[:, None, :, None], "B1T": real[:, None]}
        return past(torch.ones(size, size)).bool() & fitted[padding]

    return mask


def mask_of_longest(lengths: Tensor, size: int) -> Tensor:
    return decoder_mask_by_triangle(lengths.max().expand(len(lengths)), size)


def mask_with_padding(lengths: Tensor, size: int) -> Tensor:
    return decoder_mask_by_triangle(lengths + 1, size)


def mask_with_prefix(lengths: Tensor, size: int) -> Tensor:
    """The first two tokens see each other, as in a prefix language model."""
    mask = decoder_mask_by_triangle(lengths, size)
    mask[:, :, 0, 1] = lengths[:, None] > 1
    return mask


def softmax_filled(value: float) -> Callable[..., Tensor]:
    def softmax(energies: Tensor, mask: Tensor) -> Tensor:
        return energies.masked_fill(~mask, value).softmax(-1)

    return softmax


def softmax_renormalised(energies: Tensor, mask: Tensor) -> Tensor:
    weights = energies.softmax(-1) * mask
    return weights / weights.sum(-1, keepdim=True)


def exponentials_of_row(energies: Tensor, mask: Tensor) -> Tensor:
    """The maximum of each row is taken off, that of forbidden keys, too."""
    powers = (energies - energies.amax(-1, keepdim=True)).exp() * mask
    return powers / powers.sum(-1, keepdim=True)


def exponentials_unshifted(energies: Tensor, mask: Tensor) -> Tensor:
    powers = energies.exp() * mask
    return powers / powers.sum(-1, keepdim=True)


def softmax_times_infinity(energies: Tensor, mask: Tensor) -> Tensor:
    """A product, still: a negative energy times −∞ is +∞."""
    return (energies * torch.where(mask, 1.0, -math.inf)).softmax(-1)


def softmax_of_standardised(energies: Tensor, mask: Tensor) -> Tensor:
    return masked_softmax(energies / (1 + energies.abs().amax(-1, keepdim=True)), mask)


def reach_in_numbers(mask: Tensor, layers: int) -> Tensor:
    return torch.matrix_power(mask.float() + torch.eye(len(mask)), layers)


def reach_by_entries(mask: Tensor, layers: int) -> Tensor:
    return (mask.float() + torch.eye(len(mask))) ** layers > 0


def reach_by_squaring(mask: Tensor, layers: int) -> Tensor:
    reached = (mask | torch.eye(len(mask), dtype=torch.bool)).float()
    for _ in range(layers - 1):
        reached = (reached @ reached > 0).float()
    return reached.bool()


def reach_from_mask(mask: Tensor, layers: int) -> Tensor:
    """Begins with the mask, and goes through all layers again."""
    step = mask.float() + torch.eye(len(mask))
    reached = step
    for _ in range(layers):
        reached = step @ reached
    return reached > 0


# ---- Symptoms: wrong in a way that no row computes


def reach_of_others(mask: Tensor, layers: int) -> Tensor:
    return reach_by_power(mask, layers).fill_diagonal_(False)


def reach_of_last_layer(mask: Tensor, layers: int) -> Tensor:
    """What the last layer adds, and the token itself."""
    eye = torch.eye(len(mask), dtype=torch.bool)
    return eye | reach_by_power(mask, layers) & ~reach_by_power(mask, layers - 1)


def reach_both_ways(mask: Tensor, layers: int) -> Tensor:
    return reach_by_power(mask | mask.T, layers)


NAMED: list[tuple[str, Callable[..., Any], str | None]] = [
    ("decoder-mask", torch_style, "mask-inverted"),
    ("decoder-mask", lambda *case: ~torch_style(*case)[:, 0], "axis-misplaced"),
    ("decoder-mask", mask_of(torch.tril, "B1T"), "axis-misplaced"),
    ("decoder-mask", mask_of(torch.triu, "B11T"), "future-not-past"),
    ("decoder-mask", mask_of(lambda ones: ones.tril(-1), "B11T"), "self-excluded"),
    ("decoder-mask", mask_of(lambda ones: ones.tril(1), "B11T"), "one-ahead"),
    ("decoder-mask", mask_of(torch.tril, "B1T1"), "padding-of-queries"),
    ("decoder-mask", lambda lengths, size: causal_mask(size), "one-mask-of-two"),
    (
        "decoder-mask",
        lambda lengths, size: causal_mask(size) | padding_mask(lengths, size)[:, None, None],
        "or-for-and",
    ),
    (
        "safe-softmax",
        lambda energies, mask: (energies * mask).softmax(-1),
        "product-before-softmax",
    ),
    ("safe-softmax", lambda energies, mask: energies.softmax(-1) * mask, "mask-after-softmax"),
    ("safe-softmax", softmax_renormalised, "renormalised"),
    ("safe-softmax", exponentials_of_row, "renormalised"),
    ("safe-softmax", softmax_filled(-1e4), "fixed-number"),
    ("safe-softmax", softmax_filled(-1e9), "fixed-number"),
    ("safe-softmax", softmax_filled(-math.inf), "empty-row-nan"),
    ("safe-softmax", softmax_filled(-65504.0), "empty-row-uniform"),
    ("safe-softmax", lambda energies, mask: masked_softmax(energies, ~mask), "mask-inverted"),
    ("safe-softmax", exponentials_unshifted, "not-finite"),
    ("safe-softmax", softmax_times_infinity, "not-finite"),
    ("reach", lambda mask, layers: reach_by_power(mask.T, layers), "read-by-column"),
    (
        "reach",
        lambda mask, layers: torch.linalg.matrix_power(mask.double(), layers) > 0,
        "residual-missing",
    ),
    ("reach", lambda mask, layers: mask, "one-layer"),
    ("reach", reach_by_entries, "one-layer"),
    ("reach", reach_from_mask, "layers-miscounted"),
    ("reach", reach_by_squaring, "squared-in-every-layer"),
    ("reach", reach_in_numbers, "numbers"),
    ("decoder-mask", mask_of_longest, "depends-on-batch-mates"),
    ("decoder-mask", mask_with_prefix, "future-seen"),
    ("decoder-mask", mask_with_padding, "padding-seen"),
    ("decoder-mask", lambda *case: decoder_mask_by_triangle(*case).triu(-1), None),
    ("safe-softmax", lambda energies, mask: energies.softmax(-1), "forbidden-gets-weight"),
    ("safe-softmax", lambda *case: masked_softmax(*case) / 2, "rows-not-one"),
    ("safe-softmax", softmax_of_standardised, "reads-forbidden"),
    ("safe-softmax", lambda energies, mask: masked_softmax(energies / 2, mask), None),
    ("reach", reach_of_others, "own-token-lost"),
    ("reach", reach_of_last_layer, "neighbour-lost"),
    ("reach", reach_both_ways, "without-path"),
    ("reach", lambda mask, layers: reach_by_power(mask, (layers + 1) // 2), None),
]

# ---- Mutants of the references: which names take each other's place, what changes nothing

NAMES = {
    "query": "key",
    "key": "query",
    "length": "size",
    "energies": "mask",
    "weights": "energies",
    "shares": "seen",
    "seen": "shares",
    "before": "known",
    "known": "before",
    "token": "other",
    "other": "token",
}

EQUIVALENT: list[tuple[str, str]] = []
