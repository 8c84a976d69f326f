"""The references of the exercises of chapter 06 are right."""

# ruff: noqa: N806  W_Q, W_K, W_V and W_O are what the field calls them.

import pytest
import torch
from torch import Tensor, nn

from transformer_lite.chapters.c06_multi_head.exercises import (
    MULTI_HEAD,
    SPLIT_HEADS,
    WITHOUT_HEAD,
)


@pytest.mark.parametrize("heads", [1, 2, 4])
def test_multi_head_is_torch(heads: int) -> None:
    x, y, matrices = (torch.randn(*size).double() for size in ((2, 3, 8), (2, 5, 8), (4, 8, 8)))
    layer = nn.MultiheadAttention(8, heads, bias=False, batch_first=True).double()
    layer.requires_grad_(False)
    *projections, W_O = matrices.mT
    layer.load_state_dict({"in_proj_weight": torch.cat(projections), "out_proj.weight": W_O})
    torch.testing.assert_close(MULTI_HEAD.reference(x, y, *matrices, heads), layer(x, y, y)[0])


def test_split_heads_numbers_the_columns_head_by_head() -> None:
    """The heads of one token, one behind the other, are the token again."""
    x = torch.randn(2, 3, 6)
    split = SPLIT_HEADS.reference(x, 3)
    assert split.shape == (2, 3, 3, 2)
    assert torch.equal(torch.cat([*split.unbind(1)], dim=-1), x)


@pytest.mark.parametrize("head", [0, 1, 2])
def test_a_layer_without_a_head_is_one_whose_values_are_0_in_that_head(head: int) -> None:
    x, y = torch.randn(2, 3, 6), torch.randn(2, 5, 6)
    W_Q, W_K, W_V, W_O = torch.randn(4, 6, 6)

    def layer(values: Tensor, output: Tensor) -> Tensor:
        result: Tensor = MULTI_HEAD.reference(x, y, W_Q, W_K, values, output, 3)
        return result

    blind = W_V.clone()
    blind.unflatten(1, (3, 2))[:, head] = 0
    torch.testing.assert_close(layer(W_V, WITHOUT_HEAD.reference(W_O, head, 3)), layer(blind, W_O))
