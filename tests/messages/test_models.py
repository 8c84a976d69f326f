"""What the models answer to bad input.

Each message names the argument, what was expected, what came and, where there is one, the way out.
These tests run without the shape checker, because readers have none.
"""

from typing import Any

import pytest
import torch

from transformer_lite import Seq2Seq, Seq2SeqConfig, Transformer, TransformerConfig
from transformer_lite.attention import (
    MultiHeadAttention,
    scaled_dot_product_attention,
)
from transformer_lite.decoding import beam, greedy
from transformer_lite.fast import FastTransformer
from transformer_lite.masks import padding_mask
from transformer_lite.model import SequenceModel
from transformer_lite.scope import AttentionRecord, Scope
from transformer_lite.scores import DotScore, LocationScore, ScaledDotScore

MODELS: dict[str, SequenceModel[Any, Any]] = {
    "transformer": Transformer(TransformerConfig(10, 12, 8, 2, 1, 8)).eval(),
    "fast transformer": FastTransformer(TransformerConfig(10, 12, 8, 2, 1, 8)).eval(),
    "additive": Seq2Seq(Seq2SeqConfig(10, 12, "additive", d_embedding=4, hidden=8)).eval(),
    "no attention": Seq2Seq(Seq2SeqConfig(10, 12, d_embedding=4, hidden=8)).eval(),
}
FAST = FastTransformer(TransformerConfig(10, 12, 8, 2, 1, 8)).eval()
ANY_MODEL = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)

SOURCE = torch.tensor([[4, 5, 6], [7, 8, 0]])
MASK = torch.tensor([[True, True, True], [True, True, False]])
TARGET = torch.tensor([[1, 4, 5, 6], [1, 9, 0, 0]])

BAD_INPUT: dict[str, tuple[dict[str, torch.Tensor], str]] = {
    "source without a batch": (
        {"source": SOURCE[:, 0], "source_mask": MASK[:, 0]},
        r"source must be a batch of token ids, Int\[B, length\], but it has shape \(2,\)",
    ),
    "source of floats": (
        {"source": SOURCE.float()},
        r"source must be a batch of token ids.*dtype torch\.float32",
    ),
    "target without a batch": (
        {"target_in": TARGET[0]},
        r"target_in must be a batch of token ids, .* it has shape \(4,\)",
    ),
    "target of floats": ({"target_in": TARGET.float()}, r"target_in must be .* torch\.float32"),
    "another batch size": (
        {"target_in": TARGET[:1]},
        "one batch size, but source has 2 rows and target_in has 1",
    ),
    "mask of floats": (
        {"source_mask": MASK.float()},
        r"source_mask must be boolean \(True = real token\), but its dtype is torch\.float32",
    ),
    "mask of another shape": (
        {"source_mask": MASK[:, :2]},
        r"source_mask must have the shape of source, \(2, 3\), but it has \(2, 2\)",
    ),
    "mask of attention": (
        {"source_mask": MASK[:, None, None]},
        r"source_mask must have the shape of source, \(2, 3\), but it has \(2, 1, 1, 3\)",
    ),
    "inverted mask": (
        {"source_mask": torch.tensor([[False, False, True], [False, True, True]])},
        r"padding on the right\), but a real token stands after a padding; is the mask inverted",
    ),
    "padding on the left": (
        {"source_mask": MASK.flip(1)},
        r"True on real tokens followed by False on padding \(padding on the right\)",
    ),
    "a row without a token": (
        {"source_mask": torch.tensor([[True, True, True], [False, False, False]])},
        "every source row needs at least one real token, but row 1 has none; leave empty sentences",
    ),
    "no source at all": (
        {"source": SOURCE[:, :0], "source_mask": MASK[:, :0]},
        r"source must hold at least one row of at least one token, but its shape is \(2, 0\)",
    ),
    "source id too large": (
        {"source": SOURCE + 4},
        "source holds the id 10, .* has the ids 0 to 9; was it encoded with another tokenizer",
    ),
    "source id below zero": ({"source": SOURCE - 5}, "source holds the id -1, .* ids 0 to 9"),
    "target id too large": ({"target_in": TARGET + 3}, "target_in holds the id 12, .* 0 to 11"),
    "target id below zero": ({"target_in": TARGET - 2}, "target_in holds the id -1, .* 0 to 11"),
}


