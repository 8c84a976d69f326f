"""Our Transformer in the format of CTranslate2, a C++ library that translates without PyTorch.

Its Transformer is the paper's, in either order of the normalisation, so that nothing has to be
rewritten: each matrix goes to its place there, those of queries, keys and values (of one input) on
top of each other. It counts tokens as text, so it is given the words of both vocabularies.

Source: Klein et al. 2020 (OpenNMT).
"""

from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from transformer_lite.attention import MultiHeadAttention
from transformer_lite.checks import check_choice
from transformer_lite.data import BOS, EOS, SPECIALS, UNK
from transformer_lite.positions import LearnedPositions, sinusoidal
from transformer_lite.runs.checkpoint import SavedModel, atomic_folder
from transformer_lite.transformer import Activation, DecoderLayer, EncoderLayer, Transformer

Quantization = Literal["float32", "int8"]
ACTIVATIONS: dict[Activation, str] = {"relu": "RELU", "gelu": "GELU", "silu": "SWISH"}
LEAST_POSITIONS = 1024  # of sines; its `translate_batch` cuts longer sources unless told otherwise


def to_ctranslate2(saved: SavedModel, folder: str | Path, quantization: str = "float32") -> None:
    """Write a Transformer as a folder that `ctranslate2.Translator` opens.

    That takes and gives tokens: of a source those of `saved.source`, without `<eos>`, which it adds
    itself. In float32 its greedy decoding (`beam_size=1, min_decoding_length=0`; else at least one
    token is written) gives what ours gives, unless two tokens are equally probable but for
    rounding.

    Args:
        saved: a `Transformer` with its tokenizers, from `checkpoint.load` or `load_marian`.
        folder: a new or an empty folder.
        quantization: "float32", or "int8": each row of a matrix as whole numbers from −127 to 127
            and a factor, a quarter of the size.

    Raises:
        ValueError: the model is recurrent, the folder holds files, or the quantization is unknown.
        ImportError: the library ctranslate2 is not installed.
        OSError: the disk is full or not writable; no part of the folder remains.
    """
    check_choice("quantization", quantization, Quantization)
    if not isinstance(saved.model, Transformer):
        raise ValueError(
            "the model must be a Transformer to go to CTranslate2, which knows no other kind, but "
            f"it is a {type(saved.model).__name__}; export another model"
        )
    spec = _spec(saved.model)
    for register, tokenizer in (
        (spec.register_source_vocabulary, saved.source),
        (spec.register_target_vocabulary, saved.target),
    ):
        register(tokenizer.tokens(range(len(tokenizer))))
    spec.config.bos_token = spec.config.decoder_start_token = SPECIALS[BOS]
    spec.config.eos_token, spec.config.unk_token = SPECIALS[EOS], SPECIALS[UNK]
    spec.config.add_source_eos = True
    spec.validate()
    spec.optimize(quantization)
    folder = Path(folder)
    if folder.exists():
        if any(folder.iterdir()):
            raise ValueError(
                f"folder must be new or empty, but {folder} holds files; name another one"
            )
        folder.rmdir()
    with atomic_folder(folder) as partial:
        spec.save(str(partial))


@torch.no_grad()
def _spec(ours: Transformer) -> Any:
    """A `ctranslate2.specs.TransformerSpec` with our weights."""
    specs, config = _import_specs(), ours.config
    theirs = specs.TransformerSpec.from_config(
        (len(ours.encoder.layers), len(ours.decoder.layers)),
        config.heads,
        pre_norm=True,  # for now: only so does it make room for final norms
        no_final_norm=not config.normalises_stacks,
        activation=specs.Activation[ACTIVATIONS[config.activation]],
    )
    positions = _positions(ours)
    for its in (theirs.encoder, theirs.decoder):
        its.pre_norm = config.norm == "pre"
        its.position_encodings.encodings = positions
    theirs.encoder.embeddings[0].weight = _array(ours.source_embedding.weight)
    theirs.decoder.embeddings.weight = _array(ours.target_embedding.weight)
    _copy_linear(theirs.decoder.projection, ours.output)
    for encoder_layer, its in zip(ours.encoder.layers, theirs.encoder.layer, strict=True):
        _copy_self_attention(its.self_attention, encoder_layer)
        _copy_feed_forward(its.ffn, encoder_layer)
    for decoder_layer, its in zip(ours.decoder.layers, theirs.decoder.layer, strict=True):
        _copy_self_attention(its.self_attention, decoder_layer)
        cross: MultiHeadAttention = decoder_layer.cross_attention
        _copy_linear(its.attention.linear[0], cross.query)
        _copy_linear(its.attention.linear[1], cross.key, cross.value)
        _copy_linear(its.attention.linear[2], cross.output)
        _copy_norm(its.attention.layer_norm, decoder_layer.cross_residual.norm)
        _copy_feed_forward(its.ffn, decoder_layer)
    if config.normalises_stacks:
        _copy_norm(theirs.encoder.layer_norm, ours.encoder.norm)
        _copy_norm(theirs.decoder.layer_norm, ours.decoder.norm)
    return theirs


def _import_specs() -> Any:
    try:
        from ctranslate2 import specs
    except ImportError as error:
        raise ImportError(
            f"exporting needs the package ctranslate2 ({error}); install it: "
            "pip install ctranslate2"
        ) from None
    return specs


def _positions(ours: Transformer) -> np.ndarray:
    if isinstance(ours.positions, LearnedPositions):
        return _array(ours.positions.table)
    length = max(ours.config.max_length, LEAST_POSITIONS)
    return _array(sinusoidal(length, ours.config.d_model))


def _copy_self_attention(theirs: Any, ours: EncoderLayer | DecoderLayer) -> None:
    attention = ours.self_attention
    _copy_linear(theirs.linear[0], attention.query, attention.key, attention.value)
    _copy_linear(theirs.linear[1], attention.output)
    _copy_norm(theirs.layer_norm, ours.self_residual.norm)


def _copy_feed_forward(theirs: Any, ours: EncoderLayer | DecoderLayer) -> None:
    _copy_linear(theirs.linear_0, ours.feed_forward.expand)
    _copy_linear(theirs.linear_1, ours.feed_forward.contract)
    _copy_norm(theirs.layer_norm, ours.feed_forward_residual.norm)


def _copy_linear(theirs: Any, *ours: nn.Linear) -> None:
    """Copy one map, or several that read the same input, on top of each other."""
    theirs.weight = _array(torch.cat([one.weight for one in ours]))
    if ours[0].bias is not None:
        theirs.bias = _array(torch.cat([one.bias for one in ours]))


def _copy_norm(theirs: Any, ours: Any) -> None:
    theirs.gamma, theirs.beta = _array(ours.weight), _array(ours.bias)


def _array(tensor: Tensor) -> np.ndarray:
    """A copy: int8 is computed in place."""
    return tensor.detach().float().cpu().numpy().copy()
