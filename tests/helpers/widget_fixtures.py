"""Every chapter's widget, and a page that shows one with our own host."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from browsing import reader  # noqa: F401 - a fixture for the tests of this folder
from ipywidgets import Widget
from loading import load
from playwright.sync_api import Page

from bookbuild.widgets import script_text

ROOT = Path(__file__).resolve().parents[2]
HOST = ROOT / "bookbuild" / "assets" / "widget-host.js"
CHAPTERS = ROOT / "transformer_lite" / "chapters"
WITH_WIDGET = sorted(path.parent.name for path in CHAPTERS.glob("c*/widget.py"))
# Twenty characters, of which XML forbids one; behind `<!--<script>` no `</script>` ends a script.
HOSTILE = "<hr><!--<script>&\b'\""


@pytest.fixture(params=WITH_WIDGET)
def every_widget(request: Any) -> dict[str, Any]:
    """The `examples()` of `widget_examples` among the tests of each chapter that has a widget.

    `asking` is the widget as a reader meets it first, `answered` as full as it gets, and `hostile`,
    where the widget shows text that others wrote, shows HOSTILE.
    """
    made: dict[str, Any] = load(request.param, "widget_examples").examples()
    return made


@pytest.fixture
def show(reader: Any, tmp_path: Path) -> Callable[..., Any]:  # noqa: F811
    """Opens a page that holds one widget; afterwards, nothing may have been complained about."""

    @contextmanager
    def opened(widget: Any, width: int = 900) -> Iterator[Page]:
        page_file = tmp_path / "page.html"
        page_file.write_text(make_page(widget), encoding="utf-8")
        with reader.open(width, 800) as page:
            complaints = reader.watch(page)
            requests: list[str] = []
            page.on("request", lambda request: requests.append(request.url))
            page.goto(page_file.as_uri())
            page.wait_for_selector('html[data-widgets="ready"]', state="attached")
            yield page
            assert complaints == []
            own = {page_file.as_uri()}
            assert [url for url in requests if url not in own and not url.startswith("blob:")] == []

    return opened


def make_page(widget: Any) -> str:
    """A page with one widget and its still picture, as the book has them."""
    data, _ = widget._repr_mimebundle_()
    state = script_text(Widget.get_manager_state(widgets=[widget]))
    view = script_text(data["application/vnd.jupyter.widget-view+json"])
    return f"""<!doctype html><html lang="en" data-theme="light"><head><meta charset="utf-8">
<title>A widget</title><meta name="viewport" content="width=device-width">
<link rel="icon" href="data:,"><style>body {{ background: #fff; color: #111; margin: 8px }}
[data-theme="dark"] body {{ background: #121212; color: #eee }}</style>
<script type="application/vnd.jupyter.widget-state+json">{state}</script></head><body><main>
<h1>A widget</h1><div>
<script type="application/vnd.jupyter.widget-view+json">{view}</script>
<div class="widget-still">{data["image/svg+xml"]}</div></div></main>
<script>{HOST.read_text("utf-8")}</script></body></html>"""


def filled_shapes(picture: str) -> list[list[tuple[float, float]]]:
    """The corners of each filled shape of a still picture, in pixels."""
    lines = ElementTree.fromstring(picture).iter("{http://www.w3.org/2000/svg}polyline")
    paths = [one.attrib["points"].split() for one in lines if one.attrib["fill"] != "none"]
    return [[(float(x), float(y)) for x, y in (at.split(",") for at in path)] for path in paths]
