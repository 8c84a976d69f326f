"""Widgets made of frames in a browser: by mouse, by keyboard, and in step with Python."""

from itertools import product
from typing import Any
from xml.etree import ElementTree

import pytest
from widget_fixtures import CHAPTERS, WITH_WIDGET, load_examples

from transformer_lite.widgets.frames import FrameWidget, Slider

# The others have a module of their own.
OF_FRAMES = [name for name in WITH_WIDGET if not (CHAPTERS / name / "widget.js").exists()]


@pytest.fixture(params=OF_FRAMES)
def widget(request: Any) -> FrameWidget:
    made: FrameWidget = load_examples(request.param).examples()["asking"]
    return made


def same_as(page: Any, widget: FrameWidget) -> None:
    """Asserts that the page shows, and says to those who listen, what Python draws."""
    layers = [layer for picture in widget.pictures() for layer in picture.layers]
    frames = [widget._now(layer.draw) for layer in layers if layer.ask in (None, widget.ask)]
    spoken = page.locator(".pictures [role=img]:not([aria-hidden=true])")
    heard = spoken.evaluate_all("layers => layers.map(layer => layer.ariaLabel)")
    assert heard == [frame.words for frame in frames if frame.words]
    svg = ElementTree.fromstring(f"<svg>{''.join(frame.svg for frame in frames)}</svg>")
    assert page.locator(".pictures").text_content() == "".join(svg.itertext())


def status(page: Any) -> str:
    return page.get_by_role("status").inner_text()


def press(page: Any, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def test_predict_once_then_explore_by_mouse(show: Any, widget: FrameWidget) -> None:
    sentence, answer = widget._now(widget.finding)
    wrong = next(one for one in widget.frames["question"]["values"] if one != answer)
    with show(widget) as page:
        assert not page.locator(".widget-still").is_visible()
        same_as(page, widget)
        page.get_by_role("button", name="Reveal").click()
        assert status(page) == "Choose one of the answers first."
        page.get_by_label(wrong, exact=True).check()
        same_as(page, widget)
        page.get_by_role("button", name="Reveal").click()
        widget.ask = False
        same_as(page, widget)
        judged = f"✗ You predicted {wrong}; it is {answer}."
        assert status(page).splitlines() == [sentence, judged]
        assert not page.get_by_role("button").is_visible()
        slider = page.get_by_role("slider").first
        box = slider.bounding_box()
        page.mouse.click(box["x"] + box["width"] - 2, box["y"] + box["height"] / 2)
        name = next(iter(widget._controls()))
        setattr(widget, name, widget._controls()[name].values[-1])
        same_as(page, widget)
        assert status(page) == widget._now(widget.finding).sentence
        page.get_by_label("Ask me before the answer").check()
        widget.ask = True
        same_as(page, widget)
        assert status(page) == ""


def test_predict_and_explore_by_keyboard(show: Any, widget: FrameWidget) -> None:
    first = widget.frames["question"]["values"][0]
    with show(widget) as page:
        press(page, *["Tab"] * len(widget._controls()), "Tab", "Enter")
        widget.ask = False
        same_as(page, widget)
        assert f" You predicted {first}" in status(page)
        press(page, "End")  # the first control, a slider, has the focus
        assert page.evaluate("document.activeElement.value === document.activeElement.max")


def test_every_control_shows_what_python_draws(show: Any, widget: FrameWidget) -> None:
    widget.ask = False
    controls = widget._controls()
    with show(widget) as page:
        ends = [(control.values[0], control.values[-1]) for control in controls.values()]
        for setting in product(*ends):
            for (name, control), value in zip(controls.items(), setting, strict=True):
                setattr(widget, name, value)
                if isinstance(control, Slider):
                    place = control.values.index(value) + 1
                    page.get_by_role("slider", name=control.legend).fill(str(place))
                else:
                    group = page.get_by_role("group", name=control.legend)
                    group.get_by_label(str(value), exact=True).check()
            same_as(page, widget)
            assert status(page) == widget._now(widget.finding).sentence


def test_python_can_set_the_view(show: Any, widget: FrameWidget) -> None:
    for name, control in widget._controls().items():
        setattr(widget, name, control.values[-1])
    sentence, widget.prediction = widget._now(widget.finding)
    widget.ask = False
    with show(widget) as page:
        same_as(page, widget)
        assert status(page).splitlines() == [
            sentence,
            f"✓ You predicted {widget.prediction}: right.",
        ]
