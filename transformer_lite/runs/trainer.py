"""The training loop in several processes, compiled or with a fast loss."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor, nn

from transformer_lite import fast, training
from transformer_lite.data import Batch, Example
from transformer_lite.runs import distributed
from transformer_lite.training import Model, Trainer, TrainingConfig, seed_for


class SharedTrainer(Trainer):
    """A `Trainer` whose batches several processes share; alone, it does what a `Trainer` does.

    Where torchrun started several processes, each has one, and a step is one update from one batch
    that they share. A `FastTransformer` gets the fast loss.

    Args:
        model, examples, config: as for `Trainer`.
        compile: let `torch.compile` turn the loss into machine code, which takes a C++ compiler and
            a minute before the first step; with dropout other random numbers are drawn.

    Raises:
        ValueError: there are no examples, or nothing to compile with.
    """

    def __init__(
        self,
        model: Model,
        examples: Sequence[Example],
        config: TrainingConfig,
        *,
        compile: bool = False,
    ) -> None:
        super().__init__(model, examples, config)
        loss = _LossModule(model, config)
        if compile:
            _check_compiler(self.device)
            loss.compile(dynamic=True)  # one compilation for batches of all lengths
        self._shared_loss = distributed.share_gradients(loss)

    def seed(self, step: int) -> None:
        """As in `Trainer`, and different in each process."""
        torch.manual_seed(seed_for(self.config.seed, step, distributed.rank()))

    def batch(self, rows: Sequence[int]) -> Batch:
        """This process's share of the rows."""
        own = rows[distributed.rank() :: distributed.process_count()]
        batch = super().batch(own or rows[:1])
        if own:
            return batch
        # Fewer rows than processes: a row without a token to predict adds nothing to any sum.
        return replace(batch, target_mask=torch.zeros_like(batch.target_mask))

    def backward(self, batch: Batch) -> tuple[float, int]:
        """As in `Trainer`, for the batch that all processes share."""
        share = self._shared_loss(batch)  # of the summed loss: what this process's rows add
        total, tokens = distributed.totals(share.item(), float(batch.target_tokens))
        # The processes' gradients are averaged, but those of a sum of losses have to be added.
        (share / tokens * distributed.process_count()).backward()
        return total / tokens, int(tokens)


class _LossModule(nn.Module):
    """The loss as a module: what DistributedDataParallel wraps and `torch.compile` compiles.

    Both see only what happens inside a `forward`, so the loss belongs in there with the model.
    """

    def __init__(self, model: Model, config: TrainingConfig) -> None:
        super().__init__()
        self.model = model
        self.config = config
        is_fast = isinstance(model, fast.FastTransformer)
        self.loss: Callable[..., Tensor] = fast.batch_loss if is_fast else training.batch_loss

    def forward(self, batch: Batch) -> Float[Tensor, ""]:
        return self.loss(self.model, batch, self.config.label_smoothing, self.config.precision)


def _check_compiler(device: torch.device) -> None:
    """Compile something tiny now: otherwise the first step fails, with a page of traceback."""
    try:
        torch.compile(lambda x: x + 1)(torch.zeros(2, device=device))
    except Exception as error:
        reason = next((line for line in str(error).splitlines() if line.strip()), "no reason given")
        raise ValueError(
            f"compile must find a compiler that works for {device.type!r}, but PyTorch finds none "
            f"({reason}); install one (a C++ compiler for the CPU), or train without compiling"
        ) from error
