"""Answers to the exercises of chapter 01, right and wrong, as readers would write them."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

Rows = list[list[int]]
Weights = dict[str, Tensor]
Map = Callable[[Tensor], Tensor]


def shift_by_cat(target: Tensor, bos: int) -> Tensor:
    first = torch.full((target.shape[0], 1), bos)
    return torch.cat([first, target[:, :-1]], dim=1)


def shift_by_roll(target: Tensor, bos: int) -> Tensor:
    shifted = torch.roll(target, shifts=1, dims=1)
    shifted[:, 0] = bos
    return shifted


def match_by_index(predicted: Rows, reference: Rows, eos: int) -> float:
    correct = 0
    for p, r in zip(predicted, reference, strict=True):
        if eos in p:
            p = p[: p.index(eos)]
        if p == r:
            correct += 1
    return correct / len(predicted)


def match_as_tensor(predicted: Rows, reference: Rows, eos: int) -> Tensor:
    return torch.tensor(match_by_index(predicted, reference, eos))


def last_by_index(outputs: Tensor, lengths: Tensor) -> Tensor:
    return outputs[torch.arange(outputs.shape[0]), lengths - 1]


def last_by_gather(outputs: Tensor, lengths: Tensor) -> Tensor:
    index = (lengths - 1)[:, None, None].expand(-1, 1, outputs.shape[2])
    return outputs.gather(1, index).squeeze(1)


def last_by_mask(outputs: Tensor, lengths: Tensor) -> Tensor:
    is_last = torch.arange(outputs.shape[1]) == lengths[:, None] - 1
    return outputs.masked_fill(~is_last[:, :, None], 0.0).sum(1)


def gru_by_chunks(
    x: Tensor, h: Tensor, weights: Weights, gate: Map = torch.sigmoid, squash: Map = torch.tanh
) -> Tensor:
    i_r, i_z, i_n = F.linear(x, weights["weight_ih"], weights["bias_ih"]).chunk(3, -1)
    h_r, h_z, h_n = F.linear(h, weights["weight_hh"], weights["bias_hh"]).chunk(3, -1)
    r, z = gate(i_r + h_r), gate(i_z + h_z)
    return (1 - z) * squash(i_n + r * h_n) + z * h


def gru_by_torch(x: Tensor, h: Tensor, weights: Weights) -> Tensor:
    cell = torch.nn.GRUCell(x.shape[1], h.shape[1])
    cell.load_state_dict(weights)
    return cell(x, h)


def loss_by_ignore_index(logits: Tensor, target: Tensor, pad: int) -> Tensor:
    return F.cross_entropy(logits.flatten(0, 1), target.flatten(), ignore_index=pad)


def loss_by_mask(logits: Tensor, target: Tensor, pad: int) -> Tensor:
    keep = target != pad
    return F.cross_entropy(logits[keep], target[keep])


def loss_by_gather(logits: Tensor, target: Tensor, pad: int) -> Tensor:
    right = logits.log_softmax(-1).gather(-1, target.unsqueeze(-1)).squeeze(-1)
    mask = (target != pad).float()
    return -(right * mask).sum() / mask.sum()


RIGHT: dict[str, list[Callable[..., Any]]] = {
    "shift-right": [shift_by_cat, shift_by_roll],
    "exact-match": [match_by_index, match_as_tensor],
    "last-state": [last_by_index, last_by_gather, last_by_mask],
    "gru-step": [gru_by_chunks, gru_by_torch],
    "masked-loss": [loss_by_ignore_index, loss_by_mask, loss_by_gather],
}

# ---- Mistakes as readers write them


def cut(row: list[int], eos: int) -> list[int]:
    return row[: row.index(eos)] if eos in row else row


def untransposed(logits: Tensor, target: Tensor, pad: int) -> Tensor:
    return F.cross_entropy(logits, target, ignore_index=pad)


def viewed(logits: Tensor, target: Tensor, pad: int) -> Tensor:
    rows, length, vocabulary = logits.shape
    return F.cross_entropy(logits.view(rows, vocabulary, length), target, ignore_index=pad)


def padding_kept(logits: Tensor, target: Tensor, pad: int) -> Tensor:
    keep = target == pad
    return F.cross_entropy(logits[keep], target[keep])


def not_stacked(outputs: Tensor, lengths: Tensor) -> list[Tensor]:
    return [row[length - 1] for row, length in zip(outputs, lengths, strict=True)]


def random_state(outputs: Tensor, lengths: Tensor) -> Tensor:
    return torch.rand(len(outputs), outputs.shape[2])


def gru_of_a_new_cell(x: Tensor, h: Tensor, weights: Weights) -> Tensor:
    return torch.nn.GRUCell(x.shape[1], h.shape[1])(x, h)


def loss_with_dropout(logits: Tensor, target: Tensor, pad: int) -> Tensor:
    return loss_by_mask(F.dropout(logits), target, pad)


calls: list[int] = []


def remembered_state(outputs: Tensor, lengths: Tensor) -> Tensor:
    calls.append(1)
    return last_by_index(outputs, lengths) * len(calls)


def share_of(is_right: Callable[[list[int], list[int], int], bool]) -> Callable[..., float]:
    def match(predicted: Rows, reference: Rows, eos: int) -> float:
        pairs = zip(predicted, reference, strict=True)
        return sum(is_right(p, r, eos) for p, r in pairs) / len(reference)

    return match


def share_of_tokens(total: Callable[[list[int], list[int]], int]) -> Callable[..., float]:
    def match(predicted: Rows, reference: Rows, eos: int) -> float:
        pairs = [(cut(p, eos), r) for p, r in zip(predicted, reference, strict=True)]
        hits = sum(a == b for p, r in pairs for a, b in zip(p, r, strict=False))
        return hits / sum(total(p, r) for p, r in pairs)

    return match


def match_in_any_place(predicted: Rows, reference: Rows, eos: int) -> float:
    return sum(cut(p, eos) in reference for p in predicted) / len(reference)


def gru_as_chung(x: Tensor, h: Tensor, weights: Weights) -> Tensor:
    i_r, i_z, i_n = F.linear(x, weights["weight_ih"], weights["bias_ih"]).chunk(3, -1)
    w_r, w_z, w_n = weights["weight_hh"].chunk(3)
    b_r, b_z, b_n = weights["bias_hh"].chunk(3)
    r, z = torch.sigmoid(i_r + h @ w_r.T + b_r), torch.sigmoid(i_z + h @ w_z.T + b_z)
    return (1 - z) * h + z * torch.tanh(i_n + (r * h) @ w_n.T + b_n)


def gru_with_views(x: Tensor, h: Tensor, weights: Weights) -> Tensor:
    viewed = {
        name: value.view(value.shape[1], -1).T if value.ndim == 2 else value
        for name, value in weights.items()
    }
    return gru_by_chunks(x, h, viewed)


def loss_of_all_with_padding_at(level: float) -> Callable[..., Tensor]:
    def loss(logits: Tensor, target: Tensor, pad: int) -> Tensor:
        hidden = logits.masked_fill((target == pad)[:, :, None], level)
        return F.cross_entropy(hidden.flatten(0, 1), target.flatten())

    return loss


# ---- Symptoms: wrong in a way that no row computes


def two_tokens_past_the_end(outputs: Tensor, lengths: Tensor) -> Tensor:
    width = outputs.shape[1]
    return outputs[torch.arange(len(outputs)), (lengths + 1).clamp(max=width - 1)] * 0.5


def shared_scale(outputs: Tensor, lengths: Tensor) -> Tensor:
    last = last_by_index(outputs, lengths)
    return last / last.abs().max()


def shifted_down(target: Tensor, bos: int) -> Tensor:
    return torch.cat([torch.full_like(target[:1], bos), target[:-1]])


def gated_by_mates(x: Tensor, h: Tensor, weights: Weights) -> Tensor:
    return gru_by_chunks(x, h, weights).softmax(0)


def half_of_the_loss_of_all(logits: Tensor, target: Tensor, pad: int) -> Tensor:
    return F.cross_entropy(logits.flatten(0, 1), target.flatten()) / 2


def of_scores(scores: Tensor, target: Tensor, pad: int) -> Tensor:
    right = scores.gather(2, target[:, :, None])[:, :, 0]
    return -right[target != pad].mean()


def rows_of_equal_length(predicted: Rows, reference: Rows, eos: int) -> float:
    pairs = zip(predicted, reference, strict=True)
    return sum(len(p) == len(r) + 1 for p, r in pairs) / len(reference)


NAMED: list[tuple[str, Callable[..., Any], str | None]] = [
    ("last-state", random_state, "not-repeatable"),
    ("last-state", remembered_state, "not-repeatable"),
    ("gru-step", gru_of_a_new_cell, "not-repeatable"),
    ("masked-loss", loss_with_dropout, "not-repeatable"),
    ("shift-right", lambda target, bos: shift_by_cat(target, 0), "bos-fixed"),
    (
        "exact-match",
        share_of(lambda p, r, eos: p[: p.index(eos) if eos in p else -1] == r),
        "needs-eos",
    ),
    ("exact-match", share_of(lambda p, r, eos: eos in p and cut(p, eos) == r), "needs-eos"),
    ("exact-match", share_of(lambda p, r, eos: p[:-1] == r), "needs-eos"),
    (
        "exact-match",
        share_of(lambda p, r, eos: (p[: p.index(eos) + 1] if eos in p else p) == r),
        "keeps-eos",
    ),
    ("exact-match", share_of_tokens(lambda p, r: max(len(p), len(r))), "token-accuracy"),
    ("exact-match", share_of_tokens(lambda p, r: min(len(p), len(r))), "token-accuracy"),
    ("exact-match", share_of_tokens(lambda p, r: len(p)), "token-accuracy"),
    ("exact-match", match_in_any_place, None),
    ("exact-match", lambda *case: round(match_by_index(*case), 2), None),
    ("gru-step", gru_as_chung, "update-inverted"),
    ("gru-step", partial(gru_by_chunks, gate=torch.clone), "wrong-function"),
    ("gru-step", partial(gru_by_chunks, squash=torch.relu), "wrong-function"),
    ("gru-step", gru_with_views, "view-for-transpose"),
    ("masked-loss", loss_of_all_with_padding_at(0.0), "reads-padding"),
    ("masked-loss", loss_of_all_with_padding_at(-1e9), "reads-padding"),
    ("masked-loss", untransposed, "not-transposed"),
    ("masked-loss", viewed, "view-for-transpose"),
    ("masked-loss", padding_kept, "inverted-mask"),
    ("last-state", not_stacked, "list-not-tensor"),
    (
        "last-state",
        lambda o, lengths: last_by_index(o, lengths) / (lengths - 1)[:, None],
        "not-finite",
    ),
    ("shift-right", shifted_down, "depends-on-batch-mates"),
    ("last-state", two_tokens_past_the_end, "reads-padding"),
    ("last-state", shared_scale, "depends-on-batch-mates"),
    ("gru-step", gated_by_mates, "depends-on-batch-mates"),
    ("masked-loss", half_of_the_loss_of_all, "reads-padding"),
    ("masked-loss", of_scores, "no-softmax"),
    ("masked-loss", lambda lg, t, pad: of_scores(lg.log_softmax(1), t, pad), "no-softmax"),
    ("masked-loss", lambda lg, t, pad: of_scores(lg.softmax(-1), t, pad), "no-logarithm"),
    ("masked-loss", lambda lg, t, pad: 1 + of_scores(lg.softmax(-1), t, pad), "no-logarithm"),
    ("masked-loss", lambda *case: -loss_by_mask(*case), "wrong-sign"),
    ("exact-match", rows_of_equal_length, "reads-past-eos"),
    ("last-state", lambda outputs, lengths: last_by_index(outputs, lengths) + 1, None),
    ("masked-loss", lambda logits, target, pad: loss_by_mask(logits, target, pad) + 1, None),
    ("exact-match", lambda p, r, eos: match_by_index(p, r, eos) / 2, None),
    ("last-state", lambda outputs, lengths: outputs.sum(), None),
]

# ---- Mutants of the references: which names take each other's place, what changes nothing

NAMES = {
    "weight_ih": "weight_hh",
    "weight_hh": "weight_ih",
    "bias_ih": "bias_hh",
    "bias_hh": "bias_ih",
    "predicted": "reference",
    "row": "wanted",
    "words": "state",
    "reset": "keep",
    "keep": "reset",
}

EQUIVALENT = [
    # Positions are counted from 0.
    ("shift-right", "position == 0 → position <= 0"),
    # log Σ exp(s − m) − (s_y − m) is the same for every m; m only guards against overflow.
    ("masked-loss", "scores - scores.max() → scores + scores.max()"),
    ("masked-loss", "scores.max → scores.min"),
]
