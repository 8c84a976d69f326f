"""The softmax explorer as Python sees it: numbers, state, errors, picture and words."""

import math
import re
import xml.etree.ElementTree as ElementTree
from itertools import product
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as some
from traitlets import TraitError

from transformer_lite.chapters.c03_scoring_functions.measures import entropy, gradient_size
from transformer_lite.chapters.c03_scoring_functions.still import axis
from transformer_lite.chapters.c03_scoring_functions.widget import (
    BANDS,
    WIDTHS,
    SoftmaxExplorer,
    power,
)
from transformer_lite.widgets.distribution import softmax
from transformer_lite.widgets.drawing import decimal

ENERGIES = some.lists(some.floats(-700, 700), min_size=1, max_size=9)


def jacobian_norm(energies: torch.Tensor) -> float:
    jacobian = torch.autograd.functional.jacobian(lambda one: one.softmax(0), energies)
    return float(torch.linalg.matrix_norm(jacobian))


@given(ENERGIES)
def test_plain_numbers_agree_with_torch(energies: list[float]) -> None:
    tensor = torch.tensor(energies, dtype=torch.float64)
    weights = softmax(energies)
    torch.testing.assert_close(torch.tensor(weights, dtype=torch.float64), tensor.softmax(0))
    expected = float(torch.distributions.Categorical(logits=tensor).entropy())
    assert entropy(weights) == pytest.approx(expected, abs=1e-9)
    assert gradient_size(weights) == pytest.approx(jacobian_norm(tensor), abs=1e-9)
    assert 0 <= gradient_size(weights) <= 0.5 + 1e-12
    assert 0 <= entropy(weights) <= math.log(len(energies)) + 1e-12


def test_known_distributions() -> None:
    assert softmax([1000.0, 1000.0]) == [0.5, 0.5]
    assert gradient_size([0.5, 0.5, 0.0]) == pytest.approx(0.5)
    assert gradient_size([1.0, 0.0]) == 0.0
    assert str(entropy([1.0, 0.0])) == "0.0"  # no minus sign
    assert entropy([0.25] * 4) == pytest.approx(math.log(4))
    # Almost everything on one key: 1 - w would have lost all its digits.
    assert gradient_size([1.0, 1e-20]) == pytest.approx(2e-20, abs=0)


@pytest.mark.parametrize("draw", range(1, 6))
def test_the_draws_are_standard_normal(draw: int) -> None:
    components = torch.tensor(SoftmaxExplorer().draws[draw - 1]) / 100
    assert components.shape == (9, 512)
    assert components.mean().abs() < 0.05
    assert abs(components.std() - 1) < 0.05


def test_the_draws_differ_and_stay() -> None:
    draws = SoftmaxExplorer().draws
    assert draws == SoftmaxExplorer().draws
    assert len({str(draw) for draw in draws}) == 5


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("divisor", ["none", "√d", "d"])
def test_energies_are_divided_dot_products(width: int, divisor: str) -> None:
    widget = SoftmaxExplorer(width=width, divisor=divisor, temperature=2.5, draw=4)
    query, *keys = torch.tensor(widget.draws[3], dtype=torch.float64)[:, :width] / 100
    by = {"none": 1, "√d": width**0.5, "d": width}[divisor]
    expected = torch.stack(keys) @ query / by / 2.5
    got = torch.tensor(widget.energies, dtype=torch.float64)
    torch.testing.assert_close(got, expected)
    weights = torch.tensor(widget.weights, dtype=torch.float64)
    torch.testing.assert_close(weights, expected.softmax(0))
    assert widget.gradient == pytest.approx(jacobian_norm(expected), abs=1e-12)
    assert widget.entropy == pytest.approx(float(-(weights * weights.log()).sum()), abs=1e-12)


def test_the_lesson_can_be_seen() -> None:
    """Undivided, width saturates the softmax; divided by √d it does not; d flattens it."""
    for draw in range(1, 6):
        wide = {by: SoftmaxExplorer(width=512, divisor=by, draw=draw) for by in ("none", "√d", "d")}
        assert max(wide["none"].weights) > 0.99 > 0.6 > max(wide["√d"].weights) > 0.25
        assert wide["none"].gradient < 0.001 < 0.3 < wide["√d"].gradient
        assert wide["d"].entropy > math.log(8) - 0.01


