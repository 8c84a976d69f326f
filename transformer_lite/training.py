"""Training: the loss, the schedule, and the plain loop.

What makes a training survive (checkpoints, resuming, several processes) is in `runs`, which calls
this.
"""

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from transformer_lite.checks import (
    check_at_least,
    check_at_most,
    check_choice,
    check_share,
    shown,
)
from transformer_lite.data.batching import Batch, Example, collate, epoch_batches
from transformer_lite.data.vocabulary import PAD
from transformer_lite.model import SequenceModel
from transformer_lite.progress import progress_bar

Model = SequenceModel[Any, Any]
Schedule = Literal["constant", "cosine", "inverse_sqrt"]
Precision = Literal["float32", "bfloat16"]
MOST_STEPS = 10**9


@dataclass(frozen=True)
class TrainingConfig:
    """How to train.

    Attributes:
        steps: number of parameter updates.
        batch_tokens: most positions of a batch on each side, padding counted in; several processes
            share one batch.
        peak_rate: learning rate at the end of the warm-up.
        warmup: steps in which the rate rises linearly from 0.
        schedule: after the warm-up "constant", "cosine" (to 0 at the last step) or "inverse_sqrt"
            (the paper's).
        label_smoothing: share ε of the target probability spread over all ids but `<pad>`.
        clip: largest norm of the gradient; 0 switches clipping off.
        betas, epsilon: Adam's; the paper's values.
        weight_decay: λ; each update takes the share rate · λ away from every matrix, embeddings
            included, beside what Adam does (Loshchilov & Hutter 2019, algorithm 2). Biases and the
            gains of normalisations are vectors and keep theirs.
        seed: from which every random choice of the run derives.
        precision: "float32", or "bfloat16" for the matrix products of the model. The weights, their
            updates, the loss and the validation stay in float32.
    """

    steps: int = 1000
    batch_tokens: int = 1024
    peak_rate: float = 1e-3
    warmup: int = 100
    schedule: Schedule = "cosine"
    label_smoothing: float = 0.0
    clip: float = 1.0
    betas: tuple[float, float] = (0.9, 0.98)
    epsilon: float = 1e-9
    weight_decay: float = 0.0
    seed: int = 0
    precision: Precision = "float32"

    def __post_init__(self) -> None:
        check_at_least(1, self, "steps batch_tokens")
        check_at_most(MOST_STEPS, self, "steps")
        check_at_least(0, self, "warmup clip weight_decay seed")
        if not self.peak_rate > 0:
            raise ValueError(f"peak_rate must be above 0, but it is {self.peak_rate}")
        check_choice("schedule", self.schedule, Schedule)
        check_choice("precision", self.precision, Precision)
        check_share("label_smoothing", self.label_smoothing)


@dataclass(frozen=True)
class StepResult:
    """What one update did.

    Attributes:
        step: number of updates so far, this one counted in.
        loss: mean loss of a real target token, in nats.
        rate: learning rate of this update.
        target_tokens: real target tokens in the batch, the shares of all processes together.
    """

    step: int
    loss: float
    rate: float
    target_tokens: int


# The loss


def label_smoothed_loss(
    logits: Float[Tensor, "N V"], target: Int[Tensor, " N"], smoothing: float
) -> Float[Tensor, ""]:
    """Cross-entropy against (1 − ε) · one-hot + ε · uniform, summed over tokens, in nats.

    The uniform part leaves `<pad>` out: a model should never learn to write it. Hand in real
    tokens only. With smoothing the loss cannot reach 0: its floor is the entropy of the target.

    Source: Szegedy et al. 2016, section 7; Vaswani et al. 2017, section 5.4.
    """
    at_least_float32 = logits.float() if logits.dtype == torch.bfloat16 else logits
    return smoothed_cross_entropy(at_least_float32.log_softmax(-1), target, smoothing)


def smoothed_cross_entropy(
    log_probability: Float[Tensor, "N V"], target: Int[Tensor, " N"], smoothing: float
) -> Float[Tensor, ""]:
    """`label_smoothed_loss` from the logarithms of probabilities."""
    right = log_probability.gather(1, target[:, None]).sum()
    if smoothing == 0.0:
        return -right
    but_padding = log_probability.sum() - log_probability[:, PAD].sum()
    others = but_padding / (log_probability.shape[1] - 1)
    return -((1 - smoothing) * right + smoothing * others)


def batch_loss(
    model: Model, batch: Batch, smoothing: float, precision: Precision = "float32"
) -> Float[Tensor, ""]:
    """Summed loss of the real target tokens of a batch, in nats; padding is never projected.

    With precision "bfloat16" matrix products round to 8 significant bits; the sum over the
    vocabulary would lose too much by that and is made in float32.
    """
    with autocast(batch.source, precision):
        features = model.features(batch.source, batch.source_mask, batch.target_in)  # B T D
        logits = model.project(features[batch.target_mask])  # N V
    return label_smoothed_loss(logits, batch.target_out[batch.target_mask], smoothing)


def autocast(like: Tensor, precision: Precision) -> AbstractContextManager[Any]:
    """PyTorch's own choice of what to compute in bfloat16, on the device of `like`, or nothing."""
    return torch.autocast(like.device.type, torch.bfloat16, enabled=precision == "bfloat16")


# The loop


def seed_for(run_seed: int, step: int, rank: int = 0) -> int:
    """The seed of one step of one process: a resumed run draws what an unbroken one draws."""
    return int(np.random.SeedSequence([run_seed, step, rank]).generate_state(1, np.uint64)[0])


