"""Weight beside influence: what is counted, asked and said, and that a page shows the same."""

import json
import re
from typing import Any

import pytest
from ipywidgets import Widget
from loading import load
from traitlets import TraitError

from transformer_lite.chapters.c14_inside.widget import (
    ATTENTIONS,
    CLEAR,
    HEADS,
    MEAN,
    NONE,
    TITLES,
    WeightAndInfluence,
)

EXAMPLES = load("c14_inside", "widget_examples")
FIRST = "layer 1, head 1"


def small(**state: Any) -> WeightAndInfluence:
    """Two small captions, the answers to be seen."""
    return WeightAndInfluence(EXAMPLES.captions(), **{"ask": False, "head": FIRST, **state})


def test_it_begins_with_a_cross_attention() -> None:
    assert repr(EXAMPLES.examples()["asking"]) == (
        "WeightAndInfluence(caption='X y.', attention='cross', head='layer 2, head 1', row=1)"
    )


@pytest.mark.parametrize(
    ("row", "found"),
    [
        (1, "“a 1”: layer 1, head 1 looks most at “x” (0.90); hiding “x” moves most (80 %)."),
        (2, "“b 2”: layer 1, head 1 looks most at “x” (0.60); hiding “y” moves most (70 %)."),
        (3, "“b 3”: layer 1, head 1 looks most at “y” (0.80); hiding “x” or “y” moves most "
            "(30 %)."),
        (4, "“a 4”: layer 1, head 1 looks most at “x” (0.50); hiding one word moves at most 19 %."),
        (5, "“.”: layer 1, head 1 looks most at “<eos>” (0.70), of the words at “.” (0.30); hiding "
            "“.” moves most (25 %), hiding “<eos>” 60 %."),
    ],
)  # fmt: skip
def test_findings(row: int, found: str) -> None:
    assert small(row=row).finding().replace("\u00a0", " ") == found


def test_words_tell_the_map_and_what_is_written_without_the_head() -> None:
    widget = small(attention="decoder", head="layer 2, head 4", row=6, without=True)
    assert widget.words().splitlines() == [
        "X y. Decoder, layer 2, head 4",
        "a 1: <bos> 1.00; b 2: a 1 1.00; b 3: b 2 1.00; a 4: b 3 1.00; .: a 4 1.00; <eos>: . 1.00",
        "“<eos>”: layer 2, head 4 looks most at “.” (1.00).",
        "Without: a d b ba.",
    ]
    widget.head = MEAN
    assert "the mean of all heads looks most at" in widget.words()
    assert "Without" not in widget.words()


def test_rows_are_counted_in_which_weight_and_influence_agree() -> None:
    # Of a, b, b, a and the full stop the second disagrees; head 4 looks at the full stop alone.
    assert small().shown["captions"][0]["agree"] == [4, 4, 4, 1] * 3 + [4]


def test_exactly_one_answer_is_right() -> None:
    page = small().shown["captions"][0]
    assert page["right"] == ["x", "y", "x", NONE, ".", NONE]
    assert page["offered"][2] == ["x", ".", NONE]  # y moves as much as x
    assert page["offered"][5] == ["x", "y", ".", NONE]  # so do all here, but little
    for offered, right, moved in zip(page["offered"], page["right"], EXAMPLES.HIDDEN, strict=True):
        by_word = dict(zip(("x", "y", "."), moved, strict=False))
        most = [one for one in offered[:-1] if by_word[one] == max(moved[:-1]) >= CLEAR]
        assert (most or [NONE]) == [right]


def test_a_changed_translation_comes_in_stretches() -> None:
    changed = small().shown["captions"][0]["without"][0][:4]
    assert changed == ["a b ba.", "\ta\tc\t b ba.", "a b\t ba\t\t.", "a\t\t d\t b ba."]
    for text, without in zip(changed, EXAMPLES.captions()[0]["without"]["cross 1"], strict=True):
        parts = text.split("\t")
        kept = [part for place, part in enumerate(parts) if place % 3 != 1]
        assert "".join(kept) == without


def test_a_picture_has_the_influence_for_the_cross_attention_alone() -> None:
    for attention in ATTENTIONS:
        still = small(attention=attention).still()
        assert (TITLES[1] in still) == (attention == "cross")


def test_all_heads_must_be_there() -> None:
    (caption, _) = EXAMPLES.captions()
    caption["maps"] = {**caption["maps"], "cross 2": caption["maps"]["cross 2"][:3]}
    for shown in ([], [caption]):
        with pytest.raises(ValueError, match="shown must be at least one caption, each with maps"):
            WeightAndInfluence(shown)


@pytest.mark.parametrize(
    ("name", "value"),
    [("caption", "x"), ("attention", "self"), ("head", 1), ("row", 0), ("prediction", "z")],
)
def test_impossible_values_are_refused(name: str, value: Any) -> None:
    with pytest.raises(TraitError, match=re.escape(f"{name} must be one of")):
        small().set_trait(name, value)


