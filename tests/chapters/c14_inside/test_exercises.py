"""The references of the exercises of chapter 14 are right: as attention and autograd have it."""

import pytest
import torch
from torch import Tensor

from transformer_lite.attention import MultiHeadAttention, scaled_dot_product_attention
from transformer_lite.chapters.c14_inside.exercises import HANDED_OVER, LEAVE_ONE_OUT, ROLLOUT
from transformer_lite.scope import AttentionRecord, Scope


def test_a_word_left_out_is_a_word_behind_a_mask() -> None:
    for query, keys, values in LEAVE_ONE_OUT.draw():
        seen = ~torch.eye(len(keys), dtype=torch.bool)
        masked, _ = scaled_dot_product_attention(query.expand(len(keys), -1), keys, values, seen)
        torch.testing.assert_close(LEAVE_ONE_OUT.reference(query, keys, values), masked)


def test_the_output_is_what_a_word_gives_and_what_is_left_without_it() -> None:
    for query, keys, values in LEAVE_ONE_OUT.draw():
        output, weights = scaled_dot_product_attention(query[None], keys, values)
        own = weights.mT  # S 1
        left = LEAVE_ONE_OUT.reference(query, keys, values)
        torch.testing.assert_close(own * values + (1 - own) * left, output.expand_as(left))


def test_rollout_is_the_derivative_of_layers_that_mix_and_keep() -> None:
    """Half of each place stays, half is the mean of what the heads blend: who depends on whom?"""
    for (maps,) in ROLLOUT.draw():

        def stack(x: Tensor, maps: Tensor = maps) -> Tensor:
            for layer in maps:
                x = (x + (layer @ x).mean(0)) / 2
            return x

        derivatives = torch.autograd.functional.jacobian(stack, torch.randn(maps.shape[-1]))
        torch.testing.assert_close(ROLLOUT.reference(maps), derivatives)


def test_rollout_of_causal_layers_never_sees_ahead() -> None:
    causal = ROLLOUT.draw()[-1][0]
    flow = ROLLOUT.reference(causal)
    assert torch.equal(flow, flow.tril()) and flow[-1].min() > 0
    torch.testing.assert_close(flow.sum(-1), torch.ones(len(flow)))


@pytest.mark.parametrize("heads", [1, 2, 4])
def test_what_is_handed_over_is_what_the_layer_gives_of_one_word_alone(heads: int) -> None:
    x, y = torch.randn(1, 3, 8), torch.randn(1, 5, 8)
    layer = MultiHeadAttention(8, heads).requires_grad_(False)
    layer.value.bias.zero_()
    layer.output.bias.zero_()
    record = AttentionRecord()
    layer(x, y, y, Scope(record=record, name="cross"))
    values = layer.split(layer.value(y))[0]
    sizes = HANDED_OVER.reference(record["cross"][0], values, layer.output.weight)
    for place in range(5):
        alone = torch.zeros_like(y)
        alone[:, place] = y[:, place]
        handed = layer(x, y, alone)[0]
        torch.testing.assert_close(sizes[:, place], handed.norm(dim=-1))


def test_two_heads_can_cancel() -> None:
    weights, values = torch.full((2, 1, 1), 1.0), torch.ones(2, 1, 1)
    assert HANDED_OVER.reference(weights, values, torch.tensor([[1.0, -1.0]])) == 0