@ANY_MODEL
@pytest.mark.parametrize("case", BAD_INPUT)
def test_bad_input_of_a_model(case: str, model: SequenceModel[Any, Any]) -> None:
    changed, words = BAD_INPUT[case]
    inputs = {"source": SOURCE, "source_mask": MASK, "target_in": TARGET} | changed
    with pytest.raises(ValueError, match=words):
        model(**inputs)


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        (
            torch.ones(2, 3, dtype=torch.bool),
            r"target_mask must have the shape of target_in, \(2, 4\), but it has \(2, 3\)",
        ),
        (
            torch.ones(2, 4),
            r"target_mask must be boolean \(True = real token\), but its dtype is torch\.float32",
        ),
        (TARGET == 0, "a real token stands after a padding; is the mask inverted"),
    ],
)
def test_bad_masks_of_a_target(mask: torch.Tensor, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        FAST.token_features(SOURCE, MASK, TARGET, mask)


@ANY_MODEL
def test_good_input_of_a_model(model: SequenceModel[Any, Any]) -> None:
    assert model(SOURCE, MASK, TARGET).shape == (2, 4, 12)


@ANY_MODEL
@pytest.mark.parametrize("token", [12, -1])
def test_a_step_with_an_unknown_token(token: int, model: SequenceModel[Any, Any]) -> None:
    state = model.start(model.encode(SOURCE, MASK))
    with pytest.raises(ValueError, match=f"token holds the id {token}, .* the ids 0 to 11"):
        model.step(state, torch.tensor([1, token]))


def test_a_state_is_used_once() -> None:
    model = MODELS["transformer"]
    state = model.start(model.encode(SOURCE, MASK))
    model.step(state, torch.tensor([1, 1]))
    with pytest.raises(ValueError, match=r"used already; go on with the state that step returned"):
        model.step(state, torch.tensor([4, 4]))


def test_a_cache_that_is_too_small() -> None:
    model = MODELS["transformer"]
    state = model.start(model.encode(SOURCE, MASK), capacity=1)
    _, state = model.step(state, torch.tensor([1, 1]))
    with pytest.raises(
        ValueError, match="made for 1 target tokens and token 2 does not fit; start"
    ):
        model.step(state, torch.tensor([4, 4]))


@ANY_MODEL
@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"bos": 12}, "bos must be a whole number from 0 to 11, but it is 12"),
        ({"eos": -1}, "eos must be a whole number from 0 to 11, but it is -1"),
        ({"max_length": 0}, "max_length must be a whole number from 1 to 65536, but it is 0"),
    ],
)
def test_bad_decoding(changed: dict[str, int], words: str, model: SequenceModel[Any, Any]) -> None:
    options = {"bos": 1, "eos": 2, "max_length": 5} | changed
    with pytest.raises(ValueError, match=words):
        greedy(model, SOURCE, MASK, **options)
    with pytest.raises(ValueError, match=words):
        beam(model, SOURCE, MASK, beam_size=2, **options)


@pytest.mark.parametrize("size", [0, 2.5, "3"])
def test_a_beam_of_no_width(size: Any) -> None:
    words = f"beam_size must be a whole number from 1 to 1000, but it is {size!r}"
    with pytest.raises(ValueError, match=words):
        beam(MODELS["additive"], SOURCE, MASK, bos=1, eos=2, max_length=5, beam_size=size)


