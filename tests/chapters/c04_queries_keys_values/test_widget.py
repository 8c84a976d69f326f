"""The attention step: what it records, what it refuses, what moves and what stays."""

import json
import re
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from ipywidgets import Widget
from loading import load
from traitlets import TraitError
from widget_fixtures import filled_shapes

from transformer_lite import data
from transformer_lite.chapters.c04_queries_keys_values.widget import (
    FORMS,
    HEADS,
    NO_WORD,
    AttentionStep,
    LookUp,
    _strip,
    look_ups,
)
from transformer_lite.scope import AttentionRecord
from transformer_lite.translator import Translator
from transformer_lite.widgets.frames import WIDTH

EXAMPLES = load("c04_queries_keys_values", "widget_examples")
HAT, LONG = EXAMPLES.HAT, EXAMPLES.LONG
SHOES = "she wears the old shoes"


@pytest.fixture(scope="module")
def translator() -> Translator:
    return Translator.load("pocket")


@pytest.fixture(scope="module")
def recorded(translator: Translator) -> dict[str, dict[str, LookUp]]:
    return {text: look_ups(translator, text) for text in (HAT, SHOES)}


@pytest.fixture(scope="module")
def step() -> AttentionStep:
    return EXAMPLES.examples()["asking"]


def test_what_is_recorded_is_what_the_model_attends_with(
    translator: Translator, recorded: dict[str, dict[str, LookUp]]
) -> None:
    explanation = translator.explain(HAT)
    for form, name in (("self", "encoder.0.self"), ("cross", "decoder.1.cross")):
        found = recorded[HAT][form]
        torch.testing.assert_close(found.weights, explanation.maps[name][HEADS[form]])
        outputs = F.scaled_dot_product_attention(found.query, found.key, found.value)
        torch.testing.assert_close(found.outputs, outputs)
        assert found.answering == explanation.source_tokens
    assert recorded[HAT]["self"].asking == explanation.source_tokens
    assert recorded[HAT]["cross"].asking == explanation.target_labels


def test_recording_leaves_nothing_behind(translator: Translator) -> None:
    with pytest.raises(ValueError, match="text must hold known words only"):
        look_ups(translator, "she wears a sombrero")
    assert not any(part._forward_pre_hooks for part in translator.model.modules())


@pytest.mark.parametrize(("text", "object_"), [(HAT, "hat"), (SHOES, "shoes")])
def test_wears_looks_at_what_is_worn(
    recorded: dict[str, dict[str, LookUp]], text: str, object_: str
) -> None:
    sentence, answer = AttentionStep(recorded).finding(text, "self", 2)
    shown = re.fullmatch(
        rf"wears asks\. The largest weight is that of {object_}: (0\.\d\d) of its value goes into "
        r"the output\.",
        sentence,
    )
    assert shown and 0.7 < float(shown[1]) < 0.9
    assert answer == object_


def test_the_head_of_the_decoder_agrees_best_with_the_gold_links(translator: Translator) -> None:
    pairs = [pair for pair in data.load("pocket").test[:100] if pair.sure]
    agreed, model = torch.zeros(4), translator.model
    for pair, example in zip(
        pairs, data.encode_pairs(pairs, translator.source, translator.target), strict=True
    ):
        batch, record = data.collate([example]), AttentionRecord()
        with torch.no_grad():
            model.features(batch.source, batch.source_mask, batch.target_in, record)
        looked = record["decoder.1.cross"][0].argmax(-1).tolist()  # H T
        for target in {target for target, _ in pair.sure}:
            agreed += torch.tensor([(target, head[target]) in pair.sure for head in looked])
    assert agreed.argmax() == HEADS["cross"]


@pytest.mark.parametrize(
    "shapes", [((2, 4), (3, 4), (3, 4)), ((1, 4), (3, 4), (3, 5)), ((1,),) * 3]
)
def test_vectors_must_fit_the_tokens(shapes: tuple[tuple[int, ...], ...]) -> None:
    with pytest.raises(ValueError, match="query must have a row for each of 1 tokens, key and"):
        LookUp(["a"], ["x", "y", "z"], *map(torch.zeros, shapes))


@pytest.mark.parametrize("missing", [{}, {HAT: {}}, {HAT: {"self": None}}])
def test_both_forms_must_be_there(missing: Any) -> None:
    with pytest.raises(ValueError, match="look_ups must hold at least one sentence, each with"):
        AttentionStep(missing)


@pytest.mark.parametrize(
    ("name", "value"), [("sentence", "a"), ("form", "both"), ("query", 8), ("prediction", "cat")]
)
def test_impossible_values_are_refused(name: str, value: Any) -> None:
    with pytest.raises(TraitError, match=re.escape(f"{name} must be one of")):
        EXAMPLES.examples()["asking"].set_trait(name, value)


