"""The weights of a `torch.nn.Transformer`, in our own stack."""

from collections.abc import Callable, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from transformer_lite.attention import MultiHeadAttention
from transformer_lite.layers import ACTIVATIONS, Activation, DecoderLayer, EncoderLayer
from transformer_lite.stack import EncoderDecoder


def from_torch(module: nn.Transformer) -> EncoderDecoder:
    """Our stack with the weights of a `torch.nn.Transformer`.

    Both give the same output at real positions, in evaluation mode. Mind two differences of the
    torch module from the paper: it normalises once more after each stack, with post-norm too, and
    its masks are True where attention is FORBIDDEN.

    Args:
        module: any `torch.nn.Transformer` with its own encoder and decoder and with biases.
            `batch_first` may be either; our stack takes `B S D`.

    Returns:
        An `EncoderDecoder` with copies of the weights, on the device and in the dtype of `module`.

    Raises:
        ValueError: custom encoder or decoder classes, no biases, a final norm after one stack
            only, or an activation that is not one of ours or not the same in all layers.
    """
    encoder, decoder = module.encoder, module.decoder
    if not isinstance(encoder, nn.TransformerEncoder) or not isinstance(
        decoder, nn.TransformerDecoder
    ):
        raise ValueError(
            "from_torch needs torch's own encoder and decoder, but this module has "
            f"{type(encoder).__name__} and {type(decoder).__name__}"
        )
    if (encoder.norm is None) != (decoder.norm is None):
        raise ValueError("from_torch needs a final norm after both stacks or after none")
    first = encoder.layers[0]
    if first.linear1.bias is None:
        raise ValueError("from_torch needs a module with biases, but this one has bias=False")
    stack = EncoderDecoder(
        d_model=module.d_model,
        heads=module.nhead,
        d_ff=first.linear1.out_features,
        encoder_depth=len(encoder.layers),
        decoder_depth=len(decoder.layers),
        dropout=first.dropout1.p,
        attention_dropout=first.self_attn.dropout,
        norm="pre" if first.norm_first else "post",
        final_norm=encoder.norm is not None,
        activation=_activation([*encoder.layers, *decoder.layers]),
    )
    stack = stack.to(first.linear1.weight)
    for ours, theirs in zip(stack.encoder, encoder.layers, strict=True):
        assert isinstance(ours, EncoderLayer)
        _copy_attention(ours.self_attention, theirs.self_attn)
        _copy(ours.feed_forward.wide, theirs.linear1)
        _copy(ours.feed_forward.narrow, theirs.linear2)
        _copy_norm(ours.around_self.norm, theirs.norm1)
        _copy_norm(ours.around_feed_forward.norm, theirs.norm2)
    for ours, theirs in zip(stack.decoder, decoder.layers, strict=True):
        assert isinstance(ours, DecoderLayer)
        _copy_attention(ours.self_attention, theirs.self_attn)
        _copy_attention(ours.cross_attention, theirs.multihead_attn)
        _copy(ours.feed_forward.wide, theirs.linear1)
        _copy(ours.feed_forward.narrow, theirs.linear2)
        _copy_norm(ours.around_self.norm, theirs.norm1)
        _copy_norm(ours.around_cross.norm, theirs.norm2)
        _copy_norm(ours.around_feed_forward.norm, theirs.norm3)
    if encoder.norm is not None and decoder.norm is not None:
        _copy_norm(stack.encoder_norm, encoder.norm)
        _copy_norm(stack.decoder_norm, decoder.norm)
    return stack.train(module.training)


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
        f"from_torch knows the activations {', '.join(ACTIVATIONS)}, one and the same in all "
        f"layers, but this module has {', '.join(found)}; make it with one of those"
    )


@torch.no_grad()
def _copy(ours: nn.Module, theirs: nn.Module) -> None:
    ours.load_state_dict(theirs.state_dict())


def _copy_norm(ours: nn.Module, theirs: nn.Module) -> None:
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
