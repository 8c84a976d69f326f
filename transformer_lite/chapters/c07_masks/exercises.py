"""The exercises of chapter 07, masks; what they say is in `mistakes.toml`."""

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from transformer_lite.exercises.exercise import Arguments, Exercise, Function, Symptom
from transformer_lite.exercises.families import (
    altered,
    batch_mixing,
    changes_with,
    rows_not_one,
    tenths,
)

# ---- decoder-mask: neither the future nor padding


def decoder_mask(lengths: Int[Tensor, " B"], size: int) -> Bool[Tensor, "B 1 T T"]:
    """True where the key is no later than the query and a real token: `lengths` has how many.

    Source: Vaswani et al. 2017, section 3.2.3, for the look-ahead.
    """
    mask = torch.zeros(len(lengths), 1, size, size, dtype=torch.bool)
    for row, length in enumerate(lengths.tolist()):
        for query in range(size):
            for key in range(size):
                mask[row, :, query, key] = key <= query and key < length
    return mask


def _mask_cases(generator: torch.Generator) -> Iterator[Arguments]:
    """Sentences of unequal length, as many as tokens, one alone; rows that nobody fills."""
    for lengths, size in [
        ([2], 3), ([3, 1], 3), ([4, 2], 4), ([2, 3, 1], 3), ([3], 3), ([5, 2, 4], 6), ([1, 2], 2),
    ]:  # fmt: skip
        yield torch.tensor(lengths), size


def _wrong_mask(
    lengths: Tensor,
    size: int,
    keys: str = "up to the query",
    padding: str = "of keys",
    joined: str = "and",
    how: str = "right",
    axes: str = "for the heads",
) -> Tensor:
    """Other keys for a query, padding along another axis, the two joined otherwise; other axes."""
    query, key = torch.arange(size)[:, None], torch.arange(size)
    words = key < lengths[:, None]  # B T
    seen = {
        "up to the query": key <= query,
        "before the query": key < query,
        "one ahead": key <= query + 1,
        "from the query on": key >= query,
        "behind the query": key > query,
        "all": key + query >= 0,
    }[keys]
    real = {
        "of keys": words[:, None],
        "of queries": words[:, :, None],
        "of both": words[:, None] & words[:, :, None],
        "none": torch.ones_like(words)[:, None],
    }[padding]
    mask = altered(seen & real if joined == "and" else seen | real, how)  # B T T
    return {
        "for the heads": mask[:, None],
        "none for the heads": mask,
        "behind the queries": mask[:, :, None],
        "one query": mask[:, None, :1],
        "queries and keys": mask[0],
    }[axes]


