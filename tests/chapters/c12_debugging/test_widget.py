"""The table of bugs: its numbers are those of the runs, and a page shows what Python has."""

import ast
import json
import re
import textwrap
from typing import Any

import pytest
from ipywidgets import Widget
from loading import load
from traitlets import TraitError

from transformer_lite import results
from transformer_lite.chapters.c12_debugging import widget
from transformer_lite.chapters.c12_debugging.bugs import BUGS, RIGHT
from transformer_lite.diagnosis import RULES

EXAMPLES = load("c12_debugging", "widget_examples")
TOLD = widget._TOLD
LOWER = [
    "no-mask", "mask-inverted", "mask-too-wide", "mask-after-softmax", "softmax-over-queries",
    "not-shifted",
]  # fmt: skip


def indented(lines: str) -> str:
    """They may return."""
    return "def f():\n" + textwrap.indent(lines, " ")


@pytest.mark.parametrize("name", [name for name in BUGS if name != RIGHT])
def test_each_bug_is_told_in_code(name: str) -> None:
    told = TOLD["bugs"][name]
    assert told["words"].endswith(".")
    parsed = {ast.dump(ast.parse(indented(told[one]))) for one in ("wrong", "right")}
    assert len(parsed) == 2
    lines = told["wrong"].split("\n") + told["right"].split("\n")
    assert len(lines) <= 10 and max(map(len, lines)) <= 42


def test_nothing_else_is_told() -> None:
    assert {*TOLD["bugs"], RIGHT} == set(BUGS)
    assert set(TOLD["checks"]) == {name for name, *_ in RULES}


def test_what_is_said_of_the_runs() -> None:
    runs = results.load("bugs").query("steps == 400")
    pocket = runs[runs.task == "pocket"].set_index(["bug", "seed"])
    right = pocket.training_loss[RIGHT]
    lower = [name for name in BUGS if (pocket.training_loss[name] < right).all()]
    assert lower == LOWER and not pocket.free[LOWER].any()
    shown = EXAMPLES.examples()["asking"].shown
    told = "6 bugs: a lower loss in each of 3 seeds, 0\u00a0% of sentences right."
    assert shown["lists"][1] == ("lower loss", told, [RIGHT, *LOWER])
    rows = {row["name"]: row for row in shown["bugs"]}
    for name, row in rows.items():
        assert float(row["loss"]) == pytest.approx(pocket.training_loss[name].mean(), abs=1e-4)
        assert (row["trend"] == "lower") == (name in LOWER)
    same = [name for name in BUGS if (pocket.training_loss[name] == right).all()]
    assert {RIGHT, *widget.ASKED} == set(same)
    shares = {name: f"{pocket.free[name].mean():.0%}" for name in same[1:]}
    assert shares == dict(zip(same[1:], ("91%", "59%", "0%", "91%"), strict=True))
    assert shown["question"]["right"] == "a cache without the current token"
    assert shown["headline"].endswith("writes 0\u00a0% of the sentences right; the others "
        "59\u00a0%, 91\u00a0%, 91\u00a0%.")  # fmt: skip
    assert "0.0175" in shown["before"]
    copied = runs[runs.task == "copy"].groupby("bug").free.mean()
    copies = shown["lists"][2][2]
    assert min(copied[copies]) >= 0.9 > max(copied.drop(copies))


def test_who_is_seen_by_no_check() -> None:
    diagnoses = EXAMPLES.diagnosed()
    diagnoses["not-scaled"] = diagnoses[RIGHT]
    shown = EXAMPLES.made(diagnoses).shown
    assert shown["lists"][3][1].startswith("1 bugs") and shown["lists"][3][2] == [
        RIGHT,
        "not-scaled",
    ]


def test_a_page_can_carry_it() -> None:
    seen = {
        name.replace("-", "_"): checks
        for name, checks in load("c12_debugging", "test_bugs").SEEN.items()
    }
    state = Widget.get_manager_state(widgets=[EXAMPLES.made(EXAMPLES.diagnosed(**seen))])
    assert len(json.dumps(state)) < 100_000


