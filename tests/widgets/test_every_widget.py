"""What every widget owes a notebook: a view, a picture and words, and a front end of its own."""

import re
import xml.etree.ElementTree as ElementTree
from typing import Any

from widget_fixtures import HOSTILE

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


def test_notebooks_get_view_picture_and_words(every_widget: dict[str, Any]) -> None:
    for widget in every_widget.values():
        data, _ = widget._repr_mimebundle_()
        assert data[WIDGET_VIEW]["model_id"] == widget.model_id
        assert data["image/svg+xml"] == widget.still()
        assert data["text/plain"] == widget.words()
        # ipywidgets 7, as notebook hosts have it, would otherwise show the view alone.
        assert not callable(widget._ipython_display_)


def test_picture_and_words_follow_the_state(every_widget: dict[str, Any]) -> None:
    asking, answered = every_widget["asking"], every_widget["answered"]
    assert asking.still() != answered.still()
    assert asking.words() != answered.words()


def test_pictures_hold_shapes_and_text_and_nothing_else(every_widget: dict[str, Any]) -> None:
    for widget in every_widget.values():
        parts = list(ElementTree.fromstring(widget.still()).iter())
        kinds = {part.tag.removeprefix("{http://www.w3.org/2000/svg}") for part in parts}
        assert kinds <= {"svg", "g", "rect", "text", "polyline", "circle"}
        assert not any(name.startswith("on") for part in parts for name in part.attrib)
    if "hostile" in every_widget:
        letters = "".join(ElementTree.fromstring(every_widget["hostile"].still()).itertext())
        assert set(HOSTILE) - set(" \b") <= set(letters)


def test_the_front_end_asks_nobody(every_widget: dict[str, Any]) -> None:
    widget = every_widget["asking"]
    assert not re.search(r"\bimport\b|\bfetch\b|XMLHttpRequest|@import|url\(", widget._css)
    assert not re.search(r"\bimport\b|\bfetch\b|XMLHttpRequest|WebSocket", widget._esm)


def test_pages_do_not_store_comments(every_widget: dict[str, Any]) -> None:
    widget = every_widget["asking"]
    assert not re.search(r"^\s*//", widget._esm, re.MULTILINE)
    assert "/*" not in widget._css
