"""The layers of a Transformer: feed-forward network, encoder layer, decoder layer."""

from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from transformer_lite.attention import AttentionRecord, MultiHeadAttention
from transformer_lite.fast.dropout import Dropout, relu_dropout
from transformer_lite.fast.packing import Packing

Norm = Literal["pre", "post"]
Activation = Literal["relu", "gelu", "silu"]
ACTIVATIONS: dict[Activation, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "gelu": F.gelu,
    "silu": F.silu,
}
KeysValues = tuple[Float[Tensor, "B H S K"], Float[Tensor, "B H S K"]]


class FeedForward(nn.Module):
    """Two linear maps with an activation between, applied to every position by itself.

    Args:
        d_model: D, width of input and output.
        d_ff: width between the two maps.
        dropout: probability with which a number between the maps is dropped in training.
        activation: "relu" (the paper), "gelu" or "silu" (x σ(x), also called swish).

    Source: Vaswani et al. 2017, equation 2; Ramachandran et al. 2017 (swish).
    """

    def __init__(self, d_model: int, d_ff: int, dropout: float, activation: Activation) -> None:
        super().__init__()
        self.wide = nn.Linear(d_model, d_ff)
        self.narrow = nn.Linear(d_ff, d_model)
        self.dropout = Dropout(dropout)
        self.activation = ACTIVATIONS[activation]

    def forward(self, x: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch D"]:
        """W₂ activation(W₁ x + b₁) + b₂."""
        inner = self.wide(x)
        if self.activation is F.relu:
            inner = relu_dropout(inner, self.dropout)
        else:
            inner = self.dropout(self.activation(inner))
        output: Tensor = self.narrow(inner)
        return output


class Residual(nn.Module):
    """The road around a sublayer: x + sublayer(x), with a layer normalisation.

    Post-norm (the paper) normalises the sum; pre-norm (today) normalises what enters the sublayer
    and leaves the road itself free from the first layer to the last.

    Args:
        d_model: D, width of x.
        dropout: probability with which an output of the sublayer is dropped in training.
        norm: "pre" or "post".

    Source: Vaswani et al. 2017, section 3.1 (post); Xiong et al. 2020, figure 1 (pre).
    """

    def __init__(self, d_model: int, dropout: float, norm: Norm) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(d_model)
        self.dropout = Dropout(dropout)
        self.norm_first = norm == "pre"

    def forward(
        self, x: Float[Tensor, "*batch D"], sublayer: Callable[[Tensor], Tensor]
    ) -> Float[Tensor, "*batch D"]:
        """x with what `sublayer` adds to it."""
        if self.norm_first:
            output: Tensor = x + self.dropout(sublayer(self.norm(x)))
            return output
        output = self.norm(x + self.dropout(sublayer(x)))
        return output


class EncoderLayer(nn.Module):
    """Self-attention, then the feed-forward network, each with its residual road.

    Args:
        d_model, heads, d_ff: widths and number of heads.
        dropout: dropout of both sublayers; `attention_dropout`: that of the attention weights.
        norm: "pre" or "post".
        activation: of the feed-forward network.

    Source: Vaswani et al. 2017, section 3.1 (encoder).
    """

    def __init__(
        self,
        d_model: int,
        heads: int,
        d_ff: int,
        dropout: float,
        attention_dropout: float,
        norm: Norm,
        activation: Activation,
    ) -> None:
        super().__init__()
        self.self_attention = MultiHeadAttention(d_model, heads, attention_dropout)
        self.feed_forward = FeedForward(d_model, d_ff, dropout, activation)
        self.around_self = Residual(d_model, dropout, norm)
        self.around_feed_forward = Residual(d_model, dropout, norm)

    def forward(
        self,
        x: Float[Tensor, "*batch D"],
        mask: Bool[Tensor, "..."] | None,
        record: AttentionRecord | None = None,
        name: str = "encoder",
        packing: Packing | None = None,
    ) -> Float[Tensor, "*batch D"]:
        """One layer; `mask` (True = may attend) hides the padding as keys.

        x is Float[B, S, D], or with a packing the real tokens alone, Float[N, D].
        """

        def attend(y: Tensor) -> Tensor:
            key, value = self.self_attention.project(y, y, packing)
            attended: Tensor = self.self_attention.attend(
                y, key, value, mask, record, f"{name}.self", packing
            )
            return attended

        x = self.around_self(x, attend)
        x = self.around_feed_forward(x, self.feed_forward)
        return x


class KeyValueCache:
    """Keys and values of the target tokens written so far, for one decoder layer.

    Args:
        capacity: number of tokens to make room for at once; None starts small and doubles.
    """

    def __init__(self, capacity: int | None = None) -> None:
        self.capacity = capacity
        self.length = 0
        self.keys: Tensor | None = None
        self.values: Tensor | None = None

    def append(
        self, key: Float[Tensor, "N H T K"], value: Float[Tensor, "N H T K"]
    ) -> tuple[Float[Tensor, "N H S K"], Float[Tensor, "N H S K"]]:
        """Store the newest keys and values, and return all from the first token on.

        Raises:
            ValueError: more tokens than the capacity that was asked for.
        """
        end = self.length + key.shape[2]
        if self.capacity is not None and end > self.capacity:
            raise ValueError(
                f"the cache was made for {self.capacity} target tokens and token {end} does not "
                "fit; start with a larger capacity, or with capacity=None"
            )
        if self.keys is None or self.values is None:
            self.keys = self._room(key, self.capacity or max(8, end))
            self.values = self._room(value, self.capacity or max(8, end))
        elif end > self.keys.shape[2]:
            self.keys = self._room(self.keys, 2 * end, copy=self.length)
            self.values = self._room(self.values, 2 * end, copy=self.length)
        self.keys[:, :, self.length : end] = key
        self.values[:, :, self.length : end] = value
        self.length = end
        return self.keys[:, :, :end], self.values[:, :, :end]

    @staticmethod
    def _room(like: Tensor, size: int, copy: int = 0) -> Tensor:
        rows, heads, _, width = like.shape
        room = like.new_empty(rows, heads, size, width)
        room[:, :, :copy] = like[:, :, :copy]
        return room

    def select(self, rows: Int[Tensor, " N"]) -> "KeyValueCache":
        """A cache whose row i is a copy of this cache's row `rows[i]`."""
        chosen = KeyValueCache(self.capacity)
        chosen.length = self.length
        if self.keys is not None and self.values is not None:
            chosen.keys = self._chosen(self.keys, rows)
            chosen.values = self._chosen(self.values, rows)
        return chosen

    def _chosen(self, kept: Tensor, rows: Tensor) -> Tensor:
        """These rows of what is kept, in new room of the same size; only the filled part moves."""
        room = kept.new_empty(len(rows), *kept.shape[1:])
        filled = slice(None), slice(None), slice(self.length)
        # Straight to its place: beam search does this at every step and for every layer.
        torch.index_select(kept[filled], 0, rows, out=room[filled])
        return room


class DecoderLayer(nn.Module):
    """Masked self-attention, attention to the source, feed-forward network.

    Args:
        d_model, heads, d_ff: widths and number of heads.
        dropout: dropout of the sublayers; `attention_dropout`: that of the attention weights.
        norm: "pre" or "post".
        activation: of the feed-forward network.

    Source: Vaswani et al. 2017, section 3.1 (decoder).
    """

    def __init__(
        self,
        d_model: int,
        heads: int,
        d_ff: int,
        dropout: float,
        attention_dropout: float,
        norm: Norm,
        activation: Activation,
    ) -> None:
        super().__init__()
        self.self_attention = MultiHeadAttention(d_model, heads, attention_dropout)
        self.cross_attention = MultiHeadAttention(d_model, heads, attention_dropout)
        self.feed_forward = FeedForward(d_model, d_ff, dropout, activation)
        self.around_self = Residual(d_model, dropout, norm)
        self.around_cross = Residual(d_model, dropout, norm)
        self.around_feed_forward = Residual(d_model, dropout, norm)

    def forward(
        self,
        x: Float[Tensor, "*batch D"],
        source: KeysValues,
        source_mask: Bool[Tensor, "..."] | None,
        self_mask: Bool[Tensor, "..."] | None,
        cache: KeyValueCache | None = None,
        record: AttentionRecord | None = None,
        name: str = "decoder",
        packing: Packing | None = None,
    ) -> Float[Tensor, "*batch D"]:
        """One layer, for a whole target at once or (with a cache) for its newest token.

        Args:
            x: Float[N, T, D], N = B · g rows; the g hypotheses of one sentence stand side by side.
                With a packing (and g = 1): the real tokens alone, Float[M, D].
            source: keys and values of the source, from `cross_attention.project`, for B sentences.
            source_mask: True = may attend, broadcastable to `B H T S`.
            self_mask: True = may attend, broadcastable to `N H T T`.
            cache: keys and values of earlier target tokens; the new ones are added to it.
            record, name: where to put the attention maps, and under which prefix.
            packing: where the tokens of a packed x stand.
        """

        def attend_to_target(y: Tensor) -> Tensor:
            key, value = self.self_attention.project(y, y, packing)
            if cache is not None:
                key, value = cache.append(key, value)
            attended: Tensor = self.self_attention.attend(
                y, key, value, self_mask, record, f"{name}.self", packing
            )
            return attended

        def attend_to_source(y: Tensor) -> Tensor:
            sentences = len(source[0])
            # The hypotheses of one sentence are further queries to the same keys: no copies.
            queries = y if packing else y.reshape(sentences, -1, y.shape[2])
            attended = self.cross_attention.attend(
                queries, *source, source_mask, record, f"{name}.cross", packing
            )
            if record is not None:
                record[f"{name}.cross"] = ungroup(record[f"{name}.cross"], len(y))
            return attended.reshape(y.shape)

        x = self.around_self(x, attend_to_target)
        x = self.around_cross(x, attend_to_source)
        x = self.around_feed_forward(x, self.feed_forward)
        return x


def ungroup(weights: Float[Tensor, "B H M S"], rows: int) -> Float[Tensor, "N H T S"]:
    """Give every hypothesis its own attention map again, after queries were put side by side."""
    sentences, heads, queries, size = weights.shape
    if rows == sentences:
        return weights
    length = sentences * queries // rows
    grouped = weights.view(sentences, heads, rows // sentences, length, size)
    return grouped.transpose(1, 2).reshape(rows, heads, length, size)


def initialise(module: nn.Module) -> None:
    """Xavier-uniform weights and zero biases for every linear map inside `module`."""
    for part in module.modules():
        if isinstance(part, nn.Linear):
            nn.init.xavier_uniform_(part.weight)
            if part.bias is not None:
                torch.nn.init.zeros_(part.bias)
