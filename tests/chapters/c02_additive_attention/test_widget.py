"""The decoder stepper as Python sees it: what it records, state, errors, picture and words."""

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from typing import Any

import pytest
import torch
from traitlets import TraitError
from untrained import TEXTS, make_decoder

from transformer_lite import AttentionRecord, Seq2Seq
from transformer_lite.chapters.c02_additive_attention.recording import MOST_STEPS
from transformer_lite.chapters.c02_additive_attention.step import Step
from transformer_lite.chapters.c02_additive_attention.still import WIDTH, draw
from transformer_lite.chapters.c02_additive_attention.widget import DecoderStepper
from transformer_lite.data import BOS, EOS, CharacterTokenizer
from transformer_lite.decoding import greedy
from transformer_lite.widgets.drawing import decimal

KINDS = [
    {"decoder": "bahdanau"},
    {"decoder": "bahdanau", "bidirectional": True, "layers": 2},
    {"decoder": "luong"},
    {"decoder": "luong", "input_feeding": True, "layers": 2},
    *({"attention": name} for name in ("dot", "scaled_dot", "general", "location")),
]


@torch.no_grad()
def replay(model: Seq2Seq, ids: list[int], count: int) -> list[tuple[Any, Any]]:
    """What the model itself says of each step of greedy decoding: weights and probabilities."""
    source = torch.tensor([[*ids, EOS]])
    state = model.start(model.encode(source, source > 0))
    token, said = torch.tensor([BOS]), []
    for _ in range(count):
        record = AttentionRecord()
        logits, state = model.step(state, token, record)
        said.append((record["decoder.0.cross"][0, 0, 0], logits[0].softmax(-1)))
        token = logits.argmax(-1)
    return said


@pytest.mark.parametrize("options", KINDS, ids=lambda options: "-".join(map(str, options.values())))
def test_it_shows_what_the_model_did(options: dict[str, Any]) -> None:
    model, source, target = make_decoder(**options)
    widget = DecoderStepper(model, source, target, TEXTS)
    for text in range(2):
        widget.text = text
        ids = torch.tensor([[*source.encode(TEXTS[text]), EOS]])
        outputs = model.encode(ids, ids > 0).outputs[0]
        (best,) = greedy(model, ids, ids > 0, bos=BOS, eos=EOS, max_length=MOST_STEPS)
        count = len(widget.recorded[text]["steps"])
        assert count == len(best.tokens) + best.finished
        for step, (weights, probabilities) in enumerate(replay(model, ids[0, :-1].tolist(), count)):
            widget.step = step
            torch.testing.assert_close(torch.tensor(widget.weights), weights, atol=2e-5, rtol=0)
            context = (weights @ outputs)[:8]
            torch.testing.assert_close(torch.tensor(widget.context), context, atol=1e-4, rtol=0)
            chances, likely = probabilities.topk(3)
            assert [token for token, _ in widget.now.likely] == target.tokens(likely.tolist())
            recorded = torch.tensor([chance for _, chance in widget.now.likely])
            torch.testing.assert_close(recorded, chances, atol=1e-5, rtol=0)
        assert widget.now.source == [*TEXTS[text], "<eos>"]
        ends = ["<eos>"] if best.finished else []
        assert widget.written == [*target.tokens(best.tokens), *ends]


def test_training_mode_changes_nothing_and_stays() -> None:
    model, source, target = make_decoder(dropout=0.5)
    quiet = DecoderStepper(model, source, target, TEXTS).recorded
    model.train()
    assert DecoderStepper(model, source, target, TEXTS).recorded == quiet
    assert model.training


def test_it_stops_somewhere() -> None:
    model, source, target = make_decoder()
    with torch.no_grad():
        model.output.bias[EOS] = -1e9
    widget = DecoderStepper(model, source, target, TEXTS[:1])
    assert len(widget.recorded[0]["steps"]) == MOST_STEPS


def test_state_can_be_set_and_read_back(make_stepper: Callable[..., DecoderStepper]) -> None:
    widget = make_stepper(text=1, step=7, prediction=30)
    assert repr(widget) == "DecoderStepper(text=1, step=7)"
    assert (widget.prediction, widget.revealed, widget.ask) == (30, False, True)
    assert len(widget.energies) == len(widget.weights) == 37
    assert len(widget.context) == 8
    assert sum(widget.weights) == pytest.approx(1)
    assert len(widget.written) == 8
    widget.text = 0  # only five steps, only thirteen tokens
    assert (widget.step, widget.prediction) == (4, None)
    assert widget.written == ["0", "7", "6", "8", "<eos>"]
    widget.step, widget.prediction = 2, 12
    widget.text = 1
    assert (widget.step, widget.prediction) == (2, 12)


