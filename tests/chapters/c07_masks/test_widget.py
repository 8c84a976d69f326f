"""The mask painter: its numbers are those of the formula, and a page shows what Python has."""

import json
import math
import re
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pydata_sphinx_theme
import pytest
import torch
from ipywidgets import Widget
from loading import load
from torch import Tensor
from traitlets import TraitError

from transformer_lite.chapters.c07_masks.widget import BECAUSE, HEAD, MaskPainter, one_head
from transformer_lite.translator import Translator

EXAMPLES = load("c07_masks", "widget_examples")
TOKENS = EXAMPLES.TOKENS
HAT = "she wears a white hat"
THEME = Path(pydata_sphinx_theme.__file__).parent.joinpath(
    "theme", "pydata_sphinx_theme", "static", "styles", "pydata-sphinx-theme.css"
)
ASKED = [[u <= t and (t, u) != (3, 1) for u in range(6)] for t in range(6)]
PADDED = "As if the last two were padding: nobody sees hat and <eos>."
PREFIX = "The first three see each other, the rest look back."
PRESETS: list[tuple[str, Callable[[int, int], bool], str]] = [
    ("everything", lambda t, u: True, "Everybody sees everybody. 0"),
    ("look-ahead", lambda t, u: u <= t, "Each word sees itself and those before it. 15"),
    ("padding", lambda t, u: u < 4, f"{PADDED} 10"),
    ("window", lambda t, u: abs(t - u) <= 1, "Each word sees itself and its neighbours. 20"),
    ("prefix", lambda t, u: u < 3 or u <= t, f"{PREFIX} 12"),
    ("empty row", lambda t, u: t != 3, "white sees nobody: its weights and its output are 0. 6"),
]


def random_mask(seed: int) -> list[list[bool]]:
    """One with a row that may attend to nothing, and one whose only key is its own."""
    mask = torch.rand(6, 6, generator=torch.Generator().manual_seed(seed)) < 0.6
    mask[seed % 6], mask[(seed + 1) % 6] = False, torch.arange(6) == (seed + 1) % 6
    rows: list[list[bool]] = mask.tolist()
    return rows


def by_hand(x: Tensor, made: dict[str, Tensor], mask: Tensor) -> tuple[Tensor, Tensor]:
    """Weights, and ‖∂oₜ/∂xᵤ‖ from the formula: through the value, the key and the query."""
    query, key, value = (x @ made[name] for name in ("query", "key", "value"))
    size, root = len(x), math.sqrt(query.shape[1])
    exponentials = (query @ key.T / root).exp() * mask
    sums = exponentials.sum(1, keepdim=True)
    weights = torch.where(sums > 0, exponentials / sums, 0)
    outputs, norms = weights @ value, torch.zeros(size, size, dtype=x.dtype)
    for t, u in product(range(size), repeat=2):
        moved = value[u] - outputs[t]
        jacobian = weights[t, u] * (
            made["value"].T + torch.outer(moved, made["key"] @ query[t]) / root
        )
        if t == u:
            for j in range(size):
                through = torch.outer(value[j] - outputs[t], made["query"] @ key[j]) / root
                jacobian = jacobian + weights[t, j] * through
        norms[t, u] = jacobian.norm()
    return weights, norms


@pytest.fixture(scope="module")
def painter() -> MaskPainter:
    widget: MaskPainter = EXAMPLES.examples()["asking"]
    return widget


@pytest.fixture(scope="module")
def translator() -> Translator:
    return Translator.load("pocket")


@pytest.mark.parametrize("seed", range(4))
def test_weights_and_gradients_are_those_of_the_formula(seed: int) -> None:
    (tokens, x, attend), made = EXAMPLES.drawn(TOKENS, seed)
    rows = MaskPainter(tokens, x, attend)._under(mask := random_mask(seed))
    weights, norms = by_hand(x, made, torch.tensor(mask))
    for numbers, expected in (
        ([row.weights for row in rows], weights),
        ([row.gradients for row in rows], norms),
    ):
        found = torch.tensor(numbers, dtype=x.dtype)
        torch.testing.assert_close(found, expected, rtol=0.0051, atol=1e-12)
        assert ((found == 0) == (expected.abs() < 1e-12)).all()


