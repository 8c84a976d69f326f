"""Chapter 13: the beam over a real caption as a tree that grows downwards, a row for each token."""

import math
from collections.abc import Mapping, Sequence
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
LEGEND = "Predict: will greedy's translation still be in this beam at the end?"
COVERED = "Greedy decoding (the beam is covered until you predict)"
NOTES = (
    "Thick line: a probable token. Bold: greedy's translation. Dashed or ✗: dropped. ■: ended, "
    "with its log probability. lp: length penalty, α\u00a0=\u00a01."
)
MARKS = {KEPT: "●", ENDED: "■", DROPPED: "✗"}
# Numbers of stored captions, in the order of the widget.
_CAPTIONS = ("618", "470", "588")
_ENDING, _TOKEN = 34, 13  # letters of the end of a prefix, and of a token of the tree
# In pixels: from row to row of the tree, all of them, and the number of a row.
_PITCH, _DEEP, _MARGIN = 30, 316, 20
# In pixels: letters as fonts have them, what stands before and behind a word, and the most between.
_NARROW, _WIDE, _OTHER, _BESIDE, _AIR, _APART = 5, 14, 9, 6, 1, 20
_THIN, _THICK = 1.5, 6  # lines to tokens of probability 0 and 1
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
    last), `prediction` ("yes" or "no"; None before there is one), and `ask` (hide the answer).

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
        most = max(len(tree.steps) for trees in self._trees.values() for tree in trees.values())
        steps = range(1, most + 1)
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
            "picture": f"0 0 {WIDTH} {_DEEP + 6}",
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
        y += round(tree.pitch * len(tree.steps)) + _LINE // 2
        for fate, words, *numbers in tree.listed(number):
            look: dict[str, Any] = {
                "colour": QUIET if fate == MARKS[DROPPED] else None,
                "weight": None if fate else 600,
            }
            y += _LINE
            parts.append(text(_EDGE, y, fate, **look))
            for place, one in enumerate(reversed(numbers)):
                parts.append(text(_EDGE + WIDTH - 56 * place, y, one, "end", **look))
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
        self.pitch = min(_PITCH, _DEEP / len(steps))
        self.nodes = self._placed()
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
        numbers = range(1, len(self.steps) + 1)
        listed = ["\n".join(map("\t".join, self.listed(number))) for number in numbers]
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
            parts.append(text(0, self._low(row) - 4, str(row), colour=QUIET))
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
                    MARKS[one.fate],
                    _ending(one.tokens),
                    f"{100 * share:.0f} %" if share >= 0.005 else "< 1 %",
                    decimal(one.log_probability, 1),
                )
            )
        return rows

    def _ranking(self) -> list[tuple[str, str, str, str]]:
        """Log probabilities of all that ended, plain and over the length penalty with alpha 1."""
        rows = [("", f"Ended after {len(self.steps)} steps", "log p", "÷ lp")]
        for one in self.ended:
            over = one.log_probability / length_penalty(len(one.tokens), 1.0)
            numbers = decimal(one.log_probability, 1), decimal(over, 1)
            rows.append((MARKS[ENDED], _sentence(one.tokens), *numbers))
        return rows

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

    def _placed(self) -> list[_Node]:
        nodes = list[_Node]()
        known: dict[tuple[str, ...], float] = {(): 0.0}
        parents: dict[tuple[str, ...], float] = {(): _MARGIN}  # in their order from left to right
        for row, step in enumerate(self.steps, start=1):
            going = (ENDED,) if row == len(self.steps) else (ENDED, KEPT)
            chosen = [one for one in step if one.fate in going]
            if row == self.left_at:  # the only dropped token that is to be seen in the tree
                chosen.append(self.greedy[row - 1]._replace(fate=DROPPED))
            ordered = [one for parent in parents for one in chosen if one.tokens[:-1] == parent]
            words, sizes = self._fitting(ordered)
            places = _side_by_side([parents[one.tokens[:-1]] for one in ordered], sizes)
            high, low = self._low(row - 1), self._low(row)
            for one, x, written in zip(ordered, places, words, strict=True):
                parent = one.tokens[:-1]
                start = parents[parent]
                # Ways of neighbours may overlap: where there is room, not at the same height.
                bend = high + 3 + 5 * ([*parents].index(parent) % 2 and self.pitch == _PITCH)
                way = [] if x == start else [(start, bend), (x, bend)]
                share = math.exp(one.log_probability - known[parent])
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
            known = {one.tokens: one.log_probability for one in ordered}
            parents = {one.tokens: x for one, x in zip(ordered, places, strict=True)}
        return nodes

    def _fitting(self, row: Sequence[Candidate]) -> tuple[list[str], list[float]]:
        """The words of a row and their sizes; tokens are cut until all have room."""
        for letters in range(_TOKEN, 0, -1):
            words = [_token(one, letters) for one in row]
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

    def _low(self, row: int) -> int:
        """The ground of a row."""
        return round(self.pitch * row)


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
    if one.fate == ENDED:
        return f"{MARKS[ENDED]} {decimal(one.log_probability, 1)}"
    token = label(one.tokens[-1].replace("▁", ""), letters) or "␣"
    return f"{MARKS[DROPPED]} {token}" if one.fate == DROPPED else token


def _spoken(words: str) -> str:
    """Words of the tree without marks."""
    return words.removeprefix(f"{MARKS[DROPPED]} ").replace(MARKS[ENDED], ENDED)


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


def _size(words: str, bold: bool) -> float:
    """Pixels of a word with its line, as wide as usual fonts have it."""
    letters = sum(
        _NARROW if one in " .,'ijlrtf" else _WIDE if one in "mw<>&…■✗−" else _OTHER for one in words
    )
    return _BESIDE + letters * (1.1 if bold else 1) + _AIR
