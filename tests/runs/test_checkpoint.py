"""Model folders: whole or absent, checked before they are trusted."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from pooch import file_hash

from transformer_lite import Seq2Seq, Seq2SeqConfig, Transformer, TransformerConfig
from transformer_lite.data import (
    CharacterTokenizer,
    Example,
    SubwordTokenizer,
    Tokenizer,
    WordTokenizer,
    collate,
)
from transformer_lite.runs import checkpoint
from transformer_lite.runs.checkpoint import CheckpointError, SavedModel
from transformer_lite.training import Trainer, TrainingConfig

TEXTS = ["ein hund rennt", "the dog läuft", "고양이 사과"]
WORDS = WordTokenizer.train(TEXTS)
LETTERS = CharacterTokenizer.train(TEXTS)
PIECES = SubwordTokenizer.train(TEXTS, 40)


def models(seed: int = 0) -> dict[str, tuple[Any, Tokenizer, Tokenizer]]:
    torch.manual_seed(seed)
    small: dict[str, Any] = {"d_model": 8, "heads": 2, "layers": 1, "d_ff": 8}
    joint, words = len(PIECES), len(WORDS)
    return {
        "transformer, all tied": (
            Transformer(TransformerConfig(joint, joint, **small, tie="all")), PIECES, PIECES,
        ),
        "transformer, untied, learned positions": (
            Transformer(
                TransformerConfig(len(LETTERS), words, **small, tie="none", positions="learned")
            ),
            LETTERS,
            WORDS,
        ),
        "recurrent, additive": (
            Seq2Seq(Seq2SeqConfig(words, joint, "additive", d_embedding=4, hidden=8)),
            WORDS,
            PIECES,
        ),
        "recurrent, no attention": (
            Seq2Seq(Seq2SeqConfig(words, words, d_embedding=4, hidden=8)), WORDS, WORDS,
        ),
    }  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A good model folder, to be damaged."""
    model, source, target = models()["recurrent, additive"]
    checkpoint.save(tmp_path / "model", SavedModel(model, source, target, 12, {"name": "copy"}))
    return tmp_path / "model"


@pytest.mark.parametrize("name", models())
def test_what_is_loaded_is_what_was_saved(name: str, tmp_path: Path) -> None:
    model, source, target = models()[name]
    task = {"name": "copy", "letters": 4}
    checkpoint.save(tmp_path / "model", SavedModel(model, source, target, 12, task))
    loaded = checkpoint.load(tmp_path / "model")
    assert loaded.model.config == model.config and not loaded.model.training
    assert loaded.longest_source == 12 and loaded.task == task
    assert loaded.source.to_json() == source.to_json()
    assert loaded.target.to_json() == target.to_json()
    assert (loaded.source is loaded.target) == (source is target)
    batch = collate([Example([5, 6, 2], [4, 5]), Example([4, 2], [6])])
    inputs = (batch.source, batch.source_mask, batch.target_in)
    torch.testing.assert_close(loaded.model(*inputs), model.eval()(*inputs), rtol=0, atol=0)


def test_tied_matrices_stay_tied(tmp_path: Path) -> None:
    model, source, target = models()["transformer, all tied"]
    checkpoint.save(tmp_path / "model", SavedModel(model, source, target, 12, {"name": "copy"}))
    loaded = checkpoint.load(tmp_path / "model").model
    assert isinstance(loaded, Transformer)
    assert loaded.output.weight is loaded.source_embedding.weight


def test_nothing_is_pickled(folder: Path) -> None:
    names = {path.name for path in folder.iterdir()}
    assert names == {"model.safetensors", "model.json", "tokenizers.json", "manifest.json"}


