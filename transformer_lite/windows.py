"""Local attention: each query looks at a window of the source instead of all of it.

Luong et al. call attention to the whole source global. Positions count from 0.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from transformer_lite.masks import masked_softmax


class MonotonicWindow(nn.Module):
    """Local-m: target position t looks around source position t.

    Args:
        radius: R, how far a window reaches from its centre to both sides, in tokens.

    Raises:
        ValueError: the radius is negative.

    Source: Luong et al. 2015, section 3.2 (local-m).
    """

    def __init__(self, radius: int) -> None:
        super().__init__()
        _check_radius(radius, least=0)
        self.radius = radius

    def forward(
        self,
        energies: Float[Tensor, "B T S"],
        mask: Bool[Tensor, "B 1 S"],
        position: Int[Tensor, "B T"],
    ) -> Float[Tensor, "B T S"]:
        """Attention weights inside each window.

        A window that reaches over an edge of the source loses what lies outside, and a row whose
        window holds no real token is zero.

        Args:
            energies: what the score says of every source position.
            mask: True = real token.
            position: of the target token that each query is about to produce.
        """
        inside = distance(energies, position).abs() <= self.radius  # B T S
        return masked_softmax(energies, mask & inside)


class PredictiveWindow(nn.Module):
    """Local-p: the query predicts its centre p = S · sigmoid(vᵀ tanh(W query)).

    A Gaussian around the centre, with standard deviation R / 2, makes the weights smaller, so that
    the centre has a gradient; the window's edge alone would give it none. The weights of a row then
    sum to less than one.

    Args:
        query_width: Q, width of a query.
        radius: R, as for `MonotonicWindow`.

    Raises:
        ValueError: the radius is not positive, so that the Gaussian would have no width.

    Source: Luong et al. 2015, section 3.2 (local-p).
    """

    def __init__(self, query_width: int, radius: int) -> None:
        super().__init__()
        _check_radius(radius, least=1)
        self.radius = radius
        self.hidden = nn.Linear(query_width, query_width, bias=False)
        self.v = nn.Linear(query_width, 1, bias=False)

    def forward(
        self,
        energies: Float[Tensor, "B T S"],
        mask: Bool[Tensor, "B 1 S"],
        query: Float[Tensor, "B T Q"],
    ) -> Float[Tensor, "B T S"]:
        """Attention weights inside each window, smaller with the distance from its centre.

        Args:
            energies, mask: as for `MonotonicWindow`.
            query: what asks, and predicts the centre.
        """
        share = torch.sigmoid(self.v(torch.tanh(self.hidden(query)))).squeeze(-1)  # B T
        away = distance(energies, share * mask.sum(-1))  # B T S
        weights = masked_softmax(energies, mask & (away.abs() <= self.radius))
        return self.reweight(weights, away)

    def reweight(
        self, weights: Float[Tensor, "B T S"], away: Float[Tensor, "B T S"]
    ) -> Float[Tensor, "B T S"]:
        """The weights times exp(−(s − p)² / 2σ²) with σ = R / 2."""
        return weights * torch.exp(-(away**2) / (2 * (self.radius / 2) ** 2))


def distance(
    energies: Float[Tensor, "B T S"], centre: Float[Tensor, "B T"] | Int[Tensor, "B T"]
) -> Float[Tensor, "B T S"]:
    """How far every source position lies from the centre of every query's window, s − p."""
    positions = torch.arange(energies.shape[-1], device=energies.device)
    return positions - centre.to(energies.dtype)[:, :, None]


def _check_radius(radius: int, least: int) -> None:
    if radius < least:
        raise ValueError(f"radius must be at least {least} token(s), but it is {radius}")
