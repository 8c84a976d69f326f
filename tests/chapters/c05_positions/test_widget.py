"""The dials: they are the sinusoidal encoding, and what is said of every position holds."""

import json
import math
from fractions import Fraction

import pytest
import torch
from ipywidgets import Widget
from widget_fixtures import filled_shapes

from transformer_lite.chapters.c05_positions.widget import (
    ANSWERS,
    FREQUENCIES,
    NAMES,
    POSITIONS,
    SHIFTS,
    PositionDials,
    product,
)


@pytest.fixture(scope="module")
def dials() -> PositionDials:
    return PositionDials()


def encoding(position: int) -> torch.Tensor:
    """cos and sin of each pair, slow ones first, by the formula: Float[6, 2]."""
    pairs = range(5, -1, -1)
    angles = torch.tensor([position / 64 ** (2 * i / 12) for i in pairs], dtype=torch.float64)
    return torch.stack([angles.cos(), angles.sin()], dim=1)


def angles_between(position: int, shift: int) -> list[float]:
    """From 0 to π, on each dial."""
    cosines = (encoding(position) * encoding(position + shift)).sum(1)
    return cosines.clamp(-1, 1).arccos().tolist()


def test_names_are_frequencies() -> None:
    assert [float(Fraction(name)) for name in NAMES] == FREQUENCIES


def test_the_product_is_that_of_two_encodings_at_every_position() -> None:
    for position in POSITIONS:
        for shift in SHIFTS:
            expected = (encoding(position) * encoding(position + shift)).sum().item()
            assert product(shift) == pytest.approx(expected)


@pytest.mark.parametrize("shift", SHIFTS[1:])
def test_the_answer_is_the_dial_with_the_widest_angle(dials: PositionDials, shift: int) -> None:
    sentence, answer = dials.finding(shift)
    for position in POSITIONS:
        angles = angles_between(position, shift)
        assert answer == f"ω = {NAMES[angles.index(max(angles))]}"
        # Closer ones would not be told apart by eye.
        assert sorted(angles)[-1] - sorted(angles)[-2] > math.radians(3)
    assert f"hands of {answer} are" in sentence


def test_the_fastest_dial_is_not_always_the_answer(dials: PositionDials) -> None:
    found = {dials.finding(shift).answer for shift in SHIFTS}
    assert found == {*ANSWERS} - {"a slower one"}
    assert dials.finding(0).answer == "none"


def test_what_a_shift_does_is_drawn_without_a_position(dials: PositionDials) -> None:
    layers = dials.frames["pictures"][0]["layers"]
    by = {layer["frames"][-1][0].split(" ")[0]: layer["by"] for layer in layers}
    assert by["turns"] == by["PE(t)"] == dials.frames["findings"]["by"] == ["shift"]
    assert by["bits"] == ["position", "shift"]


def test_hands_point_where_the_encoding_does() -> None:
    widget = PositionDials(position=19, shift=12, ask=False)
    here, there, *_ = filled_shapes(widget.still())
    for points, position in ((here, 19), (there, 31)):
        for hand, (across, up) in enumerate(encoding(position).tolist()):
            (x, y), left, right, _ = points[4 * hand : 4 * hand + 4]
            tip = (left[0] + right[0]) / 2 - x, y - (left[1] + right[1]) / 2
            assert tip == pytest.approx((20 * across, 20 * up), abs=0.11)


def test_hands_of_a_shift_are_covered_until_then(dials: PositionDials) -> None:
    (picture,) = dials.pictures()
    asked = " ".join(dials._now(one.draw).words for one in picture.layers if one.ask is not False)
    assert "hands at t = 3" in asked and "hands at t + k: covered" in asked
    assert "hands at t + k = 9" not in asked and "turns" not in asked


@pytest.mark.parametrize(
    ("position", "bits", "flips"),
    [(7, ("000111", "001000"), 4), (8, ("001000", "001001"), 1), (31, ("011111", "100000"), 6)],
)
def test_bits_flip_as_counting_has_it(position: int, bits: tuple[str, str], flips: int) -> None:
    widget = PositionDials(position=position, shift=1)
    lines = widget.words().splitlines()
    assert lines[5:8] == [
        f"t = {position}, bits {bits[0]}",
        f"t+k = {position + 1}, bits {bits[1]}",
        f"bits that flip: {flips}",
    ]
    marked, lamps, lamps_there = widget.still().count("×"), *filled_shapes(widget.still())[2:]
    assert marked == flips
    # Bars that stand apart have four corners each.
    assert [len(lamps) // 4, len(lamps_there) // 4] == [one.count("1") for one in bits]


def test_a_page_can_carry_it(dials: PositionDials) -> None:
    assert len(json.dumps(Widget.get_manager_state(widgets=[dials]))) < 100_000