TRANSFORMERS: dict[str, tuple[dict[str, Any], str]] = {
    "heads": (
        {"d_model": 10, "heads": 4},
        "heads must divide d_model, but they are heads=4 and d_model=10",
    ),
    "no heads": ({"heads": 0}, "heads must be at least 1, but it is 0"),
    "no width": ({"d_model": 0}, "d_model must be at least 1, but it is 0"),
    "no vocabulary": ({"source_vocab": 0}, "source_vocab must be at least 1, but it is 0"),
    "no decoder": ({"decoder_layers": 0}, "decoder_layers must be at least 1, but it is 0"),
    "norm": ({"norm": "middle"}, "norm must be one of 'pre', 'post', but it is 'middle'"),
    "activation": ({"activation": "tanh"}, "activation must be one of .*'gelu'.*but it is 'tanh'"),
    "positions": (
        {"positions": "rotary"},
        "positions must be .*'learned', but it is 'rotary'",
    ),
    "tie": ({"tie": "some"}, "tie must be one of .*'all'.*but it is 'some'"),
    "tying unequal vocabularies": (
        {"tie": "all"},
        'tie="all" must have one vocabulary .* source_vocab=10 and target_vocab=12; use a joint',
    ),
    "dropout": ({"dropout": 1.5}, "dropout.*1.5"),
}


@pytest.mark.parametrize("case", TRANSFORMERS)
def test_a_transformer_that_cannot_be(case: str) -> None:
    changed, words = TRANSFORMERS[case]
    with pytest.raises(ValueError, match=words):
        Transformer(TransformerConfig(**{"source_vocab": 10, "target_vocab": 12} | changed))


RECURRENT: dict[str, tuple[dict[str, Any], str]] = {
    "attention": ({"attention": "soft"}, "attention must be one of .*'additive'.*but it is 'soft'"),
    "decoder": ({"decoder": "cho"}, "decoder must be one of 'bahdanau', 'luong', but it is 'cho'"),
    "context": ({"context": "never"}, "context must be one of .*'each_step'.*but it is 'never'"),
    "no layers": ({"layers": 0}, "layers must be at least 1, but it is 0"),
    "odd halves": ({"bidirectional": True, "hidden": 9}, "hidden, but hidden=9 is odd"),
    "input feeding without attention": (
        {"input_feeding": True},
        'input_feeding belongs to attention with decoder="luong"',
    ),
    "a decoder of attention without any": (
        {"decoder": "luong", "context": "each_step"},
        "decoder='luong' belongs to attention, but there is none; choose a score",
    ),
    "a score without width": ({"score_width": 0}, "score_width must be at least 1, but it is 0"),
    "no positions": ({"longest_source": 0}, "longest_source must be at least 1, but it is 0"),
    "input feeding in Bahdanau's decoder": (
        {"input_feeding": True, "attention": "dot"},
        'input_feeding belongs to attention with decoder="luong"; in decoder="bahdanau"',
    ),
    "context with attention": (
        {"attention": "dot", "context": "each_step"},
        'context="each_step" belongs to attention=None',
    ),
}


@pytest.mark.parametrize("case", RECURRENT)
def test_a_recurrent_model_that_cannot_be(case: str) -> None:
    changed, words = RECURRENT[case]
    with pytest.raises(ValueError, match=words):
        Seq2Seq(Seq2SeqConfig(**{"source_vocab": 10, "target_vocab": 12} | changed))


@pytest.mark.parametrize("score", [DotScore(), ScaledDotScore()])
def test_a_dot_product_of_unequal_widths(score: DotScore) -> None:
    words = "query and key must have one width, but they have 4 and 6; GeneralScore allows both"
    with pytest.raises(ValueError, match=words):
        score(torch.zeros(1, 2, 4), torch.zeros(1, 3, 6))


def test_a_location_score_past_its_longest_source() -> None:
    words = "at most 5 tokens for this score, but it has 6; build .* larger longest_source"
    with pytest.raises(ValueError, match=words):
        LocationScore(4, max_tokens=5)(torch.zeros(1, 2, 4), torch.zeros(1, 6, 4))
    config = Seq2SeqConfig(10, 12, "location", longest_source=2, d_embedding=4, hidden=8)
    with pytest.raises(ValueError, match="at most 2 tokens for this score, but it has 3"):
        Seq2Seq(config)(SOURCE, MASK, TARGET)


