"""The mask painter: its numbers are those of the formula, and a page shows what Python has."""

import json
import math
import re
from itertools import product
from typing import Any
from xml.etree import ElementTree

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
    rows = MaskPainter(tokens, x, attend, mask=(mask := random_mask(seed)))._now()
    weights, norms = by_hand(x, made, torch.tensor(mask))
    for numbers, expected in (
        ([row.weights for row in rows], weights),
        ([row.gradients for row in rows], norms),
    ):
        found = torch.tensor(numbers, dtype=x.dtype)
        torch.testing.assert_close(found, expected, rtol=0.0051, atol=1e-12)
        assert ((found == 0) == (expected.abs() < 1e-12)).all()


def test_a_token_that_may_not_see_itself_depends_on_itself(painter: MaskPainter) -> None:
    told = "It depends on itself all the same: its input makes its query."
    others = [[t != u for u in range(6)] for t in range(6)]
    for mask, depends in ((others, True), (random_mask(0), False)):
        painter.mask, painter.row = mask, 1
        row = painter._now()[0]
        assert row.weights[0] == 0
        assert (row.gradients[0] > 0, told in painter.finding()) == (depends, depends)
    assert told not in EXAMPLES.examples()["asking"].finding()  # where white sees itself
    assert painter.finding().startswith("she may attend to nothing: its weights and its output")
    alone = [[u == 1 for u in range(6)] for t in range(6)]  # the weight is 1 whatever she asks
    painter.mask = alone
    assert painter._now()[0].gradients[0] == 0 and told not in painter.finding()


@pytest.mark.parametrize(("layers", "reach"), [(2, 2), (3, 3)], ids=["two layers", "three layers"])
def test_a_window_reaches_further_with_every_layer(
    painter: MaskPainter, layers: int, reach: int
) -> None:
    painter.mask, painter.layers, painter.row = painter.shown["presets"]["window"], layers, 1
    near = [[float(abs(t - u) <= reach) for u in range(6)] for t in range(6)]
    assert painter._links() == near
    heard = ", ".join(TOKENS[: reach + 1])
    assert painter.finding().endswith(f"After {layers} layers it hears from {heard}.")


def test_the_residual_connection_is_a_path() -> None:
    nothing = [[False] * 6 for _ in range(6)]
    widget = MaskPainter(*EXAMPLES.drawn(TOKENS)[0], mask=nothing, layers=2)
    assert widget._links() == torch.eye(6).tolist()
    widget.layers = 1
    assert widget.finding().endswith("36 of 36 gradients are exactly 0.")


def test_presets_are_what_they_are_called(painter: MaskPainter) -> None:
    allowed = {
        name: {(t, u) for t, u in product(range(6), repeat=2) if mask[t][u]}
        for name, mask in painter.shown["presets"].items()
    }
    every = set(product(range(6), repeat=2))
    assert allowed == {
        "everything": every,
        "padding": {(t, u) for t, u in every if u < 4},
        "look-ahead": {(t, u) for t, u in every if u <= t},
        "window": {(t, u) for t, u in every if abs(t - u) <= 1},
        "prefix": {(t, u) for t, u in every if u < 3 or u <= t},
        "empty row": {(t, u) for t, u in every if t != 3},
    }


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


@pytest.mark.parametrize(("tokens", "rows"), [(3, 3), (7, 7), (6, 5)])
def test_tokens_must_be_few_and_have_vectors(tokens: int, rows: int) -> None:
    (names, _, attend), _ = EXAMPLES.drawn(tokens * ["a"])
    with pytest.raises(ValueError, match="there must be 4 to 6 tokens and a row of x for each"):
        MaskPainter(names, torch.zeros(rows, 5), attend)


