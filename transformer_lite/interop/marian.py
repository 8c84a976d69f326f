"""MarianMT models of Hugging Face, among them the OPUS-MT translators, as our own Transformer.

They are the paper's model with a few differences, and most of these can be written into the
weights. Their sinusoidal table holds all sines first, then all cosines, where ours takes turns: but
the columns of the residual stream have no order of their own, so all weights that read or write it
are put into our order. In the same way a vocabulary is only a numbering of its rows.

Source: Junczys-Dowmunt et al. 2018 (Marian); Tiedemann and Thottingal 2020 (OPUS-MT).
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from transformer_lite.attention import MultiHeadAttention
from transformer_lite.transformer import (
    Activation,
    DecoderLayer,
    EncoderLayer,
    Residual,
    Transformer,
    TransformerConfig,
)

ACTIVATIONS: dict[str, Activation] = {
    "relu": "relu", "gelu": "gelu", "silu": "silu", "swish": "silu",
}  # fmt: skip


def from_marian(model: nn.Module) -> Transformer:
    """Our Transformer with the weights of a MarianMT model and with its ids.

    In evaluation mode the logits are those of `model`, except for the tokens that its generation
    settings forbid (`bad_words_ids`, in OPUS-MT the padding): these are −∞, so that no decoder
    writes them. Greedy decoding with `bos` = its `decoder_start_token_id` then writes what its
    `generate` does with `num_beams=1`, up to where `max_length` cuts: there `generate` may put an
    `<eos>` of its own (`forced_eos_token_id`). Other generation settings are not taken over.

    Args:
        model: a `transformers.MarianMTModel`.

    Returns:
        A `Transformer` with copies of the weights, on the device and in the dtype of `model`. The
        bias of its logits is fixed, as it is in `model`.

    Raises:
        ValueError: `model` is of another class, its encoder and decoder differ in heads or d_ff,
            its activation is not one of ours, or it forbids sequences of several tokens.
        ImportError: the library transformers is not installed.
    """
    if not isinstance(model, import_transformers().MarianMTModel):
        raise ValueError(
            "from_marian needs a MarianMTModel of the library transformers, but it got a "
            f"{type(model).__name__}"
        )
    theirs: Any = model
    return adapt(model, range(theirs.config.vocab_size), range(theirs.lm_head.out_features))


def import_transformers() -> Any:
    """The library transformers: an extra, and slow to load, so only on demand.

    Raises:
        ImportError: it, or sentencepiece, is not installed.
    """
    try:
        import sentencepiece  # noqa: F401  (transformers asks for it too late to say so clearly)
        import transformers
    except ImportError as error:
        raise ImportError(
            f"Marian models need the packages transformers and sentencepiece ({error}); "
            "install them: pip install transformers sentencepiece"
        ) from None
    return transformers


@torch.no_grad()
def adapt(model: nn.Module, source_ids: Sequence[int], target_ids: Sequence[int]) -> Transformer:
    """`from_marian` with vocabularies of one's own.

    Args:
        model: a `transformers.MarianMTModel`.
        source_ids, target_ids: Marian's id for each id of the new model, on either side.

    Raises:
        ValueError: as for `from_marian`.
    """
    theirs: Any = model
    encoder, decoder = theirs.model.encoder, theirs.model.decoder
    ours = Transformer(_config(theirs, len(source_ids), len(target_ids)))
    ours = ours.to(theirs.lm_head.weight)
    columns = _columns(theirs.config.d_model)
    # Ours multiplies embeddings by √D whenever it reads them; Marian only where its config says so.
    scale = 1.0 if theirs.config.scale_embedding else theirs.config.d_model**-0.5
    for table, weight, ids in (
        (ours.source_embedding, encoder.embed_tokens.weight * scale, source_ids),
        (ours.target_embedding, decoder.embed_tokens.weight * scale, target_ids),
        (ours.output, theirs.lm_head.weight, target_ids),
    ):
        table.weight.copy_(weight[list(ids)][:, columns])
    ours.output.bias = nn.Parameter(_bias(theirs)[list(target_ids)], requires_grad=False)
    for encoder_layer, its in zip(ours.encoder.layers, encoder.layers, strict=True):
        _copy_attention(encoder_layer.self_attention, its.self_attn, columns)
        _copy_norm(encoder_layer.self_residual, its.self_attn_layer_norm, columns)
        _copy_feed_forward(encoder_layer, its, columns)
    for decoder_layer, its in zip(ours.decoder.layers, decoder.layers, strict=True):
        _copy_attention(decoder_layer.self_attention, its.self_attn, columns)
        _copy_norm(decoder_layer.self_residual, its.self_attn_layer_norm, columns)
        _copy_attention(decoder_layer.cross_attention, its.encoder_attn, columns)
        _copy_norm(decoder_layer.cross_residual, its.encoder_attn_layer_norm, columns)
        _copy_feed_forward(decoder_layer, its, columns)
    return ours.train(model.training)


def _config(theirs: Any, source_vocab: int, target_vocab: int) -> TransformerConfig:
    config = theirs.config
    for ours, name in (("heads", "attention_heads"), ("d_ff", "ffn_dim")):
        pair = [getattr(config, f"{side}_{name}") for side in ("encoder", "decoder")]
        if pair[0] != pair[1]:
            raise ValueError(
                f"our Transformer has one {ours} for encoder and decoder, but this Marian model "
                f"has encoder_{name}={pair[0]} and decoder_{name}={pair[1]}"
            )
    if config.activation_function not in ACTIVATIONS:
        raise ValueError(
            f"from_marian knows the activations {', '.join(ACTIVATIONS)}, but this Marian model "
            f"has {config.activation_function!r}"
        )
    source = theirs.model.encoder.embed_tokens.weight
    target = theirs.model.decoder.embed_tokens.weight
    # One matrix can serve as embedding and output only if it is scaled alike in both.
    tied = theirs.lm_head.weight is target and config.scale_embedding
    return TransformerConfig(
        source_vocab,
        target_vocab,
        d_model=config.d_model,
        heads=config.encoder_attention_heads,
        layers=config.encoder_layers,
        decoder_layers=config.decoder_layers,
        d_ff=config.encoder_ffn_dim,
        dropout=config.dropout,
        attention_dropout=config.attention_dropout,
        norm="post",
        activation=ACTIVATIONS[config.activation_function],
        max_length=config.max_position_embeddings,
        tie="none" if not tied else "all" if source is target else "target",
    )


def _columns(d_model: int) -> list[int]:
    """Marian's column for each of ours: its sines come first, then its cosines; ours take turns."""
    sines = (d_model + 1) // 2
    columns = [0] * d_model
    columns[0::2] = range(sines)
    columns[1::2] = range(sines, d_model)
    return columns


