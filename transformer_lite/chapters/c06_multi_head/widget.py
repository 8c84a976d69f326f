"""Chapter 06: where each head of a model looks, and what it translates without one of them."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import accumulate, cycle, groupby
from typing import Any

from torch import Tensor

from transformer_lite.attention import MultiHeadAttention
from transformer_lite.data import target_labels
from transformer_lite.palette import NEUTRAL, OUTPUT
from transformer_lite.widgets.drawing import (
    CARD,
    INK,
    QUIET,
    Number,
    area,
    bar,
    decimal,
    label,
    line,
    text,
)
from transformer_lite.widgets.frames import (
    WIDTH,
    Finding,
    Frame,
    FrameWidget,
    Layer,
    Menu,
    Picture,
    Question,
    Slider,
)

ATTENTIONS = {  # as readers count layers, and as an `AttentionRecord` does
    "encoder 1": "encoder.0.self",
    "encoder 2": "encoder.1.self",
    "cross 1": "decoder.0.cross",
    "cross 2": "decoder.1.cross",
}
HEADS = range(1, 5)
SAME, OTHER = "same", "other"
# In letters: what a row and a column have room for.
_MOST_ASKING, _MOST_ANSWERING, _MOST_WRITTEN = 16, 8, 6
# In pixels. The large map: its left edge and top, extent, largest cells, where numbers begin.
_LEFT, _TOP, _ACROSS, _DOWN, _CELL, _NUMBERS = 120, 60, 120, 170, 20, 244
# The small maps: from the left, from the top, how large each is, and from one to the next.
_SMALL, _FIRST, _SIDE, _STEP = 298, 28, 38, 51
# The two translations: their baselines, where they begin, and the pitch of Hangul at 15 pixels.
_ALL, _WITHOUT, _BEGIN, _PITCH, _SPACE = 266, 296, 80, 15, 6
# A cell of a map in units of its own, few digits: the large ones and the small ones.
_FINE, _COARSE = 9, 3
_FAINT = "40"  # behind a colour: a quarter of its strength


@dataclass(frozen=True)
class HeadView:
    """The H heads of one attention, for one sentence: T tokens ask, S tokens answer.

    Attributes:
        asking, answering: T and S tokens; Korean ones as `target_labels` has them.
        weights: Float[H, T, S], the attention map of each head.
        translation: what the model writes, token by token, labelled likewise.
        without: H translations, the one at h written with head h switched off.

    Raises:
        ValueError: the maps do not fit the tokens or the number of translations.
    """

    asking: Sequence[str]
    answering: Sequence[str]
    weights: Tensor
    translation: Sequence[str]
    without: Sequence[Sequence[str]]

    def __post_init__(self) -> None:
        must = len(self.without), len(self.asking), len(self.answering)
        if self.weights.shape != must:
            raise ValueError(
                f"weights must have a map for each translation without a head, a row for each "
                f"token that asks and a column for each that answers, {must}, but its shape is "
                f"{tuple(self.weights.shape)}"
            )


@contextmanager
def head_off(attention: MultiHeadAttention, head: int) -> Iterator[None]:
    """Switch one head off for a while: nothing of its output, Float[B, T, K], is handed on.

    Its columns of the output matrix are 0 meanwhile. Heads are counted from 0.
    """
    weight = attention.output.weight.data  # D D; its columns are H heads of width K
    columns = weight.view(len(weight), attention.heads, -1)[:, head]  # D K, a view
    kept = columns.clone()
    try:
        columns.zero_()
        yield
    finally:
        columns.copy_(kept)


# `Any`: a chapter's folder imports nothing that loads models.
def head_views(translator: Any, text: str) -> dict[str, HeadView]:
    """Where the heads of four attentions look, and what is written without each of them.

    Args:
        translator: a `Translator` of a Transformer with two layers.
        text: one sentence.

    Returns:
        By the names of `ATTENTIONS`, H heads each. In an encoder the S tokens of the sentence ask
        themselves; in a cross-attention each of T tokens asks just before it is written.

    Raises:
        ValueError: as for `Translator.explain`.
    """
    explanation, model = translator.explain(text), translator.model

    def write() -> list[str]:
        return target_labels(translator.task["name"], translator(text).split())

    translation, views = write(), {}
    for name, recorded in ATTENTIONS.items():
        stack, layer, kind = recorded.split(".")
        attention = getattr(getattr(model, stack).layers[int(layer)], f"{kind}_attention")
        without = []
        for head in range(attention.heads):
            with head_off(attention, head):
                without.append(write())
        views[name] = HeadView(
            explanation.source_tokens if kind == "self" else explanation.target_labels,
            explanation.source_tokens,
            explanation.maps[recorded],
            translation,
            without,
        )
    return views


class HeadExplorer(FrameWidget):
    """Predict, then see, whether a model translates as before with one of its heads switched off.

    Nothing is computed by a model here. What the reader chose can be read back and set: `sentence`,
    `attention` (one of `ATTENTIONS`), `head` (from 1), `prediction` ("same" or "other"; None
    before there is one), and `ask` (hide the answer).

    Args:
        views: for at least one sentence what `head_views` returns for a model with four heads.
        state: initial values of the names above, such as `head=2`.

    Raises:
        ValueError: `views` is empty, or a sentence lacks an attention or a head.
        traitlets.TraitError: a value of `state` is outside its range.
    """

    heading = "Four heads, and the translation without one of them"
    sentence: str
    attention: str
    head: int
    prediction = Question(
        "Predict: with this head switched off, is the translation the same?", (SAME, OTHER)
    )

    def __init__(self, views: Mapping[str, Mapping[str, HeadView]], **state: Any) -> None:
        complete = [
            {name: len(view.without) for name, view in by_name.items()}
            == dict.fromkeys(ATTENTIONS, len(HEADS))
            for by_name in views.values()
        ]
        if not complete or not all(complete):
            raise ValueError(
                f"views must hold at least one sentence, each with {len(HEADS)} heads of "
                f"{', '.join(ATTENTIONS)}, but it is {views!r:.60}; head_views() makes them"
            )
        self._maps = {
            (sentence, name): _Map(view)
            for sentence, by_name in views.items()
            for name, view in by_name.items()
        }
        sentences = list(views)
        self.add_traits(
            sentence=Menu("Sentence", sentences, sentences[0]),
            attention=Menu("Attention", [*ATTENTIONS], "cross 2"),
            head=Slider("Head", [*HEADS], 3),
        )
        super().__init__(**state)

    def pictures(self) -> list[Picture]:
        """The map of the head beside those of all four; the two translations below."""
        maps = self._maps
        layers = [
            Layer(lambda sentence, attention: maps[sentence, attention].names()),
            Layer(lambda sentence, attention, head: maps[sentence, attention].large(head)),
            Layer(lambda sentence, attention: maps[sentence, attention].cells()),
            Layer(lambda sentence, attention: maps[sentence, attention].small()),
            Layer(_frames),
            Layer(_chosen),
            Layer(lambda sentence: maps[sentence, "cross 1"].written()),
            Layer(lambda sentence, attention, head: maps[sentence, attention].less(head), False),
            Layer(_covered, True),
        ]
        return [Picture(_WITHOUT + 8, layers)]

    def finding(self, sentence: str, attention: str, head: int) -> Finding:
        """What the translation loses and gains without the head, and where the head looks most."""
        here = self._maps[sentence, attention]
        lost, gained = here.changes(head)
        parts = [
            f"{verb} {', '.join(words)}"
            for verb, words in (("loses", lost), ("gains", gained))
            if words
        ]
        word, share = here.most(head)
        return Finding(
            f"Without head {head} of {attention} the translation "
            f"{' and '.join(parts) or 'stays the same'}. On average over its rows the head gives "
            f"most to “{word}”: {decimal(share, 2)}.",
            OTHER if parts else SAME,
        )


class _Map:
    """The heads of one attention in pictures; heads are counted from 1."""

    def __init__(self, view: HeadView) -> None:
        self.view = view
        self.answers = _distinct(view.answering)
        rows, columns = len(view.asking), len(view.answering)
        self.high, self.wide = min(_CELL, _DOWN // rows), min(_CELL, _ACROSS // columns)
        self.bottom = _TOP + rows * self.high

    def changes(self, head: int) -> tuple[list[str], list[str]]:
        """The labels that are written with all heads only, and without this one only."""
        before, after = self.view.translation, self.view.without[head - 1]
        steps = SequenceMatcher(None, before, after).get_opcodes()
        changed = [places for kind, *places in steps if kind != "equal"]
        return (
            [label(one) for start, end, *_ in changed for one in before[start:end]],
            [label(one) for *_, start, end in changed for one in after[start:end]],
        )

    def most(self, head: int) -> tuple[str, float]:
        """The token that gets most from the rows of a head, and how much of each on average."""
        share, place = self.view.weights[head - 1].mean(0).max(0)
        return self.answers[int(place)], float(share)

    def names(self) -> Frame:
        """Who asks and who answers."""
        parts = [
            text(_LEFT - 6, 14, "answers →", "end", colour=QUIET),
            text(0, _TOP - 8, "asks ↓", colour=QUIET),
            text(_NUMBERS + 33, self.bottom + 15, "largest", "end", colour=QUIET),
            bar(_LEFT, _TOP, self.wide * len(self.answers), self.bottom - _TOP, NEUTRAL + _FAINT),
        ]
        for row, token in enumerate(self.view.asking):
            parts.append(text(0, self._baseline(row), label(_short(token), _MOST_ASKING)))
        for column, token in enumerate(self.answers):
            x = _LEFT + self.wide * column + self.wide // 2
            parts.append(text(x + 4, _TOP - 5, token, turn=-70))
        asking = ", ".join(label(one) for one in self.view.asking)
        return Frame(f"asking: {asking}; answering: {', '.join(self.answers)}", "".join(parts))

    def _baseline(self, row: int) -> Number:
        return _TOP + self.high * row + self.high // 2 + 5

    def large(self, head: int) -> Frame:
        """How full each cell is, and the largest weight of each row."""
        most, places = self.view.weights[head - 1].max(1)
        parts, words = [self._filled(head, _LEFT, _TOP, self.wide, self.high, _FINE)], []
        for row, (weight, place) in enumerate(zip(most.tolist(), places.tolist(), strict=True)):
            number = decimal(weight, 2)
            parts.append(text(_NUMBERS, self._baseline(row), number))
            words.append(f"{self.answers[place]} {number}")
        return Frame(f"head {head}, largest of each row: {', '.join(words)}", "".join(parts))

    def cells(self) -> Frame:
        """What keeps cells apart."""
        right = _LEFT + self.wide * len(self.answers)
        columns = _zigzag(range(_LEFT + self.wide, right, self.wide), _TOP - 2, self.bottom + 2)
        rows = _zigzag(range(_TOP + self.high, self.bottom, self.high), _LEFT - 2, right + 2)
        svg = line(columns, CARD, 2) + line([(x, y) for y, x in rows], CARD, 2)
        return Frame("", svg)

    def small(self) -> Frame:
        """The maps of all heads, in thirds, below each other."""
        wide, high = _SIDE / len(self.answers), _SIDE / len(self.view.asking)
        maps = [self._filled(head, _SMALL, _top(head), wide, high, _COARSE) for head in HEADS]
        most = [f"{head} {self.most(head)[0]}" for head in HEADS]
        return Frame(f"heads give most to: {', '.join(most)}", "".join(maps))

    def written(self) -> Frame:
        """The translation with all heads."""
        tokens = self.view.translation
        return Frame(
            f"all heads: {' '.join(map(_token, tokens))}",
            text(0, _ALL, "all heads", colour=QUIET) + _sentence(tokens, _starts(tokens), _ALL),
        )

    def less(self, head: int) -> Frame:
        """The translation without a head, below the other; a line below each token that changed."""
        before, after = self.view.translation, self.view.without[head - 1]
        above, below, x = _starts(before), list[int](), _BEGIN
        parts = [text(0, _WITHOUT, f"without {head}", colour=QUIET)]
        for kind, old, end, new, stop in SequenceMatcher(None, before, after).get_opcodes():
            if old < len(before):  # below what it stands for, or behind what came before
                x = max(x, above[old])
            below += [x + start - _BEGIN for start in _starts(after[new:stop])]
            x = below[-1] + _extent(after[stop - 1]) if stop > new else x
            if kind != "equal":
                parts += _marks(before[old:end], above[old:end], _ALL)
                parts += _marks(after[new:stop], below[new:stop], _WITHOUT)
        said = "the same" if before == after else " ".join(map(_token, after))
        svg = "".join(parts) + _sentence(after, below, _WITHOUT)
        return Frame(f"without head {head}: {said}", svg)

    def _filled(
        self, head: int, x: Number, y: Number, wide: Number, high: Number, unit: int
    ) -> str:
        """The map of a head from x, y on, each cell filled from below as far as its weight.

        It is one shape: rows begin on the left and return there along their ground, so that what
        joins them has no width.
        """
        points: list[tuple[Number, Number]] = []
        for row, weights in enumerate(self.view.weights[head - 1].tolist()):
            now = ground = unit * (row + 1)
            points.append((0, ground))
            for column, weight in enumerate([*weights, 0.0]):
                top = ground - round(unit * weight)
                if top != now:
                    points += [(unit * column, now), (unit * column, top)]
                now = top
            points.append((0, ground))
        path = [point for point, _ in groupby(points)]
        scaled = f"translate({x} {y}) scale({wide / unit:.3g} {high / unit:.3g})"
        return f"<g transform='{scaled}'>{area(path, OUTPUT)}</g>"


def _zigzag(places: Iterable[int], low: int, high: int) -> list[tuple[int, int]]:
    """From low to high at the first place, back at the next: one line for all."""
    ends = cycle([(low, high), (high, low)])
    return [(place, end) for place, both in zip(places, ends, strict=False) for end in both]


def _short(token: str) -> str:
    """A label without its romanisation and what stands in brackets: rows have no room for them."""
    return re.sub(r" \S+ “(.*?)( \(.*\))?”$", r" \1", token)


def _token(labelled: str) -> str:
    return label(labelled.split(" ")[0], _MOST_WRITTEN)


def _extent(labelled: str) -> int:
    return _PITCH * len(_token(labelled)) + _SPACE


def _starts(labels: Sequence[str]) -> list[int]:
    """Where each token of a translation begins."""
    return [*accumulate(map(_extent, labels), initial=_BEGIN)][: len(labels)]


def _sentence(labels: Sequence[str], starts: Sequence[int], y: Number) -> str:
    """Tokens at their places, as far as the picture goes: each letter has a place of its own."""
    letters = [
        (start + _PITCH * place, letter)
        for one, start in zip(labels, starts, strict=True)
        if start + _extent(one) <= WIDTH + _SPACE
        for place, letter in enumerate(_token(one))
    ]
    return text([x for x, _ in letters], y, "".join(letter for _, letter in letters))


def _marks(labels: Sequence[str], starts: Sequence[int], y: Number) -> list[str]:
    return [
        bar(start, y + 4, _extent(one) - _SPACE, 2.5, INK)
        for one, start in zip(labels, starts, strict=True)
        if start + _extent(one) <= WIDTH + _SPACE
    ]


def _distinct(tokens: Sequence[str]) -> list[str]:
    """The tokens as the picture shows them; one that occurs again has its place behind it."""
    shown = [label(token, _MOST_ANSWERING) for token in tokens]
    return [
        word if shown.count(word) == 1 else f"{word} {place}"
        for place, word in enumerate(shown, start=1)
    ]


def _top(head: int) -> int:
    return _FIRST + _STEP * (head - 1)


def _frames() -> Frame:
    """What the small maps fill."""
    parts = [text(WIDTH, 14, "heads", "end", colour=QUIET)]
    for head in HEADS:
        parts.append(text(_SMALL - 17, _top(head) + _SIDE // 2 + 5, str(head)))
        parts.append(bar(_SMALL, _top(head), _SIDE, _SIDE, NEUTRAL + _FAINT))
    return Frame("", "".join(parts))


def _chosen(head: int) -> Frame:
    """A frame around one of the small maps."""
    left, top = _SMALL - 3, _top(head) - 3
    right, bottom = left + _SIDE + 6, top + _SIDE + 6
    corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top - 1)]
    return Frame("", line(corners, INK, 2))


def _covered() -> Frame:
    words = text(0, _WITHOUT, "without it: covered until you predict", colour=QUIET)
    return Frame("without this head: covered until you predict", words)
