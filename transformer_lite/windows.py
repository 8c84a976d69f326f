"""Local attention: each query looks at a window of the source instead of all of it.

Luong et al. call attention to the whole source global. Positions count from 0.
"""

from abc import ABC, abstractmethod

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from transformer_lite.masks import masked_softmax


class Window(nn.Module, ABC):
    """A window of the source around a centre of its own for every query.

    Args:
        radius: D, how far from its centre a window reaches, in tokens, to both sides.

    Raises:
        ValueError: the radius is negative.
    """

    def __init__(self, radius: int) -> None:
        super().__init__()
        if radius < 0:
            raise ValueError(f"radius must be at least 0 tokens, but it is {radius}")
        self.radius = radius

    def forward(
        self,
        energies: Float[Tensor, "B T S"],
        mask: Bool[Tensor, "B 1 S"],
        query: Float[Tensor, "B T Q"],
        position: Int[Tensor, "B T"],
    ) -> Float[Tensor, "B T S"]:
        """Attention weights inside each window.

        A window that reaches over an edge of the source loses what lies outside, and a row whose
        window holds no real token is zero.

        Args:
            energies: what the score says of every source position.
            mask: True = real token.
            query: what asks.
            position: of the target token that each query is about to produce, from 0.
        """
        centre = self.centre(query, position, mask.sum(-1))
        distance = torch.arange(energies.shape[-1], device=energies.device) - centre[:, :, None]
        inside = distance.abs() <= self.radius
        return self.lessen(masked_softmax(energies, mask & inside), distance)

    @abstractmethod
    def centre(
        self,
        query: Float[Tensor, "B T Q"],
        position: Int[Tensor, "B T"],
        length: Int[Tensor, "B 1"],
    ) -> Float[Tensor, "B T"]:
        """Where each window stands in a source of `length` real tokens."""

    def lessen(
        self, weights: Float[Tensor, "B T S"], distance: Float[Tensor, "B T S"]
    ) -> Float[Tensor, "B T S"]:
        """The weights, lessened with their distance from the centre; here they stay as they are."""
        return weights


class MonotonicWindow(Window):
    """Local-m: target position t looks around source position t.

    Source: Luong et al. 2015, section 3.2 (local-m).
    """

    def centre(
        self,
        query: Float[Tensor, "B T Q"],
        position: Int[Tensor, "B T"],
        length: Int[Tensor, "B 1"],
    ) -> Float[Tensor, "B T"]:
        """See `Window.centre`; the query is not asked."""
        return position.to(query.dtype)


class PredictiveWindow(Window):
    """Local-p: the query predicts its centre p = S · sigmoid(vᵀ tanh(W query)).

    A Gaussian around the centre, with standard deviation D / 2, lessens the weights, so that the
    centre has a gradient; the window's edge alone would give it none. The weights of a row then
    sum to less than one.

    Args:
        query_width: Q, width of a query.
        radius: D, see `Window`.

    Raises:
        ValueError: the radius is not positive, so that the Gaussian would have no width.

    Source: Luong et al. 2015, section 3.2 (local-p).
    """

    def __init__(self, query_width: int, radius: int) -> None:
        super().__init__(radius)
        if radius < 1:
            raise ValueError(
                f"radius must be at least 1 token for a predictive window, but it is {radius}"
            )
        self.hidden = nn.Linear(query_width, query_width, bias=False)
        self.v = nn.Linear(query_width, 1, bias=False)

    def centre(
        self,
        query: Float[Tensor, "B T Q"],
        position: Int[Tensor, "B T"],
        length: Int[Tensor, "B 1"],
    ) -> Float[Tensor, "B T"]:
        """See `Window.centre`; the position is not asked."""
        share = torch.sigmoid(self.v(torch.tanh(self.hidden(query)))).squeeze(-1)
        return share * length

    def lessen(
        self, weights: Float[Tensor, "B T S"], distance: Float[Tensor, "B T S"]
    ) -> Float[Tensor, "B T S"]:
        """The weights times exp(−(s − p)² / 2σ²) with σ = D / 2."""
        return weights * torch.exp(-(distance**2) / (2 * (self.radius / 2) ** 2))
