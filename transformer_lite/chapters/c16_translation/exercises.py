"""The exercises of chapter 16, real translation and what came after; texts in `mistakes.toml`."""

from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from transformer_lite.exercises.exercise import Arguments, Exercise, Function, Symptom
from transformer_lite.exercises.families import batch_mixing, changes_with, close, tenths

# ---- grouped: several heads of queries share the keys and values of one group


def grouped(
    query: Float[Tensor, "B H T K"], key: Float[Tensor, "B G S K"], value: Float[Tensor, "B G S K"]
) -> Float[Tensor, "B H T K"]:
    """Head h attends with its own queries to the keys and values of group h // (H / G).

    Source: Ainslie et al. 2023, "GQA", section 2.2.
    """
    heads, groups, width = query.shape[1], key.shape[1], query.shape[3]
    blends = torch.zeros_like(query)
    for row in range(len(query)):
        for head in range(heads):
            group = head * groups // heads
            for step, asking in enumerate(query[row, head]):
                shares = torch.exp(key[row, group] @ asking / width**0.5)
                blends[row, head, step] = shares @ value[row, group] / shares.sum()
    return blends


def _grouped_cases(generator: torch.Generator) -> Iterator[Arguments]:
    """Groups of two and three heads; one group for all; as many groups as heads."""
    for batch, heads, groups, steps, size, width in [
        (1, 4, 2, 1, 2, 1), (1, 4, 1, 2, 3, 2), (2, 2, 2, 3, 2, 2), (1, 6, 2, 2, 4, 3),
        (2, 6, 3, 4, 4, 2), (3, 8, 4, 4, 3, 4),
    ]:  # fmt: skip
        theirs = batch, groups, size, width
        yield (
            *(tenths(generator, 20, *it) for it in [(batch, heads, steps, width), theirs, theirs]),
        )


