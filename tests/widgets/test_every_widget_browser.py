"""Every widget in a browser: light, dark, wide, narrow, beside itself, fast, for all readers."""

from typing import Any

import pytest
from measuring import slowest_change
from widget_fixtures import HOSTILE


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


def test_it_is_as_dark_as_the_page(show: Any, reader: Any, every_widget: dict[str, Any]) -> None:
    with show(every_widget["answered"]) as page:
        for theme, system in (("light", "dark"), ("dark", "light"), ("", "dark"), ("", "light")):
            page.emulate_media(color_scheme=system)
            page.evaluate("theme => (document.documentElement.dataset.theme = theme)", theme)
            assert is_dark(page) == ((theme or system) == "dark")
            if theme:
                assert reader.faults(page) == []
        for attribute, system in (("true", "dark"), ("false", "light")):  # JupyterLab
            page.emulate_media(color_scheme=system)
            page.evaluate("light => (document.body.dataset.jpThemeLight = light)", attribute)
            assert is_dark(page) == (attribute == "false")


# Parts of the card that reach into its padding or beyond.
OUTSIDE = """() => {
  const inside = document.querySelector(".inside");
  const { left, right } = inside.getBoundingClientRect();
  const padding = parseFloat(getComputedStyle(inside).paddingRight);
  return [...inside.querySelectorAll("*:not(.unseen)")]
    .filter((part) => {
      const box = part.getBoundingClientRect();
      return box.width && (box.left < left + padding - 1 || box.right > right - padding + 1);
    })
    .map((part) => part.outerHTML.slice(0, 100));
}"""


def test_nothing_overflows(show: Any, reader: Any, every_widget: dict[str, Any]) -> None:
    for widget in every_widget.values():
        with show(widget) as page:
            for width in (900, 640, 480, 360, 280):
                page.set_viewport_size({"width": width, "height": 800})
                assert page.evaluate("document.documentElement.scrollWidth") <= width
                assert page.evaluate(OUTSIDE) == []
                if width == 360 and widget is every_widget["asking"]:
                    assert reader.faults(page) == []


def test_text_stays_text(show: Any, every_widget: dict[str, Any]) -> None:
    if "hostile" not in every_widget:
        pytest.skip("shows no text that others wrote")
    with show(every_widget["hostile"]) as page:
        card = page.locator(".transformer-lite")
        written = card.text_content().replace("\u00a0", " ")
        assert HOSTILE[: HOSTILE.index("\b")] in written
        assert card.locator("img, [onerror]").count() == 0


def test_a_change_is_fast(show: Any, every_widget: dict[str, Any]) -> None:
    widget = every_widget["answered"]
    widget.ask = False
    with show(widget) as page:
        before = page.locator(".transformer-lite").inner_text()
        assert slowest_change(page) < 50  # milliseconds
        assert page.locator(".transformer-lite").inner_text() != before


def test_two_copies_do_not_disturb_each_other(show: Any, every_widget: dict[str, Any]) -> None:
    with show(every_widget["asking"]) as page:
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