@pytest.mark.parametrize("name", models())
def test_training_goes_on_where_it_stood(name: str, tmp_path: Path) -> None:
    model, source, target = models()[name]
    examples = [Example([4, 5, 2], [5]), Example([6, 2], [4, 6])]
    config = TrainingConfig(steps=10, batch_tokens=8)
    trainer = Trainer(model, examples, config)
    for _ in range(3):
        trainer.step()
    saved = SavedModel(model, source, target, 12, {"name": "copy"})
    facts = {"steps_done": 3, "scheduled": True, "processes": 1, "validation": {"loss": 2.0}}
    checkpoint.save(tmp_path / "model", saved, trainer.optimizer, facts)
    expected = [trainer.step() for _ in range(3)]

    other = Trainer(models()[name][0], examples, config)
    run_state = checkpoint.load_training(tmp_path / "model", other.model, other.optimizer)
    other.steps_done = run_state["steps_done"]
    assert [other.step() for _ in range(3)] == expected
    for ours, theirs in zip(other.model.parameters(), model.parameters(), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("name", models())
def test_the_average_is_the_mean_of_every_weight(name: str, tmp_path: Path) -> None:
    folders = []
    for seed in range(3):
        model, source, target = models(seed)[name]
        folders.append(tmp_path / str(seed))
        checkpoint.save(folders[-1], SavedModel(model, source, target, 12, {"name": "copy"}))
    loaded = [dict(checkpoint.load(folder).model.named_parameters()) for folder in folders]
    mean = checkpoint.average(folders)
    for key, found in mean.model.named_parameters():
        expected = sum(one[key] for one in loaded) / 3
        torch.testing.assert_close(found, expected)
    key = next(key for key in loaded[0] if key.endswith("embedding.weight"))
    assert not loaded[0][key].equal(loaded[1][key])
    assert not mean.model.training


def test_there_is_no_average_of_nothing_or_of_different_models(tmp_path: Path) -> None:
    folders = []
    for name, (model, source, target) in models().items():
        folders.append(tmp_path / name)
        checkpoint.save(folders[-1], SavedModel(model, source, target, 12, {"name": "copy"}))
    with pytest.raises(CheckpointError, match="at least one"):
        checkpoint.average([])
    with pytest.raises(CheckpointError, match=f"{folders[1].name} holds another than"):
        checkpoint.average(folders[:2])


def test_a_checkpoint_is_never_overwritten(folder: Path) -> None:
    before = (folder / "model.safetensors").read_bytes()
    with pytest.raises(FileExistsError, match=r"model exists already.*never overwritten"):
        checkpoint.save(folder, checkpoint.load(folder))
    assert (folder / "model.safetensors").read_bytes() == before


def test_whom_the_umask_lets_read_may_read_all_of_it(folder: Path) -> None:
    before = os.umask(0o026)
    try:
        checkpoint.save(folder.with_name("other"), checkpoint.load(folder))
    finally:
        os.umask(before)
    modes = {path.stat().st_mode & 0o777 for path in folder.with_name("other").iterdir()}
    assert modes == {0o640}


def test_a_folder_removed_while_it_is_read_is_not_called_damaged(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def removing(folder: Path) -> None:
        checkpoint.remove_folder(folder)
        check(folder)

    check = checkpoint.check_folder
    monkeypatch.setattr(checkpoint, "check_folder", removing)
    with pytest.raises(CheckpointError, match=r"was removed while it was read.*try again"):
        checkpoint.load(folder)


def test_a_failure_while_writing_leaves_nothing(tmp_path: Path) -> None:
    with (
        pytest.raises(RuntimeError, match="half way"),
        checkpoint.atomic_folder(tmp_path / "model") as partial,
    ):
        (partial / "file").write_text("half")
        raise RuntimeError("half way")
    assert not list(tmp_path.iterdir())


def test_what_a_killed_process_left_is_cleared_away(tmp_path: Path) -> None:
    (tmp_path / "model.partial").mkdir()
    (tmp_path / "model.partial" / "old").write_text("left over")
    with checkpoint.atomic_folder(tmp_path / "model") as partial:
        (partial / "new").write_text("whole")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["manifest.json", "model", "new"]


@pytest.mark.parametrize("name", ["model.safetensors", "model.json", "tokenizers.json"])
def test_each_damaged_file_is_named(name: str, folder: Path) -> None:
    path = folder / name
    content = path.read_bytes()
    for damaged in (content[:-1], content[: len(content) // 2], b"", content + b" "):
        path.write_bytes(damaged)
        with pytest.raises(CheckpointError, match=f"{name} was altered or damaged.*SHA-256"):
            checkpoint.load(folder)
    path.unlink()
    with pytest.raises(CheckpointError, match=f"incomplete: {name} is missing. Use another"):
        checkpoint.load(folder)
    path.write_bytes(content)
    checkpoint.load(folder)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]", b"{}", b'"text"'])
def test_a_damaged_manifest_is_named(content: bytes, folder: Path) -> None:
    (folder / "manifest.json").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"manifest\.json is damaged"):
        checkpoint.load(folder)


def test_a_folder_without_manifest_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(
        CheckpointError, match=r"must be a model folder, but it has no manifest\.json"
    ):
        checkpoint.load(tmp_path)


def test_no_folder_at_all(tmp_path: Path) -> None:
    with pytest.raises(
        CheckpointError, match=r"must be a model folder, but there is none at .*nowhere"
    ):
        checkpoint.load(tmp_path / "nowhere")


def rewrite(folder: Path, name: str, change: Callable[[Any], None]) -> None:
    """Change one JSON file and its sum: what another version of the package might have written."""
    path = folder / name
    content = json.loads(path.read_text())
    change(content)
    with checkpoint.atomic_folder(folder.with_name("rewritten")) as partial:
        for other in folder.iterdir():
            if other.name != checkpoint.MANIFEST:
                shutil.copy(other, partial)
        (partial / name).write_text(json.dumps(content))
    shutil.rmtree(folder)
    folder.with_name("rewritten").rename(folder)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda about: about.update(kind="diffusion"), r"kind must be one of.*'diffusion'"),
        (lambda about: about["config"].update(spin=2), "fields of kind .* but they are spin"),
        (lambda about: about["config"].update(hidden=16), "size mismatch"),
        (lambda about: about["config"].update(hidden=2**40), "hidden must be at most 1048576"),
        (lambda about: about["config"].update(hidden=2**14), "must have at most .* weights, but"),
        (lambda about: about["config"].update(layers=10**5), "layers must be at most 200"),
        (lambda about: about["config"].update(hidden="8"), "hidden must be a whole number"),
        (lambda about: about["config"].pop("source_vocab"), "missing .* 'source_vocab'"),
        (lambda about: about["config"].update(target_vocab=7), "size mismatch"),
        (lambda about: about.update(config=[]), "config must be a table, but it is"),
        (lambda about: about.pop("kind"), r"must have the field kind, but it has \['config'"),
        (lambda about: about.update(task={"name": 3}), "task name must be a text, but it is 3"),
        (lambda about: about.update(longest_source="x"), "longest_source must be a whole number"),
    ],
)
def test_another_version_is_named(change: Callable[[Any], None], words: str, folder: Path) -> None:
    rewrite(folder, "model.json", change)
    with pytest.raises(CheckpointError, match=f"(?s)does not fit this version.*{words}"):
        checkpoint.load(folder)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda sides: sides.pop("source"), "must have the field source"),
        (lambda sides: sides.update(source="x"), "source must be a table, but it is 'x'"),
        (lambda sides: sides["source"].update(kind="runes"), "kind of a tokenizer must be one of"),
        (
            lambda sides: sides["source"]["symbols"].pop(),
            r"vocabularies of the model, \(\d+, \d+\)",
        ),
    ],
)
def test_a_foreign_tokenizer_is_named(
    change: Callable[[Any], None], words: str, folder: Path
) -> None:
    rewrite(folder, "tokenizers.json", change)
    with pytest.raises(CheckpointError, match=words):
        checkpoint.load(folder)


