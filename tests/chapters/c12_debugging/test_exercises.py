"""The references of the exercises of chapter 12 are right."""

import pytest
import torch
from torch import Tensor, nn

from transformer_lite import TransformerConfig
from transformer_lite.attention import MultiHeadAttention
from transformer_lite.chapters.c12_debugging.bugs import diagnose_bug, planted
from transformer_lite.chapters.c12_debugging.exercises import (
    MATES_GAP,
    MEND_ATTENTION,
    MEND_LOSS,
)
from transformer_lite.data.batching import Batch, Example, collate
from transformer_lite.diagnosis import _Subject, mean_loss
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
def gap_of(name: str) -> float:
    """Of three sentences of different lengths, on both sides."""
    model = planted(name, SMALL).eval()
    examples = [Example([5, 6, 2], [7, 8, 9, 4]), Example([4, 2], [5]), Example([9, 4, 8, 2], [])]

    def rows(batch: Batch) -> Tensor:
        return model(batch.source, batch.source_mask, batch.target_in)  # type: ignore

    alone = [rows(collate([example]))[0] for example in examples]
    assert [len(own) for own in alone] == [5, 2, 1]
    gap: float = MATES_GAP.reference(rows(collate(examples)), alone)
    return gap


@pytest.mark.parametrize("name", ["norm-over-batch", "norm-over-words", "no-mask"])
def test_the_gap_is_there_where_mates_change_a_sentence(name: str) -> None:
    assert gap_of(name) > 0.1


@pytest.mark.parametrize("name", ["right", "not-scaled", "layers-shared"])
def test_there_is_no_gap_where_they_do_not(name: str) -> None:
    assert gap_of(name) < 1e-4


@torch.no_grad()
@pytest.mark.parametrize("seed", [0, 1])
def test_the_gap_is_that_of_diagnose(seed: int) -> None:
    """But for the standard deviation by which `diagnose` divides."""
    subject = _Subject(planted("norm-over-batch", SMALL, seed), (), mean_loss)
    alone = [subject.logits(some=slice(n, n + 1))[0] for n in range(len(subject.rows))]
    gap = MATES_GAP.reference(subject.rows, alone) / subject.rows.std().item()
    found = diagnose_bug("norm-over-batch", SMALL, seed).checks
    assert [gap] == [pytest.approx(one.measured) for one in found if one.name == "batch mates"]
