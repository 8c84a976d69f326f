"""Chapter 14: where each head looks, beside the words whose absence moves what is written."""

import re
from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from statistics import fmean
from textwrap import wrap
from typing import Any

import traitlets

from transformer_lite.palette import NEUTRAL, OUTPUT
from transformer_lite.widgets.base import StillWidget, front_end
from transformer_lite.widgets.drawing import INK, QUIET, bar, card, label, line, text
from transformer_lite.widgets.frames import Choice, Menu, Question, Slider

ENCODER, DECODER, CROSS = ATTENTIONS = ("encoder", "decoder", "cross")
MEAN = "mean"
GRID = [*((f"layer {layer}", (1, 2, 3, 4)) for layer in (1, 2, 3)), ("all", (MEAN,))]
HEADS = (*(f"{layer}, head {head}" for layer, heads in GRID[:3] for head in heads), MEAN)
CLEAR = 20  # per cent: what moves less is no answer
NONE = "none"
LEGEND = f"Predict: whose absence moves the chosen word most, by {CLEAR}\u00a0% or more?"
TITLES = ("weights", "what hiding moves")
COVERED = f"{TITLES[1]}: predict first"
NOTE = (
    "Moves: the share of the next word's probability that goes elsewhere when the decoder may not "
    "look at that source word. In brackets: in how many rows a head's largest weight stands at the "
    "word that moves most, <eos> left out. A number behind a word is its place."
)
_MARGIN, _LINE, _LETTERS = 20, 20, 34  # of the still picture; as many letters fit one of its lines
_NAME, _GROUND = 9, NEUTRAL + "40"  # letters of a token; the colour behind a cell
# In pixels: a picture, the left and top end of its cells, and these, at most as wide together.
_WIDTH, _LEFT, _TOP, _ROW, _AIR, _ACROSS = 306, 102, 104, 18, 2, 200

Grid = Sequence[Sequence[int]]