def test_a_token_that_may_not_see_itself_may_depend_on_itself(painter: MaskPainter) -> None:
    alone = "It does not depend on itself: one key alone gets 1, whatever is asked."
    rows: dict[str, tuple[list[int], bool, str]] = {
        "wears": ([4], False, alone),
        "a": ([], False, "a may attend to nothing: its weights and its output are 0."),
        "white": ([0, 4], True, "It depends on itself all the same: its input makes its query."),
    }
    seen = [rows[name][0] if name in rows else [t] for t, name in enumerate(TOKENS)]
    painter.mask = [[u in keys for u in range(6)] for keys in seen]
    for name, (_, depends, told) in rows.items():
        place = TOKENS.index(name)
        painter.row = place + 1
        assert (painter._under(painter.mask)[place].gradients[place] > 0) == depends
        assert painter.finding().endswith(told)
    painter.row = 1
    assert painter.finding() == "she attends to she 1.00."  # it sees itself


@pytest.mark.parametrize("layers", [2, 3])
def test_a_window_reaches_further_with_every_layer(layers: int) -> None:
    near = [[abs(t - u) <= 1 for u in range(6)] for t in range(6)]
    widget = MaskPainter(*EXAMPLES.drawn(TOKENS)[0], mask=near, layers=layers, row=1)
    assert widget._links() == [[float(abs(t - u) <= layers) for u in range(6)] for t in range(6)]
    heard = ", ".join(TOKENS[: layers + 1])
    assert widget.finding().endswith(f"After {layers} layers it hears from {heard}.")


def test_the_residual_connection_is_a_path() -> None:
    nothing = [[False] * 6 for _ in range(6)]
    widget = MaskPainter(*EXAMPLES.drawn(TOKENS)[0], mask=nothing, layers=2)
    assert widget._links() == torch.eye(6).tolist()
    assert widget.finding() == "After 2 layers 30 of 36 pairs have no path."
    widget.layers = 1
    assert widget.finding() == "36 of 36 gradients are exactly 0."


def test_presets_are_what_they_are_called(painter: MaskPainter) -> None:
    painter.row = None
    for (name, mask, _), (called, rule, says) in zip(
        painter.shown["presets"], PRESETS, strict=True
    ):
        painter.mask = mask
        assert (name, mask) == (called, [[rule(t, u) for u in range(6)] for t in range(6)])
        assert painter.finding() == f"{says} of 36 gradients are exactly 0."


def test_the_weights_before_stay_to_be_seen() -> None:
    (tokens, x, attend), made = EXAMPLES.drawn(TOKENS, seed=8)
    before = by_hand(x, made, torch.ones(6, 6).tril())[0][3]
    kept = [f"{before[u]:.2f}" for u in (0, 2, 3)]
    grown = f"Before: {', '.join(kept)}; each ×\u00a0{1 / (1 - before[1]):.1f}."
    widget = MaskPainter(tokens, x, attend, mask=ASKED, row=4)
    assert widget.finding().endswith(grown)
    sides = [max(3, 19 * weight.sqrt().item()) for weight in before[:4]]
    for u, (side, box) in enumerate(zip(sides, outlines(widget.still()), strict=True)):
        place = [54 + 23 * u + (22 - side) / 2, 70 + 23 * 3 + (22 - side) / 2, side]
        assert box == pytest.approx(place, abs=0.2)
    widget.row = 3
    assert grown not in widget.finding()
    widget.mask, widget.row = [*ASKED[:5], [True, *5 * [False]]], 4
    assert grown not in widget.finding() and outlines(widget.still()) == []


def test_the_head_is_that_of_the_model(translator: Translator) -> None:
    tokens, x, attend = one_head(translator, HAT)
    explanation = translator.explain(HAT)
    assert tokens == explanation.source_tokens
    everything = torch.ones(6, 6, dtype=torch.bool)
    found = attend(x, everything)[1]
    torch.testing.assert_close(found, explanation.maps["encoder.0.self"][HEAD])
    assert found[1].argmax() == tokens.index("hat")  # where "wears" looks
    with pytest.raises(ValueError, match="text must hold known words only"):
        one_head(translator, "she wears a sombrero")
    assert not any(part._forward_pre_hooks for part in translator.model.modules())


