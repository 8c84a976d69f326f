"""Chapter 13: the beam over a real caption as a tree that grows downwards, a row for each token."""

import math
from collections.abc import Mapping, Sequence
from itertools import accumulate
from textwrap import wrap
from typing import Any, NamedTuple

import traitlets

from transformer_lite import results
from transformer_lite.decoding import length_penalty
from transformer_lite.palette import NEUTRAL
from transformer_lite.widgets.base import StillWidget, front_end
from transformer_lite.widgets.drawing import INK, QUIET, card, decimal, label, legible, line, text
from transformer_lite.widgets.frames import WIDTH, Choice, Question, Slider

WIDTHS = (1, 2, 3, 5)
YES, NO = "yes", "no"
END = "<eos>"
KEPT, ENDED, DROPPED = "kept", "ended", "dropped"
LEGEND = "Predict: will this beam keep greedy's translation?"
COVERED = "Greedy decoding, until you predict"
NOTES = (
    "Thick line: probable. Bold: greedy's. ●: kept. Dashed, ✗: dropped. ■1: ended, first in the "
    "ranking."
)
PENALISED = "÷\u00a0length penalty (α\u00a0=\u00a01)"
RANKED = "The last column only ranks what has ended; it does not steer the search."
MARKS = {KEPT: "●", ENDED: "■", DROPPED: "✗"}
# Numbers of stored captions, in the order of the widget.
_CAPTIONS = ("618", "498", "470")
_ENDING, _TOKEN = 34, 13  # letters of the end of a prefix, and of a token of the tree
# In pixels: from row to row of the tree at most, all rows if they fit, the number of a row, and its
# words.
_PITCH, _DEEP, _MARGIN, _WORDS = 30, 316, 22, 16
# In pixels: letters as wide fonts have them, what stands before and behind a word, and the most
# between.
_SIZES = {"ijl'": 4.3, " .,": 4.8, "-frt": 6.2, "aceoksvxyz": 9.2, "w<>&✗−": 12.6, "m…■": 14.8}
_OTHER, _BESIDE, _AIR, _APART = 9.5, 5, 2, 20
# In pixels: lines to tokens of probability 0 and 1, and from one line to the next below it.
_THIN, _THICK, _LANE = 1.5, 4, 5
# Of the still picture; as many letters fit one of its lines, and in front of two numbers.
_EDGE, _LINE, _LETTERS, _BEFORE = 20, 20, 38, 26


class Candidate(NamedTuple):
    """A prefix that a step of beam search chose from.

    `tokens` are pieces of words, a `▁` in front of those that begin one; `fate` is "kept" for the
    next step, "ended" and set aside, or "dropped".
    """

    tokens: tuple[str, ...]
    log_probability: float
    fate: str


Steps = Sequence[Sequence[Candidate]]


class Searched(NamedTuple):
    """The reference of a caption and, by width, the beams over it: for each step its candidates.

    The most probable of a step comes first. The last step ends the search: what it keeps is of no
    use any more. A beam of width 1 is greedy decoding.
    """

    reference: str
    beams: Mapping[int, Steps]


def stored_searches() -> dict[str, Searched]:
    """Beams over three test captions, by their German text; `benchmarks/beams.py` stored them."""
    stored = results.load("beams").attrs
    searches = {}
    for number in _CAPTIONS:
        source, reference = stored["captions"][number]
        beams = {
            int(width): [
                [Candidate(tuple(prefix.split(" ")), log, fate) for prefix, log, fate in step]
                for step in steps
            ]
            for width, steps in stored["trees"][number].items()
        }
        searches[source] = Searched(reference, beams)
    return searches


