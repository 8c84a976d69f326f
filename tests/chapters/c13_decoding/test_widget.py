"""The beam as a tree: it is the search that was stored, and a page shows what Python has."""

import json
import re
from itertools import combinations, pairwise, product
from typing import Any
from xml.etree import ElementTree

import pytest
from ipywidgets import Widget
from loading import load
from traitlets import TraitError

from transformer_lite.chapters.c13_decoding.widget import (
    COVERED,
    RANKED,
    WIDTHS,
    BeamTree,
    Searched,
    stored_searches,
)
from transformer_lite.widgets.frames import WIDTH

EXAMPLES = load("c13_decoding", "widget_examples")
SEARCHES = stored_searches()
CAT, DOGS, DOG = SEARCHES
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def small() -> BeamTree:
    """Three searches that can be followed by hand."""
    return BeamTree({"Ein A bekommt ein B.": EXAMPLES.searched()}, ask=False)


def test_it_begins_where_greedys_translation_is_dropped(small: BeamTree) -> None:
    assert repr(small) == "BeamTree(caption='Ein A bekommt ein B.', width=2, step=2)"
    assert repr(BeamTree(SEARCHES)) == f"BeamTree(caption={CAT!r}, width=2, step=6)"


def test_words_tell_the_tree_and_what_is_compared(small: BeamTree) -> None:
    assert small.words().splitlines() == [
        "Ein A bekommt ein B. (A b.)",
        "1: d (dropped: a)",
        "2: e, s (dropped: b)",
        " · Step 2 of 3 · token · log p",
        "● d e 90 % −1.1",
        "● ds 61 % −1.5",
        "✗ a b 22 % −2.0",
        "✗ a e 20 % −2.1",
        "A beam of 2 drops greedy's translation at step 2 and ends with “d e”, which is more "
        "probable: −1.2 against −2.2.",
    ]
    small.step = 1
    assert small.words().splitlines()[1] == "1: a, d"  # nobody knows yet
    small.step = 3
    assert small.words().splitlines()[1:7] == [
        "1: d (dropped: a)",
        "2: e, s (dropped: b)",
        "3: ended 1, ended 2",
        " · Ended after 3 steps · log p · ÷\u00a0length penalty (α\u00a0=\u00a01)",
        "■1 d e −1.2 −0.9",  # over 8/6
        "■2 ds −1.6 −1.2",
    ]
    assert small.words().splitlines()[-2].strip() == RANKED


def test_findings(small: BeamTree) -> None:
    small.width = 1
    assert small.finding() == "A beam of 1 is greedy decoding: “a b”, −2.2."
    small.width = 3
    assert small.finding() == (
        "A beam of 3 keeps greedy's translation and ends with “d e”, which is more probable: "
        "−1.2 against −2.2."
    )
    cat = BeamTree(SEARCHES)
    assert "drops greedy's translation at step 6" in cat.finding()
    assert "less probable: −7.7 against −6.7." in cat.finding()
    cat.width = 3
    assert cat.finding() == (
        "A beam of 3 keeps greedy's translation, and nothing that ends is more probable than its "
        "−6.7."
    )


def test_what_the_page_says_of_the_three_captions() -> None:
    tree = BeamTree(SEARCHES)._trees
    kept = {caption: [tree[caption][width].left_at for width in WIDTHS] for caption in SEARCHES}
    assert kept == {
        CAT: [None, 6, None, None],
        DOGS: [None, 4, 4, 5],
        DOG: [None, 6, 6, 6],
    }
    assert "two bmx boys are running" in BeamTree(SEARCHES, caption=DOGS, width=1).finding()
    assert "“two medium dogs run across the snow.”, which is more" in (
        BeamTree(SEARCHES, caption=DOGS, width=2).finding()
    )
    assert "through a bat." in BeamTree(SEARCHES, caption=DOG, width=1).finding()
    assert "“a dog jumps through an obstacle.”, which is more" in (
        BeamTree(SEARCHES, caption=DOG, width=2).finding()
    )
    assert len(tree[CAT][2].steps) == 15 and len(tree[CAT][3].steps) == 10
    # The length penalty exchanges the second and the third.
    numbers = [float(row[3].replace("−", "-")) for row in tree[DOG][5].listed(10)[1:-1]]
    assert numbers[1] < numbers[2] < numbers[0]