def test_every_band_can_be_right() -> None:
    largest = [
        max(SoftmaxExplorer(width=width, divisor=divisor, draw=draw).weights)
        for width, divisor, draw in product(WIDTHS, ("none", "√d", "d"), range(1, 6))
    ]
    assert {sum(one >= bound for bound in BANDS) for one in largest} == {0, 1, 2, 3}


def test_state_can_be_set_and_read_back() -> None:
    widget = SoftmaxExplorer(width=8, divisor="√d", temperature=0.5, draw=3, prediction=2)
    expected = "SoftmaxExplorer(width=8, divisor='√d', temperature=0.5, draw=3)"
    assert repr(widget) == expected
    assert (widget.prediction, widget.revealed, widget.ask) == (2, False, True)
    before = widget.weights
    widget.temperature = 5
    assert max(widget.weights) < max(before)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("width", 100, "width must be one of 4, 8, 16, 32, 64, 128, 256, 512, but it is 100"),
        ("divisor", "d_model", "divisor must be one of 'none', '√d', 'd', but it is 'd_model'"),
        ("temperature", 0.05, "temperature must be a number from 0.1 to 10, but it is 0.05"),
        ("temperature", 10.5, "temperature must be a number from 0.1 to 10, but it is 10.5"),
        ("temperature", math.nan, "temperature must be a number from 0.1 to 10, but it is nan"),
        ("draw", 0, "draw must be one of 1, 2, 3, 4, 5, but it is 0"),
        ("prediction", 5, "prediction must be one of 1, 2, 3, 4, but it is 5"),
    ],
)
def test_impossible_values_are_refused(name: str, value: Any, message: str) -> None:
    widget = SoftmaxExplorer()
    before = getattr(widget, name)
    with pytest.raises(TraitError, match=re.escape(message)):
        setattr(widget, name, value)
    assert getattr(widget, name) == before
    with pytest.raises(TraitError, match=re.escape(message)):
        SoftmaxExplorer(**{name: value})


@pytest.mark.parametrize(
    ("number", "words"),
    [(0.5, "0.500"), (0.0014, "0.001"), (0.0, "0.000"), (3e-4, "3 × 10⁻⁴"), (4.8e-12, "5 × 10⁻¹²")],
)
def test_very_small_numbers_keep_their_size(number: float, words: str) -> None:
    assert power(number) == words


@pytest.mark.parametrize(
    ("largest", "end"),
    [(0.02, 0.1), (0.1, 0.1), (0.11, 0.3), (9.0, 10.0), (617.0, 1000.0), (6e3, 1e4)],
)
def test_the_axis_ends_at_a_round_number(largest: float, end: float) -> None:
    assert axis([0.0, -largest]) == end


def test_the_words_name_band_and_key() -> None:
    widget = SoftmaxExplorer(width=512)
    key = widget.weights.index(max(widget.weights)) + 1
    assert widget.sentence() == f"The largest weight is 1.000, that of key {key}: above 0.9."
    flat = SoftmaxExplorer(width=512, divisor="d")
    assert flat.sentence().endswith(": below 0.25.")
    lines = widget.words().splitlines()
    assert lines[0] == "Width d = 512, divisor none, temperature 1, draw 1"
    for line, energy, weight in zip(lines[2:10], widget.energies, widget.weights, strict=True):
        assert line.split()[1:] == [f"{energy:.2f}", f"{weight:.3f}"]
    assert lines[10] == widget.sentence()


def test_the_picture_shows_the_data() -> None:
    widget = SoftmaxExplorer(width=16, divisor="√d", draw=2)
    picture = ElementTree.fromstring(widget.still())
    words = [one.text or "" for one in picture.iter("{http://www.w3.org/2000/svg}text")]
    for energy, weight in zip(widget.energies, widget.weights, strict=True):
        assert decimal(energy, 2) in words
        assert f"{weight:.3f}" in words
    assert widget.sentence() in words
    assert any(f"{widget.entropy:.3f} nats" in word for word in words)
    assert any(power(widget.gradient) in word for word in words)
