"""Chapter 06: where each head of a model looks, and what it translates without that head."""

from collections.abc import Iterable, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any

from transformer_lite.chapters.c06_multi_head.ablation import (
    PARTICLES,
    ROLES,
    SHOWN,
    HeadView,
    Word,
)
from transformer_lite.palette import NEUTRAL, OUTPUT
from transformer_lite.widgets.drawing import CARD, INK, QUIET, area, bar, bars, label, text
from transformer_lite.widgets.frames import (
    WIDTH,
    Choice,
    Finding,
    Frame,
    FrameWidget,
    Layer,
    Menu,
    Picture,
    Question,
)

ALL = "all"
HEADS = (1, 2, 3, 4, ALL)
SAME, OTHER = "same", "other"
# In letters: what a row, a column, a token of a translation and its English have room for.
_MOST_ASKING, _MOST_ANSWERING, _MOST_WRITTEN, _MOST_ENGLISH = 13, 7, 6, 39
# In pixels. The map: its left edge and top, extent, and largest cells.
_LEFT, _TOP, _ACROSS, _DOWN, _CELL, _AIR = 124, 66, 200, 160, 20, 2
# The two translations: their baselines, that of the English below each, and the pitch of Hangul.
_ALL, _WITHOUT, _BELOW, _PITCH, _SPACE, _ROOM = 250, 294, 18, 14, 5, 256
_FAINT = "40"  # behind a colour: a quarter of its strength


class HeadExplorer(FrameWidget):
    """Predict, then see, whether a model translates as before with one of its heads switched off.

    Nothing is computed by a model here. What the reader chose can be read back and set: `sentence`
    (at first the last one), `attention` (one of `SHOWN`), `head` (from 1, or "all"), `prediction`
    ("same" or "other"; None before there is one), and `ask` (hide the answer).

    Args:
        views: for at least one sentence what `head_views` returns for a model with four heads.
        state: initial values of the names above, such as `head=3`.

    Raises:
        ValueError: `views` is empty, or a sentence lacks an attention or a head.
        traitlets.TraitError: a value of `state` is outside its range.
    """

    heading = "Four heads, and the translation without one of them"
    sentence: str
    attention = Menu("Attention", [*SHOWN], "cross 2")
    head = Choice("Head", HEADS, 2)
    prediction = Question(
        "Predict: with this switched off, is the translation the same?", (SAME, OTHER)
    )

    def __init__(self, views: Mapping[str, Mapping[str, HeadView]], **state: Any) -> None:
        complete = [
            {name: len(view.weights) for name, view in by_name.items()}
            == dict.fromkeys(SHOWN, len(HEADS) - 1)
            for by_name in views.values()
        ]
        if not complete or not all(complete):
            raise ValueError(
                f"views must hold at least one sentence, each with {len(HEADS) - 1} heads of "
                f"{', '.join(SHOWN)}, but it is {views!r:.60}; head_views() makes them"
            )
        self._maps = {
            (sentence, name): _Map(view)
            for sentence, by_name in views.items()
            for name, view in by_name.items()
        }
        self.add_traits(sentence=Menu("Sentence", [*views], [*views][-1]))
        super().__init__(**state)

    def pictures(self) -> list[Picture]:
        """The map of the head; the two translations below."""
        maps = self._maps
        layers = [
            Layer(_title),
            Layer(lambda sentence, attention: maps[sentence, attention].names()),
            Layer(lambda sentence, attention, head: maps[sentence, attention].looks(head)),
            Layer(lambda sentence: maps[sentence, "cross 2"].written()),
            Layer(_covered, True),
            Layer(_uncovered, False),
            Layer(lambda sentence, attention, head: maps[sentence, attention].less(head), False),
        ]
        return [Picture(_WITHOUT + _BELOW + 6, layers)]

    def finding(self, sentence: str, attention: str, head: int | str) -> Finding:
        """What the translation loses and gains without the head."""
        here = self._maps[sentence, attention]
        parts = [
            f"{verb} {', '.join(f'“{label(words[place].english)}”' for place in places)}"
            for verb, words, places in zip(
                ("loses", "gains"),
                (here.view.translation, here.without[head]),
                here.changes(head),
                strict=True,
            )
            if places
        ]
        return Finding(
            f"Without {_name(head)} of {attention} the translation "
            f"{' and '.join(parts) or 'stays the same'}.",
            OTHER if parts else SAME,
        )


