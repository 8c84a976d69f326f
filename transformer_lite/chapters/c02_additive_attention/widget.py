"""Chapter 02: follow a decoder token by token, and see where it looked for each one."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from transformer_lite.chapters.c02_additive_attention.recording import Recording, check, record
from transformer_lite.data import Tokenizer
from transformer_lite.palette import NEUTRAL, OUTPUT, QUERY
from transformer_lite.seq2seq import Seq2Seq
from transformer_lite.widgets.drawing import (
    CARD,
    INK,
    QUIET,
    Number,
    bar,
    dot,
    halo,
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

PARTS = ("the beginning", "the middle", "the end")  # thirds of the source
FAINTEST = 0.02  # weights below it are not drawn
WIDEST = 12  # pixels of a line that carries all the weight
MOST_LETTERS = 12  # of a token in the picture
TURN = -50  # degrees, of source tokens that are longer than a letter
FLOW, ROW = 76, 15  # pixels from the source to the context, and of a row of the map
GAP = 24  # pixels from the context to the map


class DecoderStepper(FrameWidget):
    """Predict, then see, where the decoder looks when it writes the next token.

    The model decodes each text once, greedily, when the widget is made; from then on it is not
    needed. What the reader chose can be read back and set: `source` (one of the texts), `step`
    (from 1; past the last step of a text its last one is shown), `prediction` (one of `PARTS`; None
    before there is one), and `ask` (hide the answer).

    Args:
        model: a trained `Seq2Seq` with attention.
        source_tokenizer, target_tokenizer: those that it was trained with.
        texts: at least one text to choose from.
        captions: recordings of other models, to choose from as well.
        state: initial values of the names above, such as `step=3`.

    Raises:
        ValueError: the model has no attention; a tokenizer does not fit it; there is no text, or
            one that the tokenizer does not know.
        traitlets.TraitError: a value of `state` is outside its range.
    """

    heading = "A decoder with attention, one step at a time"
    prediction = Question("Predict: where in the source will it look most?", PARTS)
    source: str
    step: int

    def __init__(
        self,
        model: Seq2Seq,
        source_tokenizer: Tokenizer,
        target_tokenizer: Tokenizer,
        texts: Sequence[str],
        captions: Sequence[Recording] = (),
        **state: Any,
    ) -> None:
        check(model, source_tokenizer, target_tokenizer, texts)
        made = [record(model, source_tokenizer, target_tokenizer, text) for text in texts]
        self._recordings = {one.text: one for one in (*made, *captions)}
        self._steps = max(len(one.written) for one in self._recordings.values())
        longest = max(
            len(_mark(token)) for one in self._recordings.values() for token in one.source
        )
        self._top = 12 + 5 * longest  # where the source stands
        names = list(self._recordings)
        self.add_traits(
            source=Menu("Source", names, names[0]),
            step=Slider("Step", range(1, self._steps + 1), 1),
        )
        super().__init__(**state)

    @property
    def recording(self) -> Recording:
        """The text that is chosen, with what was written and the weights of all steps."""
        return self._recordings[self.source]

    @property
    def weights(self) -> Sequence[float]:
        """How much the chosen step looks at each of the S source tokens."""
        return self.recording.weights[self._place(self.source, self.step)]

    def pictures(self) -> list[Picture]:
        """Weights that flow from the source into a context; below, the map with a row for each."""
        rows = [Layer(partial(self._row, place)) for place in range(self._steps)]
        layers = [
            Layer(self._tokens),
            *rows,
            Layer(self._asked, ask=True),
            Layer(self._flow, ask=False),
            Layer(self._written),
        ]
        return [Picture(self._top + FLOW + GAP + ROW * self._steps + 2, layers)]

    def finding(self, source: str, step: int) -> Finding:
        """Which token weighs most, and in which third of the source it stands."""
        recording, place = self._recordings[source], self._place(source, step)
        weights, tokens = recording.weights[place], recording.source
        most = weights.index(max(weights))
        return Finding(
            f"Step {place + 1} of {len(recording.written)} writes {_spell(recording.written[place])}. "
            f"Most weight, {weights[most]:.2f} of 1: {_spell(tokens[most])}, "
            f"token {most + 1} of {len(tokens)}.",
            PARTS[most * len(PARTS) // len(tokens)],
        )

    def _place(self, source: str, step: int) -> int:
        return min(step, len(self._recordings[source].written)) - 1

    def _map_top(self) -> int:
        return self._top + FLOW + GAP

    def _tokens(self, source: str) -> Frame:
        """The source in a row, and the frame of the map below it."""
        recording, columns = self._recordings[source], _Columns(self._recordings[source])
        tokens = [
            text(columns.middle(place) - 2, self._top, token, size=11, turn=TURN)
            if len(token) > 1
            else text(columns.middle(place), self._top, token, "middle")
            for place, token in enumerate(map(_mark, recording.source))
        ]
        top, bottom = self._map_top(), self._map_top() + ROW * len(recording.written)
        left, right = columns.left, columns.left + columns.wide * len(recording.source)
        corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
        words = f"source: {' '.join(map(_mark, recording.source))}"
        return Frame(words, "".join([*tokens, line(corners, NEUTRAL, 1)]))

    def _row(self, place: int, source: str, step: int) -> Frame:
        """A row of the map, from its step on; in words it was told at its step."""
        recording, columns = self._recordings[source], _Columns(self._recordings[source])
        if place > self._place(source, step):
            return Frame("", "")
        y = self._map_top() + ROW * place
        cells = [
            bar(columns.left + columns.wide * at, y, columns.wide, ROW, QUERY, round(weight, 2))
            for at, weight in enumerate(recording.weights[place])
            if weight >= FAINTEST
        ]
        name = text(columns.left - 6, y + 12, _mark(recording.written[place]), "end", size=11)
        return Frame("", "".join([*cells, name]))

    def _asked(self, source: str, step: int) -> Frame:
        """Brackets around the thirds of the source; the last row of the map stays covered."""
        columns = _Columns(self._recordings[source])
        count, y = len(self._recordings[source].source), self._top + 9
        parts = []
        for number, name in enumerate(PARTS):
            places = [at for at in range(count) if at * len(PARTS) // count == number]
            if places:
                left, right = (
                    columns.left + columns.wide * at for at in (places[0], places[-1] + 1)
                )
                parts.append(line([(left + 2, y), (right - 2, y)], QUIET, 2))
                words = name.removeprefix("the ")
                parts.append(text((left + right) / 2, y + 15, words, "middle", colour=QUIET))
        top = self._map_top() + ROW * self._place(source, step)
        width = columns.wide * count - 2
        cover = bar(columns.left + 1, top + 1, width, ROW - 2, CARD)
        question = text(columns.left + width / 2, top + 12, "?", "middle", weight=600)
        return Frame("weights: covered until you predict", "".join([*parts, cover, question]))

    def _flow(self, source: str, step: int) -> Frame:
        """Lines as wide as the weights, from the source into the context."""
        recording, place = self._recordings[source], self._place(source, step)
        columns, weights = _Columns(recording), recording.weights[place]
        drawn = [at for at, weight in enumerate(weights) if weight >= FAINTEST]
        lines = [
            line(
                [(columns.middle(at), self._top + 6), (columns.centre, self._top + FLOW)],
                QUERY,
                round(WIDEST * weights[at], 1),
            )
            for at in drawn
        ]
        told = [f"{_mark(recording.source[at])} {weights[at]:.2f}" for at in drawn]
        return Frame(f"weights: {', '.join(told)}", "".join(lines))

    def _written(self, source: str, step: int) -> Frame:
        """The context, the token written from it, and a mark at its row of the map."""
        recording, place = self._recordings[source], self._place(source, step)
        columns, y = _Columns(recording), self._top + FLOW
        *before, now = map(_mark, recording.written[: place + 1])
        row = self._map_top() + ROW * place
        parts = [
            dot(columns.centre, y, 8, OUTPUT),
            halo(text(columns.centre + 14, y + 5, f"context → writes {now}", weight=600)),
            line([(columns.left - 3, row), (columns.left - 3, row + ROW)], INK, 3),
        ]
        return Frame(
            f"written so far: {' '.join(before) or '(nothing)'}, now {now}", "".join(parts)
        )


class _Columns:
    """Where the source tokens of a recording stand, in pixels from the left."""

    def __init__(self, recording: Recording) -> None:
        names, ends = map(_mark, recording.written), map(_mark, recording.source[-3:])
        self.left = 10 + 7 * max(map(len, names))
        self.wide = (WIDTH - self.left - 4 * max(map(len, ends))) / len(recording.source)
        self.centre = self.left + 0.5 * self.wide * len(recording.source)

    def middle(self, place: int) -> Number:
        """The middle of a column."""
        return self.left + self.wide * (place + 0.5)


def _mark(token: str) -> str:
    """A token as it stands in the picture: a space leaves a mark, and a long one is cut."""
    return "␣" if token == " " else label(token, MOST_LETTERS)


def _spell(token: str) -> str:
    """A token as it is written in a sentence."""
    return "a space" if token == " " else f"“{label(token)}”"
