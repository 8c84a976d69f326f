"""Chapter 10: a whole Transformer that translates in the page, and every number of it."""

import ast
import inspect
import math
from base64 import b64encode
from collections.abc import Callable
from textwrap import dedent, wrap
from typing import Any, NamedTuple

import torch
import traitlets

from transformer_lite.attention import MultiHeadAttention, _weights
from transformer_lite.data.pocket.corpus import glossary
from transformer_lite.data.pocket.hangul import romanise
from transformer_lite.decoding import greedy
from transformer_lite.model import SequenceModel
from transformer_lite.palette import NEUTRAL, OUTPUT
from transformer_lite.positions import SinusoidalPositions, sinusoidal
from transformer_lite.transformer import Decoder, Encoder, FeedForward, Residual, Transformer
from transformer_lite.widgets.base import StillWidget, check_trait, front_end
from transformer_lite.widgets.drawing import QUIET, bar, card, text
from transformer_lite.widgets.frames import WIDTH, Question, Slider

SENTENCES = (
    "the cat eats an apple",
    "she wears a white hat",
    "my friend often writes letters",
    "the teacher did not read the newspaper",
    "jun will give a book to mina",
    "we met an old man at the market yesterday",
)
# What the question is about: the step that writes the verb, from 0, and where it asks.
STEP, ASKED = 4, "decoder.1.cross"
LEGEND = (
    "Korean puts the verb last. While it writes the verb, which word will decoder layer 2 look at "
    "most? Predict."
)
ANSWERS = ("cat", "eats", "apple", "<eos>")
FACTORS = tuple(number / 4 for number in range(9))
MOST_WRITTEN = 99  # more than any translation has
CHAPTERS = {
    "04": ("04-queries-keys-values.html", "chapter 04, Queries, keys and values"),
    "05": ("05-positions.html", "chapter 05, Positions"),
    "06": ("06-multi-head.html", "chapter 06, Many heads"),
    "07": ("07-masks.html", "chapter 07, Masks"),
    "08": ("08-encoder.html", "chapter 08, The encoder"),
    "10": ("", "this chapter"),
}
_MARGIN, _LINE, _LETTERS = 20, 20, 38  # of the still picture; as many letters fit one of its lines


class Stage(NamedTuple):
    """One matrix of a box: R rows of its own tokens, C keys; `limit` ends its colour scale."""

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
    Stage("weights", "weights", "R × C", "softmax of each row of the energies", _weights, "07", 1),
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
    Stage("probabilities", "probabilities", "R × V", "softmax of each row", greedy, "10", 1),
)


# `Any`: a chapter's folder imports nothing that loads models.
def packed(model: Any) -> tuple[str, str]:
    """All weights in half precision, as one base64 string, and a line for each: name and sizes.

    The output's matrix is left out: it is the target embedding's.
    """
    stored = [(name, one) for name, one in model.state_dict().items() if name != "output.weight"]
    data = b"".join(one.to(torch.float16).numpy().tobytes() for _, one in stored)
    return b64encode(data).decode(), "\n".join(
        " ".join(map(str, (name, *one.shape))) for name, one in stored
    )


