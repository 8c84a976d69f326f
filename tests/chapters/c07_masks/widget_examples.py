"""The mask painter on vectors that no model made."""

from collections.abc import Sequence

import torch
from torch import Tensor
from widget_fixtures import HOSTILE

from transformer_lite.attention import scaled_dot_product_attention
from transformer_lite.chapters.c07_masks.widget import Attend, MaskPainter

Drawn = tuple[Sequence[str], Tensor, Attend]

TOKENS = ["she", "wears", "a", "white", "hat", "<eos>"]


def drawn(tokens: Sequence[str], seed: int = 0) -> tuple[Drawn, dict[str, Tensor]]:
    """A head of width 3 on vectors of width 5, values of width 4; and all that it is made of."""
    generator = torch.Generator().manual_seed(seed)
    widths = {"query": 3, "key": 3, "value": 4}
    made = {
        name: torch.randn(5, width, generator=generator, dtype=torch.float64)
        for name, width in widths.items()
    }
    x = torch.randn(len(tokens), 5, generator=generator, dtype=torch.float64)

    def attend(x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        return scaled_dot_product_attention(*(x @ made[name] for name in widths), mask)

    return (tokens, x, attend), made


def examples() -> dict[str, MaskPainter]:
    """As a reader meets it first, as full as it gets, and with markup and long words for tokens."""
    head, _ = drawn(TOKENS)
    empty = [[t != 3 for _ in TOKENS] for t in range(6)]
    words = [HOSTILE, 60 * "w", 60 * "w", HOSTILE, "a", "b"]
    return {
        "asking": MaskPainter(*head),
        "answered": MaskPainter(*head, mask=empty, ask=False, prediction="all weights"),
        "hostile": MaskPainter(*drawn(words)[0], row=1, ask=False),
    }
