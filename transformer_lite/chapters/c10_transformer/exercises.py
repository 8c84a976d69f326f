"""The exercises of chapter 10, the whole Transformer; what they say is in `mistakes.toml`."""

import math
from collections.abc import Iterator
from itertools import product
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from transformer_lite.exercises.exercise import Arguments, Exercise, Function, Symptom
from transformer_lite.exercises.families import batch_mixing, changes_with, close, tenths

# ---- embed-at: words and positions on the way in


def embed_at(
    table: Float[Tensor, "V D"], ids: Int[Tensor, "B T"], start: int
) -> Float[Tensor, "B T D"]:
    """√D times the row of each id, plus the sines and cosines of positions start, start + 1, ….

    Source: Vaswani et al. 2017, sections 3.4 and 3.5.
    """
    width = table.shape[1]
    embedded = width**0.5 * table[ids]
    for step, column in product(range(ids.shape[1]), range(0, width, 2)):
        angle = (start + step) / 10000 ** (column / width)
        embedded[:, step, column] += math.sin(angle)
        embedded[:, step, column + 1] += math.cos(angle)
    return embedded


def _embed_cases(generator: torch.Generator) -> Iterator[Arguments]:
    """Whole sentences and single tokens, from position 0 and from later ones."""
    sizes = [(1, 2, 4, 3, 0), (1, 1, 4, 3, 2), (2, 2, 4, 5, 1), (3, 2, 6, 7, 0), (2, 5, 16, 9, 20)]
    for batch, steps, width, words, start in sizes:
        ids = torch.randint(words, (batch, steps), generator=generator)
        yield tenths(generator, 20, words, width), ids, start


def _wrong_embed(
    table: Tensor,
    ids: Tensor,
    start: int,
    powers: tuple[float, float] = (0.5, 0.0),
    along: str = "tokens",
    halves: bool = False,
) -> Tensor:
    """Words and positions times other powers of D; other positions; columns in another order."""
    (batch, steps), width = ids.shape, table.shape[1]
    position = {
        "tokens": torch.arange(start, start + steps),
        "tokens from 0": torch.arange(steps),
        "sentences": torch.arange(start, start + batch)[:, None],
        "as many as sentences": torch.arange(start, start + batch),
    }[along]
    angles = position[..., None] * 10000 ** (-torch.arange(0, width, 2) / width)
    waves = angles.sin(), angles.cos()
    encodings = torch.cat(waves, -1) if halves else torch.stack(waves, -1).flatten(-2)
    return width ** powers[0] * table[ids] + width ** powers[1] * encodings


def _cut_off(misconception: str, sentences: int, steps: int) -> Symptom:
    """The symptom of what comes out differently without the first sentences or tokens."""

    def shows(arguments: Arguments, value: Tensor, answer: Function) -> bool:
        table, ids, start = arguments
        rest = answer(table, ids[sentences:, steps:], start + steps)
        return not close(rest, value[sentences:, steps:])

    return Symptom(misconception, shows)


EMBED_AT = Exercise(
    embed_at,
    _embed_cases,
    _wrong_embed,
    {
        "not-multiplied": [{"powers": (0.0, 0.0)}],
        "divided": [{"powers": (-0.5, 0.0)}],
        "positions-multiplied": [{"powers": (0.5, 0.5)}, {"powers": (0.0, 0.5)}],
        "start-ignored": [{"along": "tokens from 0"}],
        "along-sentences": [{"along": "sentences"}, {"along": "as many as sentences"}],
        "halves": [{"halves": True}],
    },
    (_cut_off("depends-on-batch-mates", 1, 0), _cut_off("not-continued", 0, 1)),
)

# ---- tied-logits: the same matrix on the way out


def tied_logits(
    features: Float[Tensor, "B T D"], table: Float[Tensor, "V D"]
) -> Float[Tensor, "B T V"]:
    """The dot product of the features at each position with the embedding of each word.

    Source: Press and Wolf 2017; Vaswani et al. 2017, section 3.4.
    """
    logits = torch.zeros(*features.shape[:2], len(table))
    for word, embedding in enumerate(table):
        logits[:, :, word] = (features * embedding).sum(-1)
    return logits


def _logit_cases(generator: torch.Generator) -> Iterator[Arguments]:
    """As many words as columns, where a transposed matrix fits, too, and other numbers."""
    sizes = [(1, 2, 2, 3), (1, 2, 2, 2), (2, 2, 3, 3), (2, 3, 4, 6), (3, 1, 4, 5), (2, 3, 4, 4)]
    for batch, steps, width, words in sizes:
        yield tenths(generator, 20, batch, steps, width), tenths(generator, 20, words, width)