@pytest.mark.parametrize(
    ("name", "value"),
    [("bug", "no-bug"), ("check", "luck"), ("only", "none"), ("prediction", "all")],
)
def test_impossible_values_are_refused(name: str, value: str) -> None:
    with pytest.raises(TraitError, match=re.escape(f"{name} must be one of")):
        EXAMPLES.examples()["asking"].set_trait(name, value)


def test_each_bug_must_have_a_diagnosis() -> None:
    diagnoses = EXAMPLES.diagnosed()
    del diagnoses["no-mask"]
    with pytest.raises(ValueError, match="one for each of BUGS, but they differ in no-mask"):
        EXAMPLES.made(diagnoses)


def same_as(page: Any, table: widget.BugTable) -> None:
    """Asserts that the page lists, marks and says what Python does."""
    names = dict(zip(widget.ONLY, (names for *_, names in table.shown["lists"]), strict=True))
    listed = [row for row in table.shown["bugs"] if row["name"] in names[table.only]]
    rows = page.locator(".checks [role=row]:visible:not(.heads)")
    assert rows.locator("[role=rowheader]").all_inner_texts() == [row["story"] for row in listed]
    share = "copied" if table.only == "copies right" else "free"
    assert page.locator(".heads > :nth-child(3)").inner_text() == share
    shown = rows.locator("[role=gridcell]:not([data-check])").all_inner_texts()[1::2]
    assert shown == [row[share] for row in listed]
    chosen = page.locator("[aria-selected=true]")
    assert chosen.get_attribute("data-check") == table.check
    story, check = page.locator(".told b").all_inner_texts()
    mark, found = page.locator(".told .result").inner_text().split(" ", 1)
    assert f"{story}; {mark} {check}: {found}" == table.finding()
    assert page.locator(".checks [tabindex='0']").count() == 1
    (place,) = (row["place"] for row in listed if row["name"] == table._chosen())
    dot = page.locator(".pictures circle.marked")
    assert tuple(float(dot.get_attribute(one)) for one in ("cx", "cy")) == place


def test_predict_once_then_choose(show: Any) -> None:
    table = EXAMPLES.examples()["asking"]
    with show(table, 360) as page:
        status, reveal = page.locator(".outcome .result"), page.get_by_role("button", name="Reveal")
        assert page.locator(".checks").is_hidden()
        across = page.locator(".pictures circle.marked").evaluate_all(
            "all => all.map((dot) => dot.getAttribute('cx'))"
        )
        assert len(across) == 4 and len(set(across)) == 1
        reveal.click()
        assert status.inner_text() == "Choose one of the answers first."
        page.get_by_label("a causal mask in training only").check()
        reveal.click()
        table.ask = False
        same_as(page, table)
        headline, verdict = status.inner_text().split("\n")
        assert headline == table.shown["headline"]
        assert verdict.startswith("✗ You predicted a causal mask in training only. Training never")
        assert page.evaluate("document.activeElement.role") == "status"
        assert not reveal.is_visible()

        page.get_by_label("all", exact=True).check()
        table.only, table.check = "all", "past"  # the first bug, and the first that sees it
        same_as(page, table)
        page.get_by_text("a softmax before the cross-entropy", exact=True).click()
        table.bug = "softmax-twice"
        same_as(page, table)
        page.locator(".chosen [data-check=written]").click()
        table.check = "written"
        same_as(page, table)
        table.only = "lower loss"  # without this bug: the first one is chosen
        assert table.finding().startswith("no causal mask; ✓ written")
        page.get_by_label("lower loss", exact=True).check()
        table.bug, table.check = "no-mask", "past"
        same_as(page, table)
        page.get_by_text("none: the right model", exact=True).click()
        table.bug, table.check = RIGHT, "prefix"
        same_as(page, table)
        assert page.locator(".lines").count() == 0
        assert verdict in status.inner_text()


