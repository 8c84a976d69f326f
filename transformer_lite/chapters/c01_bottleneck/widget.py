"""Chapter 01: choose a length and a hidden size, see where a real model goes wrong."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from transformer_lite.palette import WRONG
from transformer_lite.widgets.chart import LineChart
from transformer_lite.widgets.drawing import QUIET, Number, text
from transformer_lite.widgets.frames import (
    Choice,
    Finding,
    Frame,
    FrameWidget,
    Layer,
    Picture,
    Question,
    Slider,
)

HIDDEN = (64, 128, 256)
LENGTHS = range(1, 21)
SAMPLES = range(1, 5)
MEASURED = (5, 10, 15, 20)  # lengths whose share of exact matches is stored
NUMBERED = range(5, 21, 5)  # letters that have their number above them
ANSWERS = ("1 to 5", "6 to 10", "11 to 15", "16 to 20", "none")
RUN = (
    "task == 'reverse' and attention.isna() and context == 'start' and steps == 3000 and seed == 1"
)
REACH = 2  # places that a letter may be off and still count as near
_BASELINES = {"source": 37, "answer": 59, "model": 81}  # of the strings, in pixels
_MARKS, _KEY = 99, 122  # baselines of the marks below them, and of what the marks mean


@dataclass(frozen=True)
class Attempt:
    """What a model made of one string; all three are strings of letters."""

    source: str
    target: str
    output: str

    @property
    def wrong(self) -> list[int]:
        """The letters that are wrong, missing or too many, counted from 0."""
        places = range(max(len(self.target), len(self.output)))
        return [i for i in places if self.target[i : i + 1] != self.output[i : i + 1]]

    @property
    def near(self) -> list[int]:
        """Those of them that the answer has within two places, from the first mistake on."""
        return [
            i
            for i in self.wrong
            if i < len(self.output)
            and self.output[i] in self.target[max(self.right_letters, i - REACH) : i + REACH + 1]
        ]

    @property
    def right_letters(self) -> int:
        """How many letters are right before the first mistake."""
        return min([*self.wrong, len(self.target)])

    def sentence(self) -> str:
        """The outcome in one sentence."""
        length, extra = len(self.target), len(self.output) - len(self.target)
        if self.right_letters < length:
            stopped = ": the model stopped there" if len(self.output) == self.right_letters else ""
            return f"First mistake at letter {self.right_letters + 1} of {length}{stopped}."
        good = "The one letter is right" if length == 1 else f"All {length} letters are right"
        return f"{good}, but the model went on: {extra} too many." if extra else f"{good}."


class BottleneckExplorer(FrameWidget):
    """Predict, then see, how far a model without attention gets with one string.

    Nothing is computed by a model here: the answers are those stored in `results`. What the reader
    chose can be read back and set: `length` (1 to 20), `hidden` (64, 128 or 256), `sample` (1 to
    4), `prediction` (one of `ANSWERS`; None before there is one), and `ask` (hide the answer).

    Args:
        results: what `transformer_lite.results.load("bottleneck")` returns.
        state: initial values of the names above, such as `length=15`.

    Raises:
        ValueError: `results` lacks one of the runs, or their samples.
        traitlets.TraitError: a value of `state` is outside its range.
    """

    heading = "The bottleneck: a string through one vector"
    length = Slider("Length of the string", LENGTHS, 10)
    hidden = Choice("Hidden size", HIDDEN, 128)
    sample = Choice("String", SAMPLES, 1)
    prediction = Question("Predict: which letter is the first wrong one?", ANSWERS)

    def __init__(self, results: pd.DataFrame, **state: Any) -> None:
        self._runs = {hidden: _find(results, hidden) for hidden in HIDDEN}
        super().__init__(**state)

    @property
    def attempt(self) -> Attempt:
        """The string that is chosen, its right answer and what the model wrote."""
        return self._attempt(self.hidden, self.length, self.sample)

    def pictures(self) -> list[Picture]:
        """The three strings letter by letter, and the share of exact matches by length."""
        strings = [
            Layer(_labels),
            Layer(self._given),
            Layer(_covered, ask=True),
            Layer(self._written, ask=False),
        ]
        chart = LineChart(
            "Exact match by length and hidden size",
            x={length: str(length) for length in MEASURED},
            y={0: "0 %", 1: "100 %"},
            curves={hidden: self._exact_match(hidden) for hidden in HIDDEN},
            write=percent,
        )
        curves = [
            Layer(_curves_covered, ask=True),
            Layer(chart.axes, ask=False),
            Layer(lambda length: chart.marker(length), ask=False),
            Layer(lambda hidden: chart.chosen(hidden), ask=False),
            Layer(chart.names, ask=False),
        ]
        return [Picture(128, strings), Picture(chart.height, curves)]

    def finding(self, hidden: int, length: int, sample: int) -> Finding:
        """How the string came out, and the prediction that was right."""
        attempt = self._attempt(hidden, length, sample)
        right = attempt.right_letters
        return Finding(attempt.sentence(), "none" if right == length else ANSWERS[right // 5])

    def _attempt(self, hidden: int, length: int, sample: int) -> Attempt:
        stored = self._runs[hidden]["samples"][len(SAMPLES) * (length - 1) + sample - 1]
        return Attempt(stored["source"], stored["target"], stored["output"])

    def _exact_match(self, hidden: int) -> dict[Number, Number]:
        return {length: self._runs[hidden][f"exact_match.{length}"] for length in MEASURED}

    def _given(self, length: int, sample: int) -> Frame:
        attempt = self._attempt(HIDDEN[0], length, sample)  # all models read the same strings
        return Frame(
            f"source: {' '.join(attempt.source)}\nanswer: {' '.join(attempt.target)}",
            _letters(_row("source", attempt.source), _row("answer", attempt.target)),
        )

    def _written(self, hidden: int, length: int, sample: int) -> Frame:
        attempt = self._attempt(hidden, length, sample)
        written = attempt.output.ljust(length, "-")
        near = attempt.near
        far = [place for place in attempt.wrong if place not in near]
        marks = "".join("↔" if place in near else "✗" for place in attempt.wrong)
        return Frame(
            f"model: {' '.join(attempt.output)}{_spoken('near', near)}{_spoken('not near', far)}",
            _letters(
                _row("model", written),
                text(map(_across, attempt.wrong), _MARKS, marks, colour=WRONG),
            ),
        )


def _across(place: int) -> int:
    """Where a letter begins, in pixels; there is a gap behind every fifth one."""
    return 60 + 13 * place + 2 * (place // 5)


def _letters(*rows: str) -> str:
    # One width for all letters leaves room for large ones.
    return f"<g style='font:20px monospace'>{''.join(rows)}</g>"


def _row(name: str, letters: str) -> str:
    return text(map(_across, range(len(letters))), _BASELINES[name], letters)


def _spoken(name: str, places: list[int]) -> str:
    """A further line for a screen reader: at which letters a mark stands."""
    numbers = " ".join(str(place + 1) for place in places)
    return f"\n{name}: {numbers}" if places else ""


def _labels() -> Frame:
    """Names of the rows, the number of every fifth letter, what the marks mean."""
    numbers = [text(_across(n - 1) + 6, 14, str(n), "middle") for n in NUMBERED]
    names = [text(0, y, name) for name, y in _BASELINES.items()]
    key = text(0, _KEY, "↔ near: within two places · ✗ not near")
    parts = "".join([*numbers, *names, key])
    return Frame("", f"<g fill='{QUIET}'>{parts}</g>")


def _covered() -> Frame:
    covered = text(_across(0), _BASELINES["model"], "covered until you predict", colour=QUIET)
    return Frame("model: covered", covered)


def _curves_covered() -> Frame:
    words = "exact match: covered, too"
    return Frame(words, text(0, 12, words, colour=QUIET))


def percent(share: Number) -> str:
    """Two hundred strings make steps of half a percent: 99.5 % must not read as 100 %."""
    return f"{100 * share:.1f}".removesuffix(".0") + " %"


def _find(results: pd.DataFrame, hidden: int) -> "pd.Series[Any]":
    """The stored run of one hidden size, complete."""
    if not isinstance(results, pd.DataFrame):
        raise ValueError(
            "results must be what transformer_lite.results.load('bottleneck') returns, but it is "
            f"{type(results).__name__}"
        )
    run = results.query(RUN).query("hidden == @hidden")
    samples = [] if run.empty else run.iloc[0]["samples"]
    if [len(sample["target"]) for sample in samples] != [n for n in LENGTHS for _ in SAMPLES]:
        raise ValueError(
            f"results must hold a run with {RUN} and hidden == {hidden}, and {len(SAMPLES)} "
            f"samples of each length up to {LENGTHS[-1]}, but it has {len(run)} runs and "
            f"{len(samples)} samples"
        )
    return run.iloc[0]
