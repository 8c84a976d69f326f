"""Training: loss, schedule, and a loop that can be stopped after any step."""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from tqdm.auto import tqdm

from transformer_lite.data.batching import Batch, Example, collate, epoch_batches
from transformer_lite.data.vocabulary import PAD
from transformer_lite.model import SequenceModel

Model = SequenceModel[Any, Any]


@dataclass(frozen=True)
class TrainingConfig:
    """How to train.

    Attributes:
        steps: number of parameter updates.
        batch_tokens: most positions of a batch on each side, padding counted in.
        peak_rate: learning rate at the end of the warm-up.
        warmup: steps in which the rate rises linearly from 0.
        schedule: after the warm-up "constant", "cosine" (to 0 at the last step) or "inverse_sqrt"
            (the paper's).
        label_smoothing: share ε of the target probability spread over all ids but `<pad>`.
        clip: largest norm of the gradient; 0 switches clipping off.
        betas, epsilon: Adam's; the paper's values.
        seed: from which every random choice of the run derives.
        threads: CPU threads; models of notebook size are fastest with one.
    """

    steps: int = 1000
    batch_tokens: int = 1024
    peak_rate: float = 1e-3
    warmup: int = 100
    schedule: Literal["constant", "cosine", "inverse_sqrt"] = "cosine"
    label_smoothing: float = 0.0
    clip: float = 1.0
    betas: tuple[float, float] = (0.9, 0.98)
    epsilon: float = 1e-9
    seed: int = 0
    threads: int = 1

    def __post_init__(self) -> None:
        for name in ("steps", "batch_tokens", "threads"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, but it is {getattr(self, name)}")
        for name in ("warmup", "clip", "seed"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be at least 0, but it is {getattr(self, name)}")
        if self.peak_rate <= 0:
            raise ValueError(f"peak_rate must be above 0, but it is {self.peak_rate}")
        if self.schedule not in ("constant", "cosine", "inverse_sqrt"):
            raise ValueError(
                'schedule must be "constant", "cosine" or "inverse_sqrt", '
                f"but it is {self.schedule!r}"
            )
        if not 0.0 <= self.label_smoothing < 1.0:
            raise ValueError(
                f"label_smoothing must lie in [0, 1), but it is {self.label_smoothing}"
            )


@dataclass(frozen=True)
class StepResult:
    """What one update did.

    Attributes:
        step: number of updates so far, this one counted in.
        loss: mean loss of a real target token, in nats.
        rate: learning rate of this update.
        target_tokens: real target tokens in the batch.
    """

    step: int
    loss: float
    rate: float
    target_tokens: int


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
        return config.peak_rate * float((max(config.warmup, 1) / step) ** 0.5)
    if config.schedule == "cosine":
        done = (step - config.warmup) / max(config.steps - config.warmup, 1)
        return config.peak_rate * 0.5 * float(1 + np.cos(np.pi * min(done, 1.0)))
    return config.peak_rate


def label_smoothed_loss(
    logits: Float[Tensor, "N V"], target: Int[Tensor, " N"], smoothing: float
) -> Float[Tensor, ""]:
    """Cross-entropy against (1 − ε) · one-hot + ε · uniform, summed over tokens, in nats.

    The uniform part leaves `<pad>` out: a model should never learn to write it. Hand in real
    tokens only. With smoothing the loss cannot reach 0: its floor is the entropy of the target.

    Source: Szegedy et al. 2016, section 7; Vaswani et al. 2017, section 5.4.
    """
    log_probability = logits.log_softmax(-1)
    right = log_probability.gather(1, target[:, None]).sum()
    if smoothing == 0.0:
        return -right
    others = (log_probability.sum() - log_probability[:, PAD].sum()) / (logits.shape[1] - 1)
    return -((1 - smoothing) * right + smoothing * others)


def batch_loss(model: Model, batch: Batch, smoothing: float) -> Float[Tensor, ""]:
    """Summed loss of the real target tokens of a batch, in nats; padding is never projected."""
    features = model.features(batch.source, batch.source_mask, batch.target_in)
    logits = model.project(features[batch.target_mask])
    return label_smoothed_loss(logits, batch.target_out[batch.target_mask], smoothing)


class Trainer:
    """Updates a model, one step at a time.

    What the next step does depends on the model, the optimiser, `steps_done` and the configuration
    alone: put these back, and training goes on as if it had never stopped.

    Args:
        model: any model of the contract; it is put in training mode.
        examples: the encoded training pairs.
        config: see `TrainingConfig`.

    Raises:
        ValueError: there are no examples.
    """

    def __init__(self, model: Model, examples: Sequence[Example], config: TrainingConfig) -> None:
        if not examples:
            raise ValueError("examples must hold at least one pair, but it is empty")
        torch.set_num_threads(config.threads)
        self.model = model.train()
        self.examples = examples
        self.config = config
        self.steps_done = 0
        self.optimizer = torch.optim.Adam(
            model.parameters(), betas=config.betas, eps=config.epsilon, fused=True
        )
        self._epoch = -1
        self._first_step = 0  # of this epoch
        self._batches: list[list[int]] = []

    def step(self) -> StepResult:
        """One update.

        Raises:
            FloatingPointError: the loss or its gradient is not finite; nothing was updated.
        """
        config, step = self.config, self.steps_done + 1
        torch.manual_seed(seed_for(config.seed, step))
        batch = self._batch(self.steps_done).to(next(self.model.parameters()).device)
        loss = batch_loss(self.model, batch, config.label_smoothing) / batch.target_tokens
        if not loss.isfinite():
            raise FloatingPointError(_not_finite("loss", loss, step, config))
        self.optimizer.zero_grad()
        loss.backward()
        # An infinite bound measures the norm and clips nothing.
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), config.clip or math.inf)
        if not norm.isfinite():
            raise FloatingPointError(_not_finite("norm of the gradient", norm, step, config))
        rate = learning_rate(step, config)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        self.steps_done = step
        return StepResult(step, loss.item(), rate, batch.target_tokens)

    def _batch(self, index: int) -> Batch:
        """Batch number `index` of the run, whichever epoch it falls in."""
        while index >= self._first_step + len(self._batches):
            self._first_step += len(self._batches)
            self._epoch += 1
            self._batches = epoch_batches(
                self.examples,
                batch_tokens=self.config.batch_tokens,
                seed=self.config.seed,
                epoch=self._epoch,
            )
        rows = self._batches[index - self._first_step]
        return collate([self.examples[row] for row in rows])


def _not_finite(what: str, value: Tensor, step: int, config: TrainingConfig) -> str:
    return (
        f"the {what} became {value.item()} at step {step} (learning rate "
        f"{learning_rate(step, config):.2g}); lower peak_rate or lengthen the warmup"
    )


def progress_bar(total: int, unit: str, *, shown: bool, done: int = 0, leave: bool = False) -> tqdm:
    """A bar that can also be switched off from outside, with the variable TQDM_DISABLE=1.

    (tqdm knows that variable itself, but its bar for notebooks does not.)
    """
    hidden = not shown or os.environ.get("TQDM_DISABLE", "0") not in ("", "0")
    return tqdm(total=total, initial=done, unit=unit, leave=leave, disable=hidden)


def fit(
    model: Model, examples: Sequence[Example], config: TrainingConfig, *, progress: bool = True
) -> list[StepResult]:
    """Train `model` in place for `config.steps` updates.

    Args:
        model, examples, config: as for `Trainer`.
        progress: show a bar with the current loss.

    Returns:
        One result a step.
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
