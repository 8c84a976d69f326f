"""The weights of a `torch.nn.Transformer`, in our own encoder and decoder."""

from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from transformer_lite.attention import MultiHeadAttention
from transformer_lite.masks import causal_mask
from transformer_lite.scope import Scope
from transformer_lite.transformer import (
    ACTIVATIONS,
    Activation,
    Decoder,
    Encoder,
    TransformerConfig,
)


class EncoderDecoder(nn.Module):
    """Our encoder and decoder between vectors, as `torch.nn.Transformer` is: no embeddings.

    Args:
        config: of the layers; its vocabularies are not used.
    """

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)

    def forward(
        self,
        source: Float[Tensor, "B S D"],
        target: Float[Tensor, "B T D"],
        source_mask: Bool[Tensor, "B S"],
    ) -> Float[Tensor, "B T D"]:
        """Features of every target position, which saw itself, its past and the real source."""
        real = Scope(source_mask[:, None, None, :])
        past = Scope(causal_mask(target.shape[1], target.device))
        memory = self.encoder(source, real)  # B S D
        return self.decoder(target, memory, past, real)  # B T D


def from_torch(module: nn.Transformer) -> EncoderDecoder:
    """Our encoder and decoder with the weights of a `torch.nn.Transformer`.

    Both give the same output at real positions, in evaluation mode. Mind two differences of the
    torch module from the paper: it normalises once more after each stack, with post-norm too, and
    its masks are True where attention is FORBIDDEN.

    Args:
        module: any `torch.nn.Transformer` with its own encoder and decoder and with biases.
            `batch_first` may be either; our modules take `B S D`.

    Returns:
        An `EncoderDecoder` with copies of the weights, on the device and in the dtype of `module`.

    Raises:
        ValueError: custom encoder or decoder classes, no biases, a final norm after one stack
            only, layers of both norms, or an activation that is not one of ours or not the same in
            all layers.
    """
    config = _config(module)
    encoder: Any = module.encoder
    decoder: Any = module.decoder
    ours = EncoderDecoder(config).to(encoder.layers[0].linear1.weight)
    for encoder_layer, theirs in zip(ours.encoder.layers, encoder.layers, strict=True):
        _copy_attention(encoder_layer.self_attention, theirs.self_attn)
        _copy(encoder_layer.feed_forward.expand, theirs.linear1)
        _copy(encoder_layer.feed_forward.contract, theirs.linear2)
        _copy_norm(encoder_layer.self_residual.norm, theirs.norm1)
        _copy_norm(encoder_layer.feed_forward_residual.norm, theirs.norm2)
    for decoder_layer, theirs in zip(ours.decoder.layers, decoder.layers, strict=True):
        _copy_attention(decoder_layer.self_attention, theirs.self_attn)
        _copy_attention(decoder_layer.cross_attention, theirs.multihead_attn)
        _copy(decoder_layer.feed_forward.expand, theirs.linear1)
        _copy(decoder_layer.feed_forward.contract, theirs.linear2)
        _copy_norm(decoder_layer.self_residual.norm, theirs.norm1)
        _copy_norm(decoder_layer.cross_residual.norm, theirs.norm2)
        _copy_norm(decoder_layer.feed_forward_residual.norm, theirs.norm3)
    if config.normalises_stacks:
        _copy_norm(ours.encoder.norm, encoder.norm)
        _copy_norm(ours.decoder.norm, decoder.norm)
    return ours.train(module.training)


def _config(module: nn.Transformer) -> TransformerConfig:
    encoder, decoder = module.encoder, module.decoder
    if not isinstance(encoder, nn.TransformerEncoder) or not isinstance(
        decoder, nn.TransformerDecoder
    ):
        raise ValueError(
            "module must have torch's own encoder and decoder, but it has "
            f"{type(encoder).__name__} and {type(decoder).__name__}"
        )
    if (encoder.norm is None) != (decoder.norm is None):
        raise ValueError(
            "module must have a final norm after both stacks or after none, but it has one"
        )
    layers = [*encoder.layers, *decoder.layers]
    if len({layer.norm_first for layer in layers}) > 1:
        raise ValueError("module must normalise first in all layers or in none, but they differ")
    first = layers[0]
    if first.linear1.bias is None:
        raise ValueError("module must have biases, but it was made with bias=False")
    return TransformerConfig(
        source_vocab=1,
        target_vocab=1,
        d_model=module.d_model,
        heads=module.nhead,
        layers=len(encoder.layers),
        decoder_layers=len(decoder.layers),
        d_ff=first.linear1.out_features,
        dropout=first.dropout1.p,
        attention_dropout=first.self_attn.dropout,
        norm="pre" if first.norm_first else "post",
        final_norm=encoder.norm is not None,
        activation=_activation(layers),
    )


def _activation(layers: Sequence[nn.Module]) -> Activation:
    # Compared by what it computes: torch accepts a name, a function or a module here. (It forgets
    # a module on the way to its decoder layers, which then use ReLU: hence a look at every layer.)
    probe = torch.linspace(-3, 3, 7)
    values = [cast(Callable[[Tensor], Tensor], layer.activation)(probe) for layer in layers]
    for name, function in ACTIVATIONS.items():
        if all(torch.equal(value, function(probe)) for value in values):
            return name
    found = sorted({str(layer.activation) for layer in layers})
    raise ValueError(
        f"the activation must be one of {', '.join(ACTIVATIONS)}, one and the same in all layers, "
        f"but this module has {', '.join(found)}; make it with one of those"
    )


@torch.no_grad()
def _copy(ours: nn.Module, theirs: nn.Module) -> None:
    ours.load_state_dict(theirs.state_dict())


def _copy_norm(ours: nn.Module, theirs: nn.Module | None) -> None:
    assert isinstance(ours, nn.LayerNorm) and isinstance(theirs, nn.LayerNorm)
    _copy(ours, theirs)
    ours.eps = theirs.eps


@torch.no_grad()
def _copy_attention(ours: MultiHeadAttention, theirs: nn.MultiheadAttention) -> None:
    # torch keeps the three input projections as one matrix: query, key, value from top to bottom.
    for name, weight, bias in zip(
        ("query", "key", "value"),
        theirs.in_proj_weight.chunk(3),
        theirs.in_proj_bias.chunk(3),
        strict=True,
    ):
        projection = getattr(ours, name)
        projection.weight.copy_(weight)
        projection.bias.copy_(bias)
    _copy(ours.output, theirs.out_proj)
