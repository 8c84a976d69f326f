"""The decoder stepper: what it takes, what it refuses, what it shows."""

import json
import re
from typing import Any

import pytest
from ipywidgets import Widget
from loading import load
from traitlets import TraitError
from widget_fixtures import filled_shapes

from transformer_lite.chapters.c02_additive_attention.recording import Recording
from transformer_lite.chapters.c02_additive_attention.widget import ALL, NO_PART, DecoderStepper

EXAMPLES = load("c02_additive_attention", "widget_examples")
DATE: Recording = EXAMPLES.DATE
CAPTION: Recording = EXAMPLES.CAPTION


@pytest.mark.parametrize("weights", [[], [[1.0, 0.0]], [[1.0, 0.0], [1.0]]])
def test_a_recording_has_a_row_for_each_step(weights: list[list[float]]) -> None:
    with pytest.raises(ValueError, match="weights must be a row of 2 for each of the tokens"):
        Recording("ab", ["a", "b"], ["x", "y"], weights)


@pytest.mark.parametrize(
    "parts",
    [
        {"day": range(-1, 1)},
        {"day": range(1, 3)},
        {"day": range(0)},
        {"day": range(0, 2), "year": range(1, 2)},
    ],
)
def test_parts_lie_in_the_source_side_by_side(parts: dict[str, range]) -> None:
    with pytest.raises(ValueError, match=r"parts must be ranges of the places 0 to 1 of source"):
        Recording("ab", ["a", "b"], ["x"], [[1.0, 0.0]], parts)


@pytest.mark.parametrize("recordings", [[], ["9 March 2021"], "9 March 2021"])
def test_something_else_than_recordings_is_refused(recordings: Any) -> None:
    with pytest.raises(ValueError, match="recordings must be at least one Recording"):
        DecoderStepper(recordings)


def test_state_can_be_set_and_read_back() -> None:
    widget = DecoderStepper([DATE, CAPTION], step=2, prediction="end")
    assert repr(widget) == "DecoderStepper(source='2 May 21', step=2)"
    assert (widget.prediction, widget.ask) == ("end", True)


@pytest.mark.parametrize(
    ("name", "value"), [("source", "1 May"), ("step", 0), ("step", 5), ("prediction", "hour")]
)
def test_impossible_values_are_refused(name: str, value: Any) -> None:
    with pytest.raises(TraitError, match=re.escape(f"{name} must be one of")):
        DecoderStepper([DATE, CAPTION], **{name: value})


@pytest.fixture
def stepper() -> DecoderStepper:
    return DecoderStepper([DATE, CAPTION], source=CAPTION.text)


@pytest.mark.parametrize(
    ("recording", "step", "share", "most", "answer"),
    [
        (DATE, 1, "The year has 0.98", "0.50: “1”, token 8 of 9.", "year"),
        (DATE, 2, "No part has more than half", "0.25: “2”, token 1 of 9.", NO_PART),
        (DATE, 3, "No part has more than half", "0.88: a space, token 2 of 9.", NO_PART),
        (DATE, 4, "No part has more than half", "0.50: “2”, token 1 of 9.", NO_PART),
        (CAPTION, 1, "The beginning has 1.00", "0.80: “▁ein”, token 1 of 9.", "beginning"),
        (CAPTION, 3, "The end has 1.00", "0.50: “.”, token 8 of 9.", "end"),
    ],
)
def test_a_part_is_right_that_has_more_than_half_of_the_weight(
    stepper: DecoderStepper, recording: Recording, step: int, share: str, most: str, answer: str
) -> None:
    sentence = f"{share} of the weight; most at one place, {most}"
    assert stepper.finding(recording.text, step) == (sentence, answer)


def test_steps_and_answers_are_those_of_the_source(stepper: DecoderStepper) -> None:
    offered = stepper.offered()
    assert offered["step"](CAPTION.text) == (1, 2, 3)
    assert offered["prediction"](CAPTION.text) == ("beginning", "middle", "end", NO_PART)
    assert offered["prediction"](DATE.text) == ("day", "month", "year", NO_PART)
    stepper.step = 4  # the caption was finished at step 3
    later = stepper.words()
    stepper.step = 3
    assert stepper.words() == later


def test_brackets_stand_below_their_parts(stepper: DecoderStepper) -> None:
    drawing = stepper._drawings[DATE.text]
    brackets = re.findall(r"points='([\d.]+),\d+ ([\d.]+),", drawing.brackets().svg)
    assert len(brackets) == 3
    for (start, end), places in zip(brackets, DATE.parts.values(), strict=True):
        under = [i for i in range(9) if float(start) < drawing._middle(i) < float(end)]
        assert under == [*places]


def test_the_map_grows_and_the_bands_are_as_wide_as_the_weights(stepper: DecoderStepper) -> None:
    for step in (1, 2, 3):
        stepper.step = step
        flow, *rows = filled_shapes(stepper.still())
        assert len([row for row in rows if row]) == step
        top = min(y for _, y in flow)
        edges = [x for x, y in flow if y == top]
        widths = [right - left for left, right in zip(edges[::2], edges[1::2], strict=True)]
        shown = [weight for weight in CAPTION.weights[step - 1] if weight >= 0.03]
        assert widths == pytest.approx([ALL * weight for weight in shown], abs=0.11)


def test_the_answer_is_covered_until_then(stepper: DecoderStepper) -> None:
    stepper.step = 2
    flow, rows_of_map = (
        [stepper._now(layer.draw) for layer in picture.layers if layer.ask is not False]
        for picture in stepper.pictures()
    )
    assert not any("0.88" in frame.words for frame in (*flow, *rows_of_map))
    rows = [frame.svg for frame in rows_of_map if frame.svg][:3]  # two, and what covers the second
    top, height = re.search(r"<rect x='0' y='(\d+)' width='340' height='(\d+)'", rows[2]).groups()
    row = filled_shapes(f"<svg xmlns='http://www.w3.org/2000/svg'>{rows[1]}</svg>")[0]
    assert all(int(top) <= y <= int(top) + int(height) for _, y in row)


def test_the_words_tell_the_step(stepper: DecoderStepper) -> None:
    stepper.step = 2
    assert stepper.words().splitlines()[2:4] == [
        "weights: ▁ein 0.10, ▁hund 0.88",
        "written so far: ▁a, now ▁dog",
    ]


def test_a_page_carries_eight_texts() -> None:
    row = [0.1, 0.6, 0.2, 0.1]
    rows = [[*[0.0] * (2 * step), *row, *[0.0] * (24 - 2 * step)] for step in range(11)]
    parts = {"day": range(3), "month": range(5, 9), "year": range(20, 24)}
    many = [Recording(f"text {n}", [*"x" * 28], [*"2021-03-09x"], rows, parts) for n in range(8)]
    widget = DecoderStepper(many)
    assert len(json.dumps(Widget.get_manager_state(widgets=[widget]))) < 100_000
