"""Heads off: what attention hands on, what the model writes, and what its words mean."""

import re
from copy import deepcopy
from typing import Any

import pytest
import torch
from loading import load

from transformer_lite.attention import MultiHeadAttention
from transformer_lite.chapters.c06_multi_head.ablation import (
    SHOWN,
    HeadView,
    attentions,
    head_views,
    heads_off,
)
from transformer_lite.translator import Translator

PICTURE = load("c06_multi_head", "widget_examples").PICTURE
CAT = "a student sees this cat"
FULL, SHORT = "그들 은 제 친구 에게 제 그림 을 줘요", "그들 은 제 그림 을 줘요"
ONCE, TWICE, THRICE = (f"학생 {'이 ' * times}고양이 를 봐요" for times in (1, 2, 3))
# With which heads off (from 1; 5: all four) another translation is written, and which.
CHANGES = {
    PICTURE: {("cross 1", 3): SHORT, ("cross 2", 2): SHORT, ("cross 2", 3): SHORT},
    CAT: {
        ("encoder 1", 5): ONCE,
        ("encoder 2", 3): ONCE,
        ("encoder 2", 5): ONCE,
        ("cross 1", 4): THRICE,
        ("cross 1", 5): f"학생 {'이 ' * 4}고양이 를 봐요",
        ("cross 2", 2): ONCE,
        ("cross 2", 3): ONCE,
        ("cross 2", 4): THRICE,
        ("cross 2", 5): ONCE,
    },
}


@pytest.fixture(scope="module")
def translator() -> Translator:
    return Translator.load("pocket")


def written(words: Any) -> str:
    return " ".join(word.korean for word in words)


@pytest.mark.parametrize("heads", [(2,), (0, 3), (0, 1, 2, 3)])
def test_heads_that_are_off_hand_nothing_on(heads: tuple[int, ...]) -> None:
    attention, x = MultiHeadAttention(8, 4), torch.randn(1, 3, 8)
    without = deepcopy(attention)  # their values, and so their outputs, are 0
    without.value.weight.data.view(4, 2, 8)[list(heads)] = 0
    without.value.bias.data.view(4, 2)[list(heads)] = 0
    before = attention.output.weight.clone()
    with heads_off(attention, *heads):
        torch.testing.assert_close(attention(x, x, x), without(x, x, x))
    assert torch.equal(attention.output.weight, before)


def test_the_model_is_the_same_after_an_error(translator: Translator) -> None:
    before = {name: one.clone() for name, one in translator.model.state_dict().items()}
    cross = attentions(translator.model)["cross 2"]
    with pytest.raises(KeyboardInterrupt), heads_off(cross, 1), heads_off(cross, 0, 2):
        raise KeyboardInterrupt
    for name, one in translator.model.state_dict().items():
        assert torch.equal(one, before[name]), name


def test_each_attention_has_a_name(translator: Translator) -> None:
    model: Any = translator.model
    encoder, decoder = model.encoder.layers, model.decoder.layers
    assert attentions(model) == {
        "encoder 1": encoder[0].self_attention,
        "encoder 2": encoder[1].self_attention,
        "decoder 1": decoder[0].self_attention,
        "decoder 2": decoder[1].self_attention,
        "cross 1": decoder[0].cross_attention,
        "cross 2": decoder[1].cross_attention,
    }


@pytest.mark.parametrize(("text", "whole"), [(PICTURE, FULL), (CAT, TWICE)])
def test_some_heads_can_be_missed_and_some_cannot(
    translator: Translator, text: str, whole: str
) -> None:
    explanation, views = translator.explain(text), head_views(translator, text)
    assert list(views) == list(SHOWN)
    for name, view in views.items():
        assert torch.equal(view.weights, explanation.maps[SHOWN[name]])
        assert written(view.translation) == whole
        for head, words in enumerate(view.without, start=1):
            assert written(words) == CHANGES[text].get((name, head), whole), (name, head)
    assert views["encoder 1"].asking == views["cross 1"].answering == [*text.split(), "<eos>"]


@pytest.mark.parametrize(
    ("text", "place", "meaning"),
    [
        (CAT, 1, "이 subject"),
        (CAT, 2, "이 this"),
        ("this cat sees a student", 0, "이 this"),
        ("she wears a white hat", 5, "써요 wear"),
        ("she wore a white hat", 5, "썼어요 wear"),
        ("she wrote a book", 4, "썼어요 write"),
        (PICTURE, 4, "에게 to"),
        (PICTURE, 9, "<eos>"),
    ],
)
def test_meanings_are_those_of_the_sentence(
    translator: Translator, text: str, place: int, meaning: str
) -> None:
    assert head_views(translator, text)["cross 1"].asking[place] == meaning


def test_a_particle_does_not_stand_behind_this(translator: Translator) -> None:
    without = head_views(translator, CAT)["cross 2"].without[3]
    assert [word.english for word in without[:4]] == ["student", "subject", "this", "this"]


def test_maps_and_translations_must_fit() -> None:
    with pytest.raises(ValueError, match=re.escape("(1, 2, 3), but its shape is (1, 2, 2)")):
        HeadView(["a", "b"], ["x", "y", "z"], torch.ones(1, 2, 2), [], [[], []])