class BeamTree(StillWidget):
    """Predict, then see, whether greedy decoding's translation survives in a beam.

    Nothing is computed by a model here. What the reader chose can be read back and set: `caption`
    (at first the first one), `width` (one of `WIDTHS`), `step` (from 1; the ranking comes with the
    last), `prediction` ("yes" or "no"; None before there is one), `ask` (hide the answer of each
    search until it is revealed; nothing is asked at width 1) and `revealed` (the present one is).

    Args:
        searches: by the source text, at least one caption with beams of all `WIDTHS`.
        state: initial values of the names above, such as `width=3`.

    Raises:
        ValueError: `searches` is empty, or a caption lacks a width.
        traitlets.TraitError: a value of `state` is outside its range.
    """

    _esm, _css = front_end(__file__)

    heading = "A beam as a tree"
    caption: str
    width = Choice("Width of the beam", WIDTHS, 2)
    step: int
    prediction = Question(LEGEND, (YES, NO))
    ask = traitlets.Bool(True, help="whether the answer waits for a prediction").tag(sync=True)
    revealed = traitlets.Bool(False, help="whether the answer is to be seen").tag(sync=True)
    shown = traitlets.Dict(help="words and places for the page").tag(sync=True)

    def __init__(self, searches: Mapping[str, Searched], **state: Any) -> None:
        if not searches or any({*one.beams} != {*WIDTHS} for one in searches.values()):
            raise ValueError(
                f"searches must hold at least one caption, each with beams of {WIDTHS}, but it is "
                f"{searches!r:.60}; stored_searches() has them"
            )
        self._references = {caption: one.reference for caption, one in searches.items()}
        self._trees = {
            caption: {
                width: _Tree(width, steps, one.beams[1]) for width, steps in one.beams.items()
            }
            for caption, one in searches.items()
        }
        first = next(iter(searches))
        opening = self._trees[first][self.width]
        grown = [tree for trees in self._trees.values() for tree in trees.values()]
        steps = range(1, max(len(tree.steps) for tree in grown) + 1)
        self.add_traits(
            caption=Choice("Caption", [*searches], first),
            step=Slider("Step", steps, opening.left_at or len(opening.steps)),
        )
        shown = {
            "heading": self.heading,
            "question": {"legend": LEGEND, "values": (YES, NO)},
            "controls": [
                {"name": name, "legend": trait.legend, "values": [*trait.values]}
                for name, trait in self.traits().items()
                if name in ("caption", "width", "step")
            ],
            "references": [*self._references.values()],
            "covered": COVERED,
            "notes": NOTES,
            "marks": MARKS,
            "picture": f"0 0 {WIDTH} {max(tree.lows[-1] for tree in grown) + 6}",
            "colours": {"living": INK, "dropped": NEUTRAL, "quiet": QUIET},
            "searches": [
                [trees[width].stored() for width in WIDTHS] for trees in self._trees.values()
            ],
        }
        super().__init__(**state, shown=shown)

    def finding(self) -> str:
        """Where greedy's translation is left, and whether the beam found a more probable one."""
        return self._tree().finding

    def words(self) -> str:
        """The tree, a row for each token, and the candidates of the step."""
        tree, number = self._tree(), self._step()
        rows = [f"{self.caption} ({self._references[self.caption]})"]
        for row in range(1, number + 1):
            parts: dict[bool, list[str]] = {True: [], False: []}
            for node in tree.nodes:
                if node.row == row:
                    parts[number <= node.until].append(_spoken(node.words))
            gone = f" (dropped: {', '.join(parts[False])})" if parts[False] else ""
            rows.append(f"{row}: {', '.join(parts[True])}{gone}")
        title, *lines = tree.listed(number)
        return "\n".join([*rows, " · ".join(title), *map(" ".join, lines), self.finding()])

    def still(self) -> str:
        """The tree as it stands after the present step, and the candidates of that step."""
        tree, number = self._tree(), self._step()
        y, parts = _EDGE, []
        for words in (self.caption, self._references[self.caption]):
            for row in wrap(words, _LETTERS):
                y += _LINE
                parts.append(text(_EDGE, y, row, colour=None if words == self.caption else QUIET))
        y += _LINE // 2
        parts.append(f"<g transform='translate({_EDGE} {y})'>{tree.drawn(number)}</g>")
        y += tree.lows[-1] + _LINE // 2
        for place, (fate, words, *numbers) in enumerate(tree.listed(number)):
            look: dict[str, Any] = {
                "colour": QUIET if fate == MARKS[DROPPED] else None,
                "weight": None if place else 600,
            }
            y += _LINE
            parts.append(text(_EDGE, y, fate, **look))
            for column, one in enumerate(reversed(numbers)):
                parts.append(text(_EDGE + WIDTH - 56 * column, y, one, "end", **look))
            rows = wrap(words, _BEFORE)
            parts += [text(_EDGE + 18, y + _LINE * n, row, **look) for n, row in enumerate(rows)]
            y += _LINE * (len(rows) - 1)
        y += _LINE // 2
        for row in wrap(self.finding(), _LETTERS):
            y += _LINE
            parts.append(text(_EDGE, y, row, weight=600))
        return card(WIDTH + 2 * _EDGE, y + _EDGE, parts)

    def __repr__(self) -> str:
        return f"BeamTree(caption={self.caption!r}, width={self.width}, step={self._step()})"

    def _tree(self) -> "_Tree":
        return self._trees[self.caption][self.width]

    def _step(self) -> int:
        return min(self.step, len(self._tree().steps))


