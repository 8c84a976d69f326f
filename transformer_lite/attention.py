"""Scaled dot-product attention and its multi-head form."""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from transformer_lite.fast.dropout import Dropout
from transformer_lite.fast.packing import Packing, pack, unpack
from transformer_lite.masks import masked_softmax


class AttentionRecord(dict[str, Tensor]):
    """Attention maps by name: "encoder.0.self", "decoder.1.self", "decoder.1.cross", …

    Each map is Float[B, H, T, S] and its rows sum to 1 (or to 0 where a query may attend to
    nothing). Row t belongs to the token being PRODUCED at t. Weights are recorded before dropout.
    """


def scaled_dot_product_attention(
    query: Float[Tensor, "*batch T K"],
    key: Float[Tensor, "*batch S K"],
    value: Float[Tensor, "*batch S N"],
    mask: Bool[Tensor, "..."] | None = None,
) -> tuple[Float[Tensor, "*batch T N"], Float[Tensor, "*batch T S"]]:
    """softmax(query keyᵀ / √K) value, written out so that the weights can be seen.

    Args:
        query, key, value: K is the width of one query and one key, N that of one value.
        mask: True = may attend, broadcastable to `*batch T S`; None allows everything.

    Returns:
        The output and the attention weights. A query that may attend to nothing gets zeros.

    Raises:
        ValueError: query and key differ in width, key and value in length, or the mask is not
            boolean or does not broadcast.

    Source: Vaswani et al. 2017, equation 1.
    """
    _check(query, key, value, mask)
    scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
    weights = masked_softmax(scores, mask)
    return weights @ value, weights


def _check(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> None:
    if query.shape[-1] != key.shape[-1]:
        raise ValueError(
            f"query and key must have one width, but query is {tuple(query.shape)} "
            f"and key is {tuple(key.shape)}"
        )
    if key.shape[-2] != value.shape[-2]:
        raise ValueError(
            f"every key needs one value, but key is {tuple(key.shape)} "
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
                f"heads must divide d_model, but d_model={d_model} and heads={heads} "
                f"leave {d_model % heads if heads > 0 else d_model} over"
            )
        if not 0.0 <= dropout < 1.0:
            raise ValueError(f"dropout must lie in [0, 1), but it is {dropout}")
        self.heads = heads
        self.dropout = Dropout(dropout)
        self.query = nn.Linear(d_model, d_model)
        self.key = nn.Linear(d_model, d_model)
        self.value = nn.Linear(d_model, d_model)
        self.output = nn.Linear(d_model, d_model)

    def forward(
        self,
        query: Float[Tensor, "B T D"],
        key: Float[Tensor, "B S D"],
        value: Float[Tensor, "B S D"],
        mask: Bool[Tensor, "..."] | None = None,
        record: AttentionRecord | None = None,
        name: str = "attention",
    ) -> Float[Tensor, "B T D"]:
        """Attend from every query to every key.

        Args:
            query: the sequence that asks.
            key, value: the sequence that answers (the same one in self-attention).
            mask: True = may attend, broadcastable to `B H T S`.
            record: where to put the weights; None takes the fused path, which never forms them.
            name: the name of this map in `record`.
        """
        return self.attend(query, *self.project(key, value), mask, record, name)

    def project(
        self,
        key: Float[Tensor, "*batch D"],
        value: Float[Tensor, "*batch D"],
        packing: Packing | None = None,
    ) -> tuple[Float[Tensor, "B H S K"], Float[Tensor, "B H S K"]]:
        """Keys and values of every head: the part that a decoder can keep between steps.

        Args:
            key, value: Float[B, S, D], or with a packing the real tokens alone, Float[N, D].
            packing: where these tokens stand.
        """
        return (
            self.split(unpack(self.key(key), packing)),
            self.split(unpack(self.value(value), packing)),
        )

    def attend(
        self,
        query: Float[Tensor, "*batch D"],
        key: Float[Tensor, "B H S K"],
        value: Float[Tensor, "B H S K"],
        mask: Bool[Tensor, "..."] | None = None,
        record: AttentionRecord | None = None,
        name: str = "attention",
        packing: Packing | None = None,
    ) -> Float[Tensor, "*batch D"]:
        """Like `forward`, with keys and values that went through `project` already.

        Args:
            query: Float[B, T, D], or with a packing the real tokens alone, Float[N, D].
            key, value, mask, record, name: as there.
            packing: where the real tokens among the queries stand.
        """
        queries = self.split(unpack(self.query(query), packing))
        if record is None and not self.dropout.active:
            _check(queries, key, value, mask)
            heads = F.scaled_dot_product_attention(queries, key, value, mask)
        else:  # what is looked at or dropped has to be formed
            heads, weights = scaled_dot_product_attention(queries, key, value, mask)
            if record is not None:
                record[name] = weights
            if self.dropout.active:
                heads = self.dropout(weights) @ value
        output: Tensor = self.output(pack(self.merge(heads), packing))
        return output

    def split(self, x: Float[Tensor, "B T D"]) -> Float[Tensor, "B H T K"]:
        """Cut the WIDTH into heads; `view` before `transpose`, so that no position is cut."""
        batch, length, _ = x.shape
        return x.view(batch, length, self.heads, -1).transpose(1, 2)

    def merge(self, heads: Float[Tensor, "B H T K"]) -> Float[Tensor, "B T D"]:
        """Lay the heads side by side again: the inverse of `split`."""
        return heads.transpose(1, 2).flatten(2)
