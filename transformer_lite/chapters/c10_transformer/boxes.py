"""Chapter 10: what each box of a Transformer computes: shapes, formulas, code, chapters."""

import ast
import inspect
from collections.abc import Callable
from textwrap import dedent
from typing import Any, NamedTuple

from transformer_lite.attention import (
    MultiHeadAttention,
    _weights,
    scaled_dot_product_attention,
)
from transformer_lite.model import SequenceModel
from transformer_lite.positions import SinusoidalPositions, sinusoidal
from transformer_lite.transformer import Decoder, Encoder, FeedForward, Residual, Transformer

CHAPTERS = {
    "04": ("04-queries-keys-values.html", "chapter 04, Queries, keys and values"),
    "05": ("05-positions.html", "chapter 05, Positions"),
    "06": ("06-multi-head.html", "chapter 06, Many heads"),
    "07": ("07-masks.html", "chapter 07, Masks"),
    "08": ("08-encoder.html", "chapter 08, The encoder"),
    "09": ("09-decoder.html", "chapter 09, The decoder"),
    "10": ("", "this chapter"),
}


class Stage(NamedTuple):
    """One matrix of a box: R rows of its own tokens, C keys; its colours end at `limit`."""

    name: str
    title: str
    shape: str
    formula: str
    code: Callable[..., Any] | None
    chapter: str
    limit: float = 3


def _explained(stages: tuple[Stage, ...], **chapters: str) -> tuple[Stage, ...]:
    """The same stages, some of them explained in another chapter."""
    return tuple(one._replace(chapter=chapters.get(one.name, one.chapter)) for one in stages)


_BLEND = scaled_dot_product_attention
_CALLED = {_BLEND: [_weights]}  # shown below the code that calls it
_NORMALISED = "x̂ = (x − mean) / √(variance + ε) · γ + β, row by row"
_ATTENTION = (
    Stage("normalised", "normalised", "R × D", _NORMALISED, Residual.forward, "08"),
    Stage("query", "Q", "R × D", "Q = x̂ W_Q + b_Q", MultiHeadAttention.forward, "06"),
    Stage("key", "K", "C × D", "K = y W_K + b_K", MultiHeadAttention.keys_values, "06"),
    Stage("value", "V", "C × D", "V = y W_V + b_V", MultiHeadAttention.keys_values, "06"),
    Stage("energies", "energies", "R × C", "Q Kᵀ / √d, d = the width of a head", _BLEND, "04", 10),
    Stage("weights", "weights", "R × C", "softmax(energies), row by row", _BLEND, "04", 1),
    Stage("heads", "heads", "R × D", "weights · V, side by side", _BLEND, "06"),
    Stage("output", "output", "R × D", "heads W_O + b_O", MultiHeadAttention.forward, "06", 6),
    Stage("residual", "sum", "R × D", "x + output", Residual.forward, "08", 10),
)
_MASKED = _explained(_ATTENTION, weights="07", residual="09")
_CROSS = _explained(_ATTENTION, key="09", value="09", residual="09")
_INPUT = (
    Stage("embedding", "words", "R × D", "embedding of the token · √D", Transformer.embed, "10"),
    Stage(
        "position",
        "positions",
        "R × D",
        "row t: sin(t ω₀), cos(t ω₀), sin(t ω₁), …, with ωᵢ = 10000^(−2i/D)",
        sinusoidal,
        "05",
        1,
    ),
    Stage("sum", "sum", "R × D", "words + positions", SinusoidalPositions.forward, "05"),
)
_NETWORK = (
    Stage("normalised", "normalised", "R × D", _NORMALISED, Residual.forward, "08"),
    Stage("hidden", "hidden", "R × F", "max(0, x̂ W₁ + b₁)", FeedForward.forward, "08"),
    Stage("output", "output", "R × D", "hidden W₂ + b₂", FeedForward.forward, "08", 6),
    Stage("residual", "sum", "R × D", "x + output", Residual.forward, "08", 10),
)
_MEMORY = (Stage("memory", "memory", "R × D", _NORMALISED, Encoder.forward, "08"),)
_OUTPUT = (
    Stage("features", "features", "R × D", _NORMALISED, Decoder.forward, "08"),
    Stage("logits", "logits", "R × V", "features Eᵀ", SequenceModel.project, "10", 6),
    Stage("probabilities", "probabilities", "R × V", "softmax(logits), row by row", None, "10", 1),
)


class Box(NamedTuple):
    """A step of the model.

    Attributes:
        prefix: what the names of its matrices begin with.
        kind: "input", "attention", "network", "memory" or "output".
        title: what it is called.
        side: "source" or "target", whose tokens are the rows.
        keys: the side that its keys and values come from.
        stages: its matrices, in the order of computation.
    """

    prefix: str
    kind: str
    title: str
    side: str
    keys: str
    stages: tuple[Stage, ...]


# `Any`: a chapter's folder imports nothing that loads models.
def boxes_of(model: Any) -> list[Box]:
    """The boxes of a pre-norm `Transformer`, in the order of computation."""
    source, target = ("source", "source"), ("target", "target")
    boxes = [Box("source.", "input", "words + positions", *source, _INPUT)]
    for index in range(len(model.encoder.layers)):
        layer = f"encoder.{index}"
        boxes.append(Box(f"{layer}.self.", "attention", "self-attention", *source, _ATTENTION))
        boxes.append(Box(f"{layer}.network.", "network", "feed-forward", *source, _NETWORK))
    boxes.append(Box("", "memory", "memory", *source, _MEMORY))
    boxes.append(Box("target.", "input", "words + positions", *target, _INPUT))
    network = _explained(_NETWORK, residual="09")
    for index in range(len(model.decoder.layers)):
        layer = f"decoder.{index}"
        boxes.append(Box(f"{layer}.self.", "attention", "self-attention", *target, _MASKED))
        cross = ("attention", "cross-attention", "target", "source")
        boxes.append(Box(f"{layer}.cross.", *cross, _CROSS))
        boxes.append(Box(f"{layer}.network.", "network", "feed-forward", *target, network))
    return [*boxes, Box("", "output", "output", *target, _OUTPUT)]


def code_of(function: Callable[..., Any]) -> tuple[str, str]:
    """Where a function stands, and its lines without the docstring."""
    source = dedent(inspect.getsource(function))
    parsed, lines = ast.parse(source).body[0], source.splitlines()
    if isinstance(parsed, ast.FunctionDef) and ast.get_docstring(parsed):
        del lines[parsed.body[0].lineno - 1 : parsed.body[0].end_lineno]
    called = [code_of(one)[1] for one in _CALLED.get(function, [])]
    module = function.__module__.split(".")[-1]
    return f"{module}.py, {function.__qualname__}", "\n\n".join(["\n".join(lines), *called])
