"""The whole way on the real corpus: train, evaluate, translate, explain."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from transformer_lite import Translator, data, evaluation
from transformer_lite.data import Corpus, build_tokenizers, multi30k
from transformer_lite.runs import checkpoint
from transformer_lite.runs import training_run as runs
from transformer_lite.runs.recipe import Recipe

TEXT = "Ein Hund rennt durch den Schnee."
PAIRS = 400  # of 29,000: enough for a tokenizer of real words

pytestmark = pytest.mark.skipif(
    not multi30k.is_at_hand(),
    reason="needs the corpus: fetch it with `transformer-lite data multi30k`, or name its folder "
    f"in {multi30k.FOLDER_VARIABLE}",
)


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return data.load("multi30k")


@pytest.fixture(scope="module")
def run(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a few steps on the first captions."""
    small = Corpus("multi30k", "subwords", corpus.train[:PAIRS], corpus.valid[:16],
                   corpus.test[:16], joint=True)  # fmt: skip
    tables: dict[str, Any] = Recipe.load("multi30k").to_dict()
    tables["model"] |= {"d_model": 16, "heads": 2, "layers": 1, "d_ff": 16}
    tables["tokenizer"]["vocab_size"] = 600
    tables["training"] |= {"steps": 30, "warmup": 5, "peak_rate": 1e-2, "threads": 1}
    tables["validation"] = {"every": 15, "sentences": 4}
    folder = tmp_path_factory.mktemp("multi30k") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "load_corpus", lambda **_: small)
        runs.train(Recipe.from_dict(tables), folder, progress=False)
    return folder


def test_the_loss_falls(run: Path) -> None:
    lines = (run / "metrics.jsonl").read_text().splitlines()
    losses = [json.loads(line)["loss"] for line in lines]
    assert sum(losses[-5:]) / 5 < sum(losses[:5]) / 5 - 0.3


def test_its_validations_say_how_it_translates(run: Path, corpus: Corpus) -> None:
    rows = [json.loads(line) for line in (run / "validation.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [15, 30]
    translator = Translator(checkpoint.load(runs.checkpoints(run)[-1]))
    pairs = corpus.valid[:4]
    written = translator([pair.source for pair in pairs])
    expected = evaluation.bleu(written, [pair.target for pair in pairs], lowercase=True).score
    assert rows[-1]["bleu"] == pytest.approx(expected)
    assert f"BLEU {expected:.2f}" in (run / "log.txt").read_text()


def test_the_tokenizer_knows_the_training_split_only(corpus: Corpus) -> None:
    heard = corpus.train[:PAIRS]
    unheard = [data.Pair("Ωmega ψ", "Ωmega ψ")] * 50
    expected, _ = build_tokenizers(
        Corpus("multi30k", "subwords", heard, (), (), joint=True), vocab_size=600, lowercase=True
    )
    source, target = build_tokenizers(
        Corpus("multi30k", "subwords", heard, tuple(unheard), tuple(unheard), joint=True),
        vocab_size=600,
        lowercase=True,
    )
    assert source is target and source.to_json() == expected.to_json()
    assert data.UNK in source.encode("ψ")


def test_it_evaluates_with_a_signature(run: Path, corpus: Corpus) -> None:
    translator = Translator.load(run)
    pairs = corpus.test[:3]
    bleu = evaluation.bleu(
        translator([pair.source for pair in pairs], width=2),
        [pair.target for pair in pairs],
        lowercase=True,
    )
    assert 0 <= bleu.score <= 100
    assert "case:lc" in bleu.signature and "tok:13a" in bleu.signature


def test_it_translates_and_explains_a_sentence(run: Path) -> None:
    translator = Translator.load(run)
    assert translator(TEXT) == translator.explain(TEXT).translation
    found = translator.explain(TEXT)
    assert len(found.source_tokens) > 8, "600 pieces cannot hold every word"
    target, source, weights = found.by_word()
    assert source == ["ein", "hund", "rennt", "durch", "den", "schnee.", "<eos>"]
    assert weights.shape == (len(target), len(source))
    torch.testing.assert_close(weights.sum(1), torch.ones(len(target)))
    assert len(found.as_text().splitlines()) == len(target)
    assert found.target_labels == found.target_tokens
