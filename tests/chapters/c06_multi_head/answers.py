"""Answers to the exercises of chapter 06, right and wrong, as readers would write them."""

# ruff: noqa: N803, N806  W_Q, W_K, W_V and W_O are what the field calls them.

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from transformer_lite.attention import MultiHeadAttention


def split_by_view(x: Tensor, heads: int) -> Tensor:
    B, T, D = x.shape
    return x.view(B, T, heads, D // heads).transpose(1, 2)


def split_by_chunks(x: Tensor, heads: int) -> Tensor:
    return torch.stack(x.chunk(heads, dim=-1), dim=1)


def split_by_slices(x: Tensor, heads: int) -> Tensor:
    K = x.shape[-1] // heads
    return torch.cat([x[:, None, :, i * K : (i + 1) * K] for i in range(heads)], dim=1)


def split_by_package(x: Tensor, heads: int) -> Tensor:
    return MultiHeadAttention(x.shape[-1], heads).split(x)


def multi_head_by_view(
    x: Tensor, y: Tensor, W_Q: Tensor, W_K: Tensor, W_V: Tensor, W_O: Tensor, heads: int
) -> Tensor:
    q, k, v = (split_by_view(z, heads) for z in (x @ W_Q, y @ W_K, y @ W_V))
    weights = torch.softmax(q @ k.transpose(-2, -1) / math.sqrt(q.size(-1)), dim=-1)
    return (weights @ v).transpose(1, 2).reshape(x.shape) @ W_O


def multi_head_by_loop(
    x: Tensor, y: Tensor, W_Q: Tensor, W_K: Tensor, W_V: Tensor, W_O: Tensor, heads: int
) -> Tensor:
    found = []
    projections = zip(W_Q.chunk(heads, 1), W_K.chunk(heads, 1), W_V.chunk(heads, 1), strict=True)
    for w_q, w_k, w_v in projections:
        energies = x @ w_q @ (y @ w_k).mT * w_q.shape[1] ** -0.5
        found.append(energies.softmax(-1) @ (y @ w_v))
    return torch.cat(found, dim=-1) @ W_O


def multi_head_by_sum(
    x: Tensor, y: Tensor, W_Q: Tensor, W_K: Tensor, W_V: Tensor, W_O: Tensor, heads: int
) -> Tensor:
    """Each head times its rows of W_O: the same as side by side, times all of it."""
    K = W_O.shape[0] // heads
    result = torch.zeros_like(x)
    for start in range(0, W_O.shape[0], K):
        own = slice(start, start + K)
        energies = x @ W_Q[:, own] @ (y @ W_K[:, own]).mT / math.sqrt(K)
        result = result + energies.softmax(-1) @ y @ W_V[:, own] @ W_O[own]
    return result


def multi_head_by_einsum(
    x: Tensor, y: Tensor, W_Q: Tensor, W_K: Tensor, W_V: Tensor, W_O: Tensor, heads: int
) -> Tensor:
    w_q, w_k, w_v = (W.unflatten(1, (heads, -1)) for W in (W_Q, W_K, W_V))
    energies = torch.einsum("btd,dhk,ehk,bse->bhts", x, w_q, w_k, y) / w_q.shape[-1] ** 0.5
    blends = torch.einsum("bhts,bsd,dhk->bthk", energies.softmax(-1), y, w_v)
    return torch.einsum("bthk,hkd->btd", blends, W_O.unflatten(0, (heads, -1)))


def multi_head_by_torch(
    x: Tensor, y: Tensor, W_Q: Tensor, W_K: Tensor, W_V: Tensor, W_O: Tensor, heads: int
) -> Tensor:
    q, k, v = (split_by_chunks(z, heads) for z in (x @ W_Q, y @ W_K, y @ W_V))
    return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2) @ W_O


def without_by_slice(W_O: Tensor, head: int, heads: int) -> Tensor:
    K = W_O.shape[0] // heads
    changed = W_O.clone()
    changed[head * K : (head + 1) * K] = 0
    return changed


def without_by_mask(W_O: Tensor, head: int, heads: int) -> Tensor:
    kept = torch.ones(heads, 1, 1)
    kept[head] = 0
    return (W_O.unflatten(0, (heads, -1)) * kept).flatten(0, 1)


def without_by_parts(W_O: Tensor, head: int, heads: int) -> Tensor:
    parts = list(W_O.chunk(heads))
    parts[head] = torch.zeros_like(parts[head])
    return torch.cat(parts)