def test_only_what_leads_to_something_kept_or_ended_lives() -> None:
    for trees in BeamTree(SEARCHES)._trees.values():
        for tree in trees.values():
            for number, step in enumerate(tree.steps[:-1], start=1):
                ends = [one.tokens for one in step if one.fate == "kept"]
                ends += [one.tokens for one in tree.ended if len(one.tokens) <= number]
                alive = {end[:length] for end in ends for length in range(1, len(end) + 1)}
                nodes = [node for node in tree.nodes if node.row <= number <= node.until]
                assert {node.tokens for node in nodes} == alive
            leaves = {one.tokens for one in tree.ended}
            last = {node.tokens for node in tree.nodes if node.until == len(tree.steps)}
            assert last == {end[:length] for end in leaves for length in range(1, len(end) + 1)}


def test_places_stay_and_lines_are_as_thick_as_tokens_are_probable(small: BeamTree) -> None:
    def lines(step: int) -> dict[str, float]:
        small.step = step
        drawn = ElementTree.fromstring(small.still()).iter(f"{SVG}polyline")
        return {one.attrib["points"]: float(one.attrib["stroke-width"]) for one in drawn}

    assert lines(1).keys() <= lines(2).keys() <= lines(3).keys()
    d, e = [node for node in small._tree().nodes if node.until == 3][:2]
    assert d.thickness == pytest.approx(1.5 + 2.5 * 0.3679, abs=1e-3)  # exp(−1)
    assert e.thickness == pytest.approx(1.5 + 2.5 * 0.9048, abs=1e-3)  # exp(−1.1 + 1)
    assert d.points[-1] == e.points[0]


@pytest.mark.parametrize(
    "searches", [{}, {"a": Searched("b", {1: EXAMPLES.steps(EXAMPLES.GREEDY)})}]
)
def test_all_widths_must_be_there(searches: Any) -> None:
    with pytest.raises(ValueError, match=r"at least one caption, each with beams of \(1, 2, 3, 5"):
        BeamTree(searches)


@pytest.mark.parametrize(
    ("name", "value"), [("caption", "x"), ("width", 4), ("step", 0), ("prediction", "maybe")]
)
def test_impossible_values_are_refused(small: BeamTree, name: str, value: Any) -> None:
    with pytest.raises(TraitError, match=re.escape(f"{name} must be one of")):
        small.set_trait(name, value)


def test_a_page_can_carry_it() -> None:
    state = Widget.get_manager_state(widgets=[BeamTree(SEARCHES)])
    assert len(json.dumps(state)) < 70_000


def drawn(svg: str) -> list[tuple[Any, ...]]:
    """Lines with their place and look, and words with theirs."""
    root = ElementTree.fromstring(svg)
    lines = [
        (
            one.attrib["points"],
            one.attrib["stroke"],
            f"{float(one.attrib['stroke-width']):.1f}",
            "stroke-dasharray" in one.attrib,
        )
        for one in root.iter(f"{SVG}polyline")
    ]
    words = [
        (one.text, one.attrib["x"], one.attrib["y"], one.attrib.get("font-weight", "400"))
        for one in root.iter(f"{SVG}text")
    ]
    return [*lines, *words]


