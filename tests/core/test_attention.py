from typing import Any

import pytest
import torch
import torch.nn.functional as F
from every_model import assert_same
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from transformer_lite.attention import (
    MultiHeadAttention,
    scaled_dot_product_attention,
)
from transformer_lite.masks import causal_mask, padding_mask
from transformer_lite.scope import AttentionRecord, Layout, Scope

DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
SHAPES = {"batch": st.integers(1, 3), "length": st.integers(1, 5), "size": st.integers(1, 5)}


def double(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64)


def made(d_model: int = 8, heads: int = 2, **more: Any) -> MultiHeadAttention:
    torch.manual_seed(0)
    attention = MultiHeadAttention(d_model, heads, **more).double()
    for parameter in attention.parameters():  # biases too: a bias of 0 hides its own absence
        nn.init.normal_(parameter, std=0.5)
    return attention


@given(**SHAPES, seed=st.integers(0, 999))
def test_the_explicit_path_equals_torch(batch: int, length: int, size: int, seed: int) -> None:
    torch.manual_seed(seed)
    query, key, value = (
        double(batch, 2, length, 4),
        double(batch, 2, size, 4),
        double(batch, 2, size, 3),
    )
    mask = torch.rand(batch, 1, length, size) < 0.7
    for allowed in (None, mask):
        output, weights = scaled_dot_product_attention(query, key, value, allowed)
        assert_same(output, F.scaled_dot_product_attention(query, key, value, allowed))
        assert_same(weights @ value, output)
    sees = mask.any(-1).expand(batch, 2, length)
    assert_same(weights.sum(-1), sees.double())
    assert not weights[~mask.expand_as(weights)].any()


@given(**SHAPES, heads=st.sampled_from([1, 2, 4]), seed=st.integers(0, 999))
def test_multi_head_attention_equals_torch(
    batch: int,
    length: int,
    size: int,
    heads: int,
    seed: int,
) -> None:
    """On copied weights. Mind the sign: torch's module is True where attention is FORBIDDEN."""
    ours = made(8, heads)
    theirs = nn.MultiheadAttention(8, heads, batch_first=True, dtype=torch.float64)
    with torch.no_grad():
        for parameter, part in zip(
            ("weight", "bias"), (theirs.in_proj_weight, theirs.in_proj_bias), strict=True
        ):
            parts = [getattr(one, parameter) for one in (ours.query, ours.key, ours.value)]
            part.copy_(torch.cat(parts))
        theirs.out_proj.load_state_dict(ours.output.state_dict())
    torch.manual_seed(seed)
    query, memory = double(batch, length, 8), double(batch, size, 8)
    real = padding_mask(torch.randint(1, size + 1, (batch,)), size)
    expected, expected_weights = theirs(
        query, memory, memory, key_padding_mask=~real, average_attn_weights=False
    )
    record = AttentionRecord()
    mask = real[:, None, None]
    assert_same(ours(query, memory, memory, Scope(mask, record, name="here")), expected)
    assert_same(record["here"], expected_weights)
    assert_same(ours(query, memory, memory, mask), expected)
    seen = causal_mask(length)
    expected, _ = theirs(query, query, query, attn_mask=~seen)
    assert_same(ours(query, query, query, seen), expected)


def test_keys_and_values_may_come_from_two_sequences() -> None:
    attention, query, key, value = made(), double(1, 2, 8), double(1, 3, 8), double(1, 3, 8)
    same_value, same_key = attention(query, key, key), attention(query, value, value)
    result = attention(query, key, value)
    assert not torch.allclose(result, same_value)
    assert not torch.allclose(result, same_key)


def test_projected_keys_and_values_can_be_kept() -> None:
    attention, query, memory = made(), double(2, 3, 8), double(2, 5, 8)
    kept = attention.keys_values(memory, memory, Layout())
    assert [tuple(one.shape) for one in kept] == [(2, 2, 5, 4)] * 2
    scope = Scope(known={"here": kept}, name="here")
    assert_same(attention(query, 0 * memory, 0 * memory, scope), attention(query, memory, memory))


def test_heads_cut_the_width_and_every_head_sees_every_position() -> None:
    attention = MultiHeadAttention(4, 2)
    x = torch.arange(12.0).view(1, 3, 4)
    heads = attention.split(x)
    assert heads.tolist() == [[[[0, 1], [4, 5], [8, 9]], [[2, 3], [6, 7], [10, 11]]]]
    assert torch.equal(attention.merge(heads), x)