def test_a_manifest_speaks_of_its_own_folder_alone(folder: Path) -> None:
    (folder.parent / "secret").write_text("x")
    manifest = folder / checkpoint.MANIFEST
    sums = {"../secret": file_hash(str(folder.parent / "secret"))}
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | sums))
    with pytest.raises(CheckpointError, match=r"incomplete: \.\./secret is missing"):
        checkpoint.load(folder)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_model_that_diverged_is_named(value: float, tmp_path: Path) -> None:
    model, source, target = models()["recurrent, additive"]
    with torch.no_grad():
        model.output.bias[0] = value
    saved = SavedModel(model, source, target, 12, {"name": "copy"})
    checkpoint.save(tmp_path / "model", saved)
    with pytest.raises(CheckpointError, match=r"'output\.bias' must hold numbers, .*Use another"):
        checkpoint.load(tmp_path / "model")


@pytest.mark.parametrize(
    ("facts", "shape", "words"),
    [
        ({"steps_done": "3"}, None, r"progress\.json: steps_done must be a whole number"),
        ({"validation": {"loss": None}}, None, "validation must be a table, but it is"),
        ({"validation": {}}, None, "validation loss must be a number, but it is None"),
        ({}, (3,), "another optimiser's state than that of output.bias"),
    ],
)
def test_a_foreign_state_of_training_is_named(
    facts: dict[str, Any], shape: tuple[int, ...] | None, words: str, tmp_path: Path
) -> None:
    model, source, target = models()["recurrent, additive"]
    trainer = Trainer(model, [Example([4, 5, 2], [5])], TrainingConfig(steps=10, batch_tokens=8))
    trainer.step()
    if shape:
        trainer.optimizer.state[model.output.bias]["exp_avg"] = torch.zeros(shape)
    good = {"steps_done": 1, "scheduled": True, "processes": 1, "validation": {"loss": 2.0}}
    saved = SavedModel(model, source, target, 12, {"name": "copy"})
    checkpoint.save(tmp_path / "model", saved, trainer.optimizer, good | facts)
    with pytest.raises(CheckpointError, match=words):
        checkpoint.load_training(tmp_path / "model", model, trainer.optimizer)


def test_a_model_without_optimiser_cannot_be_trained_on(folder: Path) -> None:
    model = checkpoint.load(folder).model
    optimizer = torch.optim.Adam(model.parameters())
    with pytest.raises(CheckpointError, match="keeps no optimiser state: it cannot be trained on"):
        checkpoint.load_training(folder, model, optimizer)


@pytest.mark.parametrize(
    ("kind", "fields", "words"),
    [
        (
            "perceptron",
            {},
            "kind must be one of 'fast', 'transformer', 'seq2seq', but it is 'perceptron'",
        ),
        (
            "transformer",
            {"width": 8},
            "fields of kind 'transformer' must be among .*d_model.* they are width",
        ),
        ("seq2seq", {"hidden": 0}, "hidden must be at least 1, but it is 0"),
    ],
)
def test_a_model_that_cannot_be_built(kind: str, fields: dict[str, Any], words: str) -> None:
    sizes = {"source_vocab": 8, "target_vocab": 8}
    with pytest.raises(ValueError, match=words):
        checkpoint.build_model(kind, sizes | fields)
