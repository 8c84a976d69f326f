"""Positions: attention sees a set of tokens; these tell it their order."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn


def sinusoidal(length: int, d_model: int) -> Float[Tensor, "T D"]:
    """The sinusoidal position table: even columns sin, odd columns cos, one frequency a pair.

    PE[t, 2i] = sin(t ω_i), PE[t, 2i+1] = cos(t ω_i), ω_i = 10000^(−2i/D). Frequencies MULTIPLY the
    position. An odd D leaves the last cosine out.

    Args:
        length: T, number of positions, counted from 0.
        d_model: D, width of one encoding.

    Source: Vaswani et al. 2017, section 3.5.
    """
    position = torch.arange(length, dtype=torch.float32)[:, None]
    frequency = torch.exp(torch.arange(0, d_model, 2) * (-math.log(10000.0) / d_model))
    table = torch.empty(length, d_model)
    table[:, 0::2] = torch.sin(position * frequency)
    table[:, 1::2] = torch.cos(position * frequency[: d_model // 2])
    return table


class SinusoidalPositions(nn.Module):
    """Adds the sinusoidal table; no parameters, and any length can be asked for.

    Args:
        d_model: D, width of one encoding.
        expected: positions to compute ahead, in tokens; longer inputs extend the table.
    """

    table: Tensor

    def __init__(self, d_model: int, expected: int) -> None:
        super().__init__()
        # A buffer moves with the module to its device; it is not saved, since it can be recomputed.
        self.register_buffer("table", sinusoidal(expected, d_model), persistent=False)

    def forward(self, x: Float[Tensor, "B T D"], start: int = 0) -> Float[Tensor, "B T D"]:
        """x plus the encodings of positions start … start+T−1, element by element."""
        end = start + x.shape[1]
        if end > len(self.table):
            self.table = sinusoidal(2 * end, x.shape[2]).to(self.table)
        return x + self.table[start:end]


class LearnedPositions(nn.Module):
    """Adds one learned vector a position; positions past `max_tokens` do not exist.

    Args:
        d_model: D, width of one vector.
        max_tokens: number of positions.
    """

    def __init__(self, d_model: int, max_tokens: int) -> None:
        super().__init__()
        # The mean square of sines and cosines is 1/2: start at the same size.
        self.table = nn.Parameter(torch.randn(max_tokens, d_model) * 0.5**0.5)

    def forward(self, x: Float[Tensor, "B T D"], start: int = 0) -> Float[Tensor, "B T D"]:
        """x plus the vectors of positions start … start+T−1, element by element.

        Raises:
            ValueError: a position past the last learned one is asked for.
        """
        end = start + x.shape[1]
        if end > len(self.table):
            raise ValueError(
                f"a sequence must have at most {len(self.table)} tokens (no more positions were "
                f"learned), but it has {end}; shorten the text, or train with a larger max_length"
            )
        return x + self.table[start:end]
