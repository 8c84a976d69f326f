"""Equality with CTranslate2 on exported weights: greedy output, token for token."""

import contextlib
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import Result
from every_model import TRANSFORMERS, build
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from torch import nn
from typer.testing import CliRunner

from transformer_lite import Translator, cli
from transformer_lite.data import CharacterTokenizer, Example, collate, load
from transformer_lite.data.vocabulary import BOS, EOS, PAD, SPECIALS
from transformer_lite.decoding import greedy
from transformer_lite.interop import to_ctranslate2
from transformer_lite.model import SequenceModel
from transformer_lite.runs import checkpoint, model_folder
from transformer_lite.runs.checkpoint import SavedModel

ctranslate2 = pytest.importorskip("ctranslate2", reason="CTranslate2 is not installed")
PAGE = Path(__file__).parents[2] / "book" / "command.md"
LONGEST = 12


def symbols(size: int) -> CharacterTokenizer:
    return CharacterTokenizer("abcdefghijklmnopqrst"[: size - len(SPECIALS)])


def saved(model: SequenceModel[Any, Any]) -> SavedModel:
    """A model with tokenizers for its vocabularies."""
    source, target = symbols(model.source_vocab), symbols(model.target_vocab)
    return SavedModel(model, source, target, longest_source=LONGEST, task={"name": "copy"})


def opened(folder: Path) -> Any:
    return ctranslate2.Translator(str(folder), inter_threads=1, intra_threads=1)


def assert_same_output(one: SavedModel, folder: Path) -> None:
    """Sources of every length, side by side: tokens, and the log probability of all of them."""
    to_ctranslate2(one, folder)
    generator = torch.Generator().manual_seed(0)
    sources = [
        torch.randint(4, one.model.source_vocab, (length,), generator=generator).tolist()
        for length in range(1, LONGEST)
    ]
    batch = collate([Example([*source, EOS], []) for source in sources])
    ours = greedy(one.model, batch.source, batch.source_mask, bos=BOS, eos=EOS, max_length=LONGEST)
    theirs = opened(folder).translate_batch(
        [one.source.tokens(source) for source in sources], beam_size=1,
        max_decoding_length=LONGEST, min_decoding_length=0, length_penalty=0, return_scores=True,
    )  # fmt: skip
    assert [found.hypotheses[0] for found in theirs] == [
        one.target.tokens(hypothesis.tokens) for hypothesis in ours
    ]
    assert [found.scores[0] for found in theirs] == pytest.approx(
        [hypothesis.log_probability for hypothesis in ours], rel=1e-5, abs=1e-4
    )


def redrawn(model: SequenceModel[Any, Any]) -> SequenceModel[Any, Any]:
    """Every number drawn: new norms and biases hide mistakes."""
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.5)
    return model