def test_narrow_outputs_are_shown_whole() -> None:
    model, source, target = make_decoder(hidden=6)
    widget = DecoderStepper(model, source, target, TEXTS)
    assert len(widget.context) == 6


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("text", 2, "text must be one of 0, 1, but it is 2"),
        ("text", -1, "text must be one of 0, 1, but it is -1"),
        ("step", 5, "step must be one of 0, 1, 2, 3, 4, but it is 5"),
        (
            "prediction",
            13,
            "prediction must be one of 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, but it is 13",
        ),
        (
            "prediction",
            -1,
            "prediction must be one of 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, but it is -1",
        ),
    ],
)
def test_impossible_values_are_refused(
    make_stepper: Callable[..., DecoderStepper], name: str, value: int, message: str
) -> None:
    widget = make_stepper()
    before = getattr(widget, name)
    with pytest.raises(TraitError, match=re.escape(message)):
        setattr(widget, name, value)
    assert getattr(widget, name) == before
    with pytest.raises(TraitError, match=re.escape(message)):
        make_stepper(**{name: value})


@pytest.mark.parametrize(
    "options", [{"attention": None}, {"attention": "dot", "window": "monotonic"}]
)
def test_a_model_whose_weights_are_no_softmax_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="model must be a Seq2Seq with attention and without a"):
        DecoderStepper(*make_decoder(**options), TEXTS)


def test_strange_tokenizers_are_refused() -> None:
    model, source, target = make_decoder()
    strange = CharacterTokenizer.train(["abc"])
    for name, pair in (("source", (strange, target)), ("target", (source, strange))):
        with pytest.raises(ValueError, match=rf"{name}_tokenizer must be .* but it has 7"):
            DecoderStepper(model, *pair, TEXTS)


@pytest.mark.parametrize("texts", ["9 March 2021", [], ()])
def test_something_else_than_texts_is_refused(texts: Any) -> None:
    with pytest.raises(ValueError, match="texts must be a list of at least one text, but it is"):
        DecoderStepper(*make_decoder(), texts)


def test_unknown_characters_are_named() -> None:
    with pytest.raises(ValueError, match="'X'"):
        DecoderStepper(*make_decoder(), ["9 MarcX"])


def test_a_step_by_hand() -> None:
    step = Step(["a", " "], [0.0, 1.0986122886681098], [[4.0, 0.0], [0.0, 8.0]], "x", [("x", 1.0)])
    assert step.weights == pytest.approx([0.25, 0.75])  # e to the power log 3 is 3
    assert step.context == pytest.approx([1.0, 6.0])
    assert step.heaviest == 1
    assert step.sentence() == "Most weight, 0.75 of 1: space, token 2 of 2."
    assert step.name(0) == "“a”, token 1 of 2"


@pytest.mark.parametrize(("text", "step"), [(0, 0), (1, 8)])
def test_the_picture_shows_the_data(
    make_stepper: Callable[..., DecoderStepper], text: int, step: int
) -> None:
    widget = make_stepper(text=text, step=step)
    picture = ElementTree.fromstring(widget.still())
    words = [one.text or "" for one in picture.iter("{http://www.w3.org/2000/svg}text")]
    tokens = ["␣" if token == " " else token for token in widget.now.source]
    assert [word for word in words if word in tokens] == tokens
    for energy, weight in zip(widget.energies, widget.weights, strict=True):
        assert decimal(energy, 1) in words
        assert f"{weight:.2f}" in words
    start = words.index("context") + 1
    assert words[start : start + 9] == [*(decimal(one, 2) for one in widget.context), "…"]
    assert widget.now.sentence() in words
    before = " ".join(widget.written[:-1]) or "(nothing)"
    assert words[0] == f"Step {step + 1}: written so far {before}"
    width = float(picture.attrib["width"])
    places = [float(one.attrib["x"]) for one in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert max(places) < width


def test_long_words_keep_to_the_picture() -> None:
    word = "Donaudampfschifffahrtsgesellschaftskapitän" * 2
    source = [word, "der", "<eos>"]
    step = Step(source, [0.0, 1.0, 2.0], [[1.0]] * 3, word, [(word, 0.9), ("x", 0.1)])
    picture = ElementTree.fromstring(draw(step, 4, [word] * 5))
    for one in picture.iter("{http://www.w3.org/2000/svg}text"):
        x, width = float(one.attrib["x"]), 9 * len(one.text or "")
        left = x - width / 2 if one.get("text-anchor") == "middle" else x
        assert left >= 0 and left + width <= WIDTH


def test_the_words_show_the_data(make_stepper: Callable[..., DecoderStepper]) -> None:
    widget = make_stepper(step=1)
    lines = widget.words().splitlines()
    assert lines[0] == "Step 2: written so far 0, now 7"
    for line, token, energy, weight in zip(
        lines[2:-2], widget.now.source, widget.energies, widget.weights, strict=True
    ):
        shown = "␣" if token == " " else token
        assert line.split() == [shown, f"{energy:.2f}", f"{weight:.2f}"]
    assert lines[-1] == widget.now.sentence()
