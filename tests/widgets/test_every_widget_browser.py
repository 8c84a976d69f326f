"""Every widget in a browser: light, dark, wide, narrow, fast, for all readers."""

from typing import Any

import pytest
from measuring import slowest_change
from widget_fixtures import HOSTILE


def test_nobody_is_left_out(show: Any, reader: Any, every_widget: dict[str, Any]) -> None:
    with show(every_widget["answered"]) as page:
        for theme in ("light", "dark"):
            page.evaluate("theme => (document.documentElement.dataset.theme = theme)", theme)
            assert reader.faults(page) == []


# Parts of the card that reach into its padding or beyond.
OUTSIDE = """() => {
  const inside = document.querySelector(".inside");
  const { left, right } = inside.getBoundingClientRect();
  const padding = parseFloat(getComputedStyle(inside).paddingRight);
  return [...inside.querySelectorAll("*")]
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


# Words of pictures that are cut off at the edge, or too small to be read in a hall.
HARD_TO_READ = """() => [...document.querySelectorAll(".pictures text")]
  .filter((words) => {
    const [box, all] = [words, words.ownerSVGElement].map((part) => part.getBoundingClientRect());
    const past = [all.left - box.left, box.right - all.right, all.top - box.top,
      box.bottom - all.bottom];
    const air = 4; // around the letters
    return Math.max(...past) > air || parseFloat(getComputedStyle(words).fontSize) < 15;
  })
  .map((words) => words.outerHTML)"""


def test_the_words_of_pictures_are_large_and_whole(show: Any, every_widget: dict[str, Any]) -> None:
    for name in ("asking", "answered"):
        with show(every_widget[name]) as page:
            assert page.locator(".pictures text").count() > 0
            assert page.evaluate(HARD_TO_READ) == []


def test_text_stays_text(show: Any, every_widget: dict[str, Any]) -> None:
    if "hostile" not in every_widget:
        pytest.skip("shows no text that others wrote")
    with show(every_widget["hostile"]) as page:
        card = page.locator(".transformer-lite")
        written = card.text_content().replace("\u00a0", " ")
        assert HOSTILE[: HOSTILE.index("\b")] in written
        assert card.locator("hr, script").count() == 0


def test_a_change_is_fast(show: Any, every_widget: dict[str, Any]) -> None:
    widget = every_widget["answered"]
    widget.ask = False
    with show(widget) as page:
        before = page.locator(".transformer-lite").inner_text()
        assert slowest_change(page) < 50  # milliseconds
        assert page.locator(".transformer-lite").inner_text() != before
