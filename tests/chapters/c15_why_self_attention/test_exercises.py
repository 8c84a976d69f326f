"""The references of the exercises of chapter 15 are right: as attention and torch have it."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from transformer_lite.attention import MultiHeadAttention, scaled_dot_product_attention
from transformer_lite.chapters.c15_why_self_attention.exercises import (
    COUNT_LAYER,
    MERGE_BLOCKS,
    STEPS_TO_REACH,
)
from transformer_lite.scope import AttentionRecord, Scope


def test_the_first_layer_that_reaches_is_the_first_whose_gradient_does() -> None:
    """Attentions with `sees` as their mask, stacked; which outputs have a derivative?"""
    for (sees,) in STEPS_TO_REACH.draw():

        def stack(x: Tensor, depth: int, sees: Tensor = sees) -> Tensor:
            for _ in range(depth):
                x, _ = scaled_dot_product_attention(x, x, x, sees)
            return x[:, 0]

        x = torch.randn(len(sees), 2, dtype=torch.float64)
        expected = torch.full(sees.shape, -1)
        for depth in reversed(range(len(sees))):
            derivatives = torch.autograd.functional.jacobian(
                lambda x, depth=depth: stack(x, depth), x
            )
            expected[derivatives.abs().sum(-1) > 0] = depth
        assert torch.equal(STEPS_TO_REACH.reference(sees), expected)


def test_chains_windows_and_all_at_once_are_as_long_as_the_table_says() -> None:
    size = torch.ones(9, 9, dtype=torch.bool)
    recurrent = STEPS_TO_REACH.reference(size.tril().triu(-1))
    assert recurrent[8, 0] == 8 and recurrent[0, 8] == -1
    assert STEPS_TO_REACH.reference(size.tril(2).triu(-2))[0, 8] == 4
    assert STEPS_TO_REACH.reference(size).unique().tolist() == [0, 1]


@pytest.mark.parametrize("sizes", [(1, 1), (5, 2, 9), (16,)])
@pytest.mark.parametrize("large", [1.0, 1000.0])
def test_merged_blocks_are_attention_over_all_keys(sizes: tuple[int, ...], large: float) -> None:
    query = torch.randn(1, 4, dtype=torch.float64) * large
    keys, values = torch.randn(2, sum(sizes), 4, dtype=torch.float64)
    kept = []
    for k, v in zip(keys.split(sizes), values.split(sizes), strict=True):
        energies = (k @ query[0] / 2).double()
        kept.append(
            (energies.max(), (energies - energies.max()).exp().sum(), energies.softmax(0) @ v)
        )
    merged = MERGE_BLOCKS.reference(*map(torch.stack, zip(*kept, strict=True)))
    whole = F.scaled_dot_product_attention(query, keys, values)[0]
    torch.testing.assert_close(merged.double(), whole, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("n", "d", "kernel", "heads"), [(3, 4, 2, 1), (9, 8, 5, 4), (2, 8, 3, 2)])
def test_the_counts_are_those_of_torch(n: int, d: int, kernel: int, heads: int) -> None:
    """Its counter has two operations for each multiply-add and knows no GRU, only its products."""
    x = torch.randn(1, n, d)
    attention = MultiHeadAttention(d, heads)
    convolution = nn.Conv1d(d, d, kernel, padding=kernel - 1)
    inner, outer = nn.Linear(d, 4 * d), nn.Linear(4 * d, d)
    word, state = nn.Linear(d, 3 * d), nn.Linear(d, 3 * d)
    assert nn.GRU(d, d).weight_ih_l0.shape == nn.GRU(d, d).weight_hh_l0.shape == word.weight.shape

    def steps() -> None:
        for step in range(n):
            word(x[:, step])
            state(torch.zeros(1, d))

    counts = []
    for run in (
        lambda: attention(x, x, x, Scope(record=AttentionRecord())),
        steps,
        lambda: F.conv1d(F.pad(x.mT, (kernel - 1, 0)), convolution.weight),
        lambda: outer(F.relu(inner(x))),
    ):
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            run()
        counts.append(counter.get_total_flops() // 2)
    assert COUNT_LAYER.reference(n, d, kernel).tolist() == counts
