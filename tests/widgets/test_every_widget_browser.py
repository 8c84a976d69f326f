"""Every widget in a browser: light, dark, wide, narrow, beside itself, and for all readers."""

import json
from typing import Any

import pytest


def luminance_of(page: Any, name: str) -> float:
    colour = page.locator(".transformer-lite").evaluate(
        f"card => getComputedStyle(card).{name}.match(/[\\d.]+/g).map(Number)"
    )
    return sum(colour[:3]) / 3


@pytest.mark.parametrize(
    ("theme", "system", "dark"),
    [("light", "dark", False), ("dark", "light", True), ("", "dark", True), ("", "light", False)],
)
def test_it_is_as_dark_as_the_page(
    show: Any, reader: Any, every_widget: dict[str, Any], theme: str, system: str, dark: bool
) -> None:
    with show(every_widget["answered"], theme=theme, system=system) as page:
        assert (luminance_of(page, "backgroundColor") < 60) == dark
        assert (luminance_of(page, "color") > 200) == dark
        if theme:
            assert reader.faults(page) == []


@pytest.mark.parametrize("attribute", ["true", "false"])
def test_it_follows_jupyterlab(show: Any, every_widget: dict[str, Any], attribute: str) -> None:
    system = "dark" if attribute == "true" else "light"
    with show(every_widget["asking"], theme="", system=system) as page:
        page.evaluate(f"document.body.dataset.jpThemeLight = {json.dumps(attribute)}")
        assert (luminance_of(page, "backgroundColor") < 60) == (attribute == "false")


# Parts of the card that reach into its padding or beyond.
OUTSIDE = """() => {
  const inside = document.querySelector(".inside");
  const { left, right } = inside.getBoundingClientRect();
  const padding = parseFloat(getComputedStyle(inside).paddingRight);
  return [...inside.querySelectorAll("*:not(.unseen, svg *)")]
    .filter((part) => {
      const box = part.getBoundingClientRect();
      return box.width && (box.left < left + padding - 1 || box.right > right - padding + 1);
    })
    .map((part) => part.outerHTML.slice(0, 100));
}"""


@pytest.mark.parametrize("width", [280, 360, 480, 640, 900])
def test_nothing_overflows(
    show: Any, reader: Any, every_widget: dict[str, Any], width: int
) -> None:
    for widget in every_widget.values():
        with show(widget, width=width) as page:
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert page.evaluate(OUTSIDE) == []
            if width == 360:
                assert reader.faults(page) == []


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
