"""The bottleneck explorer in a browser: by mouse, by keyboard, and fast."""

from typing import Any

import pytest
from measuring import slowest_change

from transformer_lite.chapters.c01_bottleneck.attempt import Attempt
from transformer_lite.chapters.c01_bottleneck.still import percent
from transformer_lite.chapters.c01_bottleneck.widget import BottleneckExplorer

QUESTION = "Predict: how many letters will it get right before the first mistake?"


def model_row(page: Any) -> str:
    """What a screen reader hears of the model's output."""
    return page.locator(".strings .unseen").inner_text().split("Model: ")[1].rstrip(".")


def status(page: Any) -> str:
    return page.get_by_role("status").inner_text()


def test_predict_and_reveal_by_mouse(show: Any, explorer: BottleneckExplorer) -> None:
    with show(explorer) as page:
        assert not page.locator(".widget-still").is_visible()
        assert model_row(page) == "covered"
        assert status(page) == ""
        page.get_by_role("button", name="Reveal").click()
        assert status(page) == "Type a whole number from 0 to 10 first."
        assert model_row(page) == "covered"
        page.get_by_label(QUESTION).fill("6")
        page.get_by_role("button", name="Reveal").click()
        assert model_row(page) == " ".join(explorer.attempt.output)
        assert page.locator(".mistake").count() == len(explorer.attempt.wrong_places) == 1
        assert page.locator(".cross").inner_text() == "✗"
        lines = status(page).splitlines()
        assert lines[0] == "✗ First mistake at letter 10 of 10."
        assert lines[1] == "You predicted 6 right: 3 fewer than it got."
        page.get_by_role("button", name="Next string").click()
        assert page.get_by_label("2", exact=True).is_checked()
        assert model_row(page) == "covered"
        assert page.get_by_label(QUESTION).input_value() == ""


@pytest.mark.parametrize(
    ("guess", "words"),
    [
        ("9", "You predicted 9: exactly that."),
        ("10", "You predicted 10 right: 1 more than it got."),
        ("0", "You predicted 0 right: 9 fewer than it got."),
    ],
)
def test_predict_and_reveal_by_keyboard(
    show: Any, explorer: BottleneckExplorer, guess: str, words: str
) -> None:
    with show(explorer) as page:
        page.keyboard.press("Tab")  # slider
        page.keyboard.press("ArrowLeft")
        assert page.get_by_role("slider").get_attribute("aria-valuetext") == "9 letters"
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Tab")  # hidden size
        page.keyboard.press("ArrowRight")
        assert page.get_by_label("256", exact=True).is_checked()
        page.keyboard.press("ArrowLeft")
        for _ in ("string", "prediction"):
            page.keyboard.press("Tab")
        page.keyboard.type(guess)
        page.keyboard.press("Enter")
        assert status(page).endswith(words)
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Next string"
        page.keyboard.press("Enter")
        assert page.get_by_label("2", exact=True).is_checked()
        assert page.evaluate("document.activeElement.type") == "number"


@pytest.mark.parametrize("nonsense", ["11", "-1", "2.5"])
def test_a_prediction_is_a_possible_number(
    show: Any, explorer: BottleneckExplorer, nonsense: str
) -> None:
    with show(explorer) as page:
        page.get_by_label(QUESTION).fill(nonsense)
        page.get_by_role("button", name="Reveal").click()
        assert status(page) == "Type a whole number from 0 to 10 first."
        assert page.get_by_label(QUESTION).get_attribute("aria-invalid") == "true"
        assert model_row(page) == "covered"


def test_pictures_follow_the_controls(show: Any, explorer: BottleneckExplorer) -> None:
    with show(explorer) as page:
        page.get_by_label("Ask me before each answer").uncheck()
        chart = page.get_by_role("img")
        seen = set()
        for hidden in (64, 128, 256):
            page.get_by_label(str(hidden), exact=True).check()
            explorer.hidden = hidden
            assert model_row(page) == " ".join(explorer.attempt.output)
            shares = explorer.exact_match.items()
            words = ", ".join(f"{length} letters {percent(share)}" for length, share in shares)
            assert (
                chart.get_attribute("aria-label") == f"Exact match, hidden size {hidden}: {words}."
            )
            seen.add(chart.screenshot())
            seen.add(page.locator(".strings").screenshot())
        slider = page.get_by_role("slider")
        box = slider.bounding_box()
        page.mouse.click(box["x"] + box["width"] - 2, box["y"] + box["height"] / 2)
        assert page.locator(".slider .number").inner_text() == "20"
        assert page.locator(".chart .here").count() == 1
        seen.add(chart.screenshot())
        slider.focus()
        page.keyboard.press("ArrowLeft")
        assert page.locator(".chart .here").count() == 0
        seen.add(chart.screenshot())
        assert len(seen) == 8


def test_both_sides_judge_alike(show: Any, results: dict[str, Any]) -> None:
    widget = BottleneckExplorer(results, ask=False)
    with show(widget) as page:
        names = {str(sample): page.get_by_label(str(sample), exact=True) for sample in range(1, 5)}
        for length in (1, 2, 5, 9, 10, 14, 20):
            page.get_by_role("slider").fill(str(length))
            for sample, radio in names.items():
                radio.check()
                one = Attempt(*widget.runs["128"]["attempts"][length - 1][int(sample) - 1])
                mark = "✓" if one.output == one.target else "✗"
                assert status(page) == f"{mark} {one.verdict()}"
                assert page.locator(".mistake").count() == len(one.wrong_places)


def test_python_can_set_the_view(show: Any, explorer: BottleneckExplorer) -> None:
    explorer.length, explorer.sample, explorer.prediction = 12, 3, 4
    explorer.revealed = True
    with show(explorer) as page:
        assert page.locator(".slider .number").inner_text() == "12"
        assert status(page).startswith(
            "✗ First mistake at letter 10 of 12: the model stopped there."
        )
        assert page.get_by_label(QUESTION).input_value() == "4"


def test_a_change_is_fast(show: Any, results: dict[str, Any]) -> None:
    with show(BottleneckExplorer(results, ask=False)) as page:
        slowest = slowest_change(page, last=20)
        assert status(page).startswith("✗ First mistake at letter 10 of 20")
    assert slowest < 50  # milliseconds
