"""Masks: which query may attend to which key.

One convention everywhere: a mask is boolean, **True = may attend**, and broadcasts to `B H T S`
(batch, heads, queries, keys). `torch.nn.MultiheadAttention` uses the opposite sign.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def padding_mask(lengths: Int[Tensor, " B"], size: int) -> Bool[Tensor, "B S"]:
    """True on the first `lengths[b]` positions of row b, False on the padding after them.

    Args:
        lengths: number of real tokens in each row, each between 0 and `size`.
        size: length S of the padded rows, in tokens.

    Returns:
        Bool[B, S], True = real token. Index it as `mask[:, None, None, :]` to broadcast over
        heads and queries.

    Raises:
        ValueError: a length is negative or larger than `size`.
    """
    if lengths.numel() and not 0 <= int(lengths.min()) <= int(lengths.max()) <= size:
        raise ValueError(
            f"lengths must lie between 0 and size={size}, "
            f"but they run from {int(lengths.min())} to {int(lengths.max())}"
        )
    return torch.arange(size, device=lengths.device) < lengths[:, None]


def causal_mask(size: int, device: torch.device | None = None) -> Bool[Tensor, "T T"]:
    """True where key position ≤ query position: each token sees itself and the past.

    Args:
        size: length T of the sequence, in tokens.
        device: where to put the mask; the default device when None.

    Source: Vaswani et al. 2017, section 3.2.3 ("prevent leftward information flow").
    """
    return torch.ones(size, size, dtype=torch.bool, device=device).tril()


def masked_softmax(
    scores: Float[Tensor, "*batch S"], mask: Bool[Tensor, "..."] | None
) -> Float[Tensor, "*batch S"]:
    """Softmax over the last axis, in which forbidden keys get weight exactly 0.

    The mask acts BEFORE the exponential: a forbidden score becomes the most negative finite number
    of its dtype, so that its weight underflows to 0 and the others sum to 1. (−∞ would do the same
    but gives 0/0 = NaN in a row that may attend to nothing; −1e9 overflows in float16.) A row that
    may attend to nothing comes out as zeros, with zero gradient.

    Args:
        scores: attention scores (energies), any leading axes, keys last.
        mask: True = may attend, broadcastable to `scores`; None lets every query see every key.
    """
    if mask is None:
        return scores.softmax(dim=-1)
    lowest = torch.finfo(scores.dtype).min
    return scores.masked_fill(~mask, lowest).softmax(dim=-1).masked_fill(~mask, 0.0)


def check_token_mask(
    name: str, mask: Bool[Tensor, "B T"], ids_name: str, ids: Int[Tensor, "B T"]
) -> None:
    """Raise ValueError unless `mask` fits `ids` and every padding lies on the right."""
    if mask.dtype != torch.bool:
        raise ValueError(
            f"{name} must be boolean (True = real token), but its dtype is {mask.dtype}"
        )
    if ids.shape != mask.shape:
        raise ValueError(
            f"{name} must have the shape of {ids_name}, {tuple(ids.shape)}, "
            f"but it has {tuple(mask.shape)}"
        )
    if bool((mask[:, 1:] & ~mask[:, :-1]).any()):
        raise ValueError(
            f"{name} must be True on real tokens followed by False on padding (padding on the "
            "right), but a real token stands after a padding; is the mask inverted?"
        )


def check_source_mask(source: Int[Tensor, "B S"], source_mask: Bool[Tensor, "B S"]) -> None:
    """Like `check_token_mask`; and every sentence needs a real token."""
    check_token_mask("source_mask", source_mask, "source", source)
    if not bool(source_mask[:, :1].all()):
        row = int((~source_mask[:, 0]).nonzero()[0, 0])
        raise ValueError(
            f"every source row needs at least one real token, but row {row} has none; "
            "leave empty sentences out of the batch"
        )