@pytest.mark.parametrize("kind", TRANSFORMERS)
@given(
    width=st.sampled_from([(8, 1), (8, 2), (8, 4), (7, 1), (6, 3)]),
    depths=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    d_ff=st.integers(1, 20),
    tie=st.sampled_from(["none", "target", "all"]),
    final_norm=st.booleans(),
    activation=st.sampled_from(["relu", "gelu", "silu"]),
    vocabularies=st.tuples(st.integers(6, 24), st.integers(6, 24)),
    seed=st.integers(0, 999),
)
@settings(
    max_examples=8,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_greedy_output_is_ours(
    kind: str, width: tuple[int, int], depths: tuple[int, int], d_ff: int, tie: str,
    final_norm: bool, activation: str, vocabularies: tuple[int, int], seed: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:  # fmt: skip
    model = build(
        kind, seed, d_model=width[0], heads=width[1], layers=depths[0], decoder_layers=depths[1],
        d_ff=d_ff, tie=tie, final_norm=final_norm, activation=activation,
        source_vocab=vocabularies[tie == "all"], target_vocab=vocabularies[1], max_length=16,
    )  # fmt: skip
    assert_same_output(saved(redrawn(model)), tmp_path_factory.mktemp("exported"))


def test_a_bias_of_the_logits_is_kept(tmp_path: Path) -> None:
    """As models that come from Marian have it: −∞ for what must never be written."""
    model = redrawn(build("transformer, post, sinusoidal"))
    bias = torch.randn(model.target_vocab, dtype=torch.float64)
    bias[[PAD, BOS]] = -torch.inf
    model.output.bias = nn.Parameter(bias, requires_grad=False)
    assert_same_output(saved(model), tmp_path / "exported")


def translations(folder: Path, ours: Translator, texts: list[str]) -> list[list[str]]:
    tokens = [ours.source.tokens(ours.source.encode(text)) for text in texts]
    return [one.hypotheses[0] for one in opened(folder).translate_batch(tokens, beam_size=1)]


def call(*arguments: object) -> Result:
    return CliRunner().invoke(cli.app, ["export", *map(str, arguments)])


def assert_error(result: Result, *words: str) -> None:
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ") and all(word in line for word in words), line


@pytest.mark.parametrize("quantization", ["float32", "int8"])
def test_the_command_exports_the_shipped_model(quantization: str, tmp_path: Path) -> None:
    ours = Translator.load("pocket")
    texts = [pair.source for pair in load("pocket").test[:200]]
    expected = [ours.target.tokens(ours.target.encode(text)) for text in ours(texts)]
    folder = tmp_path / "exported"
    result = call("--model", "pocket", "--to", folder, "--quantization", quantization)
    assert result.exit_code == 0, result.output
    assert result.stdout == f"exported: {folder}\n"
    found = translations(folder, ours, texts)
    same = sum(one == other for one, other in zip(found, expected, strict=True))
    assert same == 200 if quantization == "float32" else same > 190


def test_int8_is_a_quarter_and_leaves_our_weights_alone(tmp_path: Path) -> None:
    one = saved(build("transformer, pre, learned", d_model=64, d_ff=512, max_length=4))
    before = {name: weight.clone() for name, weight in one.model.float().state_dict().items()}
    sizes = []
    for quantization in ("float32", "int8"):
        to_ctranslate2(one, tmp_path / quantization, quantization)
        sizes.append((tmp_path / quantization / "model.bin").stat().st_size)
    assert 3.5 < sizes[0] / sizes[1] < 4
    after = one.model.state_dict()
    assert all(torch.equal(weight, after[name]) for name, weight in before.items())


def test_what_stands_in_the_book_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (_, code) = PAGE.read_text("utf-8").split("```python\n")
    assert call("--model", "pocket", "--to", "exported").exit_code == 0
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(code.split("```")[0], {})
    assert printed.getvalue() == Translator.load("pocket")("the cat eats an apple") + "\n"


def test_a_folder_that_holds_files_is_left_alone(tmp_path: Path) -> None:
    empty, full = tmp_path / "empty", tmp_path / "full"
    for folder in (empty, full):
        folder.mkdir()
    (full / "mine.txt").write_text("mine")
    assert call("--model", "pocket", "--to", empty).exit_code == 0
    assert json.loads((empty / "config.json").read_text())["add_source_eos"]
    for folder in (empty, full):
        result = call("--model", "pocket", "--to", folder)
        assert_error(result, f"folder must be new or empty, but {folder} holds files")
    assert [path.name for path in full.iterdir()] == ["mine.txt"]


def test_what_cannot_be_exported_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "exported"
    checkpoint.save(tmp_path / "recurrent", saved(build("rnn, dot, luong").float()))
    result = call("--model", tmp_path / "recurrent", "--to", folder)
    assert_error(result, "the model must be a Transformer", "but it is a Seq2Seq")
    result = call("--model", "pocket", "--to", folder, "--quantization", "int9")
    assert_error(result, "quantization must be one of 'float32', 'int8', but it is 'int9'")
    assert not folder.exists()


def test_a_missing_library_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ctranslate2", None)
    result = call("--model", "pocket", "--to", tmp_path / "exported")
    assert_error(result, "exporting needs the package ctranslate2", "pip install ctranslate2")
    assert not (tmp_path / "exported").exists()


def test_tokens_are_those_of_both_tokenizers(tmp_path: Path) -> None:
    one = checkpoint.load(model_folder("pocket"))
    to_ctranslate2(one, tmp_path / "exported")
    for side, tokenizer in (("source", one.source), ("target", one.target)):
        listed = json.loads((tmp_path / "exported" / f"{side}_vocabulary.json").read_text())
        assert listed == tokenizer.tokens(range(len(tokenizer)))
