"""The softmax explorer in a browser: by mouse, by keyboard, and in step with Python."""

from itertools import product
from typing import Any

import pytest

from transformer_lite.chapters.c03_scoring_functions.widget import (
    DIVISORS,
    WIDTHS,
    SoftmaxExplorer,
    power,
)
from transformer_lite.widgets.drawing import decimal

NAMES = {"none": "nothing", "√d": "√d", "d": "d"}


def status(page: Any) -> str:
    return page.get_by_role("status").inner_text()


def figures(page: Any) -> tuple[list[str], list[str]]:
    """The energies and the weights that the table shows."""
    rows = [
        row.all_inner_texts()
        for row in (page.locator(f".keys tbody tr:nth-child({key}) .amount") for key in range(1, 9))
    ]
    energies, weights = zip(*rows, strict=True)
    return list(energies), [weight.split()[0] for weight in weights]


def measures(page: Any) -> list[str]:
    return page.locator(".measures p + p").all_inner_texts()


def same_as(page: Any, widget: SoftmaxExplorer) -> None:
    """Asserts that the page shows what Python computes."""
    energies, weights = figures(page)
    assert energies == [decimal(energy, 2) for energy in widget.energies]
    assert weights == [f"{weight:.3f}" for weight in widget.weights]
    largest = f"{max(widget.weights):.3f}"
    assert measures(page) == [largest, decimal(widget.entropy, 3), power(widget.gradient)]


def is_covered(page: Any) -> bool:
    bars = page.locator(":is(.weight, .measure) i")
    widths = bars.evaluate_all("bars => bars.map(bar => bar.offsetWidth)")
    return set(figures(page)[1]) == set(measures(page)) == {"?"} and not any(widths)


def press(page: Any, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def test_predict_and_reveal_by_mouse(show: Any) -> None:
    widget = SoftmaxExplorer()
    with show(widget) as page:
        assert not page.locator(".widget-still").is_visible()
        assert is_covered(page)
        assert figures(page)[0] == [decimal(energy, 2) for energy in widget.energies]
        page.get_by_role("button", name="Reveal").click()
        assert status(page) == "Choose one of the four answers first."
        page.get_by_label("0.25 – 0.5").check()
        assert is_covered(page)
        page.get_by_role("button", name="Reveal").click()
        same_as(page, widget)
        assert status(page).splitlines() == [
            widget.sentence(),
            "✗ You predicted from 0.25 to 0.5: it is larger.",
        ]
        assert page.get_by_label("above 0.9").is_disabled()
        page.get_by_role("button", name="Next draw").click()
        assert page.get_by_label("2", exact=True).is_checked()
        assert is_covered(page)
        assert not page.get_by_label("0.25 – 0.5").is_checked()


@pytest.mark.parametrize(
    ("arrows", "words"),
    [
        (0, "✗ You predicted below 0.25: it is larger."),
        (2, "✓ You predicted from 0.5 to 0.9: right."),
        (3, "✗ You predicted above 0.9: it is smaller."),
    ],
)
def test_predict_and_reveal_by_keyboard(show: Any, arrows: int, words: str) -> None:
    widget = SoftmaxExplorer()
    with show(widget) as page:
        press(page, "Tab", "ArrowRight")  # width
        assert (
            page.get_by_role("slider", name="Width").get_attribute("aria-valuetext")
            == "128 components"
        )
        press(page, "ArrowLeft", "Tab", "ArrowRight")  # divisor
        assert page.get_by_label("√d").is_checked()
        press(page, "ArrowLeft", "Tab", "ArrowRight")  # temperature
        assert (
            page.get_by_role("slider", name="temperature").get_attribute("aria-valuetext") == "1.25"
        )
        press(page, "ArrowLeft", "Tab", "Tab")  # draw, prediction
        press(page, *["ArrowRight"] * arrows, "Enter")
        assert status(page).splitlines() == [widget.sentence(), words]
        assert page.evaluate("document.activeElement.textContent") == "Next draw"
        press(page, "Enter")
        assert page.get_by_label("2", exact=True).is_checked()
        assert is_covered(page)
        assert page.evaluate("document.activeElement.value") == "1"


def test_both_sides_compute_alike(show: Any) -> None:
    widget = SoftmaxExplorer(ask=False)
    with show(widget) as page:
        for number, (width, divisor) in enumerate(product(WIDTHS, DIVISORS)):
            widget.width, widget.divisor, widget.draw = width, divisor, number % 5 + 1
            page.get_by_role("slider", name="Width").fill(str(WIDTHS.index(width) + 1))
            page.get_by_label(NAMES[divisor], exact=True).check()
            page.get_by_label(str(widget.draw), exact=True).check()
            same_as(page, widget)
            assert status(page) == widget.sentence()
        for place, temperature in ((1, 0.1), (6, 0.315), (11, 1.0), (21, 10.0)):
            widget.temperature = temperature
            page.get_by_role("slider", name="temperature").fill(str(place))
            same_as(page, widget)


def test_a_temperature_between_two_places(show: Any) -> None:
    widget = SoftmaxExplorer(temperature=0.7, width=16, ask=False)
    with show(widget) as page:
        assert page.locator(".slider .number").last.inner_text() == "0.7"
        same_as(page, widget)


def test_pictures_follow_the_controls(show: Any) -> None:
    with show(SoftmaxExplorer()) as page:
        table = page.get_by_role("table")
        seen = {table.screenshot()}
        page.get_by_label("Ask me before the answer").uncheck()
        assert not page.get_by_role("button").is_visible()
        seen |= {table.screenshot(), page.locator(".measures").screenshot()}
        for slider in page.get_by_role("slider").all():
            box = slider.bounding_box()
            page.mouse.click(box["x"] + box["width"] - 2, box["y"] + box["height"] / 2)
            seen |= {table.screenshot(), page.locator(".measures").screenshot()}
        assert page.locator(".slider .number").all_inner_texts() == ["512", "10"]
        page.get_by_label("Ask me before the answer").check()
        assert is_covered(page)
        assert len(seen) == 7


def test_bars_are_as_long_as_their_numbers(show: Any) -> None:
    widget = SoftmaxExplorer(ask=False)
    with show(widget) as page:
        for kind, shares in (
            ("energy", [abs(energy) / 60 for energy in widget.energies]),  # from -30 to 30
            ("weight", widget.weights),
        ):
            bars = page.locator(f".{kind} i").evaluate_all(
                "bars => bars.map(bar => bar.getBoundingClientRect().width"
                " / bar.parentElement.getBoundingClientRect().width)"
            )
            assert bars == pytest.approx(shares, abs=0.01)


def test_python_can_set_the_view(show: Any) -> None:
    widget = SoftmaxExplorer(width=256, divisor="√d", temperature=2, draw=5, prediction=1)
    widget.revealed = True
    with show(widget) as page:
        same_as(page, widget)
        assert page.get_by_label("below 0.25").is_checked()
        assert status(page).splitlines()[0] == widget.sentence()