def test_a_page_can_carry_it() -> None:
    # As large as the captions of the page: 14 rows of 11 words, a third not 0.
    caption = EXAMPLES.looked()
    rows, columns = [f"▁written{place}" for place in range(14)], [f"▁read{n}" for n in range(11)]
    full = {"encoder": (11, 11), "decoder": (14, 15), "cross": (14, 11)}
    sizes = {name: full[name.split()[0]] for name in caption["maps"]}
    maps = {
        name: [[([25, 0, 0] * 5)[:across]] * down] * 4 for name, (down, across) in sizes.items()
    }
    large = {"source": columns, "target": rows, "hidden": [[25] * 11] * 14, "maps": maps}
    captions = [{**caption, **large, "german": str(number)} for number in range(4)]
    state = Widget.get_manager_state(widgets=[WeightAndInfluence(captions)])
    assert len(json.dumps(state)) < 100_000


def same_as(page: Any, widget: WeightAndInfluence) -> None:
    """The page shows the maps and says the finding of the widget."""
    assert page.locator(".result").inner_text().split("\n")[0] == widget.finding()
    _, largest, *_ = widget.words().splitlines()
    titles = [f"{TITLES[0]}: {widget.head}; {largest}"]
    said = page.locator(".pictures svg:visible").evaluate_all(
        "all => all.map((one) => one.ariaLabel)"
    )
    assert said[0] == titles[0]
    assert len(said) == (3 if widget.attention == "cross" else 2)
    shapes = page.locator(".pictures svg:visible:not(:last-of-type) .asks rect").evaluate_all(
        "all => all.map((one) => ['x', 'y', 'width', 'height'].map((n) => +one.getAttribute(n)))"
    )
    drawn = re.findall(r"<rect x='(\S+)' y='(\S+)' width='(\S+)' height='(\S+)'", widget.still())
    assert sorted(shapes) == sorted([*map(float, one)] for one in drawn)
    lesser = page.locator(".less").evaluate(
        "one => [...one.childNodes].map((part) => part.tagName === 'DEL' ? '' : part.textContent)"
    )
    less = widget._less()
    same = "Without: " + widget._captions[widget.caption].translation
    assert "".join(lesser) == (
        "The translation stays the same." if less == [same] else "".join(less)[len("Without: ") :]
    )


def test_a_page_shows_what_python_has(show: Any) -> None:
    for state in (
        {"row": 5, "without": True},
        {"attention": "encoder", "head": MEAN, "row": 6},
        {"attention": "decoder", "head": HEADS[5], "row": 6, "without": True},
        {"caption": "Y x.", "head": HEADS[-2], "row": 3, "without": True},
    ):
        widget = small(**state)
        with show(widget) as page:
            same_as(page, widget)


def test_predict_once_then_choose(show: Any) -> None:
    with show(EXAMPLES.examples()["asking"], 360) as page:
        status, reveal = page.get_by_role("status"), page.get_by_role("button", name="Reveal")
        label = page.locator(".pictures svg").nth(1)
        assert label.get_attribute("aria-label") == "what hiding moves: predict first"
        assert "moves" not in page.locator(".pictures svg").last.get_attribute("aria-label")
        reveal.click()
        assert status.inner_text() == "Choose one of the answers first."
        page.keyboard.press("Space")  # the first answer has the focus
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Enter")
        assert "✗ You predicted y; it is x." in status.inner_text()
        assert page.evaluate("document.activeElement.role") == "status"
        widget = small(head="layer 2, head 1")
        same_as(page, widget)
        assert "x weight 0.90 moves 80 %" in page.locator(".pictures svg").last.get_attribute(
            "aria-label"
        )

        page.get_by_role("group", name="layer 3").get_by_role("radio").nth(3).check()
        widget.head = "layer 3, head 4"
        same_as(page, widget)
        assert "✗ You predicted y" in status.inner_text()  # it is about the word
        page.locator(".asks").nth(4).click()
        widget.row = 5
        same_as(page, widget)
        assert "predicted" not in status.inner_text()
        page.get_by_label("Without this head").check()
        widget.without = True
        same_as(page, widget)
        assert page.locator(".less ins").all_inner_texts() == [" d"]
        page.get_by_label("encoder").check()
        widget.attention = "encoder"
        same_as(page, widget)  # of fewer rows: the last one
        page.get_by_label("mean").check()
        assert not page.get_by_label("Without this head").is_visible()


def test_a_word_that_all_leave_alone(show: Any) -> None:
    with show(small(row=4, ask=True)) as page:
        page.get_by_label(NONE, exact=True).check()
        page.get_by_role("button", name="Reveal").click()
        assert "✓ You predicted none: right." in page.get_by_role("status").inner_text()


def test_paper_shows_the_answer(show: Any) -> None:
    with show(small(ask=True)) as page:
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        same_as(page, small())
        page.evaluate("dispatchEvent(new Event('afterprint'))")
        assert page.get_by_role("status").inner_text() == ""
