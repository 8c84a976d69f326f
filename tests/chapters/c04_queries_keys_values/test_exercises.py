"""The references of the exercises of chapter 04 are right."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from transformer_lite.chapters.c04_queries_keys_values.exercises import (
    ATTEND,
    NADARAYA_WATSON,
    ORDER_GAP,
)


def test_nadaraya_watson_is_attention_with_the_squares_taken_apart() -> None:
    """−(q − k)²/2w² is (q · k − k²/2)/w² but for what all keys share: a product of two vectors."""
    queries, keys, values, width = torch.randn(5), torch.randn(7), torch.randn(7), 0.8
    asking = torch.stack([queries, torch.ones(5)], 1)
    asked = torch.stack([keys, -(keys**2) / 2], 1)
    theirs = F.scaled_dot_product_attention(asking, asked, values[:, None], scale=1 / width**2)
    ours = NADARAYA_WATSON.reference(queries, keys, values, width)
    torch.testing.assert_close(ours, theirs[:, 0])


def test_a_query_far_from_every_key_gets_the_value_of_the_nearest() -> None:
    keys, values = torch.tensor([0.0, 1.0, 2.0]), torch.tensor([5.0, 6.0, 7.0])
    means = NADARAYA_WATSON.reference(torch.tensor([-1e3, 1e3]), keys, values, 1.0)
    assert means.tolist() == [5.0, 7.0]


def head_of_torch(matrices: tuple[Tensor, Tensor, Tensor]) -> nn.MultiheadAttention:
    """torch's attention with one head, D = K = N, and nothing behind it."""
    size = len(matrices[0])
    head = nn.MultiheadAttention(size, 1, bias=False, batch_first=True)
    state = {"in_proj_weight": torch.cat([matrix.T for matrix in matrices])}
    head.load_state_dict(state | {"out_proj.weight": torch.eye(size)})
    return head.requires_grad_(False)


@pytest.fixture
def matrices() -> tuple[Tensor, Tensor, Tensor]:
    return torch.randn(4, 4), torch.randn(4, 4), torch.randn(4, 4)


def test_attend_is_one_head_of_torch(matrices: tuple[Tensor, Tensor, Tensor]) -> None:
    x, y = torch.randn(2, 3, 4), torch.randn(2, 5, 4)
    mask = torch.tensor([[True] * 5, [True, True, False, False, False]])
    theirs, _ = head_of_torch(matrices)(x, y, y, key_padding_mask=~mask)
    torch.testing.assert_close(ATTEND.reference(x, y, *matrices, mask), theirs)


def test_the_order_gap_is_that_of_a_head_of_torch(
    matrices: tuple[Tensor, Tensor, Tensor],
) -> None:
    x, positions, order = torch.randn(2, 4, 4), torch.randn(4, 4), torch.tensor([2, 0, 3, 1])
    head = head_of_torch(matrices)
    words = x + positions
    moved = torch.stack([x[:, place] for place in order], 1) + positions
    outputs, after = head(words, words, words)[0], head(moved, moved, moved)[0]
    gaps = [(after[:, t] - outputs[:, place]).abs().max() for t, place in enumerate(order)]
    assert ORDER_GAP.reference(x, *matrices, positions, order) == pytest.approx(float(max(gaps)))
    assert ORDER_GAP.reference(x, *matrices, 0 * positions, order) < 1e-6