class _Node(NamedTuple):
    """A token in its place: the left end of its words, and the line that leads to it."""

    row: int
    until: int  # the last step after which it still belongs to something kept or ended
    tokens: tuple[str, ...]
    words: str
    points: list[tuple[float, float]]
    thickness: float


class _Tree:
    """One search in pictures and words. Everything has its place from the first step on."""

    def __init__(self, width: int, steps: Steps, greedy: Steps) -> None:
        self.steps = steps
        self.greedy = [step[0] for step in greedy]
        self.greedys = {one.tokens for one in self.greedy}
        passed = {one.tokens for step in steps for one in step if one.fate != DROPPED}
        missed = (n for n, one in enumerate(self.greedy, 1) if one.tokens not in passed)
        self.left_at = next(missed, None)
        ended = [one for step in steps for one in step if one.fate == ENDED]
        self.ended = sorted(ended, key=lambda one: -one.log_probability)
        self.nodes, self.lows = self._placed()
        self.finding = self._found(width)

    def stored(self) -> dict[str, Any]:
        """What a page needs, as one string each: a notebook would store a line for each number."""
        nodes = [
            (
                node.row,
                node.until,
                int(node.tokens in self.greedys),
                f"{node.thickness:.1f}",
                " ".join(f"{x:.0f},{y:.0f}" for x, y in node.points),
                legible(node.words),
            )
            for node in self.nodes
        ]
        # JSON writes six letters for a mark, and there are hundreds: a page puts them in.
        codes = {ord(mark): fate[0] for fate, mark in MARKS.items()}
        listed = [
            "\n".join(
                "\t".join(
                    (mark.translate(codes), words, *(one.replace("−", "-") for one in numbers))
                )
                for mark, words, *numbers in self.listed(step)
            )
            for step in range(1, len(self.steps) + 1)
        ]
        return {
            "nodes": "\n".join("\t".join(map(str, node)) for node in nodes),
            "listed": legible("\n\n".join(listed)),
            "finding": legible(self.finding),
            "answer": YES if self.left_at is None else NO,
        }

    def drawn(self, step: int) -> str:
        """The tree as it stands after a step, as `widget.js` draws it."""
        parts = []
        for row in range(1, step + 1):
            parts.append(text(0, self.lows[row] - 4, str(row), colour=QUIET))
        grown = [node for node in self.nodes if node.row <= step]
        for node in sorted(grown, key=lambda node: step <= node.until):  # dropped ones lie below
            living = step <= node.until
            look = (INK, node.thickness) if living else (NEUTRAL, 1.5, "3")
            parts.append(line(node.points, *look))
        for node in grown:
            x, y = node.points[-1]
            weight = 600 if node.tokens in self.greedys else None
            colour = None if step <= node.until else QUIET
            parts.append(text(x + _BESIDE, y - 4, node.words, weight=weight, colour=colour))
        return "".join(parts)

    def listed(self, step: int) -> list[tuple[str, str, str, str]]:
        """Mark, words and two numbers: a title, then the candidates, at the last step the ended."""
        if step == len(self.steps):
            return self._ranking()
        before = (
            {one.tokens: one.log_probability for one in self.steps[step - 2]} if step > 1 else {}
        )
        rows = [("", f"Step {step} of {len(self.steps)}", "token", "log p")]
        for one in self.steps[step - 1]:
            share = math.exp(one.log_probability - before.get(one.tokens[:-1], 0.0))
            rows.append(
                (
                    self._mark(one),
                    _ending(one.tokens),
                    f"{100 * share:.0f} %" if share >= 0.005 else "< 1 %",
                    decimal(one.log_probability, 1),
                )
            )
        return rows

    def _ranking(self) -> list[tuple[str, str, str, str]]:
        """Log probabilities of all that ended, plain and over the length penalty with alpha 1."""
        rows = [("", f"Ended after {len(self.steps)} steps", "log p", PENALISED)]
        for one in self.ended:
            over = one.log_probability / length_penalty(len(one.tokens), 1.0)
            numbers = decimal(one.log_probability, 1), decimal(over, 1)
            rows.append((self._mark(one), _sentence(one.tokens), *numbers))
        return [*rows, ("", RANKED, "", "")]

    def _mark(self, one: Candidate) -> str:
        """The sign of its fate, with its place in the ranking if it ended."""
        return MARKS[one.fate] + (str(self.ended.index(one) + 1) if one.fate == ENDED else "")

    def _found(self, width: int) -> str:
        greedy, best = self.greedy[-1], self.ended[0]
        known = decimal(greedy.log_probability, 1)
        if width == 1:
            return f"A beam of 1 is greedy decoding: “{_sentence(greedy.tokens)}”, {known}."
        start = f"A beam of {width} " + (
            "keeps greedy's translation"
            if self.left_at is None
            else f"drops greedy's translation at step {self.left_at}"
        )
        if best.tokens == greedy.tokens:
            return f"{start}, and nothing that ends is more probable than its {known}."
        than = "more" if best.log_probability > greedy.log_probability else "less"
        return (
            f"{start} and ends with “{_sentence(best.tokens)}”, which is {than} probable: "
            f"{decimal(best.log_probability, 1)} against {known}."
        )

    def _placed(self) -> tuple[list[_Node], list[int]]:
        """All tokens, and the ground of each row, from that above the first one on."""
        parents: dict[tuple[str, ...], float] = {(): _MARGIN}  # in their order from left to right
        rows, needed = list[list[tuple[Candidate, str, float, float, int]]](), list[int]()
        for row, step in enumerate(self.steps, start=1):
            going = (ENDED,) if row == len(self.steps) else (ENDED, KEPT)
            chosen = [one for one in step if one.fate in going]
            if row == self.left_at:  # the only dropped token that is to be seen in the tree
                chosen.append(self.greedy[row - 1]._replace(fate=DROPPED))
            ordered = [one for parent in parents for one in chosen if one.tokens[:-1] == parent]
            words, sizes = self._fitting(ordered)
            starts = [parents[one.tokens[:-1]] for one in ordered]
            places = _side_by_side(starts, sizes)
            lanes = _lanes(starts, places)
            rows.append([*zip(ordered, words, starts, places, lanes, strict=True)])
            needed.append(_WORDS + _LANE * max(lanes))
            parents = {one.tokens: x for one, x in zip(ordered, places, strict=True)}
        fitting = (n for n in range(_PITCH, 0, -1) if sum(max(n, it) for it in needed) <= _DEEP)
        pitch = next(fitting, 0)
        lows = [0, *accumulate(max(pitch, it) for it in needed)]
        logs = {one.tokens: one.log_probability for row in rows for one, *_ in row} | {(): 0.0}
        nodes = list[_Node]()
        for row, placed in enumerate(rows, start=1):
            high, low = lows[row - 1], lows[row]
            for one, written, start, x, lane in placed:
                bend = high + _LANE * lane - 2
                way = [(start, bend), (x, bend)] if lane else []
                share = math.exp(one.log_probability - logs[one.tokens[:-1]])
                nodes.append(
                    _Node(
                        row,
                        self._until(one),
                        one.tokens,
                        written,
                        [(start, high), *way, (x, low)],
                        _THIN + (_THICK - _THIN) * share,
                    )
                )
        return nodes, lows

    def _fitting(self, row: Sequence[Candidate]) -> tuple[list[str], list[float]]:
        """The words of a row and their sizes; the dropped one goes, then tokens are cut, to fit."""
        for named, letters in ((True, _TOKEN), *((False, n) for n in range(_TOKEN, 0, -1))):
            words = [
                self._mark(one)
                if one.fate == ENDED or (one.fate == DROPPED and not named)
                else _token(one, letters)
                for one in row
            ]
            sizes = [
                _size(written, one.tokens in self.greedys)
                for one, written in zip(row, words, strict=True)
            ]
            if sum(sizes) <= WIDTH - _MARGIN:
                break
        return words, sizes

    def _until(self, one: Candidate) -> int:
        """The last step after which a prefix has a part in what is kept or has ended."""
        if one.fate == DROPPED:
            return 0
        depth = len(one.tokens)
        if any(other.tokens[:depth] == one.tokens for other in self.ended):
            return len(self.steps)
        return max(
            number
            for number, step in enumerate(self.steps[:-1], start=1)
            for other in step
            if other.fate == KEPT and other.tokens[:depth] == one.tokens
        )


