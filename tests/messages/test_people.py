"""What the translator, the figures, the scores and the trainer answer to bad input."""

import re
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
from transformer_lite.data import Example, WordTokenizer, encode_pairs
from transformer_lite.evaluation import alignment_error_rate, bleu, exact_match
from transformer_lite.runs.checkpoint import CheckpointError, SavedModel
from transformer_lite.training import Trainer, TrainingConfig, fit

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


@pytest.mark.parametrize("text", [None, b"the cat", 3, ("the cat", "the dog")])
def test_what_is_no_text(text: Any) -> None:
    words = re.escape(f"text must be a string, but it is {text!r}; hand in one sentence at a time")
    for call in (translator(), translator().explain):
        with pytest.raises(ValueError, match=words):
            call(text)


def test_several_sentences_where_one_is_explained_or_one_that_is_none() -> None:
    with pytest.raises(ValueError, match=r"it is \['the cat', 'the dog'\]; hand in one sentence"):
        translator().explain(["the cat", "the dog"])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="text must be a string, but it is 3"):
        translator()(["the cat", 3])  # type: ignore[list-item]


class OwnModel(Seq2Seq):
    """A model that somebody made of ours."""


def test_a_model_that_no_folder_can_hold(tmp_path: Path) -> None:
    own = translator()
    own.model = OwnModel(own.model.config)
    words = "class of a model to be saved must be one of .*'Seq2Seq', but it is 'OwnModel'"
    with pytest.raises(ValueError, match=words):
        own.save(tmp_path / "own")
    assert not list(tmp_path.iterdir())


def test_a_model_beside_what_does_not_belong_to_it() -> None:
    model = translator().model
    with pytest.raises(ValueError, match="task name must be a text, but it is None"):
        SavedModel(model, WORDS, WORDS, 6, {"letters": 4})
    with pytest.raises(
        ValueError, match=r"vocabularies of the model, \(11, 11\), but have \(11, 5"
    ):
        SavedModel(model, WORDS, WordTokenizer.train(["milk"]), 6)


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


def test_training_on_pairs_that_are_not_encoded() -> None:
    pairs = [("the cat", "the dog")]
    words = (
        r"examples must be encoded pairs, but the first is \('the cat', .*by data.encode_pairs\("
    )
    with pytest.raises(ValueError, match=words):
        fit(translator().model, pairs, TrainingConfig())  # type: ignore[arg-type]
    words = r"pairs must be of the class Pair, but one is \('the cat', .*: Pair\(source, target\)"
    with pytest.raises(ValueError, match=words):
        encode_pairs(pairs, WORDS, WORDS)  # type: ignore[arg-type]


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
