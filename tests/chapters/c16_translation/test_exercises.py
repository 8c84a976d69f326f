"""The references of the exercises of chapter 16 are right: as torch has it."""

import pytest
import torch
import torch.nn.functional as F

from transformer_lite.attention import MultiHeadAttention, scaled_dot_product_attention
from transformer_lite.chapters.c16_translation.exercises import GROUPED, MEAN_WORD, PATCHES
from transformer_lite.masks import padding_mask


def test_grouped_queries_are_those_of_torch() -> None:
    for query, key, value in GROUPED.draw():
        theirs = F.scaled_dot_product_attention(query, key, value, enable_gqa=True)
        torch.testing.assert_close(GROUPED.reference(query, key, value), theirs)


def test_with_a_group_for_each_head_they_are_many_heads_and_with_one_group_share_all() -> None:
    query, key, value = torch.randn(2, 4, 3, 2), torch.randn(2, 4, 5, 2), torch.randn(2, 4, 5, 2)
    plain, _ = scaled_dot_product_attention(query, key, value)
    torch.testing.assert_close(GROUPED.reference(query, key, value), plain)
    one = key[:, :1], value[:, :1]
    shared, _ = scaled_dot_product_attention(query, *(x.expand(-1, 4, -1, -1) for x in one))
    torch.testing.assert_close(GROUPED.reference(query, *one), shared)


def test_grouped_queries_are_a_layer_whose_heads_share_their_projections() -> None:
    """Columns of W_K and W_V that are equal for the two heads of a group."""
    layer, x = MultiHeadAttention(8, 4).requires_grad_(False), torch.randn(1, 3, 8)
    for shared in (layer.key, layer.value):
        for rows in (shared.weight, shared.bias):
            by_head = rows.view(2, 2, 2, -1)  # groups, heads in a group, K
            by_head[:, 1] = by_head[:, 0]
    query, key, value = (layer.split(it(x)) for it in (layer.query, layer.key, layer.value))
    heads = GROUPED.reference(query, key[:, ::2], value[:, ::2])
    torch.testing.assert_close(layer.output(layer.merge(heads)), layer(x, x, x))


@pytest.mark.parametrize("size", [1, 2, 4])
def test_patches_are_what_a_convolution_reads(size: int) -> None:
    picture = torch.randn(3, 8, 12)
    words = PATCHES.reference(picture, size)
    assert torch.equal(words, F.unfold(picture[None], size, stride=size)[0].T)
    weight = torch.randn(5, 3, size, size)
    embedded = F.conv2d(picture[None], weight, stride=size)[0].flatten(1).T  # N 5
    torch.testing.assert_close(words @ weight.flatten(1).T, embedded)


def test_the_mean_is_that_of_a_bag_of_words() -> None:
    """Padding is the id that PyTorch's bag leaves out; an empty bag gives zeros."""
    for x, mask in MEAN_WORD.draw():
        table = torch.cat([torch.full((1, x.shape[-1]), 9.0), x.flatten(0, 1)])
        ids = torch.arange(1, len(table)).view(mask.shape) * mask
        bags = F.embedding_bag(ids, table, mode="mean", padding_idx=0)
        torch.testing.assert_close(MEAN_WORD.reference(x, mask), bags)


def test_batch_mates_and_padding_do_not_change_the_mean() -> None:
    x, lengths = torch.randn(3, 6, 4), torch.tensor([6, 2, 0])
    means = MEAN_WORD.reference(x, padding_mask(lengths, 6))
    for row, length in enumerate(lengths.tolist()):
        expected = x[row, :length].mean(0) if length else torch.zeros(4)
        torch.testing.assert_close(means[row], expected)
