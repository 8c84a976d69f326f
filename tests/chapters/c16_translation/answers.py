"""Answers to the exercises of chapter 16, right and wrong, as readers would write them."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


def grouped_by_repeating(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    times = query.shape[1] // key.shape[1]
    key, value = (x.repeat_interleave(times, dim=1) for x in (key, value))
    weights = (query @ key.mT / query.shape[-1] ** 0.5).softmax(dim=-1)
    return weights @ value


def grouped_by_axes(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Heads within groups, and keys that broadcast."""
    by_group = query.unflatten(1, (key.shape[1], -1))  # B G H/G T K
    energies = by_group @ key.unsqueeze(2).mT / query.size(-1) ** 0.5
    return (energies.softmax(-1) @ value.unsqueeze(2)).flatten(1, 2)


def grouped_by_torch(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    return F.scaled_dot_product_attention(query, key, value, enable_gqa=True)


def grouped_by_heads(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    heads, several = [], query.shape[1] // key.shape[1]
    for head in range(query.shape[1]):
        group = head // several
        weights = F.softmax(query[:, head] @ key[:, group].mT / query.shape[-1] ** 0.5, dim=2)
        heads.append(weights @ value[:, group])
    return torch.stack(heads, dim=1)


def patches_by_permute(picture: Tensor, size: int) -> Tensor:
    channels, height, width = picture.shape
    cut = picture.view(channels, height // size, size, width // size, size)
    return cut.permute(1, 3, 0, 2, 4).reshape(-1, channels * size * size)


def patches_by_fold(picture: Tensor, size: int) -> Tensor:
    return F.unfold(picture[None], kernel_size=size, stride=size)[0].T


def patches_by_unfolding(picture: Tensor, size: int) -> Tensor:
    windows = picture.unfold(1, size, size).unfold(2, size, size)  # C y x P P
    return windows.permute(1, 2, 0, 3, 4).flatten(0, 1).flatten(1)


def patches_by_slices(picture: Tensor, size: int) -> Tensor:
    return torch.stack(
        [
            square.flatten()
            for line in picture.split(size, dim=1)
            for square in line.split(size, dim=2)
        ]
    )


def mean_by_mask(x: Tensor, mask: Tensor) -> Tensor:
    real = mask.unsqueeze(-1)
    return (x * real).sum(dim=1) / real.sum(dim=1).clamp(min=1)


def mean_by_product(x: Tensor, mask: Tensor) -> Tensor:
    """Weights that share among the real words, as an attention has them."""
    weights = mask / mask.sum(1, keepdim=True).clamp(min=1)
    return torch.einsum("bs,bsd->bd", weights, x)


def mean_by_selection(x: Tensor, mask: Tensor) -> Tensor:
    rows = [words[real].mean(0) for words, real in zip(x, mask, strict=True)]
    return torch.stack(rows).nan_to_num(0.0)


RIGHT: dict[str, list[Callable[..., Any]]] = {
    "grouped": [grouped_by_repeating, grouped_by_axes, grouped_by_torch, grouped_by_heads],
    "patches": [patches_by_permute, patches_by_fold, patches_by_unfolding, patches_by_slices],
    "mean-word": [mean_by_mask, mean_by_product, mean_by_selection],
}

# ---- Mistakes as readers write them


def grouped_by_tiling(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    several = query.shape[1] // key.shape[1]
    key, value = (x.repeat(1, several, 1, 1) for x in (key, value))
    return F.scaled_dot_product_attention(query, key, value)


def grouped_with_one_repeat(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    several = query.shape[1] // key.shape[1]
    return grouped_by_repeating(
        query, key.repeat_interleave(several, 1), value.repeat(1, several, 1, 1)
    )


def grouped_with_mean_queries(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    groups, several = key.shape[1], query.shape[1] // key.shape[1]
    asking = query.unflatten(1, (groups, several)).mean(2)
    return F.scaled_dot_product_attention(asking, key, value).repeat_interleave(several, 1)


def grouped_over_queries(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    times = query.shape[1] // key.shape[1]
    key, value = key.repeat_interleave(times, 1), value.repeat_interleave(times, 1)
    return torch.softmax(query @ key.mT / query.shape[-1] ** 0.5, dim=2) @ value


def patches_by_view(picture: Tensor, size: int) -> Tensor:
    return picture.reshape(-1, len(picture) * size**2)


def patches_permuted(order: tuple[int, ...]) -> Callable[[Tensor, int], Tensor]:
    def cut(picture: Tensor, size: int) -> Tensor:
        channels, height, width = picture.shape
        squares = picture.view(channels, height // size, size, width // size, size)
        return squares.permute(order).reshape(-1, channels * size**2)

    return cut


def patches_of_channels(picture: Tensor, size: int) -> Tensor:
    return picture.unfold(1, size, size).unfold(2, size, size).reshape(-1, size * size)


def patches_spread(picture: Tensor, size: int) -> Tensor:
    """Every so-many-th pixel, from each beginning."""
    down, across = picture.shape[1] // size, picture.shape[2] // size
    words = [picture[:, y::down, x::across] for y in range(down) for x in range(across)]
    return torch.stack(words).flatten(1)


def mean_of_places(x: Tensor, mask: Tensor) -> Tensor:
    return x.masked_fill(~mask[:, :, None], 0.0).mean(1)


def mean_for_longest(x: Tensor, mask: Tensor) -> Tensor:
    return (x * mask[..., None]).sum(1) / max(1, int(mask.sum(1).max()))


def mean_without_care(x: Tensor, mask: Tensor) -> Tensor:
    return (x * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)


# ---- Symptoms: wrong in a way that no row computes


def grouped_by_norm(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Shares without a sum of 1."""
    key, value = (x.repeat_interleave(query.shape[1] // x.shape[1], 1) for x in (key, value))
    return (query @ key.mT / query.shape[-1] ** 0.5).sigmoid() @ value


def grouped_with_all_queries(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Each head asks with a bit of the mean of all."""
    return grouped_by_repeating((query + query.mean(1, keepdim=True)) / 2, key, value)


def grouped_with_first_keys(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    return grouped_by_repeating(query, key[:1].expand_as(key), value)


def patches_scaled(picture: Tensor, size: int) -> Tensor:
    return patches_by_permute(picture / picture.max(), size)


def patches_in_stripes(picture: Tensor, size: int) -> Tensor:
    """Beginning in the middle of the first square."""
    return patches_by_permute(picture.roll(1, 2), size)


def patches_backwards(picture: Tensor, size: int) -> Tensor:
    return patches_by_permute(picture, size).flipud()


def patches_flipped(picture: Tensor, size: int) -> Tensor:
    """As a convolution in the textbooks reads its window."""
    return patches_by_permute(picture, size).flip(1)


def mean_of_first_places(x: Tensor, mask: Tensor) -> Tensor:
    """As if padding stood behind the words always."""
    lengths = mask.sum(1)
    return mean_by_mask(x, torch.arange(x.shape[1]) < lengths[:, None])


def mean_centred(x: Tensor, mask: Tensor) -> Tensor:
    means = mean_by_mask(x, mask)
    return means - means.mean(0)


NAMED: list[tuple[str, Callable[..., Any], str | None]] = [
    ("grouped", grouped_by_tiling, "groups-in-turn"),
    ("grouped", lambda q, k, v: grouped_by_repeating(q, k[:, :1], v[:, :1]), "one-group-for-all"),
    ("grouped", grouped_with_one_repeat, "keys-and-values-apart"),
    ("grouped", grouped_with_mean_queries, "queries-averaged"),
    ("grouped", grouped_over_queries, "softmax-over-other-axis"),
    (
        "grouped",
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, scale=1.0, enable_gqa=True),
        "scaled-by-other-width",
    ),
    (
        "grouped",
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True),
        "mask-not-asked-for",
    ),
    ("patches", patches_by_view, "poured"),
    ("patches", patches_permuted((3, 1, 0, 2, 4)), "columns-first"),
    ("patches", patches_permuted((1, 3, 2, 4, 0)), "channels-last"),
    ("patches", patches_permuted((1, 3, 0, 4, 2)), "columns-first-inside"),
    ("patches", patches_spread, "spread"),
    ("patches", lambda *case: patches_by_fold(*case).T, "words-in-columns"),
    ("patches", patches_of_channels, "channels-apart"),
    ("mean-word", lambda x, mask: x.mean(1), "padding-counted"),
    ("mean-word", mean_of_places, "divided-by-places"),
    ("mean-word", mean_for_longest, "divided-by-places"),
    ("mean-word", lambda x, mask: (x * mask[..., None]).sum(1), "divided-otherwise"),
    (
        "mean-word",
        lambda x, mask: (x * mask[..., None]).sum(1) / (mask.sum(1)[:, None] + 1),
        "one-too-many",
    ),
    ("mean-word", mean_without_care, "empty-row-nan"),
    ("mean-word", lambda x, mask: mean_by_mask(x, ~mask), "mask-inverted"),
    ("mean-word", lambda x, mask: x[:, 0], "one-word-alone"),
    ("mean-word", lambda x, mask: x.amax(1), "largest"),
    ("grouped", grouped_with_first_keys, "depends-on-batch-mates"),
    ("grouped", grouped_by_norm, "rows-not-one"),
    ("grouped", grouped_with_all_queries, "heads-meet"),
    ("grouped", lambda q, k, v: grouped_by_torch(q.abs(), k, v), None),
    ("patches", patches_scaled, "pixels-lost"),
    ("patches", patches_in_stripes, "patches-mixed"),
    ("patches", patches_backwards, "patches-elsewhere"),
    ("patches", patches_flipped, "order-inside"),
    ("mean-word", mean_centred, "depends-on-batch-mates"),
    ("mean-word", mean_of_first_places, "reads-padding"),
    ("mean-word", lambda x, mask: mean_by_mask(x, mask) * 0.9, None),
]

# ---- Mutants of the references: which names take each other's place, what changes nothing

NAMES = {
    "value": "key",
    "groups": "heads",
    "height": "width",
    "width": "height",
    "top": "left",
    "down": "across",
    "across": "down",
    "total": "vector",
}

EQUIVALENT: list[tuple[str, str]] = []
