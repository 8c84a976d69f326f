"""Local attention: each window against the formulas of Luong et al., written out in loops."""

import math

import pytest
import torch
from every_model import assert_same
from torch import Tensor

from transformer_lite.masks import padding_mask
from transformer_lite.windows import MonotonicWindow, PredictiveWindow

LENGTHS = (7, 3)
Window = MonotonicWindow | PredictiveWindow
WINDOWS: dict[str, Window] = {
    "monotonic": MonotonicWindow(2),
    "narrowest": MonotonicWindow(0),
    "predictive": PredictiveWindow(4, 2),
    "wide": PredictiveWindow(4, 5),
}
every_window = pytest.mark.parametrize("name", WINDOWS)


def inputs() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Energies, mask, queries and positions of two sentences, the second one padded."""
    torch.manual_seed(0)
    energies, query = torch.randn(2, 5, 7).double(), torch.randn(2, 5, 4).double()
    mask = padding_mask(torch.tensor(LENGTHS), 7)[:, None]
    return energies, mask, query, torch.arange(5).expand(2, 5)


@torch.no_grad()
def centre(window: Window, query: Tensor, position: int, length: int) -> float:
    if not isinstance(window, PredictiveWindow):
        return float(position)
    share = window.v.weight[0] @ torch.tanh(window.hidden.weight @ query)
    return length / (1 + math.exp(-float(share)))


@torch.no_grad()
def by_hand(window: Window, energies: Tensor, query: Tensor, position: int, length: int) -> Tensor:
    """The weights of one row, straight from section 3.2 of the paper."""
    middle = centre(window, query, position, length)
    seen = [s for s in range(length) if abs(s - middle) <= window.radius]
    weights = torch.zeros_like(energies)
    total = sum(math.exp(float(energies[s])) for s in seen)
    for s in seen:
        weights[s] = math.exp(float(energies[s])) / total
        if isinstance(window, PredictiveWindow):
            weights[s] *= math.exp(-((s - middle) ** 2) / (2 * (window.radius / 2) ** 2))
    return weights


@every_window
def test_weights_follow_the_paper(name: str) -> None:
    window = WINDOWS[name].double()
    energies, mask, query, positions = inputs()
    asks = query if isinstance(window, PredictiveWindow) else positions
    weights = window(energies, mask, asks)
    for b, length in enumerate(LENGTHS):
        for t in range(5):
            expected = by_hand(window, energies[b, t], query[b, t], t, length)
            assert_same(weights[b, t], expected)


def test_a_window_beyond_the_source_sees_nothing() -> None:
    energies, mask, _, positions = inputs()
    weights = MonotonicWindow(1)(energies, mask, positions)
    assert (weights[1, 4] == 0).all()  # stands at 4, and the sentence has 3 tokens
    assert (weights[1, :4].sum(-1) > 0).all()


def test_the_gaussian_gives_the_centre_a_gradient() -> None:
    window = PredictiveWindow(4, 2).double()
    energies, mask, query, _ = inputs()
    window(energies, mask, query)[..., 0].sum().backward()
    assert window.v.weight.grad is not None and window.v.weight.grad.abs().sum() > 0


def test_a_wide_window_is_global_attention() -> None:
    energies, mask, _, positions = inputs()
    weights = MonotonicWindow(7)(energies, mask, positions)
    assert_same(weights, energies.masked_fill(~mask, -math.inf).softmax(-1))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: MonotonicWindow(-1), "radius must be at least 0 token.*, but it is -1"),
        (lambda: PredictiveWindow(4, 0), "radius must be at least 1 token.* but it is 0"),
    ],
)
def test_bad_radius(make: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make()  # type: ignore[operator]