def _forbidden(seen: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Function:
    """Whether a mask has True where `seen` says so of queries, keys and lengths."""

    def shows(arguments: Arguments, value: Tensor, answer: Function) -> bool:
        lengths, size = arguments
        place = torch.arange(size)
        return bool((value & seen(place[:, None], place, lengths.view(-1, 1, 1, 1))).any())

    return shows


DECODER_MASK = Exercise(
    decoder_mask,
    _mask_cases,
    _wrong_mask,
    {
        "or-for-and": [{"joined": "or"}],
        "mask-inverted": [{"how": "inverted", "joined": joined} for joined in ("and", "or")],
        "self-excluded": [{"keys": "before the query"}],
        "one-ahead": [{"keys": "one ahead"}],
        "future-not-past": [{"keys": "from the query on"}, {"keys": "behind the query"}],
        "padding-of-queries": [{"padding": "of queries"}, {"padding": "of both"}],
        "one-mask-of-two": [
            *({"padding": "none", "axes": axes} for axes in ("for the heads", "queries and keys")),
            *({"keys": "all", "axes": axes} for axes in ("for the heads", "one query")),
        ],
        "axis-misplaced": [{"axes": "none for the heads"}, {"axes": "behind the queries"}],
    },
    (
        batch_mixing(1),
        Symptom("future-seen", _forbidden(lambda query, key, length: key > query)),
        Symptom("padding-seen", _forbidden(lambda query, key, length: key >= length)),
    ),
)

# ---- safe-softmax: from energies to weights, whatever the mask, the numbers and their precision


def safe_softmax(
    energies: Float[Tensor, "*batch T S"], mask: Bool[Tensor, "..."]
) -> Float[Tensor, "*batch T S"]:
    """Softmax over the allowed keys (True in mask) of every query, exactly 0 at the others."""
    weights, allowed = torch.zeros_like(energies), mask.expand_as(energies)
    for row in product(*map(range, energies.shape[:-1])):
        seen = energies[row][allowed[row]]
        if len(seen):
            shares = torch.exp(seen - seen.max())
            weights[row][allowed[row]] = shares / shares.sum()
    return weights


def _softmax_cases(generator: torch.Generator) -> Iterator[Arguments]:
    """Masks of every kind, some with an empty row; energies far from 0, far apart, in float16.

    The one in float16 stands before the first empty row: there it shows what hides too little.
    """
    past = torch.ones(3, 3, dtype=torch.bool).tril()
    words = torch.arange(4) < torch.tensor([[2], [0]])
    yield tenths(generator, 20, 2, 3), torch.tensor([[True, False, True], [False, True, True]])
    # What remains of weights so far apart is 1 or 1/2, which float16 has without rounding.
    far_apart = torch.tensor([[-20000.0, 20000.0], [-20000.0, -20000.0]])
    yield far_apart.half(), torch.tensor([[True, False], [True, True]])
    for shape, level, mask in [
        ((2, 2), 0, torch.tensor([[True, False], [False, False]])),
        ((2, 3, 3), 0, past),
        ((2, 2, 3, 4), 0, words[:, None, None]),
        ((2, 3, 4), -20000, words.flip(0)[:, None]),
        ((2, 2, 3, 3), 20000, past & words[:, None, None, 1:]),
    ]:
        yield level + tenths(generator, 20, *shape), mask
    yield 20000.0 * torch.randint(-1, 2, (2, 3, 4), generator=generator), words[:, None]


HIDDEN: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "lowest": lambda energies, where: energies.masked_fill(where, torch.finfo(energies.dtype).min),
    "infinity": lambda energies, where: energies.masked_fill(where, -torch.inf),
    "a billion": lambda energies, where: energies.masked_fill(where, -1e9),
    "a billion less": lambda energies, where: energies - 1e9 * where,
    "ten thousand": lambda energies, where: energies.masked_fill(where, -1e4),
    "zero": lambda energies, where: energies * ~where,
    "not": lambda energies, where: energies,
}


def _wrong_softmax(
    energies: Tensor,
    mask: Tensor,
    hidden: str = "lowest",
    emptied: bool = True,
    how: str = "right",
    axis: int = -1,
    divided: str = "",
) -> Tensor:
    """Something hidden before the softmax over an axis, emptied after it, divided by its sum."""
    where = ~altered(mask, how)
    weights = HIDDEN[hidden](energies, where).softmax(axis)
    if emptied:
        weights = weights.masked_fill(where, 0.0)
    total = weights.sum(-1, keepdim=True)
    return {
        "": weights,
        "by the sum": weights / total,
        "by the sum, no NaN": (weights / total).nan_to_num(0.0),
        "by at least 1e-9": weights / total.clamp(min=1e-9),
    }[divided]


# The ways to hide something that people write.
HIDING: list[dict[str, Any]] = [
    {"hidden": hidden, "emptied": emptied}
    for hidden in ("lowest", "infinity", "a billion", "a billion less")
    for emptied in (True, False)
] + [{"hidden": "not"}]

