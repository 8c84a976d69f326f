"""Widgets made of frames in a browser: by mouse, by keyboard, in step with Python, by any light.

What a chapter only passes on is tested once, with a lamp; what it draws is tested in each chapter.
"""

from itertools import product
from typing import Any
from xml.etree import ElementTree

import pytest
from lamp import Lamp, TimedLamp
from loading import load
from widget_fixtures import CHAPTERS, WITH_WIDGET

from transformer_lite.widgets.frames import FrameWidget, Menu, Slider

# The others have a module of their own.
OF_FRAMES = [name for name in WITH_WIDGET if not (CHAPTERS / name / "widget.js").exists()]


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


def test_predict_once_then_explore_by_mouse(show: Any) -> None:
    widget = Lamp()
    with show(widget) as page:
        assert not page.locator(".widget-still").is_visible()
        same_as(page, widget)
        page.get_by_role("button", name="Reveal").click()
        assert status(page) == "Choose one of the answers first."
        page.get_by_label("bright", exact=True).check()
        same_as(page, widget)
        page.get_by_role("button", name="Reveal").click()
        widget.ask = False
        same_as(page, widget)
        sentence, judged = widget.finding(11).sentence, "✗ You predicted bright; it is dim."
        assert status(page).splitlines() == [sentence, judged]
        assert not page.get_by_role("button").is_visible()
        box = page.get_by_role("slider").bounding_box()
        page.mouse.click(box["x"] + box["width"] - 2, box["y"] + box["height"] / 2)
        widget.watts = 12
        same_as(page, widget)
        assert status(page) == widget.finding(12).sentence
        page.get_by_label("Ask me before the answer").check()
        widget.ask = True
        same_as(page, widget)
        assert status(page) == ""


def test_predict_and_explore_by_keyboard(show: Any) -> None:
    widget = Lamp()
    with show(widget) as page:
        for key in ("Tab", "Tab", "Tab", "Enter"):  # past both controls to the first answer
            page.keyboard.press(key)
        widget.ask = False
        same_as(page, widget)
        assert "✓ You predicted dim: right." in status(page)
        page.keyboard.press("End")  # the slider has the focus
        widget.watts = 12
        same_as(page, widget)


def test_a_slider_ends_where_there_is_nothing_more(show: Any) -> None:
    with show(TimedLamp()) as page:
        slider, room = page.get_by_role("slider", name="Minutes"), page.get_by_role("combobox")
        number = page.locator(".number").first
        for name, last in (("hall", "4"), ("attic", "2"), ("hall", "4")):
            room.select_option(name)
            seen = (slider.input_value(), slider.get_attribute("max"), number.text_content())
            assert (*seen, slider.get_attribute("aria-valuetext")) == (last,) * 4


def test_the_answers_follow_the_setting_in_their_order(show: Any) -> None:
    with show(TimedLamp()) as page:
        answers = page.locator(".guess label")
        assert answers.all_text_contents() == ["dim"]
        page.get_by_role("combobox").select_option("attic")
        assert answers.all_text_contents() == ["bright", "dim"]
        page.get_by_role("button", name="Reveal").click()  # the complaint goes to the first of them
        page.keyboard.press("ArrowDown")
        assert page.get_by_label("dim", exact=True).is_checked()
        page.keyboard.press("Enter")
        assert "✓ You predicted dim: right." in status(page)


def test_after_the_answer_the_slider_that_was_moved_has_the_focus(show: Any) -> None:
    with show(TimedLamp()) as page:
        page.get_by_role("combobox").select_option("attic")
        for slider in ("Minutes", "Watts"):  # the first one, as long as none was moved
            page.get_by_label("dim", exact=True).check()
            page.get_by_role("button", name="Reveal").click()
            assert page.evaluate("document.activeElement.labels[0].innerText").startswith(slider)
            page.get_by_label("Ask me before the answer").check()
            page.get_by_role("slider", name="Watts").press("Home")


def test_paper_shows_the_answer(show: Any) -> None:
    widget = Lamp()
    with show(widget) as page:
        for event, asking in (("beforeprint", False), ("afterprint", True)):
            page.evaluate("event => dispatchEvent(new Event(event))", event)
            assert page.get_by_role("button").is_visible() == asking
            widget.ask = asking
            same_as(page, widget)


@pytest.mark.parametrize("chapter", OF_FRAMES)
def test_every_control_shows_what_python_draws(show: Any, chapter: str) -> None:
    widget = load(chapter, "widget_examples").examples()["asking"]
    widget.ask = False
    controls = widget._controls()
    with show(widget) as page:
        ends = [(control.values[0], control.values[-1]) for control in controls.values()]
        for setting in product(*ends):
            for (name, control), value in zip(controls.items(), setting, strict=True):
                if name in (offered := widget.offered()):
                    value = min(value, widget._now(offered[name])[-1])
                setattr(widget, name, value)
                if isinstance(control, Slider):
                    place = control.values.index(value) + 1
                    page.get_by_role("slider", name=control.legend).fill(str(place))
                elif isinstance(control, Menu):
                    page.get_by_role("combobox", name=control.legend).select_option(str(value))
                else:
                    group = page.get_by_role("group", name=control.legend)
                    group.get_by_label(str(value), exact=True).check()
            same_as(page, widget)
            assert status(page) == widget._now(widget.finding).sentence


def test_python_can_set_the_view(show: Any) -> None:
    widget = Lamp(watts=12, colour="blue", prediction="bright", ask=False)
    with show(widget) as page:
        same_as(page, widget)
        judged = "✓ You predicted bright: right."
        assert status(page).splitlines() == [widget.finding(12).sentence, judged]


def is_dark(page: Any) -> bool:
    ground, ink = (
        page.locator(".transformer-lite").evaluate(
            f"card => getComputedStyle(card).{name}.match(/[\\d.]+/g).map(Number)"
        )
        for name in ("backgroundColor", "color")
    )
    dark = sum(ground[:3]) / 3 < 60
    assert (sum(ink[:3]) / 3 > 200) == dark
    return dark


def test_it_is_as_dark_as_the_page(show: Any) -> None:
    with show(Lamp()) as page:
        for theme, system in (("light", "dark"), ("dark", "light"), ("", "dark"), ("", "light")):
            page.emulate_media(color_scheme=system)
            page.evaluate("theme => (document.documentElement.dataset.theme = theme)", theme)
            assert is_dark(page) == ((theme or system) == "dark")
        for attribute, system in (("true", "dark"), ("false", "light")):  # JupyterLab
            page.emulate_media(color_scheme=system)
            page.evaluate("light => (document.body.dataset.jpThemeLight = light)", attribute)
            assert is_dark(page) == (attribute == "false")


def test_two_copies_do_not_disturb_each_other(show: Any) -> None:
    with show(Lamp()) as page:
        page.evaluate(
            """async () => {
              const saved = JSON.parse(document.querySelector("script[type*=state]").textContent);
              const { state } = Object.values(saved.state).find((one) => one.state._esm);
              const url = URL.createObjectURL(new Blob([state._esm], { type: "text/javascript" }));
              const module = await import(url);
              const model = { get: (name) => state[name], set() {}, on() {}, save_changes() {} };
              module.default.render({ model, el: document.querySelector("main") });
            }"""
        )
        first, second = (
            card.get_by_role("radio").nth(1)
            for card in page.get_by_role("group").filter(has=page.locator(".inside")).all()
        )
        first.check()
        second.check()
        assert first.is_checked()
        assert second.is_checked()
