"""The exercises of chapter 01: symptoms of wrong answers, and references that are right."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from answers_bottleneck import (
    gru_by_torch,
    last_by_index,
    loss_by_ignore_index,
    loss_by_mask,
    match_by_index,
)
from naming import assert_named
from torch import Tensor

from transformer_lite.chapters.c01_bottleneck.exercises import EXERCISES
from transformer_lite.data.batching import Example, collate
from transformer_lite.data.vocabulary import BOS, EOS

# ---- Symptoms: wrong in a way that no catalogued answer computes


def two_tokens_past_the_end(outputs: Tensor, lengths: Tensor) -> Tensor:
    width = outputs.shape[1]
    return outputs[torch.arange(len(outputs)), (lengths + 1).clamp(max=width - 1)] * 0.5


def half_of_the_loss_of_all(logits: Tensor, target: Tensor, pad: int) -> Tensor:
    return F.cross_entropy(logits.flatten(0, 1), target.flatten()) / 2


def rows_of_equal_length(predicted: list[list[int]], reference: list[list[int]], eos: int) -> float:
    pairs = zip(predicted, reference, strict=True)
    return sum(len(p) == len(r) + 1 for p, r in pairs) / len(reference)


@pytest.mark.parametrize(
    ("name", "answer", "misconception"),
    [
        ("last-state", two_tokens_past_the_end, "reads-padding"),
        ("masked-loss", half_of_the_loss_of_all, "reads-padding"),
        ("exact-match", rows_of_equal_length, "reads-past-eos"),
        ("last-state", lambda outputs, lengths: last_by_index(outputs, lengths) + 1, None),
        ("masked-loss", lambda logits, target, pad: loss_by_mask(logits, target, pad) + 1, None),
        ("exact-match", lambda p, r, eos: match_by_index(p, r, eos) / 2, None),
        ("last-state", lambda outputs, lengths: outputs.sum(), None),
    ],
)
def test_symptoms(name: str, answer: Callable[..., Any], misconception: str | None) -> None:
    assert_named(name, answer, misconception)


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
