"""What pictures are drawn with: words stay words, numbers read well, curves keep to their frame."""

import re
import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as some

from transformer_lite.widgets.chart import LineChart
from transformer_lite.widgets.drawing import bars, card, decimal, text
from transformer_lite.widgets.frames import WIDTH


def read_back(words: str) -> str:
    """What a picture says that was written to a file and read again."""
    drawn = card(90, 90, [text(1, 2, words)]).encode("utf-8")
    (written,) = (part for part in ElementTree.fromstring(drawn) if part.tag.endswith("text"))
    assert list(written) == []
    return written.text or ""


@given(some.text(some.characters(exclude_categories=()), min_size=1))
def test_any_words_can_stand_in_a_picture(words: str) -> None:
    assert len(read_back(words)) == len(words.replace("\r\n", "\n"))


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("<img src=x onerror='f()'>", "<img src=x onerror='f()'>"),
        ("</text></svg>", "</text></svg>"),
        ("&amp; 'a' \"b\"", "&amp; 'a' \"b\""),
        ("a\0b\x1b\x9b\ud800\uffffc 한", "a\ufffdb\ufffd\ufffd\ufffd\ufffdc 한"),
    ],
)
def test_markup_and_control_characters_are_shown(words: str, shown: str) -> None:
    assert read_back(words) == shown


@pytest.mark.parametrize(
    ("number", "digits", "words"), [(-1.25, 1, "−1.2"), (-0.001, 2, "0.00"), (3, 2, "3.00")]
)
def test_decimals(number: float, digits: int, words: str) -> None:
    assert decimal(number, digits) == words


CHART = LineChart(
    "Loss by step",
    x={0: "0", 50: "50", 100: "100"},
    y={0: "0", 4: "4"},
    curves={"one": {0: 4.0, 100: 0.0}, "other": {0: 4.0, 50: 1.0}},
    write="{:g} nats".format,
)


def points(svg: str) -> list[tuple[float, float]]:
    (path,) = re.findall(r"points='(.*?)'", svg)
    return [(float(x), float(y)) for x, y in (point.split(",") for point in path.split())]


def test_bars_stand_on_their_line_and_the_lowest_are_left_out() -> None:
    drawn = bars(10, 100, 20, 15, [50, 0.1, 2.5], "#123456")
    first = [(10, 100), (10, 50), (25, 50), (25, 100)]
    assert points(drawn) == [*first, (50, 100), (50, 97.5), (65, 97.5), (65, 100)]


def test_bars_that_touch_are_one_outline() -> None:
    drawn = bars(10, 100, 20, 20, [50, 40], "#123456")
    assert points(drawn) == [(10, 100), (10, 50), (30, 50), (30, 60), (50, 60), (50, 100)]


def test_words_turn_around_their_point() -> None:
    drawn = ElementTree.fromstring(text(30, 40, "word", turn=-50))
    assert drawn.attrib["transform"] == "rotate(-50 30 40)"
    assert "transform" not in text(30, 40, "word")


def test_a_curve_runs_from_corner_to_corner() -> None:
    (left, top), (right, bottom) = points(CHART.chosen("one").svg)
    assert 0 < left < right < WIDTH
    assert 0 < top < bottom < CHART.height
    assert points(CHART.chosen("other").svg) == [
        (left, top),
        ((left + right) / 2, top + 0.75 * (bottom - top)),
    ]
    assert {x for x, _ in points(CHART.marker(100).svg)} == {right}


def test_a_chosen_curve_is_put_in_words() -> None:
    assert CHART.chosen("other").words == "Loss by step, other. 0: 4 nats, 50: 1 nats"


def test_all_curves_stand_behind_the_chosen_one() -> None:
    axes = ElementTree.fromstring(f"<svg>{CHART.axes().svg}</svg>")
    assert len(axes.findall("polyline")) == 1 + len(CHART.curves)
    assert [part.text for part in axes.findall("text")] == [
        "Loss by step",
        "0",
        "50",
        "100",
        "0",
        "4",
    ]
