import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from transformer_lite.masks import causal_mask, check_source_mask, masked_softmax, padding_mask

DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]


def test_padding_mask_is_true_on_real_tokens() -> None:
    expected = [[True, False, False], [True, True, True], [False, False, False]]
    assert padding_mask(torch.tensor([1, 3, 0]), 3).tolist() == expected


@pytest.mark.parametrize("lengths", [[1, 4], [-1, 2]])
def test_padding_mask_refuses_impossible_lengths(lengths: list[int]) -> None:
    with pytest.raises(ValueError, match="lengths must lie between 0 and size=3"):
        padding_mask(torch.tensor(lengths), 3)


def test_causal_mask_lets_each_token_see_itself_and_the_past() -> None:
    mask = causal_mask(4)
    for query in range(4):
        for key in range(4):
            assert bool(mask[query, key]) == (key <= query)


@given(st.integers(1, 5), st.integers(1, 6), st.integers(0, 999))
def test_masked_softmax_is_the_softmax_over_allowed_keys(rows: int, keys: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    scores = 5 * torch.randn(rows, keys, generator=generator, dtype=torch.float64)
    mask = torch.rand(rows, keys, generator=generator) < 0.6
    weights = masked_softmax(scores, mask)
    for row in range(rows):
        allowed = [math.exp(s) for s, may in zip(scores[row], mask[row], strict=True) if may]
        for key in range(keys):
            share = math.exp(scores[row, key]) / sum(allowed) if mask[row, key] else 0.0
            assert weights[row, key].item() == pytest.approx(share, abs=1e-12)


def test_masked_softmax_without_a_mask_is_the_softmax() -> None:
    scores = torch.randn(2, 3, 4)
    assert torch.equal(masked_softmax(scores, None), scores.softmax(-1))


@pytest.mark.parametrize("dtype", DTYPES)
def test_no_score_is_low_enough_to_lose_to_a_forbidden_key(dtype: torch.dtype) -> None:
    """A mask of −1e4 or −1e9 would lose to allowed scores below it, or overflow in float16."""
    low = torch.finfo(dtype).min / 2
    scores = torch.tensor([[low, 0.0, 60.0]], dtype=dtype)
    weights = masked_softmax(scores, torch.tensor([[True, False, False]]))
    assert weights.tolist() == [[1.0, 0.0, 0.0]]


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_row_that_sees_nothing_gives_zeros_and_no_gradient(dtype: torch.dtype) -> None:
    scores = torch.randn(2, 3).to(dtype).requires_grad_()
    mask = torch.tensor([[False, False, False], [True, True, False]])
    weights = masked_softmax(scores, mask)
    assert not weights[0].any()
    assert weights[1].sum().item() == pytest.approx(1.0, abs=1e-2)
    gradient = gradient_of(weights, scores)
    assert gradient.isfinite().all()
    assert not gradient[0].any()
    assert gradient[1, :2].all() and not gradient[1, 2]


@pytest.mark.filterwarnings("ignore:Anomaly Detection:UserWarning")
def test_no_nan_arises_on_the_way_either() -> None:
    """−∞ instead of the lowest number would make some, and only hide them afterwards."""
    scores = torch.randn(2, 3, requires_grad=True)
    with torch.autograd.detect_anomaly():
        masked_softmax(scores, torch.zeros(2, 3, dtype=torch.bool)).sum().backward()


def gradient_of(output: Tensor, of: Tensor) -> Tensor:
    torch.manual_seed(0)
    (gradient,) = torch.autograd.grad((output * torch.randn_like(output)).sum(), of)
    return gradient


def test_check_source_mask_accepts_padding_on_the_right_only() -> None:
    source = torch.zeros(2, 3, dtype=torch.long)
    check_source_mask(source, torch.tensor([[True, True, False], [True, True, True]]))
    for wrong in ([[False, True, True], [True, True, True]], [[True, False, True]] * 2):
        with pytest.raises(ValueError, match="padding on the right"):
            check_source_mask(source, torch.tensor(wrong))
    with pytest.raises(ValueError, match="row 1 has none"):
        check_source_mask(source, torch.tensor([[True, True, True], [False, False, False]]))
