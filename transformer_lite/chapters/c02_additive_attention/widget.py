"""Chapter 02: follow a decoder token by token, and see where it looked for each one."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from transformer_lite.chapters.c02_additive_attention.recording import Recording
from transformer_lite.palette import NEUTRAL, OUTPUT, QUERY
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

NO_PART = "no part"
MOST_LETTERS = 12  # of a token in the picture
FAINTEST = 0.03  # weights below it do not flow
# In pixels: from the source to the context, how wide all weights are together, from the source to
# the map, and a row of the map.
FLOW, ALL, GAP, ROW = 70, 24, 8, 18


class DecoderStepper(FrameWidget):
    """Predict, then see, where the decoder looks when it writes the next token.

    Nothing is computed by a model here. What the reader chose can be read back and set: `source`
    (one of the texts), `step` (from 1; past the last step of a text its last one is shown),
    `prediction` (the name of a part, or `NO_PART`; None before there is one), and `ask` (hide the
    answer).

    Args:
        recordings: at least one text to choose from, with what a model made of it.
        state: initial values of the names above, such as `step=3`.

    Raises:
        ValueError: `recordings` is empty, or something else.
        traitlets.TraitError: a value of `state` is outside its range.
    """

    heading = "A decoder with attention, one step at a time"
    source: str
    step: int
    prediction: str | None

    def __init__(self, recordings: Sequence[Recording], **state: Any) -> None:
        if not recordings or not all(isinstance(one, Recording) for one in recordings):
            raise ValueError(
                "recordings must be at least one Recording(text, source, written, weights), but "
                f"it is {recordings!r:.60}"
            )
        tokens = {_mark(token) for one in recordings for token in one.source}
        top = 12 + 7 * max(map(len, tokens))
        self._drawings = {one.text: _Drawing(one, top) for one in recordings}
        self._steps = max(len(one.written) for one in recordings)
        names = list(self._drawings)
        parts = dict.fromkeys(part for one in self._drawings.values() for part in one.parts)
        self.add_traits(
            source=Menu("Source", names, names[0]),
            step=Slider("Step", range(1, self._steps + 1), 1),
            prediction=Question(
                "Predict: which part gets more than half of the weight?", (*parts, NO_PART)
            ),
        )
        super().__init__(**state)

    def offered(self) -> dict[str, Callable[..., tuple[Any, ...]]]:
        """The steps that wrote a token, and the parts in the order of the source."""
        return {
            "step": lambda source: tuple(range(1, self._drawings[source].steps + 1)),
            "prediction": lambda source: (*self._drawings[source].parts, NO_PART),
        }

    def pictures(self) -> list[Picture]:
        """Weights that flow from the source into a context; below, the map with a row for each."""
        drawings, place = self._drawings, self._place
        flow = [
            Layer(lambda source: drawings[source].brackets(), ask=True),
            Layer(lambda source: drawings[source].tokens()),
            Layer(lambda source, step: drawings[source].flow(place(source, step)), ask=False),
            Layer(lambda source, step: drawings[source].written(place(source, step))),
        ]
        rows = [
            *(Layer(partial(self._row, number)) for number in range(self._steps)),
            Layer(lambda source, step: drawings[source].cover(place(source, step)), ask=True),
            Layer(lambda source: drawings[source].frame()),
            Layer(lambda source, step: drawings[source].mark(place(source, step))),
        ]
        top = next(iter(drawings.values())).top
        return [Picture(top + FLOW + 16, flow), Picture(top + GAP + ROW * self._steps + 22, rows)]

    def finding(self, source: str, step: int) -> Finding:
        """Which part has most of the weight, and which token."""
        drawing, place = self._drawings[source], self._place(source, step)
        recording = drawing.recording
        weights, tokens = recording.weights[place], recording.source
        most, answer, share = weights.index(max(weights)), NO_PART, "No part has more than half"
        for name, places in drawing.parts.items():
            weight = sum(weights[at] for at in places)
            if weight > 0.5:
                answer, share = name, f"The {name} has {weight:.2f}"
        return Finding(
            f"{share} of the weight; most at one place, {weights[most]:.2f}: "
            f"{_spell(tokens[most])}, token {most + 1} of {len(tokens)}.",
            answer,
        )

    def _place(self, source: str, step: int) -> int:
        return min(step, self._drawings[source].steps) - 1

    def _row(self, number: int, source: str, step: int) -> Frame:
        shown = number <= self._place(source, step)
        return self._drawings[source].row(number) if shown else Frame("", "")


class _Drawing:
    """A recording in pictures, whose columns are the source tokens; `top` is where these stand."""

    def __init__(self, recording: Recording, top: int) -> None:
        self.recording, self.top, self.map_top = recording, top, top + GAP
        self.source, self.names = (
            [*map(_mark, tokens)] for tokens in (recording.source, recording.written)
        )
        self.steps, count = len(self.names), len(self.source)
        thirds = [count * number // 3 for number in range(4)]
        self.parts = recording.parts or dict(
            zip(("beginning", "middle", "end"), map(range, thirds, thirds[1:]), strict=True)
        )
        self.left = 12 + 9 * max(map(len, self.names))
        room = WIDTH - self.left - 6 * max(map(len, self.source[-3:]))
        self.column = room // count
        self.right = self.left + self.column * count
        self.centre = (self.left + self.right) // 2

    def tokens(self) -> Frame:
        """The source, and the context."""
        y = self.top + FLOW
        context = dot(self.centre, y + 4, 8, OUTPUT) + text(
            self.centre - 14, y + 9, "context", "end", colour=QUIET
        )
        return Frame(f"source: {' '.join(self.source)}", self._columns() + context)

    def frame(self) -> Frame:
        """The source again, the frame of the map, and what its bars mean."""
        left, right, top = self.left, self.right, self.map_top
        bottom = top + ROW * self.steps
        corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
        key = text(right, bottom + 17, "The height of a bar is the weight.", "end", colour=QUIET)
        return Frame("", self._columns() + line(corners, NEUTRAL, 1) + key)

    def brackets(self) -> Frame:
        """What the answers mean: a bracket below each part of the source."""
        drawn, y = [], self.top + 9
        for name, places in self.parts.items():
            start, end = (self.left + self.column * at for at in (places.start, places.stop))
            drawn.append(line([(start + 2, y), (end - 2, y)], QUIET, 2))
            drawn.append(
                text((start + end) // 2, y + 17, label(name, MOST_LETTERS), "middle", colour=QUIET)
            )
        return Frame("weights: covered until you predict", "".join(drawn))

    def flow(self, place: int) -> Frame:
        """Bands as wide as the weights, which fill the context side by side."""
        x, top, bottom = self.centre - ALL / 2, self.top + 5, self.top + FLOW
        points, told = [(x, bottom)], []
        for token, weight in enumerate(self.recording.weights[place]):
            if weight >= FAINTEST:
                wide = ALL * weight
                start, x = self._middle(token) - wide / 2, x + wide
                points += [(start, top), (start + wide, top), (x, bottom)]
                told.append(f"{self.source[token]} {weight:.2f}")
        return Frame(f"weights: {', '.join(told)}", area(points, QUERY))

    def written(self, place: int) -> Frame:
        """What is written from the context."""
        before, now = " ".join(self.names[:place]) or "(nothing)", self.names[place]
        words = text(self.centre + 15, self.top + FLOW + 9, f"→ {now}", weight=600)
        return Frame(f"written so far: {before}, now {now}", words)

    def row(self, place: int) -> Frame:
        """Bars as high as the weights; what they say was said at their step."""
        bottom, heights = self.map_top + ROW * (place + 1) - 1, self.recording.weights[place]
        drawn = bars(
            self.left, bottom, self.column, self.column, [(ROW - 2) * one for one in heights], QUERY
        )
        name = text(self.left - 6, bottom - 3, self.names[place], "end")
        return Frame("", drawn + name)

    def cover(self, place: int) -> Frame:
        """Hides a row of the map."""
        y = self.map_top + ROW * place
        question = text(WIDTH // 2, y + 14, "?", "middle", weight=600)
        return Frame("", bar(0, y, WIDTH, ROW, CARD) + question)

    def mark(self, place: int) -> Frame:
        """A mark at the row of a step."""
        return Frame("", bar(self.left - 3, self.map_top + ROW * place, 3, ROW, INK))

    def _columns(self) -> str:
        """The tokens above the columns: letters in one go, words turned."""
        middles = [*map(self._middle, range(len(self.source)))]
        letters = [token if len(token) == 1 else "\u00a0" for token in self.source]
        size = min(15, self.column * 5 // 3)  # of letters 0.6 wide: a date of 36 has narrow columns
        drawn = text(middles, self.top, "".join(letters), "middle")
        return f"<g style='font:{size}px monospace'>{drawn}</g>" + "".join(
            text(x, self.top, token, turn=-50)
            for x, token in zip(middles, self.source, strict=True)
            if len(token) > 1
        )

    def _middle(self, place: int) -> float:
        return self.left + self.column * (place + 0.5)


def _mark(token: str) -> str:
    """A token as it stands in the picture: a space leaves a mark, and a long one is cut."""
    return "␣" if token == " " else label(token, MOST_LETTERS)


def _spell(token: str) -> str:
    """A token as it is written in a sentence."""
    return "a space" if token == " " else f"“{label(token)}”"