def learning_rate(step: int, config: TrainingConfig) -> float:
    """The rate of update `step`, counted from 1.

    Source: Vaswani et al. 2017, equation 3 ("inverse_sqrt", scaled so that its peak is given).
    """
    if step <= config.warmup:
        return config.peak_rate * step / config.warmup
    if config.schedule == "inverse_sqrt":
        return config.peak_rate * math.sqrt(max(config.warmup, 1) / step)
    if config.schedule == "cosine":
        done = (step - config.warmup) / max(config.steps - config.warmup, 1)
        return config.peak_rate * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))
    return config.peak_rate


def adam(model: Model, config: TrainingConfig) -> torch.optim.AdamW:
    """Adam with decoupled weight decay of the matrices (Kingma & Ba 2015; Loshchilov & Hutter)."""
    matrices = [parameter for parameter in model.parameters() if parameter.ndim > 1]
    vectors = [parameter for parameter in model.parameters() if parameter.ndim < 2]
    groups = [
        {"params": matrices, "weight_decay": config.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, betas=config.betas, eps=config.epsilon, fused=True)


class Trainer:
    """Updates a model, one step at a time.

    What the next step does depends on the model, the optimiser, `steps_done` and the configuration
    alone: put these back, and training goes on as if it had never stopped. `runs.trainer` overrides
    `seed`, `batch` and `backward` for several processes.

    Args:
        model: any model of the contract; it is put in training mode.
        examples: the encoded training pairs.
        config: see `TrainingConfig`.

    Raises:
        ValueError: there are no examples, or they are not encoded.
    """

    def __init__(self, model: Model, examples: Sequence[Example], config: TrainingConfig) -> None:
        if not examples:
            raise ValueError("examples must hold at least one pair, but it is empty")
        if not isinstance(examples[0], Example):
            raise ValueError(
                f"examples must be encoded pairs, but the first is {shown(examples[0])}; make them "
                "by data.encode_pairs(pairs, source_tokenizer, target_tokenizer)"
            )
        self.model = model.train()
        self.device = next(model.parameters()).device
        self.examples = examples
        self.config = config
        self.optimizer = adam(model, config)
        self.steps_done = 0
        self._epoch, self._steps_before = -1, 0  # this epoch, and the steps before it
        self._batches: list[list[int]] = []

    def step(self) -> StepResult:
        """One update.

        Raises:
            FloatingPointError: the loss or its gradient is not finite; nothing was updated.
        """
        step = self.steps_done + 1
        rate = learning_rate(step, self.config)
        self.seed(step)
        batch = self.batch(self.rows(step)).to(self.device)
        self.optimizer.zero_grad()  # before the loss, which needs the memory of the old gradients
        loss, tokens = self.backward(batch)
        # An infinite bound measures the norm and clips nothing.
        bound = self.config.clip or math.inf
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), bound)
        self._check_finite({"loss": loss, "norm of the gradient": norm.item()}, step, rate)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        self.steps_done = step
        return StepResult(step, loss, rate, tokens)

    def seed(self, step: int) -> None:
        """Make what this step draws depend on the run's seed and the step alone."""
        torch.manual_seed(seed_for(self.config.seed, step))

    def batch(self, rows: Sequence[int]) -> Batch:
        """These examples, padded to one batch."""
        return collate([self.examples[row] for row in rows])

    def backward(self, batch: Batch) -> tuple[float, int]:
        """Form the gradient; returns the mean loss of a real target token, and their number."""
        config, tokens = self.config, batch.target_tokens
        total = batch_loss(self.model, batch, config.label_smoothing, config.precision)
        (total / tokens).backward()
        return total.item() / tokens, tokens

    def rows(self, step: int) -> list[int]:
        """Which examples update `step`, counted from 1, learns from: positions in `examples`."""
        if step <= self._steps_before:  # an earlier epoch: count again from the first
            self._epoch, self._steps_before, self._batches = -1, 0, []
        while step > self._steps_before + len(self._batches):
            self._steps_before += len(self._batches)
            self._epoch += 1
            self._batches = epoch_batches(
                self.examples,
                batch_tokens=self.config.batch_tokens,
                seed=self.config.seed,
                epoch=self._epoch,
            )
        return self._batches[step - self._steps_before - 1]

    def _check_finite(self, values: dict[str, float], step: int, rate: float) -> None:
        for name, value in values.items():
            if not math.isfinite(value):
                rows = self.rows(step)
                first = ", ".join(str(row) for row in rows[:5]) + (", …" if len(rows) > 5 else "")
                number = step - self._steps_before
                raise FloatingPointError(
                    f"the {name} became {value} at step {step} (learning rate {rate:.2g}), in "
                    f"batch {number} of epoch {self._epoch + 1}, which holds the "
                    f"training pairs {first} (counted from 0); lower peak_rate, lengthen the "
                    "warmup, or look at these pairs"
                )


def fit(
    model: Model, examples: Sequence[Example], config: TrainingConfig, *, progress: bool = True
) -> list[StepResult]:
    """Train `model` in place for `config.steps` updates.

    It is left in evaluation mode, and PyTorch's random numbers are seeded anew at every step.

    Args:
        model, examples, config: as for `Trainer`.
        progress: show a bar with the current loss.

    Returns:
        One result for each step.
    """
    trainer = Trainer(model, examples, config)
    results = []
    with progress_bar(config.steps, "step", shown=progress) as bar:
        for _ in range(config.steps):
            results.append(trainer.step())
            bar.update()
            bar.set_postfix(loss=f"{results[-1].loss:.3f}", refresh=False)
    model.eval()
    return results
