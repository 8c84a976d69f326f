"""The references of the exercises of chapter 01 are right."""

import torch

from transformer_lite.chapters.c01_bottleneck.exercises import (
    LAST_STATE,
    SHIFT_RIGHT,
)
from transformer_lite.data.batching import Example, collate
from transformer_lite.data.vocabulary import BOS, EOS


def test_the_shift_is_the_one_of_the_batches() -> None:
    batch = collate([Example([9, EOS], [5, 6, 7]), Example([8, EOS], [7, 5, 9])])
    shifted = SHIFT_RIGHT.reference(batch.target_out, BOS)
    assert torch.equal(shifted, batch.target_in)


def test_the_last_state_is_the_one_of_a_packed_encoder() -> None:
    outputs, lengths = torch.randn(3, 5, 4), torch.tensor([5, 2, 1])
    gru = torch.nn.GRU(4, 6, batch_first=True)
    states, _ = gru(outputs)
    packed = torch.nn.utils.rnn.pack_padded_sequence(outputs, lengths, batch_first=True)
    torch.testing.assert_close(LAST_STATE.reference(states, lengths), gru(packed)[1][0])
