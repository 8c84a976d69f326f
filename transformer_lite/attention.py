"""Scaled dot-product attention and its multi-head form."""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from transformer_lite.checks import check_share
from transformer_lite.masks import masked_softmax
from transformer_lite.scope import KeysValues, Layout, Scope


def scaled_dot_product_attention(
    query: Float[Tensor, "*batch T K"],
    key: Float[Tensor, "*batch S K"],
    value: Float[Tensor, "*batch S D"],
    mask: Bool[Tensor, "..."] | None = None,
) -> tuple[Float[Tensor, "*batch T D"], Float[Tensor, "*batch T S"]]:
    """softmax(query keyᵀ / √K) value, written out so that the weights can be seen.

    Args:
        query, key, value: K is the width of one query and one key, D that of one value.
        mask: True = may attend, broadcastable to `*batch T S`; None allows everything.

    Returns:
        The output and the attention weights. A query that may attend to nothing gets zeros.

    Raises:
        ValueError: query and key differ in width, key and value in length, or the mask is not
            boolean or does not broadcast.

    Source: Vaswani et al. 2017, equation 1.
    """
    _check(query, key, value, mask)
    weights = _weights(query, key, mask)  # ... T S, rows sum to 1
    return weights @ value, weights


def _weights(query: Tensor, key: Tensor, mask: Tensor | None) -> Tensor:
    scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])  # ... T S
    return masked_softmax(scores, mask)  # ... T S


def _check(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> None:
    if query.shape[-1] != key.shape[-1]:
        raise ValueError(
            f"query and key must have one width, but query is {tuple(query.shape)} "
            f"and key is {tuple(key.shape)}"
        )
    if key.shape[-2] != value.shape[-2]:
        raise ValueError(
            f"every key must have one value, but key is {tuple(key.shape)} "
            f"and value is {tuple(value.shape)}"
        )
    if mask is None:
        return
    if mask.dtype != torch.bool:
        raise ValueError(f"mask must be boolean (True = may attend), but it is {mask.dtype}")
    target = (*query.shape[:-1], key.shape[-2])
    aligned = zip(reversed(mask.shape), reversed(target), strict=False)
    if mask.ndim > len(target) or any(have not in (1, want) for have, want in aligned):
        raise ValueError(
            f"mask must broadcast to the scores, {tuple(target)}, but it is {tuple(mask.shape)}"
        )


class MultiHeadAttention(nn.Module):
    """`heads` attentions side by side, each on its own projection of width K = D / heads.

    Every head sees ALL positions, through a narrower projection. The number of parameters does not
    depend on the number of heads.

    Args:
        d_model: D, width of the inputs and of the output.
        heads: H, number of heads; must divide `d_model`.
        dropout: probability with which an attention weight is dropped in training.

    Raises:
        ValueError: `heads` does not divide `d_model`, or `dropout` is no probability.

    Source: Vaswani et al. 2017, section 3.2.2.
    """

    def __init__(self, d_model: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        if heads < 1 or d_model % heads:
            raise ValueError(
                f"heads must divide d_model, but they are heads={heads} and d_model={d_model}"
            )
        check_share("dropout", dropout)
        self.heads = heads
        self.query = nn.Linear(d_model, d_model)
        self.key = nn.Linear(d_model, d_model)
        self.value = nn.Linear(d_model, d_model)
        self.output = nn.Linear(d_model, d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        query: Float[Tensor, "*queries D"],
        key: Float[Tensor, "*keys D"],
        value: Float[Tensor, "*keys D"],
        mask: Bool[Tensor, "..."] | Scope | None = None,
    ) -> Float[Tensor, "*queries D"]:
        """Attend from every query to every key.

        Args:
            query: the sequence that asks, `B T D`.
            key, value: the sequence that answers, `B S D` (the same one in self-attention).
            mask: True = may attend, broadcastable to `B H T S` (padding as
                `mask[:, None, None, :]`); or a whole `Scope`.
        """
        scope = mask if isinstance(mask, Scope) else Scope(mask)
        q = self.split(scope.query_layout.unpack(self.query(query)))  # B H T K
        k, v = scope.keys_values(lambda: self.keys_values(key, value, scope.key_layout))  # B H S K
        heads = self._attend(q, k, v, scope)  # B H T K
        return self.output(scope.query_layout.pack(self.merge(heads)))  # B T D

    def keys_values(
        self, key: Float[Tensor, "*keys D"], value: Float[Tensor, "*keys D"], layout: Layout
    ) -> KeysValues:
        """Keys and values of every head, `B H S K`: the part that can be kept between steps."""
        return (
            self.split(layout.unpack(self.key(key))),
            self.split(layout.unpack(self.value(value))),
        )

    def split(self, x: Float[Tensor, "B T D"]) -> Float[Tensor, "B H T K"]:
        """Cut the WIDTH into heads; `view` before `transpose`, so that no position is cut."""
        batch, length, _ = x.shape
        return x.view(batch, length, self.heads, -1).transpose(1, 2)

    def merge(self, heads: Float[Tensor, "B H T K"]) -> Float[Tensor, "B T D"]:
        """Lay the heads side by side again: the inverse of `split`."""
        return heads.transpose(1, 2).flatten(2)

    def _attend(self, query: Tensor, key: Tensor, value: Tensor, scope: Scope) -> Tensor:
        _check(query, key, value, scope.mask)
        dropping = self.training and self.dropout.p > 0
        if scope.record is None and not dropping:  # nobody needs the weights: PyTorch's fused form
            return F.scaled_dot_product_attention(query, key, value, scope.mask)  # B H T K
        weights = _weights(query, key, scope.mask)  # B H T S
        if scope.record is not None:
            scope.record[scope.name] = scope.query_layout.maps(weights)
        return self.dropout(weights) @ value  # B H T K