def _wrong_logits(
    features: Tensor,
    table: Tensor,
    power: float = 0.0,
    unit: str = "neither",
    how: str = "logits",
) -> Tensor:
    """Scaled, of vectors made equally long, of another axis, or something made of the logits."""
    if unit in ("words", "both"):
        table = table / table.norm(dim=-1, keepdim=True)
    if unit in ("features", "both"):
        features = features / features.norm(dim=-1, keepdim=True)
    if how == "columns":
        return features @ table
    logits = features.shape[-1] ** power * (features @ table.mT)
    return {
        "logits": logits,
        "softmax": logits.softmax(-1),
        "softmax over tokens": logits.softmax(1),
        "log_softmax": logits.log_softmax(-1),
        "last": logits[:, -1],
        "last, axis kept": logits[:, -1:],
    }[how]


def _not_the_same_without_first_word(arguments: Arguments, value: Tensor, answer: Function) -> bool:
    features, table = arguments
    return not close(answer(features, table[1:]), value[..., 1:])


TIED_LOGITS = Exercise(
    tied_logits,
    _logit_cases,
    _wrong_logits,
    {
        "multiplied": [{"power": 0.5}],
        "divided": [{"power": -0.5}],
        "probabilities": [
            {"how": how} for how in ("softmax", "log_softmax", "softmax over tokens")
        ],
        "lengths-lost": [{"unit": unit} for unit in ("both", "words", "features")],
        "transposed": [{"how": "columns"}],
        "last-token-alone": [{"how": "last"}, {"how": "last, axis kept"}],
    },
    (
        batch_mixing(1),
        Symptom("depends-on-other-words", _not_the_same_without_first_word),
        changes_with("not-in-proportion", lambda x, table: (2 * x, table), factor=2.0),
    ),
)

# ---- model-parameters: what the whole model has to learn


def model_parameters(vocab: int, d_model: int, d_ff: int, layers: int, shared: bool) -> int:
    """Parameters of the paper's model: embeddings, `layers` on each side, output without bias.

    Source: Vaswani et al. 2017, sections 3.1 to 3.4, with a bias in each linear map of a layer.
    """
    attention = 4 * (d_model * d_model + d_model)
    feed_forward = (d_model * d_ff + d_ff) + (d_ff * d_model + d_model)
    normalisation = d_model + d_model
    encoder_layer = attention + feed_forward + 2 * normalisation
    decoder_layer = 2 * attention + feed_forward + 3 * normalisation
    matrices = 1 if shared else 3
    return layers * (encoder_layer + decoder_layer) + matrices * vocab * d_model


def _total_cases(generator: torch.Generator) -> Iterator[Arguments]:
    """Sizes that can be counted by hand, and some that are no trouble to one who builds models."""
    sizes = [(5, 2, 3, 1), (7, 4, 8, 2), (10, 6, 10, 3), (1000, 64, 256, 6)]
    yield from ((*size, shared) for size in sizes for shared in (True, False))


def _wrong_total(
    *sizes: Any, cross: int = 1, norms: int = 3, matrices: tuple[int, int] = (1, 3), bias: int = 0
) -> int:
    """Some parts forgotten, counted again, or counted although they are not there."""
    vocab, d_model, d_ff, layers, shared = sizes
    attention = 4 * (d_model**2 + d_model)
    feed_forward = 2 * d_model * d_ff + d_ff + d_model
    of_layers = (2 + cross) * attention + 2 * feed_forward + (2 + norms) * 2 * d_model
    together, apart = matrices
    return layers * of_layers + (together if shared else apart) * vocab * d_model + bias * vocab


def _beside_words_and_layers(arguments: Arguments, value: int, answer: Function) -> bool:
    vocab, d_model, d_ff, layers, shared = arguments
    of_words = answer(2 * vocab, d_model, d_ff, layers, shared) - value
    of_layers = answer(vocab, d_model, d_ff, 2 * layers, shared) - value
    return bool(of_words + of_layers != value)


def _miscounted(misconception: str, words: int, layers: int) -> Symptom:
    """The symptom of a model that grows wrongly with more words or layers."""

    def shows(arguments: Arguments, value: int, answer: Function) -> bool:
        vocab, d_model, d_ff, depth, shared = arguments
        larger = (vocab + words, d_model, d_ff, depth + layers, shared)
        right = model_parameters(*larger) - model_parameters(*arguments)
        return bool(answer(*larger) - value != right)

    return Symptom(misconception, shows)


MODEL_PARAMETERS = Exercise(
    model_parameters,
    _total_cases,
    _wrong_total,
    {
        "cross-attention-forgotten": [{"cross": 0}],
        "two-normalisations-in-the-decoder": [{"norms": 2}],
        "decoder-like-encoder": [{"cross": 0, "norms": 2}],
        "shared-counted-again": [{"matrices": (2, 3)}, {"matrices": (3, 3)}],
        "apart-not-counted": [{"matrices": (1, 2)}, {"matrices": (1, 1)}],
        "output-bias": [{"bias": 1}],
    },
    (
        Symptom("belongs-nowhere", _beside_words_and_layers),
        _miscounted("words-miscounted", 1, 0),
        _miscounted("layers-miscounted", 0, 1),
    ),
)

EXERCISES = (EMBED_AT, TIED_LOGITS, MODEL_PARAMETERS)
