"""Made-up results and models for the widgets, and a page that shows one with our own host."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from string import ascii_lowercase
from typing import Any

import pytest
from browsing import reader  # noqa: F401 - a fixture for the tests of this folder
from ipywidgets import Widget
from playwright.sync_api import Page
from untrained import TEXTS, make_decoder

from transformer_lite.chapters.c01_bottleneck.widget import BottleneckExplorer
from transformer_lite.chapters.c02_additive_attention.widget import DecoderStepper
from transformer_lite.chapters.c03_scoring_functions.widget import SoftmaxExplorer

HOST = Path(__file__).resolve().parents[2] / "bookbuild" / "assets" / "widget-host.js"
REACH = {64: 4, 128: 9, 256: 14}  # letters a made-up model gets right
EXACT = {64: (0.9, 0.1, 0.0, 0.0), 128: (1.0, 0.455, 0.05, 0.0), 256: (1.0, 0.98, 0.41, 0.03)}


def _sample(length: int, number: int, reach: int) -> dict[str, str]:
    """A string whose output goes wrong after `reach` letters; some end early, some go on."""
    source = "".join(chr(ord("a") + (7 * place + 3 * number) % 26) for place in range(length))
    target = source[::-1]
    tail = target[reach:].translate(str.maketrans(ascii_lowercase, ascii_lowercase[::-1]))
    output = target[:reach] + {2: "", 3: tail + "z"}.get(number, tail)
    return {"source": source, "target": target, "output": output}


@pytest.fixture
def results() -> dict[str, Any]:
    """Invented runs: nothing in them was measured."""
    return {
        "runs": [
            {
                "task": "reverse",
                "attention": None,
                "context": "start",
                "hidden": hidden,
                "steps": 3000,
                "seed": 1,
                "exact_match": dict(zip(("5", "10", "15", "20"), EXACT[hidden], strict=True)),
                "samples": [
                    _sample(length, number, REACH[hidden])
                    for length in range(1, 21)
                    for number in range(4)
                ],
            }
            for hidden in REACH
        ]
    }


@pytest.fixture
def explorer(results: dict[str, Any]) -> BottleneckExplorer:
    """The widget of chapter 01, as a reader meets it first."""
    return BottleneckExplorer(results)


@pytest.fixture
def make_stepper() -> Callable[..., DecoderStepper]:
    """Gives the widget of chapter 02 in a state of choice."""
    model, source, target = make_decoder()

    def make(texts: int = len(TEXTS), **state: Any) -> DecoderStepper:
        return DecoderStepper(model, source, target, TEXTS[:texts], **state)

    return make


ANSWERED = {
    "bottleneck": {"length": 20, "sample": 4, "hidden": 64, "prediction": 3, "revealed": True},
    "stepper": {"text": 1, "step": 7, "prediction": 20, "revealed": True},
    "softmax": {"width": 512, "temperature": 0.1, "prediction": 1, "revealed": True},
}


@pytest.fixture(params=ANSWERED)
def every_widget(
    request: Any, results: dict[str, Any], make_stepper: Callable[..., Any]
) -> dict[str, Any]:
    """Each widget `asking`, as a reader meets it first, and `answered`, as full as it gets."""
    make = {
        "bottleneck": lambda **state: BottleneckExplorer(results, **state),
        "stepper": make_stepper,
        "softmax": SoftmaxExplorer,
    }[request.param]
    return {"asking": make(), "answered": make(**ANSWERED[request.param])}


@pytest.fixture
def show(reader: Any, tmp_path: Path) -> Callable[..., Any]:  # noqa: F811
    """Opens a page that holds one widget; afterwards, nothing may have been complained about."""

    @contextmanager
    def opened(
        widget: Any, width: int = 900, theme: str = "light", system: str = "light"
    ) -> Iterator[Page]:
        page_file = tmp_path / "page.html"
        page_file.write_text(_page(widget, theme), encoding="utf-8")
        with reader.open(width, 800, color_scheme=system) as page:
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


def _page(widget: Any, theme: str) -> str:
    data, _ = widget._repr_mimebundle_()
    state = json.dumps(Widget.get_manager_state(widgets=[widget])).replace("</", "<\\/")
    view = json.dumps(data["application/vnd.jupyter.widget-view+json"])
    background = "#121212" if theme == "dark" else "#fff"
    attribute = f' data-theme="{theme}"' if theme else ""
    return f"""<!doctype html><html lang="en"{attribute}><head><meta charset="utf-8">
<title>A widget</title><meta name="viewport" content="width=device-width">
<link rel="icon" href="data:,"><style>body {{ background: {background}; margin: 8px }}</style>
<script type="application/vnd.jupyter.widget-state+json">{state}</script></head><body><main>
<h1 style="color: {"#eee" if theme == "dark" else "#111"}">A widget</h1><div>
<script type="application/vnd.jupyter.widget-view+json">{view}</script>
<div class="widget-still">{data["image/svg+xml"]}</div></div></main>
<script>{HOST.read_text("utf-8")}</script></body></html>"""