def test_a_loop_over_heads_gives_the_same() -> None:
    attention, x = made(8, 4), double(2, 5, 8)
    parts = []
    for head in range(4):
        rows = slice(2 * head, 2 * head + 2)
        query, key, value = (
            x @ one.weight[rows].T + one.bias[rows]
            for one in (attention.query, attention.key, attention.value)
        )
        parts.append(F.scaled_dot_product_attention(query, key, value))
    assert_same(attention(x, x, x), attention.output(torch.cat(parts, dim=-1)))


def test_the_number_of_heads_does_not_change_the_number_of_parameters() -> None:
    counts = {sum(p.numel() for p in made(8, heads).parameters()) for heads in (1, 2, 4, 8)}
    assert counts == {4 * (8 * 8 + 8)}


@given(length=st.integers(2, 6), seed=st.integers(0, 999))
def test_without_positions_self_attention_is_permutation_equivariant(
    length: int, seed: int
) -> None:
    attention = made()
    torch.manual_seed(seed)
    x, order = double(2, length, 8), torch.randperm(length)
    assert_same(attention(x[:, order], x[:, order], x[:, order]), attention(x, x, x)[:, order])


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_query_that_sees_nothing_gives_zeros_and_finite_gradients(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    mask = torch.tensor([[True, True, False], [False, False, False]])
    inputs = [torch.randn(1, 1, n, 4).to(dtype).requires_grad_() for n in (2, 3, 3)]
    output, weights = scaled_dot_product_attention(*inputs, mask)
    assert not output[0, 0, 1].any() and not weights[0, 0, 1].any()
    assert output[0, 0, 0].all()
    for gradient in torch.autograd.grad(output.square().sum(), inputs):
        assert gradient.isfinite().all() and gradient.any()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("recorded", [False, True])
@pytest.mark.parametrize("training", [False, True])
def test_both_paths_of_a_module_survive_a_row_that_sees_nothing(
    dtype: torch.dtype, recorded: bool, training: bool
) -> None:
    attention = made(8, 2, dropout=0.2).to(dtype).train(training)
    query, memory = (torch.randn(2, n, 8).to(dtype).requires_grad_() for n in (3, 4))
    mask = torch.ones(2, 1, 3, 4, dtype=torch.bool)
    mask[0] = False  # a sentence that is all padding
    record = AttentionRecord() if recorded else None
    output = attention(query, memory, memory, Scope(mask, record))
    assert torch.equal(output[0], attention.output.bias.expand(3, 8))
    loss = output.float().square().sum()
    gradients = torch.autograd.grad(loss, [query, memory, *attention.parameters()])
    assert all(gradient.isfinite().all() for gradient in gradients)
    assert not gradients[0][0].any() and not gradients[1][0].any()
    assert gradients[0][1].any() and gradients[1][1].any()


def test_dropout_acts_in_training_only_and_on_both_paths() -> None:
    attention, x = made(8, 2, dropout=0.5), double(1, 4, 8)
    quiet = attention.eval()(x, x, x)
    assert_same(attention(x, x, x), quiet)
    attention.train()
    many = x.expand(4000, 4, 8)
    for record in (None, AttentionRecord()):
        drawn = attention(many, many, many, Scope(record=record))
        assert not torch.equal(drawn[0], drawn[1])
        # Dropped weights are made up for by larger ones: the mean is what evaluation gives.
        torch.testing.assert_close(drawn.mean(0), quiet[0], rtol=0, atol=0.1)
    assert record is not None
    assert_same(record["attention"].sum(-1), torch.ones(4000, 2, 4, dtype=torch.float64))


@pytest.mark.parametrize("shape", [(3, 3), (2, 2), (1, 2, 3)])
def test_a_mask_that_does_not_broadcast_is_refused(shape: tuple[int, ...]) -> None:
    query, key = torch.zeros(2, 4), torch.zeros(3, 4)
    with pytest.raises(ValueError, match=r"mask must broadcast to the scores, \(2, 3\)"):
        scaled_dot_product_attention(query, key, key, torch.ones(shape).bool())
    with pytest.raises(ValueError, match="mask must broadcast"):
        MultiHeadAttention(4, 1)(query[None], key[None], key[None], torch.ones(5, *shape).bool())


@pytest.mark.parametrize("heads", [0, 3])
def test_heads_must_divide_the_width(heads: int) -> None:
    with pytest.raises(ValueError, match=f"heads={heads} and d_model=8"):
        MultiHeadAttention(8, heads)


@pytest.mark.parametrize("dropout", [-0.1, 1.0])
def test_dropout_must_be_a_probability(dropout: float) -> None:
    with pytest.raises(ValueError, match="dropout must lie in"):
        MultiHeadAttention(8, 2, dropout)
