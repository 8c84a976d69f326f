"""Dropout whose random numbers cost little on a CPU."""

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn


class Dropout(nn.Dropout):
    """What `torch.nn.Dropout` is, with the masks of `keep_mask` on CPUs.

    Source: Srivastava et al. 2014.
    """

    @property
    def active(self) -> bool:
        """Whether anything is dropped now: in training, unless p is 0."""
        return self.training and self.p > 0.0

    def forward(self, x: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch D"]:
        """In training, each number is 0 with probability p, and else divided by 1 − p."""
        if not self.active:
            return x
        if x.device.type != "cpu":
            output: Tensor = super().forward(x)
            return output
        # The gradient needs the mask alone: one byte a number, not four.
        return (x * keep_mask(x, self.p)).mul_(1 / (1 - self.p))


def keep_mask(x: Float[Tensor, "*batch D"], p: float) -> Bool[Tensor, "*batch D"]:
    """False (drop it) with probability p for each number of x; p holds to 1/65536.

    PyTorch draws one number of 64 bits for each entry, which takes longer on a CPU than what a
    Transformer does with the entry. 16 bits are enough, so that one draw serves four entries.
    """
    draws = torch.empty((x.numel() + 3) // 4, dtype=torch.int64, device=x.device)
    bits = draws.random_(-(2**63), None).view(torch.int16)[: x.numel()].view(x.shape)
    return bits >= round(p * 65536) - 32768  # int16 begins at −32768


def relu_dropout(x: Float[Tensor, "*batch D"], dropout: Dropout) -> Float[Tensor, "*batch D"]:
    """`dropout(relu(x))`, keeping one tensor for the gradient instead of three.

    The widest activations of a Transformer stand between these two. An entry of the output is 0
    exactly where the gradient is: no mask and no input need to be remembered beside it.
    """
    output: Tensor
    if not dropout.active or x.device.type != "cpu":
        output = dropout(F.relu(x))
    else:
        output = _ReluDropout.apply(x, dropout.p)  # type: ignore[no-untyped-call]
    return output


class _ReluDropout(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, p: float) -> Tensor:
        output = (x * keep_mask(x, p)).clamp_(min=0.0).mul_(1 / (1 - p))
        ctx.save_for_backward(output)
        ctx.p = p
        return output

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None]:
        (output,) = ctx.saved_tensors
        gradient: Tensor = torch.ops.aten.threshold_backward(upstream, output, 0)
        return gradient.div_(1 - ctx.p), None
