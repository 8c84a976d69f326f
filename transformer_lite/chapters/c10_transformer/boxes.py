"""Chapter 10: what each box of a Transformer computes: shapes, formulas, code, chapters."""

import ast
import inspect
from collections.abc import Callable
from textwrap import dedent
from typing import Any, NamedTuple

from transformer_lite.attention import MultiHeadAttention, _weights
from transformer_lite.decoding import greedy
from transformer_lite.model import SequenceModel
from transformer_lite.positions import SinusoidalPositions, sinusoidal
from transformer_lite.transformer import Decoder, Encoder, FeedForward, Residual, Transformer

CHAPTERS = {
    "04": ("04-queries-keys-values.html", "chapter 04, Queries, keys and values"),
    "05": ("05-positions.html", "chapter 05, Positions"),
    "06": ("06-multi-head.html", "chapter 06, Many heads"),
    "07": ("07-masks.html", "chapter 07, Masks"),
    "08": ("08-encoder.html", "chapter 08, The encoder"),
    "10": ("", "this chapter"),
}


class Stage(NamedTuple):
    """One matrix of a box: R rows of its own tokens, C keys; its colours end at `limit`."""

    name: str
    title: str
    shape: str
    formula: str
    code: Callable[..., Any]
    chapter: str
    limit: float = 3


_NORMALISED = "x̂ = (x − mean) / √(variance + ε) · γ + β, row by row"
_ATTENTION = (
    Stage("normalised", "normalised", "R × D", _NORMALISED, Residual.forward, "08"),
    Stage("query", "Q", "R × D", "Q = x̂ W_Q + b_Q", MultiHeadAttention.forward, "06"),
    Stage("key", "K", "C × D", "K = y W_K + b_K", MultiHeadAttention.keys_values, "06"),
    Stage("value", "V", "C × D", "V = y W_V + b_V", MultiHeadAttention.keys_values, "06"),
    Stage(
        "energies", "energies", "R × C", "Q Kᵀ / √d in each head, d = its width", _weights, "04", 10
    ),
    Stage("weights", "weights", "R × C", "softmax(energies), row by row", _weights, "07", 1),
    Stage("heads", "heads", "R × D", "weights · V, side by side", MultiHeadAttention._attend, "06"),
    Stage("output", "output", "R × D", "heads W_O + b_O", MultiHeadAttention.forward, "06", 6),
    Stage("residual", "sum", "R × D", "x + output", Residual.forward, "08", 10),
)
_INPUT = (
    Stage("embedding", "words", "R × D", "embedding of the token · √D", Transformer.embed, "04"),
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
    Stage("features", "features", "R × D", _NORMALISED, Decoder.forward, "10"),
    Stage("logits", "logits", "R × V", "features Eᵀ", SequenceModel.project, "10", 6),
    Stage(
        "probabilities", "probabilities", "R × V", "softmax(logits), row by row", greedy, "10", 1
    ),
)


class Box(NamedTuple):
    """A step of the model.

    Attributes:
        prefix: what the names of its matrices begin with.
        title: what it is called.
        side: "source" or "target", whose tokens are the rows.
        keys: the side that its keys and values come from.
        stages: its matrices, in the order of computation.
    """

    prefix: str
    title: str
    side: str
    keys: str
    stages: tuple[Stage, ...]


# `Any`: a chapter's folder imports nothing that loads models.
def boxes_of(model: Any) -> list[Box]:
    """The boxes of a pre-norm `Transformer`, in the order of computation."""
    boxes = [Box("source.", "words + positions", "source", "source", _INPUT)]
    for index in range(len(model.encoder.layers)):
        layer = f"encoder.{index}"
        boxes.append(Box(f"{layer}.self.", "self-attention", "source", "source", _ATTENTION))
        boxes.append(Box(f"{layer}.network.", "feed-forward", "source", "source", _NETWORK))
    boxes.append(Box("", "memory", "source", "source", _MEMORY))
    boxes.append(Box("target.", "words + positions", "target", "target", _INPUT))
    for index in range(len(model.decoder.layers)):
        layer = f"decoder.{index}"
        boxes.append(Box(f"{layer}.self.", "self-attention", "target", "target", _ATTENTION))
        boxes.append(Box(f"{layer}.cross.", "cross-attention", "target", "source", _ATTENTION))
        boxes.append(Box(f"{layer}.network.", "feed-forward", "target", "target", _NETWORK))
    return [*boxes, Box("", "output", "target", "target", _OUTPUT)]


def code_of(function: Callable[..., Any]) -> tuple[str, str]:
    """Where a function stands, and its lines without the docstring."""
    source = dedent(inspect.getsource(function))
    parsed, lines = ast.parse(source).body[0], source.splitlines()
    if isinstance(parsed, ast.FunctionDef) and ast.get_docstring(parsed):
        del lines[parsed.body[0].lineno - 1 : parsed.body[0].end_lineno]
    module = function.__module__.split(".")[-1]
    return f"{module}.py, {function.__qualname__}", "\n".join(lines)
