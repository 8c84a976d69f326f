"""The references of the exercises of chapter 11 are right: as the package trains."""

import torch

from transformer_lite.chapters.c11_training.exercises import (
    ADAMW_STEP,
    FILL_BATCHES,
    SMOOTHED_LOSS,
)
from transformer_lite.data.batching import Example, epoch_batches
from transformer_lite.exercises import check
from transformer_lite.training import TrainingConfig, adam, label_smoothed_loss
from transformer_lite.transformer import Transformer, TransformerConfig


def test_the_loss_is_that_of_the_package() -> None:
    logits, target = torch.randn(3, 5, 7), torch.randint(7, (3, 5))
    real = target != 0
    total = label_smoothed_loss(logits[real], target[real], 0.1)
    torch.testing.assert_close(SMOOTHED_LOSS.reference(logits, target, 0.1), total / real.sum())


def test_the_steps_are_those_of_the_package() -> None:
    """Three in a row, of every parameter of a small model; only matrices decay."""
    model = Transformer(TransformerConfig(5, 6, 4, heads=2, layers=1, d_ff=3))
    optimizer = adam(model, TrainingConfig(peak_rate=0.05, weight_decay=0.4))
    for group in optimizer.param_groups:
        group["lr"] = 0.05
    for step in (1, 2, 3):
        expected = []
        for parameter in model.parameters():
            parameter.grad = torch.randn_like(parameter)
            state = optimizer.state.get(parameter, {})
            means = [state.get(name, torch.zeros(())) for name in ("exp_avg", "exp_avg_sq")]
            m, v = (mean.expand_as(parameter).flatten().clone() for mean in means)
            start, gradient = parameter.detach().flatten(), parameter.grad.flatten()
            decay = 0.4 if parameter.ndim > 1 else 0.0
            expected.append(ADAMW_STEP.reference(start, gradient, m, v, step, 0.05, decay))
        optimizer.step()
        got = torch.cat([parameter.detach().flatten() for parameter in model.parameters()])
        torch.testing.assert_close(got, torch.cat(expected))


def test_the_batches_are_those_of_the_package() -> None:
    """Up to which sentence of a length is in which of two batches: the package shuffles first."""
    lengths = torch.randint(2, 30, (200,)).tolist()
    examples = [Example([5] * length, []) for length in lengths]
    made = epoch_batches(examples, batch_tokens=100, seed=0, epoch=0)
    numbers = FILL_BATCHES.reference(lengths, 100)
    ours = [numbers == number for number in range(int(numbers.max()) + 1)]
    assert sorted(sorted(lengths[row] for row in rows) for rows in made) == sorted(
        sorted(torch.tensor(lengths)[inside].tolist()) for inside in ours
    )


def test_a_case_shows_the_lengths() -> None:
    verdict = check("fill-batches", lambda lengths, most: torch.zeros(len(lengths)).long())
    assert "lengths = [" in verdict.message