def test_a_page_can_carry_it(translator: Translator) -> None:
    widget = MaskPainter(*one_head(translator, HAT))
    assert len(json.dumps(Widget.get_manager_state(widgets=[widget]))) < 100_000


@pytest.mark.parametrize(
    "mask",
    [None, [], 6 * [True], 5 * [6 * [True]], 6 * [5 * [True]], 6 * [6 * [1]], torch.ones(6, 6)],
    ids=["none", "empty", "flat", "rows", "columns", "numbers", "tensor"],
)
def test_masks_that_do_not_fit_are_refused(mask: Any) -> None:
    widget = EXAMPLES.examples()["asking"]
    before = widget.mask
    with pytest.raises(TraitError, match=r"mask must be 6 lists of 6 booleans, True = may attend"):
        widget.mask = mask
    assert widget.mask == before


@pytest.mark.parametrize(("name", "value"), [("row", 7), ("layers", 4), ("prediction", "nothing")])
def test_impossible_values_are_refused(name: str, value: Any) -> None:
    with pytest.raises(TraitError, match=re.escape(f"{name} must be one of")):
        EXAMPLES.examples()["asking"].set_trait(name, value)


@pytest.mark.parametrize(("tokens", "rows"), [(5, 5), (7, 7), (6, 5)])
def test_tokens_must_be_six_and_have_vectors(tokens: int, rows: int) -> None:
    (names, _, attend), _ = EXAMPLES.drawn(tokens * ["a"])
    with pytest.raises(ValueError, match="there must be 6 tokens and a row of x for each"):
        MaskPainter(names, torch.zeros(rows, 5), attend)


def squares(svg: str) -> list[tuple[str, list[float]]]:
    """Colour and place of each rectangle of a picture, in their order, without the card."""
    parts = [part for part in ElementTree.fromstring(svg).iter() if part.tag.endswith("rect")]
    drawn = [
        (part.attrib["fill"], [float(part.attrib.get(k, 0)) for k in ("x", "y", "width", "height")])
        for part in parts
    ]
    return [(fill, box) for fill, box in drawn if box[2] and fill != "#fff"]


def outlines(svg: str) -> list[list[float]]:
    """Left, top and side of each outline of a picture."""
    paths = [part for part in ElementTree.fromstring(svg).iter() if part.tag.endswith("polyline")]
    corners = [
        [map(float, one.split(",")) for one in path.attrib["points"].split()] for path in paths
    ]
    boxes = [[sorted(numbers) for numbers in zip(*path, strict=True)] for path in corners]
    return [[xs[0], ys[0], xs[-1] - xs[0]] for xs, ys in boxes]


def same_as(page: Any, widget: MaskPainter) -> None:
    """Asserts that the page paints, draws and says what Python does."""
    may = [one for row in widget.mask for one in row]
    cells = page.locator(".mask input")
    assert cells.evaluate_all("cells => cells.map((cell) => cell.checked)") == may
    svg = page.locator(".pictures svg").evaluate(
        "(svg) => new XMLSerializer().serializeToString(svg)"
    )
    for (fill, box), (expected, place) in zip(squares(svg), squares(widget.still()), strict=True):
        assert (fill, box) == (expected, pytest.approx(place, abs=1e-3))
    assert outlines(svg) == outlines(widget.still())
    spoken = page.locator(".pictures [role=img]")
    heard = spoken.evaluate_all("maps => maps.map((map) => map.ariaLabel)")
    assert "\n".join(heard) == widget.words()
    if not widget.ask:
        assert page.get_by_role("status").inner_text().split("\n")[0] == widget.finding()


def test_a_page_shows_what_python_has(show: Any) -> None:
    head = EXAMPLES.drawn(TOKENS)[0]
    for seed in range(3):
        for row in (None, seed + 1):
            mask = random_mask(seed)
            widget = MaskPainter(*head, mask=mask, row=row, layers=seed + 1, ask=False)
            with show(widget) as page:
                same_as(page, widget)


