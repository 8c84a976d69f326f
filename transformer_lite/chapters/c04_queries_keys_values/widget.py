"""Chapter 04: one word asks, others answer; one attention step with the numbers of a model."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from transformer_lite.palette import KEY, NEUTRAL, OUTPUT, QUERY, VALUE
from transformer_lite.widgets.drawing import QUIET, Number, area, bar, decimal, label, text
from transformer_lite.widgets.frames import (
    Choice,
    Finding,
    Frame,
    FrameWidget,
    Layer,
    Menu,
    Picture,
    Question,
    Slider,
)

FORMS = ("self", "cross")
# Counted from 0. In the encoder's first layer, the head that looks from "wears" to a hat or shoes;
# in the decoder's last one, the head that agrees best with the gold links of the test sentences.
HEADS = {"self": 3, "cross": 2}
NO_WORD = "no word"
# In letters: what the picture has room for, of a word that answers and of the one that asks.
MOST_LETTERS, MOST_LETTERS_ASKING = 6, 26
# In pixels from the left: names, strips of keys, energies of 0, weights of 0, strips of values. A
# strip has a cell for each component; energies go to both sides.
_NAMES, _KEYS, _ZERO, _WEIGHTS, _VALUES = 5, 58, 152, 184, 243
_KEY, _ENERGY, _WEIGHT, _VALUE = 64, 25, 44, 96
_FAINT = "40"  # behind a colour: a quarter of its strength
# From the top: the query, the first row, how high a row is, and how high the largest components.
_QUERY, _TOP, _ROW, _TALLEST = 29, 60, 32, 15


@dataclass(frozen=True)
class LookUp:
    """One head of one attention: T tokens ask, S tokens answer.

    Attributes:
        asking, answering: T and S tokens, as a picture shows them.
        query, key, value: Float[T, K], Float[S, K] and Float[S, K], their vectors of width K.

    Raises:
        ValueError: the vectors do not fit the tokens or each other.
    """

    asking: Sequence[str]
    answering: Sequence[str]
    query: Tensor
    key: Tensor
    value: Tensor

    def __post_init__(self) -> None:
        shapes = [tuple(one.shape) for one in (self.query, self.key, self.value)]
        asked, answered, width = len(self.asking), len(self.answering), self.query.shape[-1:]
        if shapes != [(asked, *width), (answered, *width), (answered, *width)]:
            raise ValueError(
                f"query must have a row for each of {asked} tokens, key and value for each of "
                f"{answered}, all of one width, but their shapes are {shapes}"
            )

    @property
    def energies(self) -> Tensor:
        """Float[T, S]: how well each query fits each key, q · k / √K."""
        return self.query @ self.key.T / math.sqrt(self.key.shape[1])

    @property
    def weights(self) -> Tensor:
        """Float[T, S]: the softmax of the energies, whose rows sum to 1."""
        return self.energies.softmax(1)

    @property
    def outputs(self) -> Tensor:
        """Float[T, K]: for each token that asks, the values blended by its weights."""
        return self.weights @ self.value


# `Any`: a chapter's folder imports nothing that loads models.
@torch.no_grad()
def look_ups(translator: Any, text: str) -> dict[str, LookUp]:
    """What one head of a model makes of a sentence, in both forms.

    In "self", of the encoder's first layer, the sentence asks itself. In "cross", of the decoder's
    second layer, its translation asks: each token just before it is written.

    Args:
        translator: a `Translator` of a Transformer that has two layers and four heads.
        text: one sentence.

    Raises:
        ValueError: as for `Translator.explain`.
    """
    model = translator.model
    inputs: dict[str, tuple[Tensor, ...]] = {}
    attentions = {
        "self": model.encoder.layers[0].self_attention,
        "cross": model.decoder.layers[1].cross_attention,
    }

    def record(form: str, attention: object, given: tuple[Tensor, ...]) -> None:
        inputs[form] = given[:2]

    hooks = [
        one.register_forward_pre_hook(partial(record, form)) for form, one in attentions.items()
    ]
    try:
        explanation = translator.explain(text)  # its last pass is over the whole translation
    finally:
        for hook in hooks:
            hook.remove()
    asking = {"self": explanation.source_tokens, "cross": explanation.target_labels}
    found = {}
    for form, attention in attentions.items():
        targets, sources = inputs[form]  # 1 T D, 1 S D
        projected = attention.query(targets), attention.key(sources), attention.value(sources)
        vectors = [attention.split(one)[0, HEADS[form]] for one in projected]  # T K, S K, S K
        found[form] = LookUp(asking[form], explanation.source_tokens, *vectors)
    return found


class AttentionStep(FrameWidget):
    """Predict, then see, what one word finds when it asks: energies, weights and a blend of values.

    Nothing is computed by a model here. What the reader chose can be read back and set: `sentence`,
    `form` ("self" or "cross"), `query` (the place of the word that asks, from 1; past the last one
    the last is shown), `prediction` (a token that answers, or `NO_WORD`; None before there is one),
    and `ask` (hide the answer).

    Args:
        look_ups: for at least one sentence what `look_ups` returns.
        state: initial values of the names above, such as `query=2`.

    Raises:
        ValueError: `look_ups` is empty, or a sentence lacks one of the forms.
        traitlets.TraitError: a value of `state` is outside its range.
    """

    heading = "One attention step: a query, keys and values"
    sentence: str
    form: str
    query: int
    prediction: str | None

    def __init__(self, look_ups: Mapping[str, Mapping[str, LookUp]], **state: Any) -> None:
        if not look_ups or any(set(forms) != set(FORMS) for forms in look_ups.values()):
            raise ValueError(
                "look_ups must hold at least one sentence, each with a LookUp for 'self' and one "
                f"for 'cross', but it is {look_ups!r:.60}; look_ups() makes them"
            )
        self._drawings = {}
        for form in FORMS:
            alike = {sentence: forms[form] for sentence, forms in look_ups.items()}
            scale = _Scale.of(alike.values())
            for sentence, one in alike.items():
                self._drawings[sentence, form] = _Drawing(one, form, scale)
        drawings, sentences = self._drawings.values(), list(look_ups)
        words = dict.fromkeys(word for one in drawings for word in one.answers)
        longest = max(one.queries for one in drawings)
        self.add_traits(
            sentence=Menu("Sentence", sentences, sentences[0]),
            form=Choice("Attention", FORMS, "self"),
            query=Slider("The word that asks", range(1, longest + 1), 1),
            prediction=Question("Predict: who gets more than half?", (*words, NO_WORD)),
        )
        super().__init__(**state)

    def offered(self) -> dict[str, Callable[..., tuple[Any, ...]]]:
        """The words that can ask, and those that answer, in the order of the sentence."""
        drawings = self._drawings
        return {
            "query": lambda sentence, form: (*range(1, drawings[sentence, form].queries + 1),),
            "prediction": lambda sentence, form: (*drawings[sentence, form].answers, NO_WORD),
        }

    def pictures(self) -> list[Picture]:
        """A row for each word that answers, from its key to its value; the output below."""
        drawings = self._drawings

        def asked(draw: Callable[["_Drawing", int], Frame], ask: bool | None = None) -> Layer:
            return Layer(lambda sentence, form, query: draw(*self._at(sentence, form, query)), ask)

        layers = [
            Layer(lambda sentence, form: drawings[sentence, form].axes()),
            Layer(lambda sentence, form: drawings[sentence, form].keys()),
            Layer(lambda sentence, form: drawings[sentence, form].values()),
            asked(_Drawing.query),
            asked(_Drawing.energies, False),
            asked(_Drawing.weights, False),
            asked(_Drawing.output, False),
            Layer(_covered, True),
        ]
        return [Picture(max(one.bottom for one in drawings.values()) + 40, layers)]

    def finding(self, sentence: str, form: str, query: int) -> Finding:
        """Who has the largest weight, and whether that is more than half."""
        drawing, place = self._at(sentence, form, query)
        weights = drawing.look_up.weights[place].tolist()
        most = round(max(weights), 2)  # as it is shown
        word = drawing.answers[weights.index(max(weights))]
        return Finding(
            f"{drawing.asking(place)} asks. The largest weight is that of {word}: {most:.2f} of "
            "its value goes into the output.",
            word if most > 0.5 else NO_WORD,
        )

    def _at(self, sentence: str, form: str, query: int) -> tuple["_Drawing", int]:
        drawing = self._drawings[sentence, form]
        return drawing, min(query, drawing.queries) - 1


@dataclass(frozen=True)
class _Scale:
    """Where axes end: those of queries and keys, of energies, of values and outputs."""

    fit: float
    energy: int
    value: float

    @classmethod
    def of(cls, look_ups: Iterable[LookUp]) -> "_Scale":
        """The same for all look-ups, so that they can be compared."""
        ends = [
            [_largest(one.query, one.key), _largest(one.energies), _largest(one.value)]
            for one in look_ups
        ]
        fit, energy, value = map(max, zip(*ends, strict=True))
        return cls(fit, math.ceil(energy), value)


class _Drawing:
    """A look-up in pictures."""

    def __init__(self, look_up: LookUp, form: str, scale: _Scale) -> None:
        self.look_up, self.form, self.scale = look_up, form, scale
        self.queries, self.answers = len(look_up.asking), _distinct(look_up.answering)
        self.middles = [_TOP + _ROW * place + _ROW // 2 for place in range(len(self.answers))]
        self.bottom = _TOP + _ROW * len(self.answers)

    def asking(self, place: int) -> str:
        """The word that asks."""
        return label(self.look_up.asking[place], MOST_LETTERS_ASKING)

    def keys(self) -> Frame:
        """Who answers, and by which keys: the same whoever asks."""
        strips = [
            _strip(_KEYS, _KEY, middle, key, self.scale.fit)
            for middle, key in zip(self.middles, self.look_up.key.tolist(), strict=True)
        ]
        names = [
            text(_NAMES, middle + 5, word)
            for middle, word in zip(self.middles, self.answers, strict=True)
        ]
        return Frame(f"answering: {', '.join(self.answers)}", _joined(strips, KEY) + "".join(names))

    def values(self) -> Frame:
        """The values, of which the output takes a part: the same whoever asks."""
        strips = [
            _strip(_VALUES, _VALUE, middle, value, self.scale.value)
            for middle, value in zip(self.middles, self.look_up.value.tolist(), strict=True)
        ]
        shapes = "".join(area(one, VALUE + _FAINT) for one in strips)
        return Frame("", f"<g stroke='{VALUE}' stroke-width='1.5'>{shapes}</g>")

    def query(self, place: int) -> Frame:
        """Who asks, and by which query; a mark where the same word is among those that answer."""
        word, query = self.asking(place), self.look_up.query[place].tolist()
        drawn = _joined([_strip(_KEYS, _KEY, _QUERY, query, self.scale.fit)], QUERY)
        if self.form == "self":
            drawn += bar(0, self.middles[place] - _TALLEST, 3, 2 * _TALLEST, QUERY)
        return Frame(f"asking: {word}", text(_NAMES, 13, word, weight=600) + drawn)

    def energies(self, place: int) -> Frame:
        """How well the query fits each key."""
        energies = self.look_up.energies[place].tolist()
        numbers = [decimal(energy, 1) for energy in energies]
        unit = _ENERGY / self.scale.energy
        shown = self._bars(_ZERO, [unit * energy for energy in energies], QUERY)
        shown += self._written(_ZERO - 18, numbers)
        return Frame(f"energies: {self._spoken(numbers)}", shown)

    def weights(self, place: int) -> Frame:
        """How the softmax shares out 1."""
        weights = self.look_up.weights[place].tolist()
        numbers = [decimal(weight, 2) for weight in weights]
        shown = self._bars(_WEIGHTS, [_WEIGHT * weight for weight in weights], OUTPUT)
        shown += self._written(_WEIGHTS, numbers)
        return Frame(f"weights: {self._spoken(numbers)}", shown)

    def output(self, place: int) -> Frame:
        """The part of each value that its weight takes, and their sum."""
        look_up = self.look_up
        taken = look_up.weights[place, :, None] * look_up.value  # S K
        output = look_up.outputs[place].tolist()
        strips = [
            _strip(_VALUES, _VALUE, middle, part, self.scale.value)
            for middle, part in zip(
                [*self.middles, self.bottom + 20], [*taken.tolist(), output], strict=True
            )
        ]
        return Frame("output: the values, each times its weight, added up", _joined(strips, OUTPUT))

    def axes(self) -> Frame:
        """Titles, and axes with their ends."""
        end, low, high = self.scale.energy, _TOP - 6, self.bottom + 14
        asks = "asks with this query" if self.form == "self" else "asks, before it is written"
        parts = [
            text(_KEYS + _KEY + 8, _QUERY + 5, asks, colour=QUIET),
            text(_KEYS, low, "key", colour=QUIET),
            text(_ZERO, low, "energy", "middle", colour=QUIET),
            text(_WEIGHTS, low, "weight", colour=QUIET),
            text(_VALUES, low, "value", colour=QUIET),
            text(_ZERO - _ENERGY - 6, high, f"−{end}", colour=QUIET),
            text(_ZERO + _ENERGY, high, str(end), "end", colour=QUIET),
            text(_WEIGHTS, high, "0", colour=QUIET),
            text(_WEIGHTS + _WEIGHT, high, "1", "end", colour=QUIET),
            text(_VALUES - 8, high + 20, "output", "end", colour=QUIET),
            self._tracks(_ZERO - 1, -_ENERGY),
            self._tracks(_ZERO + 1, _ENERGY),
            self._tracks(_WEIGHTS, _WEIGHT),
        ]
        return Frame("", "".join(parts))

    def _tracks(self, start: int, length: int) -> str:
        """What bars fill."""
        return self._bars(start, [length] * len(self.middles), NEUTRAL + _FAINT)

    def _bars(self, start: int, lengths: Iterable[float], colour: str) -> str:
        """A bar in each row, to the right of `start` or, below 0, to its left."""
        ends = [start + round(length) for length in lengths]
        boxes = [
            [(start, y + 3), (end, y + 3), (end, y + 13), (start, y + 13)]
            for y, end in zip(self.middles, ends, strict=True)
        ]
        return _joined(boxes, colour)

    def _written(self, x: Number, numbers: Iterable[str]) -> str:
        return "".join(text(x, y - 1, one) for y, one in zip(self.middles, numbers, strict=True))

    def _spoken(self, numbers: Iterable[str]) -> str:
        return ", ".join(f"{word} {n}" for word, n in zip(self.answers, numbers, strict=True))


def _strip(
    x: int, width: int, y: int, numbers: Sequence[float], largest: float
) -> list[tuple[Number, Number]]:
    """A vector as a skyline around the height y, with a cell for each of its components."""
    points: list[tuple[Number, Number]] = [(x, y)]
    cell, now = width / len(numbers), y
    for place, number in enumerate(numbers):
        height = y - round(_TALLEST * number / largest)
        if height != now:
            points += [(x + cell * place, now), (x + cell * place, height)]
        now = height
    return [*points, (x + width, now), (x + width, y), (x, y)] if len(points) > 1 else []


def _joined(shapes: Iterable[Sequence[tuple[Number, Number]]], colour: str) -> str:
    """Shapes that begin at the same x and return to it, as one: what joins them has no width."""
    return area([point for shape in shapes for point in shape], colour)


def _largest(*vectors: Tensor) -> float:
    return max(float(one.abs().max()) for one in vectors)


def _distinct(tokens: Sequence[str]) -> list[str]:
    """The tokens as the picture shows them; one that occurs again has its place behind it."""
    shown = [label(token, MOST_LETTERS) for token in tokens]
    return [
        word if shown.count(word) == 1 else f"{word} {place}"
        for place, word in enumerate(shown, start=1)
    ]


def _covered() -> Frame:
    covered = [
        text(_ZERO - _ENERGY, _TOP + 16 + row * _ROW, words, colour=QUIET)
        for row, words in enumerate(("covered until", "you predict"))
    ]
    return Frame("energies, weights and output: covered", "".join(covered))