def squares(svg: str) -> list[tuple[str, list[float]]]:
    """Colour and place of each rectangle of a picture, in their order, without the card."""
    parts = [part for part in ElementTree.fromstring(svg).iter() if part.tag.endswith("rect")]
    drawn = [
        (part.attrib["fill"], [float(part.attrib.get(k, 0)) for k in ("x", "y", "width", "height")])
        for part in parts
    ]
    return [(fill, box) for fill, box in drawn if box[2] and fill != "#fff"]


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
    spoken = page.locator(".pictures [role=img]")
    heard = spoken.evaluate_all("maps => maps.map((map) => map.ariaLabel)")
    assert "\n".join(heard) == widget.words()
    if not widget.ask:
        assert page.get_by_role("status").inner_text().split("\n")[0] == widget.finding()


def test_a_page_shows_what_python_has(show: Any) -> None:
    for seed in range(3):
        widget = MaskPainter(
            *EXAMPLES.drawn(TOKENS)[0],
            mask=random_mask(seed),
            row=seed + 1,
            layers=seed + 1,
            ask=False,
        )
        with show(widget) as page:
            same_as(page, widget)


def test_predict_once_then_paint_by_mouse(show: Any) -> None:
    widget = EXAMPLES.examples()["asking"]
    with show(widget) as page:
        same_as(page, widget)
        status, reveal = page.get_by_role("status"), page.get_by_role("button", name="Reveal")
        asked = page.get_by_label("white may look at wears")
        assert asked.evaluate("cell => getComputedStyle(cell, '::before').content") == '"?"'
        reveal.click()
        assert status.inner_text() == "Choose one of the answers first."
        page.get_by_label("its column", exact=True).check()
        reveal.click()
        widget.mask = [[u <= t and (t, u) != (3, 1) for u in range(6)] for t in range(6)]
        widget.ask = False
        same_as(page, widget)
        verdict = f"✗ You predicted its column; it is its row. {BECAUSE}"
        assert status.inner_text().split("\n")[1] == verdict
        assert not reveal.is_visible()

        page.get_by_label("everything", exact=True).check()
        first, last = (
            page.get_by_label(f"{name} may look at hat", exact=True).bounding_box()
            for name in ("she", "white")
        )
        page.mouse.move(first["x"] + 9, first["y"] + 9)
        page.mouse.down()
        page.mouse.move(last["x"] + 9, last["y"] + 9, steps=20)
        page.mouse.up()
        widget.mask, widget.row = [[u != 4 or t > 3 for u in range(6)] for t in range(6)], 4
        same_as(page, widget)
        page.get_by_label("she may look at hat").click()  # it switches back
        widget.mask, widget.row = [[*6 * [True]], *widget.mask[1:]], 1
        same_as(page, widget)
        assert page.locator("input[type=radio]:checked").count() == 0


def test_paint_by_finger(show: Any) -> None:
    widget = EXAMPLES.examples()["asking"]
    with show(widget) as page:
        cell = page.get_by_label("she may look at hat")
        cell.dispatch_event("pointerdown", {"pointerType": "touch", "buttons": 1})
        assert not cell.is_checked()  # a finger may be about to scroll
        cell.dispatch_event("click")
        assert cell.is_checked()


def test_predict_and_paint_by_keyboard(show: Any) -> None:
    widget = EXAMPLES.examples()["asking"]
    with show(widget) as page:
        page.get_by_label("its row", exact=True).focus()
        page.keyboard.press("Space")
        page.keyboard.press("Enter")
        assert "✓ You predicted its row: right." in page.get_by_role("status").inner_text()
        named = "document.activeElement.ariaLabel"
        assert page.evaluate(named) == "white may look at wears"
        for key in ("ArrowUp", "ArrowRight", "ArrowRight", "Space", "Shift+Tab", "Tab"):
            page.keyboard.press(key)
        assert page.evaluate(named) == "a may look at white"
        widget.mask = [
            [(u <= t and (t, u) != (3, 1)) or (t, u) == (2, 3) for u in range(6)] for t in range(6)
        ]
        widget.row, widget.ask = 3, False
        same_as(page, widget)
        for _ in range(9):  # nothing lies behind the edge
            page.keyboard.press("ArrowRight")
        assert page.evaluate(named) == "a may look at <eos>"


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
