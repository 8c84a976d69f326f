"""Chapter 01: choose a length and a hidden size, see where a real model goes wrong."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import traitlets

from transformer_lite.chapters.c01_bottleneck.attempt import Attempt
from transformer_lite.chapters.c01_bottleneck.still import draw
from transformer_lite.widgets.base import StillWidget, check_choice, front_end

HIDDEN = (64, 128, 256)
LONGEST = 20
SAMPLES = 4
MEASURED = (5, 10, 15, 20)
_RUN = {"task": "reverse", "attention": None, "context": "start", "steps": 3000, "seed": 1}


class BottleneckExplorer(StillWidget):
    """Predict, then see, how far a model without attention gets with one string.

    Nothing is computed by a model here: the answers are those stored in `results`. What the reader
    chose can be read back and set: `length`, `hidden`, `sample`, `prediction` (None before there
    is one), `revealed`, and `ask` (hide the answer again after each change).

    Args:
        results: what `transformer_lite.results.load("bottleneck")` returns.
        state: initial values of the names above, such as `length=15`.

    Raises:
        ValueError: `results` lacks one of the runs, or what a run must hold.
        traitlets.TraitError: a value of `state` is outside its range.
    """

    _esm, _css = front_end(Path(__file__).parent)

    runs = traitlets.Dict(help="by hidden size: attempts by length, exact match").tag(sync=True)
    length = traitlets.Int(10, help="letters in the string, 1 to 20").tag(sync=True)
    hidden = traitlets.Int(128, help="hidden size: 64, 128 or 256").tag(sync=True)
    sample = traitlets.Int(1, help="which of the four strings of this length").tag(sync=True)
    prediction = traitlets.Int(None, allow_none=True, help="letters right, as guessed").tag(
        sync=True
    )
    revealed = traitlets.Bool(False, help="whether the answer is shown").tag(sync=True)
    ask = traitlets.Bool(True, help="whether a change hides the answer").tag(sync=True)

    def __init__(self, results: Any, **state: Any) -> None:
        super().__init__(runs={str(hidden): _find(results, hidden) for hidden in HIDDEN}, **state)

    @traitlets.validate("length", "hidden", "sample", "prediction")
    def _check(self, proposal: Any) -> int | None:
        name: str = proposal["trait"].name
        value: int | None = proposal["value"]
        allowed: dict[str, Sequence[int]] = {
            "length": range(1, LONGEST + 1),
            "hidden": HIDDEN,
            "sample": range(1, SAMPLES + 1),
            "prediction": range(LONGEST + 1),
        }
        if value is not None:
            check_choice(name, value, allowed[name])
        return value

    @property
    def attempt(self) -> Attempt:
        """The string that is chosen, its right answer and what the model wrote."""
        return Attempt(*self.runs[str(self.hidden)]["attempts"][self.length - 1][self.sample - 1])

    @property
    def exact_match(self) -> dict[int, int | float]:
        """Share of strings written without a mistake, by length, for the chosen hidden size."""
        return dict(zip(MEASURED, self.runs[str(self.hidden)]["exact"], strict=True))

    def still(self) -> str:
        """String, right answer, the model's output and the curve, as an SVG picture."""
        return draw(self.attempt, self.hidden, self.exact_match)

    def words(self) -> str:
        """String, right answer and the model's output, as text."""
        attempt = self.attempt
        return "\n".join(
            (
                f"Length {self.length}, hidden size {self.hidden}",
                f"source        {' '.join(attempt.source)}",
                f"right answer  {' '.join(attempt.target)}",
                f"model         {' '.join(attempt.output)}",
                attempt.verdict(),
            )
        )

    def __repr__(self) -> str:
        return (
            f"BottleneckExplorer(length={self.length}, hidden={self.hidden}, sample={self.sample})"
        )


def _find(results: Any, hidden: int) -> dict[str, Any]:
    """The attempts by length, and the exact match by length, of one run."""
    wanted = {**_RUN, "hidden": hidden}
    words = ", ".join(f"{name}={value!r}" for name, value in wanted.items())
    try:
        runs = results["runs"]
    except (KeyError, TypeError):
        raise ValueError(
            "results: expected what transformer_lite.results.load('bottleneck') returns, a dict "
            f"with 'runs', got {type(results).__name__}"
        ) from None
    run = next((run for run in runs if all(run.get(name) == wanted[name] for name in wanted)), None)
    if run is None:
        raise ValueError(
            f"results: the run {words} is missing; `python benchmarks/bottleneck.py` adds it"
        )
    exact = [run.get("exact_match", {}).get(str(length)) for length in MEASURED]
    samples = [(one["source"], one["target"], one["output"]) for one in run.get("samples", [])]
    lengths = [length for length in range(1, LONGEST + 1) for _ in range(SAMPLES)]
    if None in exact or [len(target) for _, target, _ in samples] != lengths:
        raise ValueError(
            f"results: the run {words} must hold exact_match at {MEASURED} and {SAMPLES} samples "
            f"of each length from 1 to {LONGEST}, in order; it has {len(samples)} samples; "
            "delete it from the file and run `python benchmarks/bottleneck.py`"
        )
    attempts = [samples[start : start + SAMPLES] for start in range(0, len(samples), SAMPLES)]
    return {"attempts": attempts, "exact": exact}
