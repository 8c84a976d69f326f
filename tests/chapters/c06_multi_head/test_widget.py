"""The explorer of heads: what is recorded and switched off, what is refused, drawn and said."""

import json
import re
from typing import Any

import pytest
import torch
from ipywidgets import Widget
from loading import load
from traitlets import TraitError
from widget_fixtures import filled_shapes

from transformer_lite.attention import MultiHeadAttention
from transformer_lite.chapters.c06_multi_head.widget import (
    ATTENTIONS,
    HeadExplorer,
    HeadView,
    head_off,
    head_views,
)
from transformer_lite.translator import Translator
from transformer_lite.widgets.frames import WIDTH

EXAMPLES = load("c06_multi_head", "widget_examples")
HAT, PICTURE, CAT = EXAMPLES.HAT, EXAMPLES.PICTURE, "a student sees this cat"
FULL, SHORT = "그들 은 제 친구 에게 제 그림 을 줘요", "그들 은 제 그림 을 줘요"
ONCE, TWICE, THRICE = (f"학생 {'이 ' * times}고양이 를 봐요" for times in (1, 2, 3))
# Without which head (from 1) another translation is written, and which.
CHANGES = {
    HAT: {},
    PICTURE: {("cross 1", 3): SHORT, ("cross 2", 2): SHORT, ("cross 2", 3): SHORT},
    CAT: {
        ("encoder 2", 3): ONCE,
        ("cross 1", 4): THRICE,
        ("cross 2", 2): ONCE,
        ("cross 2", 3): ONCE,
        ("cross 2", 4): THRICE,
    },
}


@pytest.fixture(scope="module")
def translator() -> Translator:
    return Translator.load("pocket")


@pytest.fixture(scope="module")
def recorded(translator: Translator) -> dict[str, dict[str, HeadView]]:
    return {text: head_views(translator, text) for text in CHANGES}


@pytest.fixture(scope="module")
def explorer(recorded: dict[str, dict[str, HeadView]]) -> HeadExplorer:
    return HeadExplorer(recorded)


def test_a_head_that_is_off_hands_nothing_on() -> None:
    attention, x = MultiHeadAttention(8, 4), torch.randn(1, 3, 8)
    before = attention.output.weight.clone()
    with torch.no_grad():
        value = attention.value.weight
        kept = value.clone()
        value[4:6] = 0  # the values of head 2, and so its output, are 0
        attention.value.bias[4:6] = 0
        expected = attention(x, x, x)
        value.copy_(kept)
        with head_off(attention, 2):
            assert torch.equal(attention(x, x, x), expected)
    assert torch.equal(attention.output.weight, before)


def test_the_model_is_the_same_afterwards(translator: Translator) -> None:
    before = {name: one.clone() for name, one in translator.model.state_dict().items()}
    head_views(translator, HAT)
    attention = translator.model.decoder.layers[1].cross_attention
    with pytest.raises(KeyboardInterrupt), head_off(attention, 1):
        raise KeyboardInterrupt
    for name, one in translator.model.state_dict().items():
        assert torch.equal(one, before[name]), name


def test_maps_are_those_of_the_model(
    translator: Translator, recorded: dict[str, dict[str, HeadView]]
) -> None:
    explanation = translator.explain(PICTURE)
    for name, view in recorded[PICTURE].items():
        assert torch.equal(view.weights, explanation.maps[ATTENTIONS[name]])
        crosses = name.startswith("cross")
        assert view.asking == (explanation.target_labels if crosses else view.answering)


@pytest.mark.parametrize("text", CHANGES)
def test_some_heads_can_be_missed_and_some_cannot(explorer: HeadExplorer, text: str) -> None:
    for (sentence, attention), drawn in explorer._maps.items():
        for head, without in enumerate(drawn.view.without, start=1):
            if sentence == text:
                written = " ".join(one.split(" ")[0] for one in without)
                expected = CHANGES[text].get((attention, head))
                whole = " ".join(one.split(" ")[0] for one in drawn.view.translation)
                assert written == (expected or whole), (attention, head)
                answer = explorer.finding(text, attention, head).answer
                assert answer == ("other" if expected else "same")