@pytest.mark.parametrize("width", [360, 900])
def test_the_grid_by_keyboard(show: Any, width: int) -> None:
    table = EXAMPLES.examples()["answered"]
    with show(table, width) as page:
        page.evaluate("addEventListener('keydown', () => (document.title = 'a slide is turned'))")
        page.locator(".checks [tabindex='0']").focus()
        for key, bug, check in (
            ("ArrowDown", "mask-inverted", "loss of padding"),
            ("ArrowRight", "mask-inverted", "one batch"),
            ("End", "mask-inverted", "written"),
            ("ArrowRight", "mask-inverted", "written"),
            ("ArrowUp", "no-mask", "written"),
            ("Home", "no-mask", "prefix"),
            ("ArrowLeft", "no-mask", "prefix"),
            ("ArrowUp", RIGHT, "prefix"),
            ("ArrowUp", RIGHT, "prefix"),
        ):
            page.keyboard.press(key)
            table.bug, table.check = bug, check
            same_as(page, table)
            assert page.evaluate("document.activeElement.ariaSelected") == "true"
        page.get_by_label("all", exact=True).check()
        page.locator(".checks [tabindex='0']").focus()
        for _ in range(30):
            page.keyboard.press("ArrowDown")
        table.only, table.bug = "all", "softmax-twice"
        same_as(page, table)
        frame, cell = (page.locator(one).bounding_box() for one in (".window", ":focus"))
        assert frame["y"] < cell["y"] and cell["y"] + cell["height"] < frame["y"] + frame["height"]
        assert page.title() == "A widget"


def test_wrong_lines_are_marked(show: Any) -> None:
    with show(EXAMPLES.examples()["answered"]) as page:
        assert page.locator(".differs").all_inner_texts() == [
            "past = torch.ones(T, T).bool()\n", "past = torch.ones(T, T).tril().bool()\n",
        ]  # fmt: skip


@pytest.mark.parametrize("width", [616, 900])
def test_all_columns_fit(show: Any, width: int) -> None:
    with show(EXAMPLES.examples()["answered"], width) as page:
        cells = page.locator(".checks [role=row]:visible:not(.heads) [data-check]:visible")
        assert cells.count() == 7 * 15
        widths = cells.evaluate_all("all => all.map((one) => one.getBoundingClientRect().width)")
        assert min(widths) >= 18 and max(widths) <= 20
        box = page.locator(".window").evaluate("one => [one.scrollWidth, one.clientWidth]")
        assert box[0] <= box[1] + 1


def test_paper_shows_the_lower_losses_and_the_chosen_cell(show: Any) -> None:
    table = EXAMPLES.made(EXAMPLES.diagnosed(), bug="not-scaled", check="past", only="all")
    with show(table, 700) as page:
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        page.emulate_media(media="print")
        box = page.locator(".window").evaluate("one => [one.scrollHeight, one.clientHeight]")
        assert box[0] == box[1] and page.locator(".guess").is_hidden()
        names = page.locator(".checks [role=rowheader]:visible").all_inner_texts()
        listed = [name for name in BUGS if name in (RIGHT, *LOWER, table.bug)]
        assert names == [widget.STORIES[name] for name in listed]
        assert page.locator(".told b").all_inner_texts() == [widget.STORIES[table.bug], "past"]
        card = page.locator(".transformer-lite").bounding_box()
        assert card["height"] < 900  # of a sheet
        page.evaluate("dispatchEvent(new Event('afterprint'))")
        assert page.locator(".checks").is_hidden()


def test_a_deck_stands_still(show: Any) -> None:
    table = EXAMPLES.examples()["answered"]
    table.only = "all"
    with show(table) as page:
        page.evaluate("document.body.className = 'reveal'")
        page.set_viewport_size({"width": 900, "height": 200})
        page.locator(".checks [tabindex='0']").focus()
        page.evaluate("scrollTo(0, 0)")
        for _ in range(20):
            page.keyboard.press("ArrowDown")
        table.bug = list(BUGS)[21]
        same_as(page, table)
        assert page.evaluate("scrollY") == 0
        assert page.locator(".window").evaluate("one => one.scrollTop") > 100