SAFE_SOFTMAX = Exercise(
    safe_softmax,
    _softmax_cases,
    _wrong_softmax,
    {
        "product-before-softmax": [{"hidden": "zero", "emptied": both} for both in (True, False)],
        "mask-after-softmax": [{"hidden": "not"}],
        "renormalised": [
            {"hidden": "not", "divided": how}
            for how in ("by the sum", "by the sum, no NaN", "by at least 1e-9")
        ],
        "fixed-number": [
            {"hidden": hidden, "emptied": emptied}
            for hidden in ("a billion", "ten thousand")
            for emptied in (True, False)
        ],
        "empty-row-nan": [{"hidden": "infinity", "emptied": False}],
        "empty-row-uniform": [
            {"hidden": hidden, "emptied": False} for hidden in ("lowest", "a billion less")
        ],
        "softmax-over-queries": [
            {"axis": -2, **way} for way in [*HIDING, {"hidden": "not", "emptied": False}]
        ],
        "mask-inverted": [{"how": "inverted", **way} for way in HIDING],
    },
    (
        Symptom(
            "forbidden-gets-weight",
            lambda arguments, value, answer: bool((value * ~arguments[1]).any()),
        ),
        rows_not_one(lambda energies, mask: mask.expand_as(energies).any(-1)),
        changes_with("reads-forbidden", lambda energies, mask: (energies + 10 * ~mask, mask)),
    ),
)

# ---- reach: what a stack of layers lets through a mask


def reach(mask: Bool[Tensor, "T T"], layers: int) -> Bool[Tensor, "T T"]:
    """True where, after so many layers with residual connections, output t may depend on input u.

    In each layer token t attends to the tokens u with True in mask[t, u].
    """
    known = [{token} for token in range(len(mask))]
    for _ in range(layers):
        known = [
            before.union(*(known[other] for other in row.nonzero().flatten().tolist()))
            for before, row in zip(known, mask, strict=True)
        ]
    return torch.tensor([[token in tokens for token in range(len(mask))] for tokens in known])


def _reach_cases(generator: torch.Generator) -> Iterator[Arguments]:
    """Windows, a chain, graphs with one-way edges; with the token itself and without."""
    window = torch.ones(12, 12, dtype=torch.bool).tril().triu(-1)
    chain = window.tril(-1)
    yield chain[:4, :4], 2
    yield window[:4, :4], 1
    for size, layers in [(4, 2), (5, 1), (6, 3), (7, 2)]:
        yield torch.rand(size, size, generator=generator) < 1.2 / size, layers
    yield chain | window.T, 2
    yield window, 3


def _wrong_reach(
    mask: Tensor,
    layers: int,
    itself: str = "kept",
    turned: bool = False,
    steps: str = "layers",
    entries: str = "truth values",
) -> Tensor:
    """Other powers of the matrix, with another diagonal; numbers in place of truth values."""
    diagonal = torch.eye(len(mask))
    matrix = {
        "kept": mask.float().maximum(diagonal),
        "added": mask + diagonal,
        "lost": mask.float(),
    }[itself]
    power = {
        "layers": layers,
        "one": 1,
        "one less": layers - 1,
        "one more": layers + 1,
        "doubling": 2**layers,
        "doubling, one less": 2 ** (layers - 1),
        "all": len(mask),
    }[steps]
    paths = torch.linalg.matrix_power(matrix.T if turned else matrix, power)
    known = paths > 0
    return {
        "truth values": known,
        "paths": paths,
        "whole paths": paths.long(),
        "ones": known.float(),
        "whole ones": known.long(),
    }[entries]


REACH = Exercise(
    reach,
    _reach_cases,
    _wrong_reach,
    {
        "read-by-column": [{"turned": True}],
        "residual-missing": [{"itself": "lost"}],
        "one-layer": [{"steps": "one", "itself": itself} for itself in ("kept", "lost")],
        "layers-miscounted": [{"steps": "one less"}, {"steps": "one more"}],
        "squared-in-every-layer": [{"steps": "doubling"}, {"steps": "doubling, one less"}],
        "to-the-end": [{"steps": "all"}],
        "numbers": [
            {"entries": entries, "itself": itself}
            for entries in ("paths", "whole paths", "ones", "whole ones")
            for itself in ("kept", "added", "lost")
        ],
    },
    (
        Symptom(
            "own-token-lost", lambda arguments, value, answer: not bool(value.diagonal().all())
        ),
        Symptom(
            "neighbour-lost", lambda arguments, value, answer: bool((arguments[0] & ~value).any())
        ),
        Symptom(
            "without-path",
            lambda arguments, value, answer: bool(
                (value & ~_wrong_reach(arguments[0], 1, steps="all")).any()
            ),
        ),
    ),
)

EXERCISES = (DECODER_MASK, SAFE_SOFTMAX, REACH)