def test_learned_positions_past_the_last() -> None:
    config = TransformerConfig(10, 12, 8, 2, 1, 8, positions="learned", max_length=3)
    model = Transformer(config).eval()
    words = r"at most 3 tokens \(.*\), but it has 4; shorten the text, or .* max_length"
    with pytest.raises(ValueError, match=words):
        model(SOURCE, MASK, TARGET)
    state = model.start(model.encode(SOURCE, MASK))
    for _ in range(3):
        _, state = model.step(state, torch.tensor([1, 1]))
    with pytest.raises(ValueError, match=words):
        model.step(state, torch.tensor([1, 1]))


@pytest.mark.parametrize(("d_model", "heads"), [(8, 3), (8, 0), (8, -1), (2, 4)])
def test_heads_that_do_not_divide_the_width(d_model: int, heads: int) -> None:
    words = f"heads must divide d_model, but they are heads={heads} and d_model={d_model}"
    with pytest.raises(ValueError, match=words):
        MultiHeadAttention(d_model, heads)


def test_a_dropout_that_is_no_probability() -> None:
    with pytest.raises(ValueError, match=r"dropout must lie in \[0, 1\), but it is 1\.0"):
        MultiHeadAttention(8, 2, dropout=1.0)


ATTENTION: dict[str, tuple[tuple[Any, ...], str]] = {
    "widths": (
        (torch.zeros(2, 4), torch.zeros(3, 5), torch.zeros(3, 4)),
        r"query and key must have one width, but query is \(2, 4\) and key is \(3, 5\)",
    ),
    "lengths": (
        (torch.zeros(2, 4), torch.zeros(3, 4), torch.zeros(2, 4)),
        r"every key must have one value, but key is \(3, 4\) and value is \(2, 4\)",
    ),
    "mask of floats": (
        (torch.zeros(2, 4), torch.zeros(3, 4), torch.zeros(3, 4), torch.zeros(2, 3)),
        r"mask must be boolean \(True = may attend\), but it is torch\.float32",
    ),
    "mask of another shape": (
        (torch.zeros(2, 4), torch.zeros(3, 4), torch.zeros(3, 4), torch.ones(3, 2).bool()),
        r"mask must broadcast to the scores, \(2, 3\), but it is \(3, 2\)",
    ),
    "mask of too many axes": (
        (torch.zeros(2, 4), torch.zeros(3, 4), torch.zeros(3, 4), torch.ones(1, 2, 3).bool()),
        r"mask must broadcast to the scores, \(2, 3\), but it is \(1, 2, 3\)",
    ),
}


@pytest.mark.parametrize("case", ATTENTION)
def test_attention_that_does_not_fit(case: str) -> None:
    arguments, words = ATTENTION[case]
    with pytest.raises(ValueError, match=words):
        scaled_dot_product_attention(*arguments)


@pytest.mark.parametrize("fast", [True, False])
def test_a_mask_that_does_not_fit_multi_head_attention(fast: bool) -> None:
    attention, x = MultiHeadAttention(8, 2), torch.zeros(1, 3, 8)
    record = None if fast else AttentionRecord()
    with pytest.raises(ValueError, match=r"mask must be boolean \(True = may attend\)"):
        attention(x, x, x, Scope(torch.zeros(3, 3), record))
    with pytest.raises(ValueError, match=r"mask must broadcast to the scores, \(1, 2, 3, 3\)"):
        attention(x, x, x, Scope(torch.ones(4, 4).bool(), record))


@pytest.mark.parametrize(
    ("lengths", "words"), [([2, 5], "run from 2 to 5"), ([-1, 2], "run from -1 to 2")]
)
def test_lengths_that_do_not_fit(lengths: list[int], words: str) -> None:
    with pytest.raises(
        ValueError, match=f"lengths must lie between 0 and size=4, but they {words}"
    ):
        padding_mask(torch.tensor(lengths), 4)