class LiveTransformer(StillWidget):
    """A Transformer at work: translate word by word, open every box, switch parts off.

    The page computes by itself (`engine.js`). What the reader chose can be read back and set: the
    sentence (`text`), how many tokens are `written`, which matrix is `opened` (an attention's or
    network's name and a stage, "decoder.1.cross.weights"; None: no box is), what is changed: `off`
    (layers, "encoder.0", and heads, "encoder.0.self.3"), `rows` (the reader's own weights, by
    attention, head and row: "decoder.1.cross.0.4"), `positions` (a factor); `prediction` (one of
    `ANSWERS`; None before there is one), and `ask`: as long as it is True, the page asks.
    `still()` and `words()` show the unchanged model.

    Args:
        translator: the `Translator` "pocket".
        state: initial values of the names above, such as `ask=False`.

    Raises:
        traitlets.TraitError: a value of `state` is none that the model can take.
    """

    _esm, _css = front_end(__file__, "engine.js")

    heading = "A Transformer at work: English to Korean"
    text = traitlets.Unicode(SENTENCES[0], help="the sentence").tag(sync=True)
    written = traitlets.Int(STEP, min=0, max=MOST_WRITTEN, help="tokens, <eos> too").tag(sync=True)
    opened = traitlets.Unicode(None, allow_none=True, help="the matrix to see").tag(sync=True)
    off = traitlets.List(traitlets.Unicode(), help="layers and heads").tag(sync=True)
    rows = traitlets.Dict(help="weights of the reader's own").tag(sync=True)
    positions = Slider("Positions ×", FACTORS, 1.0)
    prediction = Question(LEGEND, ANSWERS)
    ask = traitlets.Bool(True, help="whether the answer waits for a prediction").tag(sync=True)
    shown = traitlets.Dict(help="weights, words and texts for the page").tag(sync=True)

    def __init__(self, translator: Any, **state: Any) -> None:
        self._translator, model = translator, translator.model
        heads, boxes = model.config.heads, _boxes(model)
        self._opened = [f"{name}{one.name}" for name, _, stages in boxes for one in stages]
        layers = [name[:-1] for name, _, _ in boxes if name.count(".") == 3]
        self._parts = {f"{layer}.{head}" for layer in layers for head in range(heads)}
        self._parts |= {layer.rsplit(".", 1)[0] for layer in layers}
        stages = list(dict.fromkeys(one for _, _, some in boxes for one in some))
        asked = translator.explain(SENTENCES[0])
        shares = asked.cross(ASKED)[STEP]  # S
        right = asked.source_tokens[shares.argmax()]
        weights, shapes = packed(model)
        shown = {
            "heading": self.heading,
            "sentences": SENTENCES,
            "longest": translator.longest_source,
            "source": " ".join(translator.source.tokens(range(model.source_vocab))),
            "target": _glossed(translator.target.tokens(range(model.target_vocab))),
            "weights": weights,
            "shapes": shapes,
            "heads": heads,
            "boxes": [(name, title, [*map(stages.index, some)]) for name, title, some in boxes],
            "stages": [
                (*one[:4], _place(one.code), CHAPTERS[one.chapter], one.limit) for one in stages
            ],
            "code": {_place(one.code): _code(one.code) for one in stages},
            "question": {"legend": LEGEND, "values": ANSWERS, "right": right},
            "asked": {"text": SENTENCES[0], "written": STEP, "opened": f"{ASKED}.weights"},
            "because": f"Of the weights, {right} gets {shares.max():.3f}, averaged over the heads.",
            "factors": FACTORS,
            "most": MOST_WRITTEN,
        }
        super().__init__(**state, shown=shown)

    @traitlets.validate("text")
    def _check_text(self, proposal: Any) -> str:
        try:
            tokens = self._translator.explain(proposal["value"]).source_tokens
        except ValueError as error:
            raise traitlets.TraitError(str(error)) from None
        return " ".join(tokens[:-1])

    @traitlets.validate("opened")
    def _check_opened(self, proposal: Any) -> str | None:
        check_trait("opened", proposal["value"], (None, *self._opened))
        return None if proposal["value"] is None else str(proposal["value"])

    @traitlets.validate("off")
    def _check_off(self, proposal: Any) -> list[str]:
        for part in proposal["value"]:
            check_trait("off", part, self._parts)
        return list(proposal["value"])

    def words(self) -> str:
        """The sentence, its translation, and where each word of it looked."""
        told = self._translator.explain(self.text)
        return f"{self.text}\n{told.translation}\n{told.as_text(ASKED)}"

    def still(self) -> str:
        """The sentence, its translation, and the map of the last cross-attention."""
        told = self._translator.explain(self.text)
        y, parts = 2 * _MARGIN, []
        for words, weight in ((self.text, 600), (told.translation, 600)):
            for line in wrap(words, _LETTERS):
                parts.append(text(_MARGIN, y, line, weight=weight))
                y += _LINE
        shares, step = told.cross(ASKED).tolist(), 17
        left = WIDTH + _MARGIN - step * len(told.source_tokens)
        y += 9 * max(map(len, told.source_tokens))
        for u, word in enumerate(told.source_tokens):
            parts.append(text(left + step * u + 14, y - 6, word, turn=-90))
        for label, row in zip(told.target_labels, shares, strict=True):
            parts.append(text(left - 6, y + 13, label.split(" “")[0], anchor="end"))
            for u, share in enumerate(row):
                parts.append(bar(left + step * u, y, step - 1, step - 1, NEUTRAL + "30"))
                side = (step - 1) * math.sqrt(share)
                corner = (step - 1 - side) / 2
                parts.append(bar(left + step * u + corner, y + corner, side, side, OUTPUT))
            y += step
        parts.append(text(_MARGIN, y + _LINE, "where decoder layer 2 looked", colour=QUIET))
        return card(WIDTH + 2 * _MARGIN, y + _LINE + _MARGIN, parts)

    def __repr__(self) -> str:
        return f"LiveTransformer(text={self.text!r}, written={self.written}, off={self.off!r})"


def _boxes(model: Any) -> list[tuple[str, str, tuple[Stage, ...]]]:
    """In the order of computation: what the names of a box's matrices begin with, title, stages."""
    boxes: list[tuple[str, str, tuple[Stage, ...]]] = [("source.", "words + positions", _INPUT)]
    for index in range(len(model.encoder.layers)):
        boxes.append((f"encoder.{index}.self.", "self-attention", _ATTENTION))
        boxes.append((f"encoder.{index}.network.", "feed-forward", _NETWORK))
    boxes += [("", "memory", _MEMORY), ("target.", "words + positions", _INPUT)]
    for index in range(len(model.decoder.layers)):
        boxes.append((f"decoder.{index}.self.", "self-attention", _ATTENTION))
        boxes.append((f"decoder.{index}.cross.", "cross-attention", _ATTENTION))
        boxes.append((f"decoder.{index}.network.", "feed-forward", _NETWORK))
    return [*boxes, ("", "output", _OUTPUT)]


def _glossed(tokens: list[str]) -> str:
    """A line for each token: Korean, how it sounds, what it means; the last two may be empty."""
    meanings = glossary()
    sounds = [romanise(token) if token in meanings else "" for token in tokens]
    lines = zip(tokens, sounds, (meanings.get(token, "") for token in tokens), strict=True)
    return "\n".join(map("\t".join, lines))


def _place(function: Callable[..., Any]) -> str:
    return f"{function.__module__.split('.')[-1]}.py, {function.__qualname__}"


def _code(function: Callable[..., Any]) -> str:
    """The lines of a function, without its docstring."""
    source = dedent(inspect.getsource(function))
    parsed = ast.parse(source).body[0]
    lines = source.splitlines()
    if isinstance(parsed, ast.FunctionDef) and ast.get_docstring(parsed):
        del lines[parsed.body[0].lineno - 1 : parsed.body[0].end_lineno]
    return "\n".join(lines)
