"""The explorer of heads: what is refused, drawn and said."""

import json
import re
from typing import Any

import pytest
import torch
from ipywidgets import Widget
from loading import load
from traitlets import TraitError
from widget_fixtures import filled_shapes

from transformer_lite.chapters.c06_multi_head.ablation import SHOWN, HeadView, Word, head_views
from transformer_lite.chapters.c06_multi_head.widget import HeadExplorer
from transformer_lite.translator import Translator
from transformer_lite.widgets.frames import WIDTH

EXAMPLES = load("c06_multi_head", "widget_examples")
HAT, CAT, PICTURE = EXAMPLES.HAT, "a student sees this cat", EXAMPLES.PICTURE


@pytest.fixture(scope="module")
def explorer() -> HeadExplorer:
    """As the page has it."""
    translator = Translator.load("pocket")
    return HeadExplorer({text: head_views(translator, text) for text in (HAT, CAT, PICTURE)})


def test_it_begins_where_something_is_lost(explorer: HeadExplorer) -> None:
    assert repr(explorer) == f"HeadExplorer(sentence={PICTURE!r}, attention='cross 2', head=2)"
    sentence, answer = explorer.finding(PICTURE, "cross 2", 2)
    lost = "“my”, “friend”, “to”"
    assert sentence == f"Without head 2 of cross 2 the translation loses {lost}."
    assert answer == "other"


def test_the_finding_says_what_is_gained_and_that_all_heads_are_off(explorer: HeadExplorer) -> None:
    sentence, answer = explorer.finding(CAT, "cross 1", "all")
    gains = "gains “this”, “this”"
    assert sentence == f"Without all four heads of cross 1 the translation {gains}."
    assert answer == "other"
    sentence, answer = explorer.finding(HAT, "cross 2", "all")
    assert sentence == "Without all four heads of cross 2 the translation stays the same."
    assert answer == "same"
    both = [[Word("x", "a"), Word("z", "c")]] * 5
    drawn = EXAMPLES.drawn(["a"], [Word("x", "a"), Word("y", "b")], both)
    sentence, _ = HeadExplorer({"a": drawn}).finding("a", "cross 1", 1)
    assert "translation loses “b” and gains “c”." in sentence


def test_english_stands_in_groups_without_roles(explorer: HeadExplorer) -> None:
    lines = explorer.words().splitlines()
    assert lines[-4:-1] == [
        "all heads: 그들 은 제 친구 에게 제 그림 을 줘요, they · my friend to · my picture · give",
        "without head 2:",
        "그들 은 제 그림 을 줘요, they · my picture · give",
    ]


@pytest.mark.parametrize("missing", [{}, {HAT: {}}])
def test_all_attentions_must_be_there(missing: Any) -> None:
    with pytest.raises(ValueError, match="views must hold at least one sentence, each with 4"):
        HeadExplorer(missing)


def test_all_heads_must_be_there() -> None:
    three = EXAMPLES.drawn(["a"], EXAMPLES.SHORT, [EXAMPLES.SHORT] * 4)
    with pytest.raises(ValueError, match="4 heads of encoder 1, encoder 2, cross 1, cross 2"):
        HeadExplorer({HAT: three})


@pytest.mark.parametrize(
    ("name", "value"), [("sentence", "a"), ("attention", "decoder 1"), ("head", 0)]
)
def test_impossible_values_are_refused(explorer: HeadExplorer, name: str, value: Any) -> None:
    with pytest.raises(TraitError, match=re.escape(f"{name} must be one of")):
        explorer.set_trait(name, value)


def test_cells_are_as_full_as_weights() -> None:
    weights = torch.tensor([[0.0, 0.5, 1.0], [1.0, 0.0, 0.0]]).expand(4, 2, 3).clone()
    weights[3] = torch.tensor([[1.0, 0.5, 0.0], [0.0, 0.0, 1.0]])
    word = [Word("c", "c")]
    view = HeadView(["a", "b"], ["x", "y", "z"], weights, word, [word] * 5)
    explorer = HeadExplorer({"a": dict.fromkeys(SHOWN, view)}, head=1)
    # From the left of a row along its ground, 20 pixels a cell of which 18 can be full, and back.
    half, full = [(20, 20), (20, 11), (38, 11), (38, 20)], [(40, 20), (40, 2), (58, 2), (58, 20)]
    below = [(0, 40), (0, 40), (0, 22), (18, 22), (18, 40), (0, 40)]
    assert filled_shapes(explorer.still())[-1] == [(0, 20), *half, *full, (0, 20), *below]
    explorer.head = "all"  # three heads of four are as above
    assert "mean of the four\n" in explorer.words()
    assert "largest of each row: z 0.75, x 0.75" in explorer.words()
    assert (0, 40 - 14) in filled_shapes(explorer.still())[-1]


def test_what_changed_is_marked_in_its_line(explorer: HeadExplorer) -> None:
    def marks(sentence: str, head: int | str) -> list[tuple[str, ...]]:
        svg = explorer._maps[sentence, "cross 1"].less(head).svg
        return re.findall(r"<rect x='(\d+)' y='(\d+)' width='(\d+)'", svg)

    assert marks(HAT, 3) == []
    # Behind three letters and two spaces; 제 친구 에게 have 1, 2 and 2 letters.
    assert marks(PICTURE, 3) == [("52", "253", "14"), ("71", "253", "28"), ("104", "253", "28")]
    assert [y for _, y, _ in marks(CAT, "all")] == ["297", "297"]


def test_the_second_translation_is_covered_until_then(explorer: HeadExplorer) -> None:
    (picture,) = explorer.pictures()
    asked = [explorer._now(one.draw).words for one in picture.layers if one.ask is not False]
    assert asked[-1] == "without head 2: covered until you predict"
    assert not any("my picture · give" in words for words in asked[:-2])


def test_words_say_where_each_row_looks() -> None:
    words = EXAMPLES.examples()["asking"].words()
    assert "asking: 그들 they, 은 topic, 제 my, " in words
    assert "answering: they, give, my 3, picture, to, my 6, friend, <eos>\n" in words


def test_a_deck_and_a_page_carry_it(explorer: HeadExplorer) -> None:
    (picture,) = explorer.pictures()
    assert picture.height <= WIDTH  # a deck cuts a single one that is taller than wide
    assert len(json.dumps(Widget.get_manager_state(widgets=[explorer]))) < 90_000