class WeightAndInfluence(StillWidget):
    """Predict, then see, whether the word that a head looks at is the one that matters.

    Nothing is computed by a model here. What the reader chose can be read back and set: `caption`
    (at first the first one), `attention` (one of `ATTENTIONS`), `head` (one of `HEADS`), `row`
    (the written word, from 1; past the last one, the last), `without` (show what is written
    without the head), `prediction` (None before there is one), and `ask` (hide what moves).

    Args:
        shown: at least one caption, `results.load("inside").attrs["shown"]`.
        state: initial values of the names above, such as `ask=False`.

    Raises:
        ValueError: `shown` is empty, or a caption lacks a head.
        traitlets.TraitError: a value of `state` is outside its range.
    """

    _esm, _css = front_end(__file__)

    heading = "Weight and influence, head by head"
    caption: str
    attention = Choice("Attention", ATTENTIONS, CROSS)
    head = Choice("Head", HEADS, "layer 2, head 1")
    row: int
    without = traitlets.Bool(False, help="show what is written without the head").tag(sync=True)
    prediction: str | None
    ask = traitlets.Bool(True, help="whether the answer waits for a prediction").tag(sync=True)
    shown = traitlets.Dict(help="names, maps in per cent, and sentences").tag(sync=True)

    def __init__(self, shown: Sequence[Mapping[str, Any]], **state: Any) -> None:
        names = {f"{attention} {layer}" for attention in ATTENTIONS for layer in (1, 2, 3)}
        if not shown or any(
            {name for name, heads in one["maps"].items() if len(heads) == 4} != names
            for one in shown
        ):
            raise ValueError(
                "shown must be at least one caption, each with maps of four heads of "
                f"{', '.join(sorted(names))}, but it is {shown!r:.60}; "
                "results.load('inside').attrs['shown'] has them"
            )
        self._captions = {one["german"]: _Caption(one) for one in shown}
        captions = [*self._captions]
        longest = max(len(rows) for one in self._captions.values() for rows, _ in one.axes.values())
        answers = dict.fromkeys(name for one in self._captions.values() for name in one.source)
        self.add_traits(
            caption=Menu("Caption", captions, captions[0]),
            row=Slider("Word", range(1, longest + 1), 1),
            prediction=Question(LEGEND, (*answers, NONE)),
        )
        page = {
            "heading": self.heading,
            "attentions": ATTENTIONS,
            "grid": GRID,
            "heads": HEADS,
            "question": {"legend": LEGEND, "values": (*answers, NONE)},
            "titles": (*TITLES, COVERED),
            "note": NOTE,
            "picture": {"width": _WIDTH, "left": _LEFT, "top": _TOP, "pitch": _ROW, "air": _AIR}
            | {"across": _ACROSS, "ground": _GROUND},
            "colours": (OUTPUT, INK),
            "captions": [one.stored() for one in self._captions.values()],
        }
        super().__init__(**state, shown=page)

    def finding(self) -> str:
        """Where the head looks in the chosen row, and which word's absence moves most."""
        one, row = self._captions[self.caption], self._row()
        (rows, columns), weights = one.axes[self.attention], self._weights()[row]
        places = sorted(range(len(columns)), key=lambda place: -weights[place])
        seen = [f"“{columns[place]}” ({weights[place] / 100:.2f})" for place in places]
        who = "the mean of all heads" if self.head == MEAN else self.head
        said = f"“{rows[row]}”: {who} looks most at {seen[0]}"
        if self.attention != CROSS:
            return f"{said}."
        if places[0] == len(columns) - 1:
            said += f", of the words at {seen[1]}"
        return f"{said}; {one.told[row]}."

    def words(self) -> str:
        """The largest weight of each row, the finding, and what is written without the head."""
        rows, columns = self._captions[self.caption].axes[self.attention]
        largest = [
            f"{name}: {columns[weights.index(max(weights))]} {max(weights) / 100:.2f}"
            for name, weights in zip(rows, self._weights(), strict=True)
        ]
        return "\n".join([self._setting(), "; ".join(largest), self.finding(), *self._less()])

    def still(self) -> str:
        """The map of the head, that of the influence below it, and the finding."""
        one, y, parts = self._captions[self.caption], _MARGIN, list[str]()
        axes, cells = one.axes[self.attention], [self._weights()]
        if self.attention == CROSS:
            cells.append(one.hidden)
        for title, numbers, colour in zip(TITLES, cells, (OUTPUT, INK), strict=False):
            drawn = _map(title, axes, numbers, colour, self._row())
            parts.append(f"<g transform='translate({_MARGIN} {y})'>{drawn}</g>")
            y += _TOP + _ROW * len(axes[0]) + _LINE
        for said in (self._setting(), self.finding(), *self._less()):
            for row in wrap(said, _LETTERS):
                y += _LINE
                parts.append(text(_MARGIN, y, row, colour=None if said[0] == "“" else QUIET))
        return card(_WIDTH + 2 * _MARGIN, y + _MARGIN, parts)

    def __repr__(self) -> str:
        return (
            f"WeightAndInfluence(caption={self.caption!r}, attention={self.attention!r}, "
            f"head={self.head!r}, row={self._row() + 1})"
        )

    def _setting(self) -> str:
        return f"{self.caption} {self.attention.capitalize()}, {self.head}"

    def _row(self) -> int:
        rows, _ = self._captions[self.caption].axes[self.attention]
        return min(self.row, len(rows)) - 1

    def _weights(self) -> Grid:
        return self._captions[self.caption].maps[self.attention][HEADS.index(self.head)]

    def _less(self) -> list[str]:
        """What is written without the head, where that is asked for."""
        if not self.without or self.head == MEAN:
            return []
        one = self._captions[self.caption]
        return [f"Without: {one.without[self.attention][HEADS.index(self.head)]}"]