def _wrong_grouped(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    keys: str = "group",
    values: str = "group",
    axis: int = -1,
    divisor: str = "K",
    averaged: bool = False,
    causal: bool = False,
) -> Tensor:
    """Keys or values of other groups, other weights, or queries that are shared as well."""
    heads, groups = query.shape[1], key.shape[1]
    several = heads // groups

    def of_heads(x: Tensor, which: str) -> Tensor:
        if which == "mean":
            return x.mean(1, keepdim=True).expand(-1, heads, -1, -1)
        head = torch.arange(heads)
        number = {"group": head // several, "in turn": head % groups, "first": head * 0}[which]
        return x[:, number]

    if averaged:
        query = query.unflatten(1, (groups, several)).mean(2).repeat_interleave(several, 1)
    width = query.shape[-1]
    energies = query @ of_heads(key, keys).mT
    energies /= {"K": width, "none": 1, "K²": width**2, "HK": heads * width}[divisor] ** 0.5
    if causal:
        energies = energies.masked_fill(~torch.ones_like(energies).tril().bool(), -torch.inf)
    return energies.softmax(axis) @ of_heads(value, values)


def _shares_not_one(arguments: Arguments, value: Tensor, answer: Function) -> bool:
    query, key, values = arguments
    return not close(answer(query, key, torch.ones_like(values)), torch.ones_like(value))


def _heads_meet(arguments: Arguments, value: Tensor, answer: Function) -> bool:
    """Head 0 asks otherwise, and other heads answer otherwise."""
    query, *rest = arguments
    other = query.clone()
    other[:, 0] += 1
    return not close(answer(other, *rest)[:, 1:], value[:, 1:])


def _elsewhere(names: tuple[str, ...]) -> list[dict[str, str]]:
    return [{"keys": name, "values": name} for name in names]


GROUPED = Exercise(
    grouped,
    _grouped_cases,
    _wrong_grouped,
    {
        "groups-in-turn": _elsewhere(("in turn",)),
        "one-group-for-all": _elsewhere(("first", "mean")),
        "keys-and-values-apart": [{"keys": "in turn"}, {"values": "in turn"}],
        "queries-averaged": [{"averaged": True}],
        "softmax-over-other-axis": [{"axis": axis} for axis in (-2, 1)],
        "scaled-by-other-width": [{"divisor": how} for how in ("none", "K²", "HK")],
        "mask-not-asked-for": [{"causal": True}],
    },
    (
        batch_mixing(3),
        Symptom("rows-not-one", _shares_not_one),
        Symptom("heads-meet", _heads_meet),
    ),
)

# ---- patches: a picture as a sentence of patches


def patches(picture: Float[Tensor, "C height width"], size: int) -> Float[Tensor, "N pixels"]:
    """Squares of size × size pixels, row by row; in each first the channel, then row and column.

    Source: Dosovitskiy et al. 2021, section 3.1.
    """
    channels, height, width = picture.shape
    words = []
    for top in range(0, height, size):
        for left in range(0, width, size):
            word = []
            for channel in range(channels):
                for down in range(size):
                    for across in range(size):
                        word.append(picture[channel, top + down, left + across])
            words.append(torch.stack(word))
    return torch.stack(words)


def _patches_cases(generator: torch.Generator) -> Iterator[Arguments]:
    """Every number says where it stood; lying and standing pictures; patches of one pixel."""
    for channels, height, width, size in [
        (1, 2, 4, 2), (2, 2, 4, 2), (3, 2, 2, 1), (1, 6, 4, 2), (2, 4, 4, 2), (3, 4, 8, 4),
        (3, 6, 9, 3),
    ]:  # fmt: skip
        yield torch.arange(channels * height * width).float().view(channels, height, width), size


def _wrong_patches(picture: Tensor, size: int, order: str = "yxcij", how: str = "cut") -> Tensor:
    """Axes in another order, or other pieces cut.

    `order` names them: channel c, row y and column x of a patch, row i and column j in it.
    """
    channels, height, width = picture.shape
    number, pixels = height // size * (width // size), channels * size**2
    if how == "lines":
        return picture.reshape(channels, number, -1).transpose(0, 1).flatten(1)
    names, cut = "cyixj", picture.reshape(channels, height // size, size, width // size, size)
    if how == "spread":
        names, cut = "ciyjx", picture.reshape(channels, size, height // size, size, width // size)
    laid = cut.permute([names.index(name) for name in order])
    if how == "turned":
        return laid.reshape(number, pixels).T
    return laid.reshape((-1, size**2) if how == "channels apart" else (number, pixels))


def _words(value: Tensor, within: bool, places: bool) -> Tensor:
    """The pixels sorted within each word, and the words by their smallest pixel, where asked."""
    value = value.sort(-1).values if within else value
    return value if places else value[value[:, 0].argsort()]


def _pixels_lost(arguments: Arguments, value: Tensor, _: Function) -> bool:
    return not close(value.flatten().sort().values, arguments[0].flatten().sort().values)


def _differs(arguments: Arguments, value: Tensor, places: bool) -> bool:
    right = patches(*arguments)
    return not close(_words(value, True, places), _words(right, True, places))


def _order_inside(arguments: Arguments, value: Tensor, _: Function) -> bool:
    return not _differs(arguments, value, True) and not close(value, patches(*arguments))


PATCHES = Exercise(
    patches,
    _patches_cases,
    _wrong_patches,
    {
        "poured": [{"order": "cyixj"}, {"how": "lines"}],
        "columns-first": [{"order": "xycij"}],
        "channels-last": [{"order": "yxijc"}],
        "columns-first-inside": [{"order": "yxcji"}],
        "spread": [{"how": "spread"}],
        "words-in-columns": [{"how": "turned"}],
        "channels-apart": [
            {"how": "channels apart", "order": order} for order in ("cyxij", "yxcij")
        ],
    },
    (
        Symptom("pixels-lost", _pixels_lost),
        Symptom("patches-mixed", lambda case, value, _: _differs(case, value, False)),
        Symptom("patches-elsewhere", lambda case, value, _: _differs(case, value, True)),
        Symptom("order-inside", _order_inside),
    ),
)

# ---- mean-word: one vector for a sentence


def mean_word(x: Float[Tensor, "B S D"], mask: Bool[Tensor, "B S"]) -> Float[Tensor, "B D"]:
    """The mean of the vectors with True in mask; zeros where there is none."""
    rows = []
    for vectors, real in zip(x, mask.tolist(), strict=True):
        total, words = torch.zeros(x.shape[2]), 0
        for vector, counts in zip(vectors, real, strict=True):
            if counts:
                total += vector
                words += 1
        rows.append(total / max(words, 1))
    return torch.stack(rows)


def _mean_cases(generator: torch.Generator) -> Iterator[Arguments]:
    """Padding behind, in front and in between; a sentence without a word; none at all."""
    for d, rows in [
        (1, ["11", "10"]), (2, ["110"]), (2, ["111", "011", "100"]), (3, ["1010", "1111", "0001"]),
        (2, ["000", "110"]), (1, ["00"]), (4, ["11100", "00110", "00000", "10000"]),
    ]:  # fmt: skip
        mask = torch.tensor([[one == "1" for one in row] for row in rows])
        yield tenths(generator, 20, *mask.shape, d), mask


def _wrong_mean(
    x: Tensor, mask: Tensor, read: str = "words", divisor: str = "words", pick: str = "mean"
) -> Tensor:
    """Other words read, another divisor, or one number of all words in place of their mean."""
    seen = {"all": torch.ones_like(mask), "padding": ~mask}.get(read, mask)
    kept = seen.sum(1, keepdim=True)  # B 1
    below: dict[str, Any] = {
        "words": kept.clamp(min=1),
        "words, none at all": kept,
        "words and one": kept + 1,
        "S": kept * 0 + mask.shape[1],
        "the longest": kept * 0 + kept.max().clamp(min=1),
        "the batch": kept * 0 + kept.sum().clamp(min=1),
        "1": 1,
    }
    return {
        "mean": (x * seen[..., None]).sum(1) / below[divisor],
        "first": x[:, 0],
        "last": x[:, -1],
        "largest": x.masked_fill(~seen[..., None], -torch.inf).amax(1),
        "largest or 0": (x * seen[..., None]).amax(1),
    }[pick]


MEAN_WORD = Exercise(
    mean_word,
    _mean_cases,
    _wrong_mean,
    {
        "padding-counted": [{"read": "all"}],
        "divided-by-places": [{"divisor": "S"}, {"divisor": "the longest"}],
        "divided-otherwise": [{"divisor": "the batch"}, {"divisor": "1"}],
        "one-too-many": [{"divisor": "words and one"}],
        "empty-row-nan": [{"divisor": "words, none at all"}],
        "mask-inverted": [
            {"read": "padding"},
            {"read": "padding", "divisor": "words, none at all"},
        ],
        "one-word-alone": [{"pick": "first"}, {"pick": "last"}],
        "largest": [
            {"pick": "largest"},
            {"pick": "largest or 0"},
            {"pick": "largest", "read": "all"},
        ],
    },
    (
        batch_mixing(2),
        changes_with("reads-padding", lambda x, mask: (x + 1.0 * ~mask[..., None], mask)),
    ),
)

EXERCISES = (GROUPED, PATCHES, MEAN_WORD)
