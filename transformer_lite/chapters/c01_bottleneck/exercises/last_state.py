"""Exercise "last-state": the encoder's message, taken at the last real token."""

from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from transformer_lite.exercises.exercise import Arguments, Exercise, Function, Mistake, Symptom


def last_state(outputs: Float[Tensor, "B S D"], lengths: Int[Tensor, " B"]) -> Float[Tensor, "B D"]:
    """The output at the last real token of every sentence."""
    positions = torch.arange(outputs.shape[1])
    is_last = positions[None, :] == lengths[:, None] - 1
    return outputs.masked_fill(~is_last[:, :, None], 0.0).sum(1)


def cases(generator: torch.Generator) -> Iterator[Arguments]:
    """Batches of unequal lengths, with and without a column that is padding in every row."""
    batches = [
        ([2, 4], 4, 2), ([3], 3, 2), ([1, 3], 5, 3), ([5, 2, 3], 5, 4), ([2, 2], 4, 3),
        ([4, 1, 6, 3], 7, 5),
    ]  # fmt: skip
    for lengths, size, width in batches:
        # Padding holds numbers like any other: looking for zeros there is no way to find it.
        outputs = torch.randint(-99, 100, (len(lengths), size, width), generator=generator) / 10
        yield outputs, torch.tensor(lengths)


def _rows(outputs: Tensor) -> Tensor:
    return torch.arange(len(outputs))


def _is_real(outputs: Tensor, lengths: Tensor) -> Tensor:
    return (torch.arange(outputs.shape[1]) < lengths[:, None])[:, :, None]


def _mean_of_real(outputs: Tensor, lengths: Tensor) -> Tensor:
    return outputs.masked_fill(~_is_real(outputs, lengths), 0.0).sum(1) / lengths[:, None]


def _reads_padding(arguments: Arguments, value: Any, answer: Function) -> bool:
    outputs, lengths = arguments
    other = torch.where(_is_real(outputs, lengths), outputs, outputs + 1.0)
    return not torch.equal(answer(other, lengths), answer(outputs, lengths))


MISTAKES = (
    Mistake(
        "after-padding",
        "You take the last POSITION of every row. In a short sentence that is padding: the network "
        "went on changing its state there, so the same sentence gets another summary when a longer "
        "one stands beside it in the batch.",
        (lambda outputs, lengths: outputs[:, -1],),
    ),
    Mistake(
        "off-by-one",
        "You look one position too far: a sentence of length 3 has the positions 0, 1 and 2, and "
        "position 3 is its first padding (or does not exist).",
        (
            lambda outputs, lengths: outputs[_rows(outputs), lengths],
            lambda outputs, lengths: outputs[
                _rows(outputs), lengths.clamp(max=outputs.shape[1] - 1)
            ],
        ),
    ),
    Mistake(
        "one-too-early",
        "You look one position too early: the last real token itself is left out of the summary.",
        (
            lambda outputs, lengths: outputs[_rows(outputs), lengths - 2],
            lambda outputs, lengths: outputs[_rows(outputs), (lengths - 2).clamp(min=0)],
        ),
    ),
    Mistake(
        "every-length-for-every-row",
        "You take the positions of ALL sentences in EVERY sentence, so a B × B × D block comes "
        "back. Each row has one position of its own: rows and positions have to be paired.",
        (
            lambda outputs, lengths: outputs[:, lengths - 1],
            lambda outputs, lengths: outputs[:, lengths],
        ),
    ),
    Mistake(
        "one-length-for-all",
        "You use the length of one sentence for the whole batch. Every row ends at its own place.",
        (
            lambda outputs, lengths: outputs[:, lengths.max() - 1],
            lambda outputs, lengths: outputs[:, lengths.min() - 1],
            lambda outputs, lengths: outputs[:, lengths[0] - 1],
        ),
    ),
    Mistake(
        "first-position",
        "You take the output at the FIRST token, which has seen nothing of the sentence behind it.",
        (lambda outputs, lengths: outputs[:, 0],),
    ),
    Mistake(
        "mean-over-time",
        "You average over the real tokens. That is a summary, too, but another one: asked for is "
        "the single output after the last real token.",
        (_mean_of_real,),
    ),
    Mistake(
        "mean-with-padding",
        "You average over all positions, padding too: the result changes with the longest sentence "
        "of the batch. Asked for is the single output after the last real token.",
        (
            lambda outputs, lengths: outputs.mean(1),
            lambda outputs, lengths: outputs.sum(1) / lengths[:, None],
        ),
    ),
    Mistake(
        "sum-over-time",
        "You add up the outputs of several positions. Asked for is the single output after the "
        "last real token.",
        (
            lambda outputs, lengths: outputs.sum(1),
            lambda outputs, lengths: (outputs * _is_real(outputs, lengths)).sum(1),
        ),
    ),
)

LAST_STATE = Exercise(
    name="last-state",
    task="write last_state(outputs, lengths): from the encoder's outputs, Float[B, S, D], padded "
    "on the right, and the number of real tokens in each row, Int[B], the output at the last real "
    "token of each row, Float[B, D].",
    reference=last_state,
    cases=cases,
    mistakes=MISTAKES,
    symptoms=(
        Symptom(
            "reads-padding",
            "Your result changes when only the padding changes. A sentence must not depend on "
            "what fills its row up.",
            _reads_padding,
        ),
    ),
)