def same_as(page: Any, widget: BeamTree) -> None:
    """The page shows the tree, the candidates and the finding of the widget."""
    svg = page.locator(".pictures svg").evaluate(
        "(svg) => new XMLSerializer().serializeToString(svg)"
    )
    tree, step = widget._tree(), widget._step()
    own = f"<svg xmlns='{SVG[1:-1]}'>{tree.drawn(step)}</svg>"
    assert drawn(svg) == drawn(own)
    rows = page.locator(".listed > :not(.out) p").evaluate_all(
        "rows => rows.map((row) => [...row.children].map((cell) => cell.textContent))"
    )
    assert [tuple(row) for row in rows] == tree.listed(step)
    spoken = page.locator(".pictures svg").get_attribute("aria-label")
    assert spoken.split("; ") == widget.words().splitlines()[1 : step + 1]


def test_a_page_shows_what_python_has(show: Any) -> None:
    for caption, width, step in ((CAT, 2, 6), (DOGS, 5, 8), (DOG, 5, 10)):
        widget = BeamTree(SEARCHES, caption=caption, width=width, step=step, ask=False)
        with show(widget) as page:
            same_as(page, widget)
            assert page.get_by_role("status").inner_text() == widget.finding()


# Words of the tree that lie on others, and those that a line of the tree runs through.
OVERLAPPING = """() => {
  const boxes = [...document.querySelectorAll(".pictures text")].map((words) => words.getBBox());
  return boxes.filter((box, place) => boxes.some((other, before) => before < place &&
    box.x < other.x + other.width && other.x < box.x + box.width && Math.abs(box.y - other.y) < 12
  )).length;
}"""
CROSSED = """() => {
  const words = [...document.querySelectorAll(".pictures text")];
  const lines = [...document.querySelectorAll(".pictures polyline")].flatMap((line) => {
    const half = line.getAttribute("stroke-width") / 2;
    const points = [...line.points];
    return points.slice(1).map((end, place) => {
      const [xs, ys] = [[end.x, points[place].x], [end.y, points[place].y]];
      return {
        left: Math.min(...xs) - half, right: Math.max(...xs) + half,
        top: Math.min(...ys), bottom: Math.max(...ys),
      };
    });
  });
  return words.filter((one) => {
    const { x, width } = one.getBBox();
    const ground = +one.getAttribute("y"); // letters are about 11 pixels high
    return lines.some((line) => line.left < x + width - 0.5 && x + 0.5 < line.right &&
      line.top < ground && ground - 11 < line.bottom);
  }).map((one) => one.textContent);
}"""


@pytest.mark.parametrize("caption", SEARCHES)
@pytest.mark.parametrize("width", [2, 5])
def test_words_do_not_touch(show: Any, caption: str, width: int) -> None:
    widget = BeamTree(SEARCHES, caption=caption, width=width, step=15, ask=False)
    with show(widget, 360) as page:
        assert page.evaluate(OVERLAPPING) == 0
        assert page.evaluate(CROSSED) == []
    xs = [node.points[-1][0] for node in widget._tree().nodes]
    assert min(xs) >= 20 and max(xs) < WIDTH - 10
    assert not any("…" in node.words for node in widget._tree().nodes)


def close(one: Any, other: Any) -> bool:
    """Whether two lines, each straight across or down, come nearer than the thickest are wide."""
    gaps = []
    for a, b, c, d in zip(*one, *other, strict=True):  # x of all ends, then y
        gaps.append(max(min(a, b), min(c, d)) - min(max(a, b), max(c, d)))
    return max(gaps) < 4


def test_lines_of_neighbours_do_not_meet() -> None:
    for trees in BeamTree(SEARCHES)._trees.values():
        for tree in trees.values():
            for one, other in combinations(tree.nodes, 2):
                # Those from one token begin together.
                if one.row == other.row and one.points[0] != other.points[0]:
                    pairs = product(pairwise(one.points), pairwise(other.points))
                    assert not any(close(*pair) for pair in pairs)


def ask_box(page: Any) -> Any:
    return page.get_by_label("Ask me before the answer")


