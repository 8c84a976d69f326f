"""Dropout whose random numbers cost little on a CPU."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn


class Dropout(nn.Dropout):
    """What `torch.nn.Dropout` is, with the masks of `keep_mask` on CPUs.

    Source: Srivastava et al. 2014.
    """

    def forward(self, x: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch D"]:
        """In training, each number is 0 with probability p, and else divided by 1 − p."""
        if not self.training or self.p == 0.0:
            return x
        if x.device.type != "cpu":
            return super().forward(x)
        # The gradient needs the mask alone: one byte a number, not four.
        return (x * keep_mask(x, self.p)).mul_(1 / (1 - self.p))


def keep_mask(x: Float[Tensor, "*batch D"], p: float) -> Bool[Tensor, "*batch D"]:
    """False (drop it) with probability p for each number of x; p holds to 1/65536.

    PyTorch draws one number of 64 bits for each entry, which takes longer on a CPU than what a
    Transformer does with the entry. 16 bits are enough, so that one draw serves four entries.
    """
    draws = torch.empty((x.numel() + 3) // 4, dtype=torch.int64, device=x.device)
    bits = draws.random_(-(2**63), None).view(torch.int16)[: x.numel()].view(x.shape)
    return bits >= min(round(p * 65536), 65535) - 32768  # int16 begins at −32768


def cheapen_dropout(module: nn.Module) -> None:
    """Put a `Dropout` in the place of every `torch.nn.Dropout` inside `module`."""
    for parent in list(module.modules()):
        for name, child in parent.named_children():
            if type(child) is nn.Dropout:
                setattr(parent, name, Dropout(child.p))
