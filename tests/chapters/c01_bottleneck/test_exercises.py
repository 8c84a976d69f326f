"""The exercises of chapter 01: symptoms of wrong answers, and references that are right."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from answers_bottleneck import (
    gru_by_chunks,
    gru_by_torch,
    last_by_index,
    loss_by_ignore_index,
    loss_by_mask,
    match_by_index,
)
from naming import Shown, assert_all_shown, assert_named
from torch import Tensor

from transformer_lite.chapters.c01_bottleneck.exercises import EXERCISES, Rows
from transformer_lite.data.batching import Example, collate
from transformer_lite.data.vocabulary import BOS, EOS

# ---- Mistakes as readers write them


def untransposed(logits: Tensor, target: Tensor, pad: int) -> Tensor:
    return F.cross_entropy(logits, target, ignore_index=pad)


def viewed(logits: Tensor, target: Tensor, pad: int) -> Tensor:
    rows, length, vocabulary = logits.shape
    return F.cross_entropy(logits.view(rows, vocabulary, length), target, ignore_index=pad)


def padding_kept(logits: Tensor, target: Tensor, pad: int) -> Tensor:
    keep = target == pad
    return F.cross_entropy(logits[keep], target[keep])


def over_the_longer(predicted: Rows, reference: Rows, eos: int) -> float:
    hits = total = 0
    for p, r in zip(predicted, reference, strict=True):
        p = p[: p.index(eos)] if eos in p else p
        hits += sum(a == b for a, b in zip(p, r, strict=False))
        total += max(len(p), len(r))
    return hits / total


def eos_kept(predicted: Rows, reference: Rows, eos: int) -> float:
    cut = [p[: p.index(eos) + 1] if eos in p else p for p in predicted]
    return sum(p == r for p, r in zip(cut, reference, strict=True)) / len(reference)


def not_stacked(outputs: Tensor, lengths: Tensor) -> list[Tensor]:
    return [row[length - 1] for row, length in zip(outputs, lengths, strict=True)]


# ---- Symptoms: wrong in a way that no row computes


def two_tokens_past_the_end(outputs: Tensor, lengths: Tensor) -> Tensor:
    width = outputs.shape[1]
    return outputs[torch.arange(len(outputs)), (lengths + 1).clamp(max=width - 1)] * 0.5


def shared_scale(outputs: Tensor, lengths: Tensor) -> Tensor:
    last = last_by_index(outputs, lengths)
    return last / last.abs().max()


def shifted_down(target: Tensor, bos: int) -> Tensor:
    return torch.cat([torch.full_like(target[:1], bos), target[:-1]])


def gated_by_mates(x: Tensor, h: Tensor, weights: dict[str, Tensor]) -> Tensor:
    return gru_by_chunks(x, h, weights).softmax(0)


def half_of_the_loss_of_all(logits: Tensor, target: Tensor, pad: int) -> Tensor:
    return F.cross_entropy(logits.flatten(0, 1), target.flatten()) / 2


def of_scores(scores: Tensor, target: Tensor, pad: int) -> Tensor:
    right = scores.gather(2, target[:, :, None])[:, :, 0]
    return -right[target != pad].mean()


def rows_of_equal_length(predicted: Rows, reference: Rows, eos: int) -> float:
    pairs = zip(predicted, reference, strict=True)
    return sum(len(p) == len(r) + 1 for p, r in pairs) / len(reference)


NAMED: list[Shown] = [
    ("masked-loss", untransposed, "not-transposed"),
    ("masked-loss", viewed, "view-for-transpose"),
    ("masked-loss", padding_kept, "inverted-mask"),
    ("exact-match", over_the_longer, "token-accuracy"),
    ("exact-match", eos_kept, "keeps-eos"),
    ("last-state", not_stacked, "list-not-tensor"),
    (
        "last-state",
        lambda o, lengths: last_by_index(o, lengths) / (lengths - 1)[:, None],
        "not-finite",
    ),
]

SYMPTOMS: list[Shown] = [
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


@pytest.mark.parametrize(("name", "answer", "misconception"), [*NAMED, *SYMPTOMS])
def test_misconceptions_are_named(
    name: str, answer: Callable[..., Any], misconception: str | None
) -> None:
    assert_named(name, answer, misconception)


def test_every_symptom_has_an_answer_that_shows_it() -> None:
    assert_all_shown(EXERCISES, SYMPTOMS)


# ---- The references are right


def test_the_shift_is_the_one_of_the_batches() -> None:
    batch = collate([Example([9, EOS], [5, 6, 7]), Example([8, EOS], [7, 5, 9])])
    shifted = EXERCISES[0].reference(batch.target_out, BOS)
    assert torch.equal(shifted, batch.target_in)


def test_the_gru_is_the_one_of_torch() -> None:
    exercise = next(e for e in EXERCISES if e.name == "gru-step")
    for arguments in exercise.draw():
        torch.testing.assert_close(exercise.reference(*arguments), gru_by_torch(*arguments))


def test_the_loss_is_the_one_of_torch() -> None:
    exercise = next(e for e in EXERCISES if e.name == "masked-loss")
    for arguments in exercise.draw():
        torch.testing.assert_close(exercise.reference(*arguments), loss_by_ignore_index(*arguments))


def test_the_last_state_is_the_one_of_a_packed_encoder() -> None:
    outputs, lengths = torch.randn(3, 5, 4), torch.tensor([5, 2, 1])
    gru = torch.nn.GRU(4, 6, batch_first=True)
    states, _ = gru(outputs)
    packed = torch.nn.utils.rnn.pack_padded_sequence(outputs, lengths, batch_first=True)
    exercise = next(e for e in EXERCISES if e.name == "last-state")
    torch.testing.assert_close(exercise.reference(states, lengths), gru(packed)[1][0])