def _bias(theirs: Any) -> Tensor:
    """The bias of Marian's logits, −∞ for what must never be written."""
    forbidden = theirs.generation_config.bad_words_ids or []
    if any(len(ids) != 1 for ids in forbidden):
        raise ValueError(
            "from_marian can forbid single tokens only, but this model's bad_words_ids are "
            f"{forbidden}; take the longer ones out of model.generation_config"
        )
    bias: Tensor = theirs.final_logits_bias[0].clone()
    bias[[ids[0] for ids in forbidden]] = -torch.inf
    return bias


def _copy_attention(ours: MultiHeadAttention, theirs: Any, columns: list[int]) -> None:
    _copy_reader(ours.query, theirs.q_proj, columns)
    _copy_reader(ours.key, theirs.k_proj, columns)
    _copy_reader(ours.value, theirs.v_proj, columns)
    _copy_writer(ours.output, theirs.out_proj, columns)


def _copy_feed_forward(ours: EncoderLayer | DecoderLayer, theirs: Any, columns: list[int]) -> None:
    _copy_reader(ours.feed_forward.expand, theirs.fc1, columns)
    _copy_writer(ours.feed_forward.contract, theirs.fc2, columns)
    _copy_norm(ours.feed_forward_residual, theirs.final_layer_norm, columns)


def _copy_norm(ours: Residual, theirs: Any, columns: list[int]) -> None:
    _copy_writer(ours.norm, theirs, columns)
    ours.norm.eps = theirs.eps


def _copy_reader(ours: nn.Linear, theirs: Any, columns: list[int]) -> None:
    """Copy a map FROM the residual stream: each column of its matrix belongs to one of it."""
    ours.weight.copy_(theirs.weight[:, columns])
    ours.bias.copy_(theirs.bias)


def _copy_writer(ours: nn.Linear | nn.LayerNorm, theirs: Any, columns: list[int]) -> None:
    """Copy a map INTO the residual stream: each row of weight and bias belongs to one of it."""
    ours.weight.copy_(theirs.weight[columns])
    ours.bias.copy_(theirs.bias[columns])