def test_each_search_is_predicted_by_keyboard(show: Any) -> None:
    with show(BeamTree(SEARCHES), 360) as page:
        status = page.get_by_role("status")
        assert page.get_by_text(COVERED).is_visible()
        same_as(page, BeamTree(SEARCHES, width=1, step=6))
        # What has the focus is no answer yet.
        page.locator("[type=range]").press("Tab")
        page.keyboard.press("Enter")
        assert status.inner_text() == "Choose one of the answers first."
        assert page.get_by_text(COVERED).is_visible()
        page.keyboard.press("Space")
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.type") == "range"
        verdict = "✗ You predicted yes; it is no."
        assert status.inner_text().split("\n")[1] == verdict
        assert not page.get_by_text(COVERED).is_visible()
        widget = BeamTree(SEARCHES, ask=False)
        same_as(page, widget)
        for step in (7, 8, 9):
            page.keyboard.press("ArrowRight")
            widget.step = step
            same_as(page, widget)
        assert status.inner_text().split("\n")[1] == verdict  # it is about the whole search
        page.keyboard.press("Shift+Tab")
        page.keyboard.press("ArrowRight")  # another search: asked again
        assert page.get_by_text(COVERED).is_visible() and status.inner_text() == ""
        same_as(page, BeamTree(SEARCHES, width=1, step=8))
        assert page.locator(".guess input:checked").count() == 0
        page.get_by_label("yes").check()
        page.get_by_role("button", name="Reveal").press("Enter")
        assert status.inner_text().split("\n")[1] == "✓ You predicted yes: right."
        assert ask_box(page).is_checked()


def test_nothing_is_asked_about_greedy_decoding_or_of_those_who_do_not_want_it(show: Any) -> None:
    widget = BeamTree(SEARCHES, width=1)
    with show(widget) as page:
        button, status = page.get_by_role("button", name="Reveal"), page.get_by_role("status")
        assert not button.is_visible() and ask_box(page).is_checked()
        assert status.inner_text() == widget.finding()
        page.get_by_label("2", exact=True).check()
        assert button.is_visible()
        ask_box(page).uncheck()
        widget.width = 2
        same_as(page, widget)
        page.get_by_label(DOG).check()
        widget.caption = DOG
        same_as(page, widget)
        ask_box(page).check()
        assert button.is_visible()


@pytest.mark.parametrize("view", [900, 360])
def test_the_card_keeps_its_height(show: Any, view: int) -> None:
    widget = BeamTree(SEARCHES, caption=DOG, width=5, ask=False)
    with show(widget, view) as page:
        slider, heights = page.locator("[type=range]"), set()
        for step in range(1, 11):
            slider.fill(str(step))
            heights.add(page.locator(".transformer-lite").bounding_box()["height"])
        assert len(heights) == 1


def test_slider_answer_and_candidates_are_seen_together_on_a_phone(show: Any) -> None:
    with show(BeamTree(SEARCHES, caption=DOGS, width=5, step=4, ask=False), 360) as page:
        parts = (
            page.locator(it) for it in (".slider", ".result", ".listed > :not(.out) > :last-child")
        )
        boxes = [part.bounding_box() for part in parts]
        assert max(box["y"] + box["height"] for box in boxes) - boxes[0]["y"] < 640
        assert boxes[0]["y"] < boxes[1]["y"] < boxes[2]["y"]


def test_a_step_behind_the_end_is_the_last_one(show: Any) -> None:
    widget = BeamTree(SEARCHES, step=15, ask=False)
    with show(widget) as page:
        page.get_by_label("3", exact=True).check()
        widget.width = 3
        same_as(page, widget)
        assert repr(widget).endswith("width=3, step=10)")
        slider = page.locator("[type=range]")
        assert [slider.get_attribute(name) for name in ("max", "aria-valuetext")] == ["10", "10"]
        page.get_by_label("2", exact=True).check()
        widget.width = 2
        same_as(page, widget)


def test_paper_shows_the_beam(show: Any) -> None:
    widget = BeamTree(SEARCHES)
    with show(widget) as page:
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        same_as(page, widget)
        page.evaluate("dispatchEvent(new Event('afterprint'))")
        assert page.get_by_text(COVERED).is_visible()
