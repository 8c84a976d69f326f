"""The references of the exercises of chapter 02 are right.

Those of the other exercises meet the package as right answers.
"""

import torch
from loading import load

from transformer_lite.chapters.c02_additive_attention.exercises import JOIN_DIRECTIONS

answers = load("c02_additive_attention", "answers")


def test_the_join_pairs_what_a_bidirectional_encoder_knew_last() -> None:
    width = 4
    outputs, last = answers.run_both_ways(torch.randn(3, 5, 2), layers=2, width=width)
    top = JOIN_DIRECTIONS.reference(last)[-1]
    torch.testing.assert_close(top[:, :width], outputs[:, -1, :width])
    torch.testing.assert_close(top[:, width:], outputs[:, 0, width:])
