"""The stack of encoder and decoder layers: vectors in, vectors out."""

from collections.abc import Sequence
from typing import cast

from jaxtyping import Bool, Float
from torch import Tensor, nn

from transformer_lite.attention import AttentionRecord
from transformer_lite.fast.packing import Packing
from transformer_lite.layers import (
    Activation,
    DecoderLayer,
    EncoderLayer,
    KeysValues,
    KeyValueCache,
    Norm,
    initialise,
)
from transformer_lite.masks import causal_mask


class EncoderDecoder(nn.Module):
    """Encoder and decoder layers between vectors: no embeddings, no vocabulary.

    Args:
        d_model, heads, d_ff: widths and number of heads.
        encoder_depth, decoder_depth: number of layers in each stack.
        dropout, attention_dropout: of sublayers, and of attention weights.
        norm: "pre" or "post".
        final_norm: normalise the output of each stack once more. Pre-norm needs it, since nothing
            else bounds the residual road; the paper's post-norm has none, `torch.nn.Transformer`
            has one in both cases.
        activation: "relu", "gelu" or "silu".

    Source: Vaswani et al. 2017, section 3.1 and figure 1.
    """

    def __init__(
        self,
        d_model: int,
        heads: int,
        d_ff: int,
        encoder_depth: int,
        decoder_depth: int,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        norm: Norm = "pre",
        final_norm: bool = True,
        activation: Activation = "relu",
    ) -> None:
        super().__init__()
        layer = (d_model, heads, d_ff, dropout, attention_dropout, norm, activation)
        # A new layer each time: `[layer] * n` would repeat one set of parameters.
        self.encoder = nn.ModuleList(EncoderLayer(*layer) for _ in range(encoder_depth))
        self.decoder = nn.ModuleList(DecoderLayer(*layer) for _ in range(decoder_depth))
        self.encoder_norm = nn.LayerNorm(d_model) if final_norm else nn.Identity()
        self.decoder_norm = nn.LayerNorm(d_model) if final_norm else nn.Identity()
        initialise(self)

    def encode(
        self,
        x: Float[Tensor, "*batch D"],
        source_mask: Bool[Tensor, "B S"],
        record: AttentionRecord | None = None,
        packing: Packing | None = None,
    ) -> Float[Tensor, "*batch D"]:
        """The memory: every source position, after it has looked at all real ones.

        x is Float[B, S, D], or with a packing the real tokens alone, Float[N, D].
        """
        mask = source_mask[:, None, None, :]
        for index, layer in enumerate(self.encoder):
            x = layer(x, mask, record, f"encoder.{index}", packing)
        memory: Tensor = self.encoder_norm(x)
        return memory

    def source_keys_values(
        self, memory: Float[Tensor, "*batch D"], packing: Packing | None = None
    ) -> list[KeysValues]:
        """Every decoder layer's keys and values of the source: computed once a sentence."""
        return [
            layer.cross_attention.project(memory, memory, packing) for layer in self.decoder_layers
        ]

    def decode(
        self,
        x: Float[Tensor, "*batch D"],
        source: Sequence[KeysValues],
        source_mask: Bool[Tensor, "B S"],
        caches: Sequence[KeyValueCache] | None = None,
        record: AttentionRecord | None = None,
        packing: Packing | None = None,
    ) -> Float[Tensor, "*batch D"]:
        """Features of every target position, which saw itself, its past and the source.

        Args:
            x: embedded target tokens, Float[N, T, D]; with caches, the newest token of each row
                (T = 1); with a packing, the real tokens alone.
            source: from `source_keys_values`.
            source_mask: True = real token.
            caches: one for each layer; the new keys and values are added to them.
            record: where to put the attention maps.
            packing: where the tokens of a packed x stand.
        """
        mask = source_mask[:, None, None, :]
        # With a cache the newest token may see all that is kept: no mask is needed.
        length = x.shape[1] if packing is None else packing.shape[1]
        self_mask = causal_mask(length, x.device) if caches is None else None
        for index, layer in enumerate(self.decoder_layers):
            cache = None if caches is None else caches[index]
            x = layer(x, source[index], mask, self_mask, cache, record, f"decoder.{index}", packing)
        features: Tensor = self.decoder_norm(x)
        return features

    @property
    def decoder_layers(self) -> list[DecoderLayer]:
        """The decoder layers, first to last."""
        return cast(list[DecoderLayer], list(self.decoder))
