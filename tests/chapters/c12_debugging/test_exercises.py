"""The references of the exercises of chapter 12 are right."""

import pytest
import torch
from torch import Tensor, nn

from transformer_lite import Transformer, TransformerConfig
from transformer_lite.attention import MultiHeadAttention
from transformer_lite.chapters.c12_debugging.bugs import planted
from transformer_lite.chapters.c12_debugging.exercises import (
    MEND_ATTENTION,
    MEND_LOSS,
    PREFIX_GAP,
)
from transformer_lite.data.batching import Example, collate
from transformer_lite.diagnosis import mean_loss
from transformer_lite.masks import causal_mask

SMALL = TransformerConfig(30, 24, d_model=32, heads=4, layers=2, d_ff=64, dropout=0.0)


@pytest.mark.parametrize("heads", [1, 2, 4])
def test_attention_is_the_packages_without_projections(heads: int) -> None:
    layer = MultiHeadAttention(8, heads).requires_grad_(False)
    for part in layer.modules():
        if isinstance(part, nn.Linear):
            part.weight.copy_(torch.eye(8))
            part.bias.zero_()
    query, key, value = torch.randn(3, 2, 5, 8)
    expected = layer(query, key, value, causal_mask(5))
    torch.testing.assert_close(MEND_ATTENTION.reference(query, key, value, heads), expected)


@torch.no_grad()
def test_loss_is_what_training_brings_down() -> None:
    model = planted("right", SMALL)
    batch = collate([Example([5, 6, 2], [7, 8, 9]), Example([4, 2], [5]), Example([2], [])])
    target = torch.cat([batch.target_in, torch.zeros_like(batch.target_in[:, :1])], 1)
    target[:, 1:] = batch.target_out
    logits = model(batch.source, batch.source_mask, batch.target_in)
    torch.testing.assert_close(MEND_LOSS.reference(logits, target), mean_loss(model, batch))


@torch.no_grad()
def gap_of(model: Transformer) -> float:
    """Of one sentence of six words."""
    source, target = torch.tensor([[4, 5, 6, 7, 2]]), torch.tensor([[1, 7, 4, 9, 5, 8]])

    def logits(size: int) -> Tensor:
        return model.eval()(source, source > 0, target[:, :size])[0]  # type: ignore

    gap: float = PREFIX_GAP.reference(logits(6), [logits(size) for size in range(1, 7)])
    return gap


@pytest.mark.parametrize("name", ["no-mask", "mask-after-softmax", "heads-split-wrong"])
def test_the_gap_is_there_where_the_future_is_seen(name: str) -> None:
    assert gap_of(planted(name, SMALL)) > 0.1


@pytest.mark.parametrize("name", ["right", "not-scaled", "layers-shared"])
def test_there_is_no_gap_where_it_is_not(name: str) -> None:
    assert gap_of(planted(name, SMALL)) < 1e-4