def test_the_finding_says_what_is_lost_and_gained(explorer: HeadExplorer) -> None:
    sentence = explorer.finding(PICTURE, "cross 2", 3).sentence
    lost = "제 je “my”, 친구 chingu “friend”, 에게 ege “to (a person)”"
    assert sentence == (
        f"Without head 3 of cross 2 the translation loses {lost}. "
        "On average over its rows the head gives most to “they”: 0.20."
    )
    gained = explorer.finding(CAT, "cross 2", 4).sentence
    assert "translation gains 이 i “this / subject”." in gained
    both = HeadExplorer({HAT: EXAMPLES.drawn(["a"], ["x", "y"], [["x", "z"]] * 4)})
    assert "translation loses y and gains z." in both.finding(HAT, "cross 1", 1).sentence


def test_maps_and_translations_must_fit() -> None:
    with pytest.raises(ValueError, match=re.escape("(1, 2, 3), but its shape is (1, 2, 2)")):
        HeadView(["a", "b"], ["x", "y", "z"], torch.ones(1, 2, 2), ["c"], [["c"]])


@pytest.mark.parametrize("missing", [{}, {HAT: {}}])
def test_all_heads_must_be_there(missing: Any) -> None:
    with pytest.raises(ValueError, match="views must hold at least one sentence, each with 4"):
        HeadExplorer(missing)
    three = {HAT: EXAMPLES.drawn(["a"], ["x"], [["x"]] * 4)}
    three[HAT]["cross 1"] = HeadView(["x"], ["a"], torch.ones(3, 1, 1), ["x"], [["x"]] * 3)
    with pytest.raises(ValueError, match="4 heads of encoder 1, encoder 2, cross 1, cross 2"):
        HeadExplorer(three)


@pytest.mark.parametrize(
    ("name", "value"), [("sentence", "a"), ("attention", "decoder 1"), ("head", 0)]
)
def test_impossible_values_are_refused(explorer: HeadExplorer, name: str, value: Any) -> None:
    with pytest.raises(TraitError, match=re.escape(f"{name} must be one of")):
        explorer.set_trait(name, value)


def test_cells_are_as_full_as_weights() -> None:
    weights = torch.tensor([[0.0, 0.3, 0.7], [1.0, 0.0, 0.0]]).expand(4, 2, 3)
    views = dict.fromkeys(ATTENTIONS, HeadView(["a", "b"], ["x"] * 3, weights, ["c"], [["c"]] * 4))
    large, *small = filled_shapes(HeadExplorer({"a": views}).still())
    row = [(9, 9), (9, 6), (18, 6), (18, 3), (27, 3), (27, 9)]
    assert large == [(0, 9), *row, (0, 9), (0, 18), (0, 9), (9, 9), (9, 18), (0, 18)]
    assert small == [[(x / 3, y / 3) for x, y in large]] * 4


def test_what_changed_is_marked_in_both_lines(explorer: HeadExplorer) -> None:
    def marks(sentence: str, head: int) -> list[tuple[str, str]]:
        svg = explorer._maps[sentence, "cross 2"].less(head).svg
        return re.findall(r"<rect x='(\d+)' y='(\d+)'", svg)

    assert marks(HAT, 3) == []
    assert len({y for _, y in marks(PICTURE, 3)}) == 1 and len(marks(PICTURE, 3)) == 3
    ((_, lost),), ((_, gained),) = marks(CAT, 3), marks(CAT, 4)
    assert int(gained) - int(lost) == 30  # pixels from line to line


def test_the_second_translation_is_covered_until_then(explorer: HeadExplorer) -> None:
    explorer.sentence, explorer.head = PICTURE, 3
    layers = [layer for picture in explorer.pictures() for layer in picture.layers]
    asked = [explorer._now(layer.draw).words for layer in layers if layer.ask is not False]
    assert f"all heads: {FULL}" in asked
    assert asked[-1] == "without this head: covered until you predict"
    assert f"without head 3: {SHORT}" in explorer.words().splitlines()


def test_words_say_where_each_row_looks(explorer: HeadExplorer) -> None:
    explorer.sentence, explorer.attention, explorer.head = HAT, "encoder 1", 4
    asking, head, *_ = explorer.words().splitlines()[1:]
    assert asking.startswith("asking: she, wears, a, white, hat, <eos>; answering: she, wears")
    assert re.match(r"head 4, largest of each row: she 0\.\d\d, hat 0\.78, ", head)


def test_a_deck_and_a_page_carry_it(explorer: HeadExplorer) -> None:
    (picture,) = explorer.pictures()
    assert picture.height <= WIDTH  # a deck cuts a single one that is taller than wide
    assert len(json.dumps(Widget.get_manager_state(widgets=[explorer]))) < 100_000