class _Map:
    """The heads of one attention in pictures."""

    def __init__(self, view: HeadView) -> None:
        self.view = view
        self.wide = min(_CELL, _ACROSS // len(view.answering))
        self.high = min(_CELL, _DOWN // len(view.asking))
        self.without = dict(zip(HEADS, view.without, strict=True))
        self.weights = dict(zip(HEADS, [*view.weights, view.weights.mean(0)], strict=True))

    def changes(self, head: int | str) -> tuple[list[int], list[int]]:
        """The places of what is written with all heads only, and without this one only."""
        lost, gained = list[int](), list[int]()
        steps = SequenceMatcher(None, self.view.translation, self.without[head]).get_opcodes()
        for kind, old, end, new, stop in steps:
            if kind != "equal":
                lost += range(old, end)
                gained += range(new, stop)
        return lost, gained

    def names(self) -> Frame:
        """Who asks, who answers, and how full a cell can be."""
        asking = [label(one, _MOST_ASKING) for one in self.view.asking]
        answering, wide, high = _distinct(self.view.answering), self.wide, self.high
        strips = [high * len(asking)] * len(answering)
        parts = [
            bars(_LEFT, _TOP + high * len(asking), wide, wide - _AIR, strips, NEUTRAL + _FAINT),
            text(_LEFT - 6, _TOP - 26, "answers →", "end", colour=QUIET),
            text(0, _TOP - 6, "asks ↓", colour=QUIET),
        ]
        for row, token in enumerate(asking):
            y = _TOP + high * row
            parts.append(bar(_LEFT, y, wide * len(answering), _AIR, CARD))
            parts.append(text(0, y + high // 2 + 6, token))
        for column, token in enumerate(answering):
            x = _LEFT + wide * column + wide // 2
            parts.append(text(x + 4, _TOP - 5, token, turn=-70))
        words = f"asking: {', '.join(asking)}; answering: {', '.join(answering)}"
        return Frame(words, "".join(parts))

    def looks(self, head: int | str) -> Frame:
        """Each cell as full as its weight is large."""
        weights, answering = self.weights[head], _distinct(self.view.answering)
        most, places = weights.max(1)
        words = [
            f"{answering[place]} {weight:.2f}"
            for weight, place in zip(most.tolist(), places.tolist(), strict=True)
        ]
        return Frame(f"largest of each row: {', '.join(words)}", self._filled(weights.tolist()))

    def written(self) -> Frame:
        """The translation with all heads."""
        tag = text(WIDTH - 2, _ALL, "all heads", "end", colour=QUIET)
        words, svg = _sentence(self.view.translation, _ALL)
        return Frame(f"all heads: {words}", tag + svg)

    def less(self, head: int | str) -> Frame:
        """The translation without a head; in both a line below each token that changed."""
        lost, gained = self.changes(head)
        words, svg = _sentence(self.without[head], _WITHOUT)
        marks = _marks(self.view.translation, lost, _ALL)
        return Frame(words, svg + marks + _marks(self.without[head], gained, _WITHOUT))

    def _filled(self, weights: Sequence[Sequence[float]]) -> str:
        """A cell for each weight, filled from below, as one shape.

        Rows begin on the left and return there along their ground: what joins them has no width.
        """
        points = []
        for row, line in enumerate(weights, start=1):
            ground = self.high * row
            points.append((0, ground))
            for column, weight in enumerate(line):
                left, top = self.wide * column, ground - round((self.high - _AIR) * weight)
                right = left + self.wide - _AIR
                if top < ground:
                    points += [(left, ground), (left, top), (right, top), (right, ground)]
            points.append((0, ground))
        return f"<g transform='translate({_LEFT} {_TOP})'>{area(points, OUTPUT)}</g>"


def _name(head: int | str) -> str:
    return "all four heads" if head == ALL else f"head {head}"


def _title(head: int | str) -> Frame:
    """Whose map it is."""
    words = "mean of the four" if head == ALL else f"head {head}"
    return Frame(words, text(0, 14, words, weight=600))


def _covered(head: int | str) -> Frame:
    words = f"without {_name(head)}: covered until you predict"
    return Frame(words, text(0, _WITHOUT, words, colour=QUIET))


def _uncovered(head: int | str) -> Frame:
    words = "all off" if head == ALL else f"without {head}"
    return Frame(f"without {_name(head)}:", text(WIDTH - 2, _WITHOUT, words, "end", colour=QUIET))


def _placed(words: Sequence[Word]) -> list[tuple[int, str]]:
    """The tokens of a translation, each behind where it begins, as far as there is room."""
    placed, x = list[tuple[int, str]](), 0
    for word in words:
        korean = label(word.korean, _MOST_WRITTEN)
        placed.append((x, korean))
        x += _PITCH * len(korean) + _SPACE
    return [(x, korean) for x, korean in placed if x + _PITCH * len(korean) <= _ROOM]


def _sentence(words: Sequence[Word], y: int) -> tuple[str, str]:
    """A translation in words, and drawn: each letter at its own place, the English below."""
    placed, english = _placed(words), label(_english(words), _MOST_ENGLISH)
    letters = [x + _PITCH * place for x, korean in placed for place in range(len(korean))]
    svg = text(letters, y, "".join(korean for _, korean in placed))
    svg += text(0, y + _BELOW, english, colour=QUIET)
    return f"{' '.join(label(word.korean) for word in words)}, {english}", svg


def _marks(words: Sequence[Word], places: Iterable[int], y: int) -> str:
    shown = dict(enumerate(_placed(words)))
    return "".join(
        bar(shown[place][0], y + 3, _PITCH * len(shown[place][1]), 2, INK)
        for place in places
        if place in shown
    )


def _english(words: Sequence[Word]) -> str:
    """Word by word, a point behind each particle; those without an English word are left out."""
    parts = []
    for word in words:
        parts += [word.english] * (word.english not in ROLES) + ["·"] * (word.english in PARTICLES)
    return " ".join(parts).strip(" ·")


def _distinct(tokens: Sequence[str]) -> list[str]:
    """The tokens as the picture shows them; one that occurs again has its place behind it."""
    shown = [label(token, _MOST_ANSWERING) for token in tokens]
    return [
        word if shown.count(word) == 1 else f"{word} {place}"
        for place, word in enumerate(shown, start=1)
    ]