def without_by_fill(W_O: Tensor, head: int, heads: int) -> Tensor:
    rows = torch.arange(head * len(W_O) // heads, (head + 1) * len(W_O) // heads)
    return W_O.index_fill(0, rows, 0.0)


RIGHT: dict[str, list[Callable[..., Any]]] = {
    "split-heads": [split_by_view, split_by_chunks, split_by_slices, split_by_package],
    "multi-head": [
        multi_head_by_view,
        multi_head_by_loop,
        multi_head_by_sum,
        multi_head_by_einsum,
        multi_head_by_torch,
    ],
    "without-head": [without_by_slice, without_by_mask, without_by_parts, without_by_fill],
}

# ---- Mistakes as readers write them


def split_to_list(x: Tensor, heads: int) -> Any:
    return x.chunk(heads, dim=-1)


def multi_head_with(
    split: Callable[[Tensor, int], Tensor] = split_by_view,
    weigh: Callable[[Tensor], Tensor] = lambda energies: energies.softmax(-1),
    divide: Callable[[Tensor], float] = lambda queries: math.sqrt(queries.shape[-1]),
    merge: Callable[[Tensor], Tensor] = lambda blends: blends.transpose(1, 2).flatten(2),
    last: Callable[[Tensor, Tensor], Tensor] = torch.matmul,
) -> Callable[..., Tensor]:
    """With one step, or some, in another way."""

    def multi_head(
        x: Tensor, y: Tensor, W_Q: Tensor, W_K: Tensor, W_V: Tensor, W_O: Tensor, heads: int
    ) -> Tensor:
        q, k, v = (split(z, heads) for z in (x @ W_Q, y @ W_K, y @ W_V))
        return last(merge(weigh(q @ k.mT / divide(q)) @ v), W_O)

    return multi_head


def one_wide_head(
    x: Tensor, y: Tensor, W_Q: Tensor, W_K: Tensor, W_V: Tensor, W_O: Tensor, heads: int
) -> Tensor:
    return multi_head_by_view(x, y, W_Q, W_K, W_V, W_O, 1)


def multi_head_of_model_width(
    x: Tensor, y: Tensor, W_Q: Tensor, W_K: Tensor, W_V: Tensor, W_O: Tensor, heads: int
) -> Tensor:
    return multi_head_with(divide=lambda q: math.sqrt(x.shape[-1]))(x, y, W_Q, W_K, W_V, W_O, heads)


def multi_head_of_pieces(
    x: Tensor, y: Tensor, W_Q: Tensor, W_K: Tensor, W_V: Tensor, W_O: Tensor, heads: int
) -> Tensor:
    """Each head with its piece of the words."""
    K = W_O.shape[0] // heads
    found = []
    for h, words in enumerate(y.chunk(heads, dim=1)):
        own = slice(h * K, (h + 1) * K)
        energies = x @ W_Q[:, own] @ (words @ W_K[:, own]).mT / math.sqrt(K)
        found.append(energies.softmax(-1) @ words @ W_V[:, own])
    return torch.cat(found, dim=-1) @ W_O


def multi_head_of_narrow_tokens(
    x: Tensor, y: Tensor, W_Q: Tensor, W_K: Tensor, W_V: Tensor, W_O: Tensor, heads: int
) -> Tensor:
    """Each head with its piece of every token."""
    K = W_O.shape[0] // heads
    found = []
    for start in range(0, heads * K, K):
        own = slice(start, start + K)
        asks, answers = x[..., own], y[..., own]
        q, k, v = asks @ W_Q[own, own], answers @ W_K[own, own], answers @ W_V[own, own]
        found.append((q @ k.mT / math.sqrt(K)).softmax(-1) @ v)
    return torch.cat(found, dim=-1) @ W_O


def multi_head_by_squares(
    x: Tensor, y: Tensor, W_Q: Tensor, W_K: Tensor, W_V: Tensor, W_O: Tensor, heads: int
) -> Tensor:
    blends = multi_head_by_view(x, y, W_Q, W_K, W_V, torch.eye(len(W_O)), heads)
    K = len(W_O) // heads
    own = [slice(start, start + K) for start in range(0, len(W_O), K)]
    return torch.cat([blends[..., part] @ W_O[part, part] for part in own], dim=-1)


def without_by_assignment(W_O: Tensor, head: int, heads: int) -> Tensor:
    K = len(W_O) // heads
    W_O[head * K : (head + 1) * K] = 0
    return W_O


def without_columns(W_O: Tensor, head: int, heads: int) -> Tensor:
    return without_by_slice(W_O.T, head, heads).T


def without_counted_from_one(W_O: Tensor, head: int, heads: int) -> Tensor:
    K = len(W_O) // heads
    changed = W_O.clone()
    changed[(head - 1) * K : head * K] = 0
    return changed


def without_row(W_O: Tensor, head: int, heads: int) -> Tensor:
    changed = W_O.clone()
    changed[head] = 0
    return changed


def without_strided(W_O: Tensor, head: int, heads: int) -> Tensor:
    changed = W_O.clone()
    changed[head::heads] = 0
    return changed


def without_others(W_O: Tensor, head: int, heads: int) -> Tensor:
    K = len(W_O) // heads
    changed = torch.zeros_like(W_O)
    changed[head * K : (head + 1) * K] = W_O[head * K : (head + 1) * K]
    return changed


# ---- Symptoms: wrong in a way that no row computes


def split_across_sentences(x: Tensor, heads: int) -> Tensor:
    B, T, D = x.shape
    return x.view(heads, B, T, D // heads).transpose(0, 1)


def split_of_turned_view(x: Tensor, heads: int) -> Tensor:
    B, T, D = x.shape
    return x.view(B, heads, D // heads, T).transpose(2, 3)


def split_backwards(x: Tensor, heads: int) -> Tensor:
    return split_by_view(x, heads).flip(1)


def split_in_turn(x: Tensor, heads: int) -> Tensor:
    B, T, D = x.shape
    return x.view(B, T, D // heads, heads).permute(0, 3, 1, 2)


def multi_head_of_linear_layers(
    x: Tensor, y: Tensor, W_Q: Tensor, W_K: Tensor, W_V: Tensor, W_O: Tensor, heads: int
) -> Tensor:
    projections = F.linear(x, W_Q), F.linear(y, W_K), F.linear(y, W_V)
    q, k, v = (split_by_view(z, heads) for z in projections)
    blends = F.scaled_dot_product_attention(q, k, v)
    return F.linear(blends.transpose(1, 2).flatten(2), W_O)


def multi_head_of_centred_values(x: Tensor, y: Tensor, *rest: Any) -> Tensor:
    return multi_head_by_view(x, y - y.mean(0), *rest)


NAMED: list[tuple[str, Callable[..., Any], str | None]] = [
    (
        "split-heads",
        lambda x, heads: x.reshape(len(x), heads, x.shape[1], -1),
        "view-for-transpose",
    ),
    ("split-heads", split_in_turn, "columns-dealt-out"),
    ("split-heads", lambda x, heads: torch.stack(x.chunk(heads, -1)), "heads-before-sentences"),
    ("split-heads", lambda x, heads: torch.stack(x.chunk(heads, -1), 2), "axes-not-exchanged"),
    ("split-heads", lambda x, heads: torch.stack([x] * heads, 1), "not-narrowed"),
    ("split-heads", split_to_list, "list-not-tensor"),
    ("multi-head", multi_head_of_model_width, "scaled-by-other-width"),
    ("multi-head", one_wide_head, "one-softmax-for-all"),
    ("multi-head", multi_head_with(weigh=lambda e: e.softmax(1)), "one-softmax-for-all"),
    (
        "multi-head",
        multi_head_with(merge=lambda blends: blends.reshape(len(blends), blends.shape[2], -1)),
        "not-transposed",
    ),
    (
        "multi-head",
        multi_head_with(
            split=lambda z, heads: z.unflatten(-1, (heads, -1)),
            merge=lambda blends: blends.flatten(2),
        ),
        "not-transposed",
    ),
    (
        "multi-head",
        multi_head_with(
            merge=lambda blends: blends.mean(1), last=lambda mean, W_O: mean @ W_O[: mean.shape[-1]]
        ),
        "heads-added-up",
    ),
    ("multi-head", multi_head_with(last=lambda blends, W_O: blends), "output-left-out"),
    ("multi-head", multi_head_with(last=F.linear), "output-cut-wrongly"),
    ("multi-head", multi_head_by_squares, "output-cut-wrongly"),
    ("multi-head", multi_head_of_pieces, "input-divided"),
    ("multi-head", multi_head_of_narrow_tokens, "input-divided"),
    ("multi-head", lambda x, y, *rest: multi_head_by_view(x, x, *rest), "wrong-sequence"),
    ("without-head", without_by_assignment, "changes-input"),
    ("without-head", without_columns, "columns-for-rows"),
    ("without-head", without_row, "one-row"),
    ("without-head", without_counted_from_one, "counts-from-one"),
    ("without-head", without_strided, "rows-dealt-out"),
    ("without-head", without_others, "others-removed"),
    ("split-heads", split_across_sentences, "depends-on-batch-mates"),
    ("split-heads", split_of_turned_view, "reads-other-tokens"),
    ("split-heads", lambda x, heads: split_by_view(x, heads) / heads, "numbers-changed"),
    ("split-heads", split_backwards, None),
    ("multi-head", multi_head_of_centred_values, "depends-on-batch-mates"),
    ("multi-head", multi_head_with(weigh=lambda e: e.softmax(2)), "depends-on-other-queries"),
    ("multi-head", multi_head_of_linear_layers, "matrices-transposed"),
    ("multi-head", multi_head_with(weigh=torch.sigmoid), "rows-not-one"),
    ("multi-head", multi_head_with(weigh=lambda e: e.mean(1, True).softmax(-1)), "heads-meet"),
    ("multi-head", multi_head_with(split=split_in_turn), "rows-not-one"),
    ("multi-head", lambda x, *rest: multi_head_by_view(2 * x, *rest), None),
    ("without-head", lambda W_O, head, heads: without_by_slice(W_O, 0, heads), "others-changed"),
    ("without-head", lambda W_O, head, heads: W_O.clone(), "head-still-heard"),
]

# ---- Mutants of the references: which names take each other's place, what changes nothing

NAMES = {
    "head": "width",
    "heads": "width",
    "column": "head",
    "x": "y",
    "W_Q": "W_K",
    "W_K": "W_Q",
    "W_V": "W_K",
    "W_O": "W_V",
    "answering": "x",
    "row": "head",
    "step": "row",
}

EQUIVALENT = [("multi-head", "W_O → W_V")]  # both are D × D
