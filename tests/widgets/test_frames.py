"""Widgets made of frames: controls, what a page stores, the still picture and its words."""

import re
from itertools import product
from typing import Any

import pytest
from lamp import Lamp, TimedLamp
from traitlets import TraitError

from transformer_lite.widgets.frames import FrameWidget, Question


def test_a_page_finds_the_frame_of_every_setting() -> None:
    lamp = Lamp()
    stored = lamp.frames["pictures"][0]["layers"][1]
    assert (stored["ask"], stored["by"]) == (False, ["colour", "watts"])
    places = [int(place) for place in stored["places"].split()]
    shown = [stored["frames"][place] for place in places]
    assert shown == [lamp.draw_light(*one) for one in product(("red", "blue"), range(10, 13))]


def test_frames_that_look_alike_are_stored_once() -> None:
    still, lit = Lamp().frames["pictures"][0]["layers"]
    assert (len(still["frames"]), len(lit["frames"])) == (1, 6)
    findings = Lamp().frames["findings"]
    assert (findings["places"], len(findings["frames"])) == ("0 1 2", 3)


def test_the_page_is_told_of_the_controls_in_their_order() -> None:
    assert Lamp().frames["controls"] == [
        {"name": "watts", "kind": "Slider", "legend": "Watts", "values": [10, 11, 12]},
        {"name": "colour", "kind": "Choice", "legend": "Colour", "values": ["red", "blue"]},
    ]


def test_state_can_be_set_and_read_back() -> None:
    lamp = Lamp(watts=12.0, prediction="dim")
    assert (lamp.watts, lamp.colour, lamp.prediction, lamp.ask) == (12, "red", "dim", True)
    lamp.colour, lamp.prediction = "blue", None
    assert repr(lamp) == "Lamp(watts=12, colour='blue')"


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("watts", 13, "watts must be one of 10, 11, 12, but it is 13"),
        ("watts", None, "watts must be one of 10, 11, 12, but it is None"),
        ("colour", "green", "colour must be one of 'red', 'blue', but it is 'green'"),
        ("prediction", 3, "prediction must be one of 'dim', 'bright', but it is 3"),
    ],
)
def test_impossible_values_are_refused(name: str, value: Any, message: str) -> None:
    lamp = Lamp()
    before = getattr(lamp, name)
    with pytest.raises(TraitError, match=re.escape(message)):
        setattr(lamp, name, value)
    assert getattr(lamp, name) == before
    with pytest.raises(TraitError, match=re.escape(message)):
        Lamp(**{name: value})


@pytest.mark.parametrize("ask", [True, False])
def test_without_scripts_the_answer_is_shown(ask: bool) -> None:
    lamp = Lamp(ask=ask, colour="blue")
    assert lamp.words().splitlines() == [
        "Watts: 11, Colour: blue",
        "blue light",
        "label: b",
        lamp.finding(11).sentence,
    ]
    assert "blue &amp; 11" in lamp.still()
    assert "cloth" not in lamp.still()


def test_the_still_picture_has_room_for_everything() -> None:
    picture = Lamp().still()
    height = int(re.search(r"height='(\d+)'", picture)[1])
    shifts = [int(y) for y in re.findall(r"translate\(20 (\d+)\)", picture)]
    assert shifts[1] - shifts[0] >= 30
    rows = [int(y) for y in re.findall(r"<text x='20' y='(\d+)'", picture)]
    assert len(rows) == 3  # the setting, and a long sentence in two rows
    assert shifts[1] + 20 < rows[1] < rows[2] < height


def test_what_can_be_chosen_may_depend_on_another_control() -> None:
    lamp = TimedLamp()
    assert lamp.frames["offered"]["minutes"] == {
        "by": ["room"],
        "frames": [(1, 2, 3, 4), (1, 2)],
        "places": "0 1",
    }
    assert lamp.words().startswith("Room: hall, Minutes: 4, ")
    lamp.room = "attic"
    assert lamp.words().startswith("Room: attic, Minutes: 2, ")


def test_a_widget_without_pictures_says_what_is_missing() -> None:
    class Empty(FrameWidget):
        heading = "Nothing"
        prediction = Question("What?", ("nothing",))

    with pytest.raises(NotImplementedError, match="Empty must list its pictures"):
        Empty()
