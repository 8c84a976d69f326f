"""The softmax explorer: its numbers, what can be seen, and that nothing else moves."""

import json
import math
from itertools import product

import pytest
import torch
from ipywidgets import Widget
from widget_fixtures import filled_shapes

from transformer_lite.chapters.c03_scoring_functions.widget import (
    BANDS,
    FARTHEST,
    TEMPERATURES,
    WIDTHS,
    Attention,
    SoftmaxExplorer,
)

SETTINGS = list(product(WIDTHS, TEMPERATURES))


@pytest.fixture(scope="module")
def explorer() -> SoftmaxExplorer:
    return SoftmaxExplorer()


@pytest.mark.parametrize(("width", "temperature"), [(4, 1), (64, 1), (64, 8), (512, 5.66)])
def test_both_sides_are_softmaxes_of_the_same_products(width: int, temperature: float) -> None:
    widget = SoftmaxExplorer(width=width, temperature=temperature)
    products = torch.tensor(SoftmaxExplorer(width=width).unscaled.energies, dtype=torch.float64)
    for side, divisor in ((widget.unscaled, temperature), (widget.scaled, math.sqrt(width))):
        assert list(side.energies) == pytest.approx((products / divisor).tolist(), rel=1e-3)
        energies = torch.tensor(side.energies, dtype=torch.float64)
        assert list(side.weights) == pytest.approx(energies.softmax(0).tolist())
        entropy = torch.distributions.Categorical(logits=energies).entropy()
        assert side.entropy == pytest.approx(float(entropy), abs=1e-9)
        assert side.largest == max(side.weights)


def test_both_sides_are_the_same_at_the_root_of_the_width_and_nowhere_else(
    explorer: SoftmaxExplorer,
) -> None:
    same = [setting for setting in SETTINGS if "same" in explorer.finding(*setting).sentence]
    assert same == [(width, round(math.sqrt(width), 2)) for width in WIDTHS]
    for width, temperature in same:
        widget = SoftmaxExplorer(width=width, temperature=temperature)
        assert widget.unscaled == widget.scaled


def test_the_ends_of_the_entropy() -> None:
    assert Attention((), (1.0, 0.0)).entropy == 0
    assert Attention((), (0.125,) * 8).entropy == pytest.approx(math.log(8))


def test_the_lesson_can_be_seen(explorer: SoftmaxExplorer) -> None:
    narrow, wide = (explorer._unscaled(width, 1) for width in (4, 512))
    assert narrow.largest < 0.5 and wide.largest > 0.99
    scaled = [explorer._scaled(width) for width in WIDTHS]
    assert max(one.largest for one in scaled) < 0.5
    assert min(one.entropy for one in scaled) > 1.2


def test_every_prediction_can_be_right_and_agrees_with_the_number(
    explorer: SoftmaxExplorer,
) -> None:
    found = {explorer.finding(*setting).answer for setting in SETTINGS}
    assert found == set(BANDS)
    for setting in SETTINGS:
        sentence, answer = explorer.finding(*setting)
        shown = float(sentence.split()[4])
        assert answer == BANDS[sum(shown >= bound for bound in (0.25, 0.5, 0.9))]


def test_all_energies_stay_on_the_axis(explorer: SoftmaxExplorer) -> None:
    for width in WIDTHS:
        energies = explorer._unscaled(width, min(TEMPERATURES)).energies
        assert max(map(abs, energies)) < FARTHEST


def test_nothing_but_marks_and_bars_moves(explorer: SoftmaxExplorer) -> None:
    (picture,) = explorer.frames["pictures"]
    axes = picture["layers"][0]
    assert (axes["by"], len(axes["frames"])) == ([], 1)
    both, width = ["width", "temperature"], ["width"]
    assert [layer["by"] for layer in picture["layers"][1:5]] == [both, both, width, width]


def test_bars_are_as_high_as_the_weights() -> None:
    widget = SoftmaxExplorer(width=4, ask=False)
    for side, points in zip(
        (widget.unscaled, widget.scaled), filled_shapes(widget.still()), strict=True
    ):
        heights = [points[bar][1] - points[bar + 1][1] for bar in range(0, len(points), 4)]
        shown = [100 * weight for weight in side.weights if 100 * weight >= 0.5]
        assert heights == pytest.approx(shown, abs=0.11)


def test_a_page_can_carry_it(explorer: SoftmaxExplorer) -> None:
    assert len(json.dumps(Widget.get_manager_state(widgets=[explorer]))) < 100_000