def _sentence(tokens: Sequence[str]) -> str:
    """As it is read: pieces of words joined, without the end sign."""
    return "".join(one for one in tokens if one != END).replace("▁", " ").strip()


def _ending(tokens: Sequence[str]) -> str:
    """The last words of a prefix, as many as there is room for."""
    words = _sentence(tokens) + (f" {END}" if tokens[-1] == END else "")
    if len(words) <= _ENDING:
        return words
    cut = words[2 - _ENDING :]
    return f"… {cut.partition(' ')[2] or cut}"


def _token(one: Candidate, letters: int) -> str:
    """What stands in the tree for the newest token, with at most so many of its letters."""
    token = label(one.tokens[-1].replace("▁", ""), letters) or "␣"
    return f"{MARKS[DROPPED]} {token}" if one.fate == DROPPED else token


def _spoken(words: str) -> str:
    """Words of the tree without marks."""
    named = words.removeprefix(f"{MARKS[DROPPED]} ").replace(MARKS[DROPPED], "greedy's token")
    return named.replace(MARKS[ENDED], f"{ENDED} ")


def _side_by_side(wanted: Sequence[float], sizes: Sequence[float]) -> list[float]:
    """Places near the wanted ones, in this order and inside the picture, as far apart as fits."""
    room = WIDTH - _MARGIN - sum(sizes)
    apart = max(0.0, min(_APART, room / max(len(sizes), 1)))
    steps = [size + apart for size in sizes]
    places, free = list[float](), float(_MARGIN)
    for want, step in zip(wanted, steps, strict=True):
        places.append(max(want, free))
        free = places[-1] + step
    end = WIDTH + apart
    for number in reversed(range(len(places))):
        places[number] = end = min(places[number], end - steps[number])
    return [round(place) for place in places]


def _lanes(starts: Sequence[float], ends: Sequence[float]) -> list[int]:
    """For each line of a row its height, 1 the highest, or 0 where it goes straight down.

    Lines come in their order from left to right. Where those from one start pass below another
    start, they run lower than those from there: so they never meet.
    """
    ways: dict[float, list[float]] = {}
    for start, end in zip(starts, ends, strict=True):
        ways.setdefault(start, [start]).append(end)

    def lane(start: float) -> int:
        low, high = min(ways[start]) - _LANE, max(ways[start]) + _LANE
        above = (lane(one) for one in ways if one != start and low < one < high)
        return 1 + max(above, default=0)

    return [lane(start) if end != start else 0 for start, end in zip(starts, ends, strict=True)]


def _size(words: str, bold: bool) -> float:
    """Pixels of a word with its line, as wide as usual fonts have it."""
    letters = sum(
        next((size for group, size in _SIZES.items() if one in group), _OTHER) for one in words
    )
    return _BESIDE + letters * (1.13 if bold else 1) + _AIR
