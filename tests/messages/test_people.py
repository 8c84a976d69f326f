"""What the translator, the figures, the scores and the trainer answer to bad input."""

from pathlib import Path
from typing import Any

import pytest
import torch

from transformer_lite import (
    Seq2Seq,
    Seq2SeqConfig,
    Translator,
    evaluation,
    plots,
)
from transformer_lite.data import Example, WordTokenizer
from transformer_lite.evaluation import alignment_error_rate, bleu, exact_match
from transformer_lite.runs.checkpoint import CheckpointError, SavedModel
from transformer_lite.training import Trainer, TrainingConfig

WORDS = WordTokenizer.train(["the cat drinks milk", "the dog sees a cat"])


def translator(attention: Any = "dot") -> Translator:
    model = Seq2Seq(Seq2SeqConfig(len(WORDS), len(WORDS), attention, d_embedding=4, hidden=8))
    return Translator(SavedModel(model.eval(), WORDS, WORDS, 6, {"name": "copy"}))


@pytest.mark.parametrize("text", ["", "   ", " . "])
def test_an_empty_text(text: str) -> None:
    for call in (translator(), translator().explain):
        with pytest.raises(ValueError, match="text must hold at least one symbol, but it is empty"):
            call(text)


def test_an_unknown_word_brings_close_ones() -> None:
    words = "known words only, but it has 'drinkz', 'zzz'; close words .*'drinkz': drinks"
    with pytest.raises(ValueError, match=words):
        translator()("the cat drinkz zzz")


def test_an_unknown_word_that_nothing_is_close_to() -> None:
    with pytest.raises(ValueError, match="it has 'zzz'; no word of the 7 known ones is close"):
        translator()("zzz")


def test_a_text_that_is_too_long() -> None:
    words = "text must have at most 6 tokens, .*, but it has 7; translate it in shorter sent"
    with pytest.raises(ValueError, match=words):
        translator()("the cat sees the cat sees")
    assert isinstance(translator()("the cat sees the cat"), str)


def test_one_bad_text_among_good_ones() -> None:
    with pytest.raises(ValueError, match="it has 'zzz'"):
        translator()(["the cat", "zzz"])


def test_an_unknown_map() -> None:
    explanation = translator().explain("the cat")
    for name in ("decoder.7.cross", "encoder.0.self", ""):
        words = f"map must be one of 'decoder.0.cross', but it is '{name}'"
        with pytest.raises(ValueError, match=words):
            explanation.as_text(name)


@pytest.mark.parametrize("name", [None, "decoder.0.cross"])
def test_a_model_without_attention_has_nothing_to_show(name: str | None) -> None:
    explanation = translator(attention=None).explain("the cat")
    assert explanation.maps == {}
    with pytest.raises(ValueError, match="the model must have attention to have attention maps"):
        explanation.as_text(name)


def test_no_such_model(tmp_path: Path) -> None:
    words = "model must be a run folder, a model folder or one of pocket, but it is 'soup'"
    with pytest.raises(CheckpointError, match=words):
        Translator.load("soup")
    with pytest.raises(
        CheckpointError, match=r"must be a model folder, but it has no manifest\.json"
    ):
        Translator.load(tmp_path)
    (tmp_path / "checkpoints").mkdir()
    with pytest.raises(CheckpointError, match="holds no checkpoint yet; train first"):
        Translator.load(tmp_path)


@pytest.mark.parametrize(
    ("shape", "source", "target"),
    [((2, 3), 3, 3), ((2, 3), 2, 2), ((3, 2), 3, 2), ((1, 2, 3), 3, 2)],
)
def test_labels_that_do_not_fit_a_map(shape: tuple[int, ...], source: int, target: int) -> None:
    weights = torch.zeros(shape)
    with pytest.raises(
        ValueError, match=r"weights must be \[target, source\], one row a target"
    ) as e:
        plots.attention_map(weights, ["s"] * source, ["t"] * target)
    for word in (str(shape), f"{target} target tokens", f"{source} source tokens"):
        assert word in str(e.value)


def test_scores_without_pairs() -> None:
    with pytest.raises(ValueError, match=r"must be equally many, .* 1 hypotheses and 2 ref"):
        exact_match(["one"], ["one", "two"])
    with pytest.raises(ValueError, match="0 hypotheses and 0 references"):
        bleu([], [])
    with pytest.raises(ValueError, match="found and sure must hold a link"):
        alignment_error_rate([frozenset()], [frozenset()], [frozenset()])
    with pytest.raises(
        ValueError, match="sure must be a subset of possible, but in sentence 0 it is not"
    ):
        alignment_error_rate([frozenset()], [frozenset({(0, 0)})], [frozenset()])


def test_training_on_nothing() -> None:
    with pytest.raises(ValueError, match="examples must hold at least one pair, but it is empty"):
        Trainer(translator().model, [], TrainingConfig())


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"steps": 0}, "steps must be at least 1, but it is 0"),
        ({"schedule": "steep"}, "schedule must be .*cosine.*'steep'"),
        ({"label_smoothing": -0.1}, r"label_smoothing must lie in \[0, 1\), but it is -0\.1"),
    ],
)
def test_training_that_cannot_be(changed: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        TrainingConfig(**changed)


def test_ids_of_another_tokenizer_in_evaluation() -> None:
    with pytest.raises(ValueError, match=r"source holds the id 99, .*another tokenizer"):
        evaluation.teacher_forced(translator().model, [Example([99, 2], [4])])
