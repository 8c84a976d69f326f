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
    area,
    bar,
    bars,
    dot,
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
MOST_LETTERS = 12  # of a token in the picture
FAINTEST = 0.03  # weights below it do not flow
# In pixels: from the source to the context, how wide all weights are together, from the context to
# the map, and a row of the map.
FLOW, ALL, GAP, ROW = 76, 24, 24, 18


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
        tokens = {_mark(token) for one in self._recordings.values() for token in one.source}
        top = 12 + 6 * max(map(len, tokens))
        self._drawings = {name: _Drawing(one, top) for name, one in self._recordings.items()}
        names, steps = list(self._recordings), max(map(_steps, self._recordings.values()))
        self.add_traits(
            source=Menu("Source", names, names[0]), step=Slider("Step", range(1, steps + 1), 1)
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
        drawings, place = self._drawings, self._place
        steps = max(map(_steps, self._recordings.values()))
        rows = [Layer(partial(self._row, number)) for number in range(steps)]
        layers = [
            *rows,
            Layer(lambda source, step: drawings[source].cover(place(source, step)), ask=True),
            Layer(lambda source: drawings[source].thirds(), ask=True),
            Layer(lambda source: drawings[source].tokens()),
            Layer(lambda source, step: drawings[source].flow(place(source, step)), ask=False),
            Layer(lambda source, step: drawings[source].written(place(source, step))),
        ]
        return [Picture(max(one.height for one in drawings.values()), layers)]

    def finding(self, source: str, step: int) -> Finding:
        """Which token weighs most, and in which third of the source it stands."""
        recording, place = self._recordings[source], self._place(source, step)
        weights, tokens = recording.weights[place], recording.source
        most = weights.index(max(weights))
        return Finding(
            f"Step {place + 1} of {_steps(recording)} writes {_spell(recording.written[place])}. "
            f"Most weight, {weights[most]:.2f}: {_spell(tokens[most])}, "
            f"token {most + 1} of {len(tokens)}.",
            PARTS[_third(most, len(tokens))],
        )

    def _place(self, source: str, step: int) -> int:
        return min(step, _steps(self._recordings[source])) - 1

    def _row(self, number: int, source: str, step: int) -> Frame:
        shown = number <= self._place(source, step)
        return self._drawings[source].row(number) if shown else Frame("", "")


class _Drawing:
    """A recording in a picture, whose columns are the source tokens; `top` is where these stand."""

    def __init__(self, recording: Recording, top: int) -> None:
        self.recording, self.top, self.map_top = recording, top, top + FLOW + GAP
        self.source, self.names = (
            [*map(_mark, tokens)] for tokens in (recording.source, recording.written)
        )
        self.left = 12 + 7 * max(map(len, self.names))
        room = WIDTH - self.left - 4 * max(map(len, self.source[-3:]))
        self.column = room // len(self.source)
        self.right = self.left + self.column * len(self.source)
        self.centre = (self.left + self.right) // 2
        self.height = self.map_top + ROW * len(self.names) + 2

    def tokens(self) -> Frame:
        """The source, the context, and the frame of the map."""
        left, right, top, bottom = self.left, self.right, self.map_top, self.height - 2
        corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
        parts = [line(corners, NEUTRAL, 1)]
        y, middles = self.top + FLOW, [self.middle(place) for place in range(len(self.source))]
        parts.append(dot(self.centre, y + 4, 8, OUTPUT))
        parts.append(text(self.centre - 14, y + 9, "context", "end", colour=QUIET))
        # Letters in one go; words are turned.
        letters = [token if len(token) == 1 else "\u00a0" for token in self.source]
        size = min(13, self.column + 3)  # a date of 36 letters has columns of 7 pixels
        parts.append(text(middles, self.top, "".join(letters), "middle", size=size))
        for x, token in zip(middles, self.source, strict=True):
            if len(token) > 1:
                parts.append(text(x, self.top, token, size=11, turn=-50))
        return Frame(f"source: {' '.join(self.source)}", "".join(parts))

    def thirds(self) -> Frame:
        """What the answers mean: a bracket below each third of the source."""
        parts, y, count = [], self.top + 9, len(self.source)
        for number, name in enumerate(PARTS):
            places = [place for place in range(count) if _third(place, count) == number]
            if places:
                start, end = (self.left + self.column * at for at in (places[0], places[-1] + 1))
                parts.append(line([(start + 2, y), (end - 2, y)], QUIET, 2))
                middle = (start + end) // 2
                parts.append(text(middle, y + 15, name.split()[1], "middle", colour=QUIET))
        return Frame("weights: covered until you predict", "".join(parts))

    def flow(self, place: int) -> Frame:
        """Bands as wide as the weights, which fill the context side by side."""
        x, top, bottom = self.centre - ALL / 2, self.top + 5, self.top + FLOW
        points, told = [(x, bottom)], []
        for token, weight in enumerate(self.recording.weights[place]):
            if weight >= FAINTEST:
                wide = ALL * weight
                start, x = self.middle(token) - wide / 2, x + wide
                points += [(start, top), (start + wide, top), (x, bottom)]
                told.append(f"{self.source[token]} {weight:.2f}")
        return Frame(f"weights: {', '.join(told)}", area(points, QUERY))

    def row(self, place: int) -> Frame:
        """Bars as high as the weights; what they say was said at their step."""
        bottom, heights = self.map_top + ROW * (place + 1) - 1, self.recording.weights[place]
        drawn = bars(
            self.left, bottom, self.column, self.column, [(ROW - 2) * one for one in heights], QUERY
        )
        name = text(self.left - 6, bottom - 4, self.names[place], "end", size=11)
        return Frame("", drawn + name)

    def cover(self, place: int) -> Frame:
        """Hides a row of the map."""
        y = self.map_top + ROW * place
        question = text(WIDTH // 2, y + 14, "?", "middle", weight=600)
        return Frame("", bar(0, y, WIDTH, ROW, CARD) + question)

    def written(self, place: int) -> Frame:
        """What is written from the context, and a mark at its row of the map."""
        before, now = " ".join(self.names[:place]) or "(nothing)", self.names[place]
        words = text(self.centre + 15, self.top + FLOW + 9, f"→ {now}", weight=600)
        mark = bar(self.left - 3, self.map_top + ROW * place, 3, ROW, INK)
        return Frame(f"written so far: {before}, now {now}", words + mark)

    def middle(self, place: int) -> float:
        """Where a column has its middle."""
        return self.left + self.column * (place + 0.5)


def _steps(recording: Recording) -> int:
    return len(recording.written)


def _third(place: int, count: int) -> int:
    return place * len(PARTS) // count


def _mark(token: str) -> str:
    """A token as it stands in the picture: a space leaves a mark, and a long one is cut."""
    return "␣" if token == " " else label(token, MOST_LETTERS)


def _spell(token: str) -> str:
    """A token as it is written in a sentence."""
    return "a space" if token == " " else f"“{label(token)}”"
