"""The references of the exercises of chapter 07 are right.

That of `safe-softmax` meets the package as a right answer.
"""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from transformer_lite.attention import MultiHeadAttention
from transformer_lite.chapters.c07_masks.exercises import DECODER_MASK, REACH


def test_under_the_decoder_mask_each_sentence_is_as_alone() -> None:
    """Against torch's own causal attention over the words; padding asks all words, and no more."""
    lengths = torch.tensor([5, 2, 3])
    query, key, value = torch.randn(3, 3, 2, 5, 4)  # each B H T K
    batch = F.scaled_dot_product_attention(query, key, value, DECODER_MASK.reference(lengths, 5))
    for row, length in enumerate(lengths.tolist()):
        words, padding = query[row].tensor_split([length], dim=1)
        k, v = key[row, :, :length], value[row, :, :length]
        of_words = F.scaled_dot_product_attention(words, k, v, is_causal=True)
        of_padding = F.scaled_dot_product_attention(padding, k, v)
        torch.testing.assert_close(batch[row], torch.cat([of_words, of_padding], dim=1))


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_reach_is_where_a_stack_of_attention_has_a_gradient(layers: int) -> None:
    ring = torch.eye(7, dtype=torch.bool).roll(2, 0)  # token t attends to t − 2
    mask = ring | (torch.rand(7, 7) < 0.1)
    stack = [MultiHeadAttention(4, 2) for _ in range(layers)]

    def outputs(x: Tensor) -> Tensor:
        for layer in stack:
            x = x + layer(x, x, x, mask)
        return x[0]

    slopes = torch.autograd.functional.jacobian(outputs, torch.randn(1, 7, 4))  # T D 1 T D
    assert torch.equal((slopes != 0).any(-1).any(1)[:, 0], REACH.reference(mask, layers))
