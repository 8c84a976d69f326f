"""Training: schedule, updates, and a loop that can be stopped after any step."""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from tqdm.auto import tqdm

from transformer_lite.data.batching import Batch, Example, collate, epoch_batches
from transformer_lite.losses import BatchLoss
from transformer_lite.model import SequenceModel
from transformer_lite.runs import distributed

Model = SequenceModel[Any, Any]


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
        threads: CPU threads of each process; models of notebook size are fastest with one.
        precision: "float32", or "bfloat16" for the matrix products of the model. The weights, their
            updates, the loss and the validation stay in float32.
        compile: let `torch.compile` turn the loss into machine code, which takes a C++ compiler and
            a minute before the first step; with dropout other random numbers are drawn.
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
    weight_decay: float = 0.0
    seed: int = 0
    threads: int = 1
    precision: Literal["float32", "bfloat16"] = "float32"
    compile: bool = False

    def __post_init__(self) -> None:
        for name in ("steps", "batch_tokens", "threads"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, but it is {getattr(self, name)}")
        for name in ("warmup", "clip", "weight_decay", "seed"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be at least 0, but it is {getattr(self, name)}")
        if self.peak_rate <= 0:
            raise ValueError(f"peak_rate must be above 0, but it is {self.peak_rate}")
        if self.schedule not in ("constant", "cosine", "inverse_sqrt"):
            raise ValueError(
                'schedule must be "constant", "cosine" or "inverse_sqrt", '
                f"but it is {self.schedule!r}"
            )
        if self.precision not in ("float32", "bfloat16"):
            raise ValueError(
                f'precision must be "float32" or "bfloat16", but it is {self.precision!r}'
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
        target_tokens: real target tokens in the batch, the shares of all processes together.
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


class Trainer:
    """Updates a model, one step at a time.

    What the next step does depends on the model, the optimiser, `steps_done` and the configuration
    alone: put these back, and training goes on as if it had never stopped. Where torchrun started
    several processes, each has a trainer, and a step is one update from one batch that they share.

    Args:
        model: any model of the contract; it is put in training mode.
        examples: the encoded training pairs.
        config: see `TrainingConfig`.

    Raises:
        ValueError: there are no examples, or nothing to compile with.
    """

    def __init__(self, model: Model, examples: Sequence[Example], config: TrainingConfig) -> None:
        if not examples:
            raise ValueError("examples must hold at least one pair, but it is empty")
        torch.set_num_threads(config.threads)
        self.model = model.train()
        self.device = next(model.parameters()).device
        self.examples = examples
        self.config = config
        self.steps_done = 0
        vectors: dict[str, Any] = {
            "params": [parameter for parameter in model.parameters() if parameter.ndim < 2],
            "weight_decay": 0.0,
        }
        matrices = {"params": [parameter for parameter in model.parameters() if parameter.ndim > 1]}
        self.optimizer = torch.optim.AdamW(
            [matrices, vectors], betas=config.betas, eps=config.epsilon,
            weight_decay=config.weight_decay, fused=True,
        )  # fmt: skip
        loss = BatchLoss(model, config.label_smoothing, config.precision)
        if config.compile:
            _check_compiler(self.device)
            loss.compile(dynamic=True)  # one compilation for batches of all lengths
        self._loss = distributed.share_gradients(loss)
        self._epoch = -1
        self._first_step = 0  # of this epoch
        self._batches: list[list[int]] = []

    def step(self) -> StepResult:
        """One update.

        Raises:
            FloatingPointError: the loss or its gradient is not finite; nothing was updated.
        """
        config, step = self.config, self.steps_done + 1
        torch.manual_seed(seed_for(config.seed, step, distributed.rank()))
        batch = self._batch(self.steps_done).to(self.device)
        self.optimizer.zero_grad()  # first: the old gradients make room for what the loss keeps
        share = self._loss(batch)  # of the summed loss: what this process's rows add
        total, tokens = distributed.totals(share.item(), float(batch.target_tokens))
        loss = total / tokens
        if not math.isfinite(loss):
            raise self._not_finite("loss", loss)
        # The processes' gradients are averaged, but those of a sum of losses have to be added.
        (share / tokens * distributed.process_count()).backward()
        # An infinite bound measures the norm and clips nothing.
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), config.clip or math.inf)
        if not norm.isfinite():
            raise self._not_finite("norm of the gradient", norm.item())
        rate = learning_rate(step, config)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        self.steps_done = step
        return StepResult(step, loss, rate, int(tokens))

    def _batch(self, index: int) -> Batch:
        """This process's share of batch number `index` of the run."""
        rows = self._rows(index)
        own = rows[distributed.rank() :: distributed.process_count()]
        batch = collate([self.examples[row] for row in own or rows[:1]])
        if own:
            return batch
        # Fewer rows than processes: a row without a token to predict adds nothing to any sum.
        return replace(batch, target_mask=torch.zeros_like(batch.target_mask))

    def _rows(self, index: int) -> list[int]:
        """The examples of batch number `index`, whichever epoch it falls in; alike everywhere."""
        while index >= self._first_step + len(self._batches):
            self._first_step += len(self._batches)
            self._epoch += 1
            self._batches = epoch_batches(
                self.examples,
                batch_tokens=self.config.batch_tokens,
                seed=self.config.seed,
                epoch=self._epoch,
            )
        return self._batches[index - self._first_step]

    def _not_finite(self, what: str, value: float) -> FloatingPointError:
        step, rows = self.steps_done + 1, self._rows(self.steps_done)
        shown = ", ".join(str(row) for row in rows[:5]) + (", …" if len(rows) > 5 else "")
        return FloatingPointError(
            f"the {what} became {value} at step {step} (learning rate "
            f"{learning_rate(step, self.config):.2g}), in batch {step - self._first_step} of epoch "
            f"{self._epoch + 1}, which holds the training pairs {shown} (counted from 0); lower "
            "peak_rate, lengthen the warmup, or look at these pairs"
        )


def _check_compiler(device: torch.device) -> None:
    """Try on a trifle what would otherwise fail in the first step, with a page of traceback."""
    try:
        torch.compile(lambda x: x + 1)(torch.zeros(2, device=device))
    except Exception as error:
        reason = next((line for line in str(error).splitlines() if line.strip()), "no reason given")
        raise ValueError(
            f"compile: PyTorch finds no compiler that works for {device.type!r} ({reason}); "
            "install one (a C++ compiler for the CPU), or train without compiling"
        ) from error


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