class _Caption:
    """One caption: the names of rows and columns, what stands between them, and what it says."""

    def __init__(self, looked: Mapping[str, Any]) -> None:
        self.german, self.translation = looked["german"], looked["translation"]
        self.source, target = (_distinct(looked[name]) for name in ("source", "target"))
        self.axes = {
            ENCODER: (self.source, self.source),
            DECODER: (target, ["<bos>", *target[:-1]]),
            CROSS: (target, self.source),
        }
        self.maps = {
            name: _with_mean(
                [
                    [weights[: len(columns)] for weights in head]
                    for layer in (1, 2, 3)
                    for head in looked["maps"][f"{name} {layer}"]
                ]
            )
            for name, (_, columns) in self.axes.items()
        }
        self.without = {
            name: [text for layer in (1, 2, 3) for text in looked["without"][f"{name} {layer}"]]
            for name in ATTENTIONS
        }
        self.hidden: Grid = looked["hidden"]
        self.told = [_told(self.source, row) for row in self.hidden]

    def stored(self) -> dict[str, Any]:
        """What a page needs; a map as one string: a notebook would store a line a number."""
        maps = [";".join(map(_written, self.maps[name])) for name in ATTENTIONS]
        rows = range(len(self.hidden))
        return {
            "german": self.german,
            "axes": [self.axes[name] for name in ATTENTIONS],
            "maps": maps,
            "hidden": _written(self.hidden),
            "told": self.told,
            "offered": [self._offered(row) for row in rows],
            "right": [self._right(row) for row in rows],
            "agree": [*map(self._agreeing, self.maps[CROSS])],
            "without": [
                [_changed(self.translation, text) for text in self.without[name]]
                for name in ATTENTIONS
            ],
        }

    def _right(self, row: int) -> str:
        words = self.hidden[row][:-1]
        return self.source[words.index(max(words))] if max(words) >= CLEAR else NONE

    def _offered(self, row: int) -> list[str]:
        """The word that moves most, and two others with most weight that are not right, too."""
        words, weights = self.hidden[row][:-1], self.maps[CROSS][-1][row]
        most = words.index(max(words))
        wrong = [at for at, one in enumerate(words) if one < max(words[most], CLEAR) and at != most]
        seen = sorted(wrong, key=lambda place: -weights[place])[:2]
        return [*(self.source[place] for place in sorted([most, *seen])), NONE]

    def _agreeing(self, cells: Grid) -> int:
        """In how many rows the word with the largest weight moves most; `<eos>` left out."""
        return sum(
            moved[weights.index(max(weights[:-1]))] == max(moved[:-1])
            for weights, moved in zip(cells[:-1], self.hidden[:-1], strict=True)
        )


def _distinct(tokens: Sequence[str]) -> list[str]:
    """Tokens without the mark of a piece; one that occurs again has its place behind it."""
    shown = [label(token.removeprefix("▁"), _NAME) for token in tokens]
    return [
        word if shown.count(word) == 1 else f"{word} {place}"
        for place, word in enumerate(shown, start=1)
    ]


def _with_mean(heads: Sequence[Grid]) -> list[Grid]:
    rows = zip(*heads, strict=True)
    return [*heads, [[round(fmean(one)) for one in zip(*row, strict=True)] for row in rows]]


def _written(cells: Grid) -> str:
    """Rows with commas, numbers with spaces between; most are 0, for which nothing stands."""
    return ",".join(" ".join(str(one or "") for one in row) for row in cells)


def _told(names: Sequence[str], moved: Sequence[int]) -> str:
    """Which word's absence moves most, and that of `<eos>` where it moves more."""
    *words, end = moved
    most = max(words)
    tops = " or ".join(f"“{names[place]}”" for place, one in enumerate(words) if one == most)
    said = f"hiding {tops} moves most ({most}\u00a0%)"
    if most < CLEAR:
        said = f"hiding one word moves at most {most}\u00a0%"
    return f"{said}, hiding “{names[-1]}” {end}\u00a0%" if end > most else said


def _changed(old: str, new: str) -> str:
    """Words by turns of both, only of the old and only of the new, with tabs between."""
    before, after = (re.split(r"(?=[ .])", one) for one in (old, new))
    parts = list[str]()
    for kind, start, stop, first, last in SequenceMatcher(None, before, after).get_opcodes():
        lost, gained = "".join(before[start:stop]), "".join(after[first:last])
        parts = [*parts, lost] if kind == "equal" else [*(parts or [""]), lost, gained]
    return "\t".join(parts)


def _map(
    title: str, axes: tuple[Sequence[str], Sequence[str]], cells: Grid, colour: str, chosen: int
) -> str:
    """Each cell as full as its number is large, as `widget.js` draws it."""
    rows, columns = axes
    wide = min(_ROW, _ACROSS // len(columns))
    parts = [text(0, 14, title, weight=600)]
    for column, name in enumerate(columns):
        parts.append(text(_LEFT + wide * column + wide // 2 + 5, _TOP - 5, name, turn=-90))
    for row, name in enumerate(rows):
        y, weight = _TOP + _ROW * row, 600 if row == chosen else None
        parts.append(text(_LEFT - 6, y + 14, name, "end", weight))
        for column, percent in enumerate(cells[row]):
            x, high = _LEFT + wide * column, round((_ROW - _AIR) * percent / 100)
            parts.append(bar(x, y, wide - _AIR, _ROW - _AIR, _GROUND))
            parts.append(bar(x, y + _ROW - _AIR - high, wide - _AIR, high, colour))
    left, right, y = _LEFT - 2, _LEFT + wide * len(columns), _TOP + _ROW * chosen - 2
    corners = [(left, y), (right, y), (right, y + _ROW), (left, y + _ROW), (left, y)]
    return "".join([*parts, line(corners, INK, 2)])
