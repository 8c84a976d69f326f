"""The decoder stepper: what it records, what it refuses, what it shows."""

import json
import re
from typing import Any

import pytest
import torch
from ipywidgets import Widget
from loading import load
from traitlets import TraitError
from untrained import TEXTS, make_decoder
from widget_fixtures import filled_shapes

from transformer_lite import AttentionRecord, Seq2Seq
from transformer_lite.chapters.c02_additive_attention.recording import (
    MOST_STEPS,
    Recording,
    record,
)
from transformer_lite.chapters.c02_additive_attention.widget import ALL, DecoderStepper
from transformer_lite.data import BOS, EOS, CharacterTokenizer
from transformer_lite.decoding import greedy

CAPTION: Recording = load("c02_additive_attention", "widget_examples").CAPTION
KINDS = [
    {"decoder": "bahdanau", "bidirectional": True, "layers": 2},
    {"decoder": "luong", "input_feeding": True, "layers": 2},
    {"attention": "dot", "window": "predictive"},
]


@torch.no_grad()
def replay(model: Seq2Seq, ids: list[int], count: int) -> torch.Tensor:
    """The weights of each step of greedy decoding, step by step: T S."""
    source = torch.tensor([ids])
    state = model.start(model.encode(source, source > 0))
    token, rows = torch.tensor([BOS]), []
    for _ in range(count):
        maps = AttentionRecord()
        logits, state = model.step(state, token, maps)
        rows.append(maps["decoder.0.cross"][0, 0, 0])
        token = logits.argmax(-1)
    return torch.stack(rows)


@pytest.mark.parametrize("options", KINDS, ids=lambda options: "-".join(map(str, options.values())))
@pytest.mark.parametrize("text", TEXTS)
def test_it_records_what_the_model_did(options: dict[str, Any], text: str) -> None:
    model, source, target = make_decoder(**options)
    made = record(model, source, target, text)
    ids = [*source.encode(text), EOS]
    sources = torch.tensor([ids])
    (best,) = greedy(model, sources, sources > 0, bos=BOS, eos=EOS, max_length=MOST_STEPS)
    assert made.text == text
    assert made.source == [*text, "<eos>"]
    assert made.written == [*target.tokens(best.tokens), *(["<eos>"] if best.finished else [])]
    expected = replay(model, ids, len(made.written))
    torch.testing.assert_close(torch.tensor(made.weights), expected, atol=2e-5, rtol=0)


def test_training_mode_changes_nothing_and_stays() -> None:
    model, source, target = make_decoder(dropout=0.5)
    quiet = record(model, source, target, TEXTS[0])
    model.train()
    assert record(model, source, target, TEXTS[0]) == quiet
    assert model.training


def test_it_stops_somewhere() -> None:
    model, source, target = make_decoder()
    with torch.no_grad():
        model.output.bias[EOS] = -1e9
    assert len(record(model, source, target, TEXTS[0]).written) == MOST_STEPS


@pytest.mark.parametrize("weights", [[], [[1.0, 0.0]], [[1.0, 0.0], [1.0]]])
def test_a_recording_has_a_row_for_each_step(weights: list[list[float]]) -> None:
    with pytest.raises(ValueError, match="weights must be a row of 2 for each of the tokens"):
        Recording("ab", ["a", "b"], ["x", "y"], weights)


def test_state_can_be_set_and_read_back() -> None:
    widget = DecoderStepper(*make_decoder(), TEXTS, [CAPTION], step=2, prediction="the end")
    assert repr(widget) == f"DecoderStepper(source='{TEXTS[0]}', step=2)"
    assert (widget.prediction, widget.ask) == ("the end", True)
    assert sum(widget.weights) == pytest.approx(1)
    widget.source = CAPTION.text
    assert widget.weights == CAPTION.weights[1]
    widget.step = 9  # the caption was finished at step 3
    assert widget.weights == CAPTION.weights[2]


@pytest.mark.parametrize(("name", "value"), [("source", "1 May"), ("step", 0), ("step", 10)])
def test_impossible_values_are_refused(name: str, value: Any) -> None:
    with pytest.raises(TraitError, match=re.escape(f"{name} must be one of")):
        DecoderStepper(*make_decoder(), TEXTS, **{name: value})


def test_a_model_without_attention_is_refused() -> None:
    with pytest.raises(ValueError, match=r"model must be a Seq2Seq with attention, .* but it is"):
        DecoderStepper(*make_decoder(attention=None), TEXTS)


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


@pytest.fixture
def stepper() -> DecoderStepper:
    return DecoderStepper(*make_decoder(), TEXTS, [CAPTION], source=CAPTION.text)


@pytest.mark.parametrize(
    ("step", "sentence", "answer"),
    [
        (1, "Step 1 of 3 writes “▁a”. Most weight, 0.80: “▁ein”, token 1 of 9.", "the beginning"),
        (3, "Step 3 of 3 writes “<eos>”. Most weight, 0.50: “.”, token 8 of 9.", "the end"),
        (8, "Step 3 of 3 writes “<eos>”. Most weight, 0.50: “.”, token 8 of 9.", "the end"),
    ],
)
def test_the_heaviest_token_is_named(
    stepper: DecoderStepper, step: int, sentence: str, answer: str
) -> None:
    assert stepper.finding(CAPTION.text, step) == (sentence, answer)


def test_the_map_grows_and_the_bands_are_as_wide_as_the_weights(stepper: DecoderStepper) -> None:
    for step in (1, 2, 3):
        stepper.step = step
        *rows, flow = filled_shapes(stepper.still())
        assert len([row for row in rows if row]) == step
        top = min(y for _, y in flow)
        edges = [x for x, y in flow if y == top]
        widths = [right - left for left, right in zip(edges[::2], edges[1::2], strict=True)]
        shown = [weight for weight in CAPTION.weights[step - 1] if weight >= 0.03]
        assert widths == pytest.approx([ALL * weight for weight in shown], abs=0.11)


def test_the_answer_is_covered_until_then(stepper: DecoderStepper) -> None:
    stepper.step = 2
    (picture,) = stepper.pictures()
    frames = [stepper._now(layer.draw) for layer in picture.layers if layer.ask is not False]
    assert not any("0.88" in frame.words for frame in frames)
    rows = [frame.svg for frame in frames if frame.svg][:3]  # two, and what covers the second
    top, height = re.search(r"<rect x='0' y='(\d+)' width='340' height='(\d+)'", rows[2]).groups()
    row = filled_shapes(f"<svg xmlns='http://www.w3.org/2000/svg'>{rows[1]}</svg>")[0]
    assert all(int(top) <= y <= int(top) + int(height) for _, y in row)


def test_the_words_tell_the_step(stepper: DecoderStepper) -> None:
    stepper.step = 2
    assert stepper.words().splitlines()[2:4] == [
        "weights: ▁ein 0.10, ▁hund 0.88",
        "written so far: ▁a, now ▁dog",
    ]


def test_a_page_carries_eight_texts() -> None:
    rows = [
        [0.0] * (2 * step) + [0.1, 0.6, 0.2, 0.1] + [0.0] * (24 - 2 * step) for step in range(11)
    ]
    many = [Recording(f"text {n}", [*"x" * 28], [*"2021-03-09x"], rows) for n in range(7)]
    widget = DecoderStepper(*make_decoder(), TEXTS[:1], many)
    assert len(json.dumps(Widget.get_manager_state(widgets=[widget]))) < 100_000