def test_words_are_those_of_sentence_and_form(step: AttentionStep) -> None:
    offered = step.offered()
    assert offered["query"](HAT, "self") == (1, 2, 3, 4, 5, 6)
    assert offered["query"](HAT, "cross") == (1, 2, 3)
    assert offered["prediction"](HAT, "cross") == (*EXAMPLES.HAT_TOKENS, NO_WORD)
    assert step.finding(HAT, "cross", 7) == step.finding(HAT, "cross", 3)
    words = ["the", "dog", "the"]
    twice = AttentionStep({"the dog the": EXAMPLES.both(words, words, 0)})
    assert twice.offered()["prediction"]("the dog the", "self")[:3] == ("the 1", "dog", "the 3")


@pytest.mark.parametrize(
    ("share", "shown", "answer"),
    [(0.504, "0.50", NO_WORD), (0.506, "0.51", "y"), (0.4, "0.60", "x")],
)
def test_a_word_is_right_that_shows_more_than_half(share: float, shown: str, answer: str) -> None:
    energies = torch.tensor([[1 - share], [share]]).log()  # of x and y
    one = LookUp(["a"], ["x", "y"], torch.ones(1, 1), energies, torch.ones(2, 1))
    sentence, found = AttentionStep({"a": dict.fromkeys(FORMS, one)}).finding("a", "self", 1)
    assert (f": {shown} of its value" in sentence, found) == (True, answer)


def test_keys_and_values_stay_where_they_are(step: AttentionStep) -> None:
    (picture,) = step.frames["pictures"]
    moves = ["query" in layer["by"] for layer in picture["layers"]]
    assert moves == [False, False, False, True, True, True, True, False]
    step.query = 1
    before = filled_shapes(step.still())
    step.query = 2
    after = filled_shapes(step.still())
    stays = [one == other for one, other in zip(before, after, strict=True)]
    assert stays == [*[True] * 3, True, *[True] * 6, False, False, False, False]


def test_bars_are_as_long_as_energies_and_weights() -> None:
    widget = EXAMPLES.examples()["answered"]
    drawing, place = widget._at(LONG, "cross", 2)
    energies, weights = filled_shapes(widget.still())[-3:-1]
    for points, numbers, unit in (
        (energies, drawing.look_up.energies[place], 25 / drawing.scale.energy),
        (weights, drawing.look_up.weights[place], 44),
    ):
        lengths = [points[bar + 1][0] - points[bar][0] for bar in range(0, len(points), 4)]
        assert lengths == pytest.approx((unit * numbers).tolist(), abs=0.5)
    assert drawing.look_up.energies.min() < -1


def test_a_strip_has_a_step_for_each_component() -> None:
    points = _strip(10, 40, 100, [2.0, -1.0, -1.0, 0.0], 2.0)
    up, down = [(10, 100), (10, 85), (20, 85), (20, 108)], [(40, 108), (40, 100), (50, 100)]
    assert points == [(10, 100), *up, *down, (50, 100), (10, 100)]
    assert _strip(10, 40, 100, [0.01, -0.02], 1.0) == []


def test_a_weight_of_one_hands_over_the_whole_value() -> None:
    certain = LookUp(["a"], ["x", "y"], torch.ones(1, 2), 99 * torch.eye(2) - 99, torch.eye(2))
    certain.key[0] = 0
    widget = AttentionStep({"a": dict.fromkeys(FORMS, certain)}, ask=False)
    shapes = filled_shapes(widget.still())  # …, values of x and y, query, energies, weights, output
    value, taken = shapes[-6], shapes[-1]
    rows = [taken[: len(value)], taken[len(value) :]]  # nothing of y; then the output
    assert rows[0] == value
    height = rows[1][0][1] - value[0][1]
    assert [(x, y - height) for x, y in rows[1]] == value


def test_the_answer_is_covered_until_then(step: AttentionStep) -> None:
    layers = [layer for picture in step.pictures() for layer in picture.layers]
    asked = "\n".join(step._now(layer.draw).words for layer in layers if layer.ask is not False)
    assert "energies, weights and output: covered" in asked
    assert not re.search(r"\d\.\d", asked)


def test_the_words_tell_one_step(recorded: dict[str, dict[str, LookUp]]) -> None:
    told = AttentionStep(recorded, query=2).words().splitlines()[1:-1]
    assert [line.split(":")[0] for line in told] == [
        "answering", "asking", "energies", "weights", "output",
    ]  # fmt: skip
    assert told[1] == "asking: wears"
    assert re.match(r"weights: she 0\.\d\d, wears 0\.\d\d, a 0\.\d\d, white 0\.\d\d, hat", told[3])


def test_a_deck_and_a_page_carry_it(
    step: AttentionStep, recorded: dict[str, dict[str, LookUp]]
) -> None:
    (picture,) = step.pictures()  # of seven words
    assert picture.height <= WIDTH  # a deck cuts a single one that is taller than wide
    state = Widget.get_manager_state(widgets=[AttentionStep(recorded)])
    assert len(json.dumps(state)) < 100_000