def test_predict_once_then_paint(show: Any) -> None:
    widget = EXAMPLES.examples()["asking"]
    with show(widget, 360) as page:
        same_as(page, widget)
        status, reveal = page.get_by_role("status"), page.get_by_role("button", name="Reveal")
        asked = page.get_by_label("white may look at wears")
        assert asked.evaluate("cell => getComputedStyle(cell, '::before').content") == '"?"'
        reveal.click()
        assert status.inner_text() == "Choose one of the answers first."
        page.get_by_label("its column", exact=True).check()
        reveal.click()
        widget.mask, widget.row, widget.ask = ASKED, 4, False
        same_as(page, widget)
        verdict = f"✗ You predicted its column; it is its row. {BECAUSE}"
        assert status.inner_text().split("\n")[1] == verdict
        box = status.bounding_box()
        assert box["y"] >= 0 and box["y"] + box["height"] <= 800  # the answer is on the screen
        assert not reveal.is_visible()

        page.get_by_role("button", name="hat", exact=True).click()
        widget.row = 5
        same_as(page, widget)
        assert page.locator("[aria-pressed=true]").inner_text() == "hat"
        page.get_by_label("everything", exact=True).check()
        widget.mask, widget.row = 6 * [6 * [True]], None
        same_as(page, widget)
        for may in (False, True):
            page.get_by_label("she may look at hat").click()
            widget.mask, widget.row = [[*4 * [True], may, True], *5 * [6 * [True]]], 1
            same_as(page, widget)
        assert page.locator(".guess :checked").count() == 0


def test_predict_and_paint_by_keyboard(show: Any) -> None:
    widget = EXAMPLES.examples()["asking"]
    with show(widget) as page:
        page.get_by_label("its row", exact=True).focus()
        page.keyboard.press("Space")
        page.keyboard.press("Enter")
        assert "✓ You predicted its row: right." in page.get_by_role("status").inner_text()
        assert page.evaluate("document.activeElement.role") == "status"
        page.get_by_label("white may look at wears").focus()
        for key in ("ArrowUp", "ArrowRight", "ArrowRight", "Space"):
            page.keyboard.press(key)
        focus = page.locator(":focus")
        by_tab = page.locator(".mask [tabindex='0']")  # one of them
        assert by_tab.get_attribute("aria-label") == "a may look at white"
        widget.mask = [
            [may or (t, u) == (2, 3) for u, may in enumerate(row)] for t, row in enumerate(ASKED)
        ]
        widget.row, widget.ask = 3, False
        same_as(page, widget)
        page.evaluate("addEventListener('keydown', () => (document.title = 'a slide is turned'))")
        for key in ("ArrowRight", "ArrowLeft"):
            for _ in range(9):  # nothing lies behind the edge
                page.keyboard.press(key)
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Space")
        assert focus.inner_text() == "white"
        assert page.title() == "A widget"
        widget.row = 4
        same_as(page, widget)


def test_names_lie_in_the_card_under_the_rules_of_the_theme(show: Any) -> None:
    with show(EXAMPLES.examples()["asking"]) as page:
        page.add_style_tag(path=THEME)
        lefts = page.locator("fieldset:has(.mask) > legend, .mask > *").evaluate_all(
            "parts => parts.map((part) => part.getBoundingClientRect().left)"
        )
        assert len(lefts) == 1 + 7 * 7 and min(lefts) == lefts[0]


def test_paper_shows_the_mask_that_was_set(show: Any) -> None:
    widget = MaskPainter(*EXAMPLES.drawn(TOKENS)[0], mask=random_mask(1))
    with show(widget) as page:
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        widget.ask = False
        same_as(page, widget)
        page.evaluate("dispatchEvent(new Event('afterprint'))")
        look_ahead = [u <= t for t in range(6) for u in range(6)]  # what the question is about
        cells = page.locator(".mask input")
        assert cells.evaluate_all("cells => cells.map((cell) => cell.checked)") == look_ahead
        assert page.get_by_role("button", name="Reveal").is_visible()
