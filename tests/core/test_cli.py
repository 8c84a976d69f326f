"""The command line, from the first to the last command, as a person would use it."""

import json
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import Result
from typer.testing import CliRunner

from transformer_lite import Seq2Seq, Seq2SeqConfig, Translator, cli, runs
from transformer_lite.data import CharacterTokenizer, load, own
from transformer_lite.runs import checkpoint
from transformer_lite.runs.recipe import Recipe

COMMANDS = ("data", "train", "evaluate", "translate", "explain", "export")
COMMAND = Path(sys.executable).with_name("transformer-lite")


def call(*arguments: object, typed: str | None = None) -> Result:
    return CliRunner().invoke(cli.app, [str(one) for one in arguments], input=typed)


def assert_one_line_of_error(result: Result, *words: str) -> None:
    assert result.exit_code == 1
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("error: "), result.stderr
    for word in words:
        assert word in lines[0]
    assert "Traceback" not in result.output


def test_help_names_every_command() -> None:
    result = call("--help")
    assert result.exit_code == 0
    assert all(name in result.stdout for name in COMMANDS)


def test_the_version() -> None:
    result = call("--version")
    assert result.exit_code == 0
    assert result.stdout == f"transformer-lite {metadata.version('transformer-lite')}\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_an_example_that_parses(command: str) -> None:
    result = call(command, "--help")
    assert result.exit_code == 0
    examples = [line for line in result.stdout.splitlines() if "Example: " in line]
    assert len(examples) == 1 and f"Example: transformer-lite {command} " in examples[0]


@pytest.mark.parametrize("name", ["copy", "dates"])
def test_data_describes_a_corpus(name: str) -> None:
    result = call("data", name)
    assert result.exit_code == 0, result.output
    corpus = load(name)
    assert f"{len(corpus.train):,} pairs" in result.stdout
    assert corpus.train[0].source in result.stdout and corpus.train[0].target in result.stdout


def test_train_writes_a_run_folder(recipe_file: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    result = call("train", recipe_file, "--run", run, "--steps", 5, "--seed", 3)
    assert result.exit_code == 0, result.output
    best = runs.best_checkpoint(run)
    assert result.stdout.splitlines()[-1] == f"best checkpoint: {best}"
    assert len((run / "metrics.jsonl").read_text().splitlines()) == 5
    assert '"seed": 3' in (run / "recipe.json").read_text()
    assert "step" in result.stderr, "a progress bar"


def test_train_goes_into_a_folder_named_after_the_recipe(
    recipe_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert call("train", recipe_file, "--steps", 2).exit_code == 0
    assert runs.checkpoints(Path("runs/tiny"))
    again = call("train", recipe_file, "--steps", 2)
    assert_one_line_of_error(again, "runs/tiny exists", "--resume")
    assert call("train", recipe_file, "--steps", 2, "--resume").exit_code == 0


def test_options_of_train_reach_the_run(recipe_file: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    result = call("train", recipe_file, "--run-folder", run, "--precision", "bfloat16")
    assert result.exit_code == 0, result.output
    recipe = (run / "recipe.json").read_text()
    assert '"precision": "bfloat16"' in recipe and '"compile": false' in recipe
    losses = [
        [json.loads(line)["loss"] for line in (folder / "metrics.jsonl").read_text().splitlines()]
        for folder in (run, fresh(recipe_file, tmp_path))
    ]
    assert losses[0] != losses[1] and losses[0] == pytest.approx(losses[1], rel=0.03)
    other = call("train", recipe_file, "--run", run, "--resume")
    assert_one_line_of_error(
        other,
        "another recipe",
        "the run has: training.precision is 'bfloat16' there, but 'float32'",
    )


def fresh(recipe_file: Path, tmp_path: Path) -> Path:
    """The same run as the recipe has it."""
    assert call("train", recipe_file, "--run", tmp_path / "plain").exit_code == 0
    return tmp_path / "plain"


def test_what_to_type_after_a_stop_repeats_the_options(
    recipe_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def stopped(recipe: Recipe, folder: Path, **options: Any) -> Path:
        seen.append((recipe, options))
        raise KeyboardInterrupt

    monkeypatch.setattr(runs, "train", stopped)
    options = ["--steps", 5, "--precision", "bfloat16", "--compile", "--device", "cuda"]
    result = call("train", recipe_file, "--run", tmp_path / "run", *options)
    assert result.exit_code == 130
    ((recipe, others),) = seen
    assert (recipe.training.steps, recipe.training.precision) == (5, "bfloat16")
    assert recipe.machine.compile
    assert others == {"resume": False, "device": "cuda"}
    typed = " ".join(str(one) for one in options)
    command = f"transformer-lite train {recipe_file} --run {tmp_path / 'run'} {typed}"
    assert result.stderr.splitlines()[-1] == f"stopped; go on with: {command}"


@pytest.fixture
def own_pairs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A reader's own file, in the folder that they work in."""
    monkeypatch.chdir(tmp_path)
    path = Path("mine.tsv")
    path.write_bytes(own.EXAMPLE.read_bytes())
    return path


def test_pairs_of_ones_own(own_pairs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    training = ("train", "--pairs", own_pairs, "--steps")
    assert call(*training, 2).exit_code == 0
    (own_pairs.parent / "elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    run = Path("../runs/mine")
    scored = call("evaluate", "--model", run)
    assert scored.exit_code == 0, scored.output
    assert scored.stdout.startswith("pairs, test: 20 pairs") and "BLEU" in scored.stdout
    unknown = call("translate", "--model", run, "Ich trinke Kakao.")
    assert_one_line_of_error(unknown, "known words only, but it has 'kakao'; ", "use other words")
    monkeypatch.chdir("..")
    assert call(*training, 2, "--resume").exit_code == 0
    own_pairs.write_bytes(own_pairs.read_bytes() + b"Hallo!\tHello!\n")
    changed = call(*training, 2, "--resume")
    assert_one_line_of_error(changed, f"{own_pairs.resolve()} must be as it was", "put it back")
    assert_one_line_of_error(call("evaluate", "--model", "runs/mine"), "SHA-256", "put it back")


def test_a_recipe_may_train_on_pairs_of_ones_own(own_pairs: Path, recipe_file: Path) -> None:
    result = call("train", recipe_file, "--pairs", own_pairs, "--steps", 2)
    assert result.exit_code == 0, result.output
    recipe = json.loads(Path("runs/mine/recipe.json").read_text())
    assert recipe["task"]["name"] == "pairs" and recipe["model"]["d_model"] == 16


def test_what_to_type_after_a_stop_names_the_pairs(
    own_pairs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: Any, **__: Any) -> Path:
        raise KeyboardInterrupt

    monkeypatch.setattr(runs, "train", stopped)
    result = call("train", "--pairs", own_pairs, "--steps", 5)
    command = "transformer-lite train pairs --run runs/mine --steps 5 --pairs mine.tsv"
    assert result.stderr.splitlines()[-1] == f"stopped; go on with: {command}"


@pytest.mark.parametrize("beam", [1, 3])
@pytest.mark.parametrize("split", ["test", "valid"])
def test_evaluate_scores_a_run(beam: int, split: str, unbroken: Path) -> None:
    result = call("evaluate", "--model", unbroken, "--beam", beam, "--split", split)
    assert result.exit_code == 0, result.output
    first, *scores = result.stdout.splitlines()
    assert first == f"copy, {split}: 8 pairs, beam {beam}"
    assert [line.split("  ")[0] for line in scores] == ["loss", "token accuracy", "exact match"]


def test_evaluate_says_the_same_of_a_run_and_of_its_best_checkpoint(unbroken: Path) -> None:
    by_run = call("evaluate", "--model", unbroken)
    by_folder = call("evaluate", "--model", runs.best_checkpoint(unbroken))
    assert by_run.exit_code == 0 and by_run.stdout == by_folder.stdout


def test_evaluate_averages_the_newest_checkpoints(unbroken: Path, tmp_path: Path) -> None:
    found = runs.scheduled_checkpoints(unbroken)
    mean = tmp_path / "mean"
    checkpoint.save(mean, checkpoint.average(found[-2:]))
    by_option = call("evaluate", "--model", unbroken, "--average", 2)
    assert by_option.exit_code == 0, by_option.output
    assert by_option.stdout == call("evaluate", "--model", mean).stdout
    assert by_option.stdout != call("evaluate", "--model", found[-1]).stdout
    too_many = call("evaluate", "--model", unbroken, "--average", 9)
    assert_one_line_of_error(
        too_many, f"at most {len(found)}", f"{unbroken} holds, but it is 9", "keep"
    )


def test_evaluate_says_that_a_model_names_no_corpus(unbroken: Path, tmp_path: Path) -> None:
    translator = Translator.load(unbroken)
    translator.task = None
    translator.save(tmp_path / "own")
    result = call("evaluate", "--model", tmp_path / "own")
    assert_one_line_of_error(result, f"{tmp_path / 'own'} names none; save it with one")
    assert call("translate", "--model", tmp_path / "own", "abc").exit_code == 0


def test_translate_takes_one_text_several_or_lines(unbroken: Path) -> None:
    texts = ["abc", "dd", "cab"]
    one_by_one = [call("translate", "--model", unbroken, text).stdout for text in texts]
    together = call("translate", "--model", unbroken, *texts)
    lines = call("translate", "--model", unbroken, typed="abc\n\n  dd \ncab\n")
    assert together.exit_code == lines.exit_code == 0
    assert together.stdout == lines.stdout == "".join(one_by_one)
    assert len(together.stdout.splitlines()) == 3


def test_a_sentence_without_quotation_marks_is_asked_for_again(unbroken: Path) -> None:
    result = call("translate", "the", "cat", "eats")
    assert_one_line_of_error(result, "3 words without", "transformer-lite translate 'the cat eats'")
    together = call("translate", "the cat eats an apple", "milk")
    assert together.exit_code == 0 and len(together.stdout.splitlines()) == 2
    assert call("translate", typed="milk\nwater\n").exit_code == 0


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_explain_writes_and_draws(suffix: str, unbroken: Path, tmp_path: Path) -> None:
    picture = tmp_path / f"map.{suffix}"
    result = call("explain", "abcd", "--model", unbroken, "--picture", picture)
    assert result.exit_code == 0, result.output
    translation, *rows, drawn = result.stdout.splitlines()
    assert drawn == f"drawn: {picture}"
    assert [row.split("←")[0].strip() for row in rows][: len(translation)] == list(translation)
    assert all("←" in row for row in rows)
    begins = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[suffix]
    first = picture.read_bytes()
    assert first.startswith(begins) and len(first) > 1000
    call("explain", "abcd", "--model", unbroken, "--picture", picture)
    assert picture.read_bytes() == first, "the same picture, byte by byte"


def test_explain_shows_the_map_that_was_asked_for(unbroken: Path) -> None:
    averaged = call("explain", "abcd", "--model", unbroken)
    only = call("explain", "abcd", "--model", unbroken, "--map", "decoder.0.cross")
    assert only.exit_code == 0 and only.stdout == averaged.stdout, "the model has one layer"


def test_errors_are_one_line(recipe_file: Path, unbroken: Path, tmp_path: Path) -> None:
    assert_one_line_of_error(call("data", "klingon"), "'copy', 'reverse'", "'klingon'")
    assert_one_line_of_error(call("train", "soup"), "pocket, but it is 'soup'")
    assert_one_line_of_error(call("train", recipe_file, "--run", unbroken), "--resume")
    other = ("train", recipe_file, "--run", tmp_path / "other")
    assert_one_line_of_error(call(*other, "--device", "abacus"), "'cpu', 'cuda'", "'abacus'")
    assert_one_line_of_error(call("evaluate", "--model", "soup"), "pocket, but it is 'soup'")
    assert_one_line_of_error(
        call("evaluate", "--model", unbroken, "--split", "train"), "'test', 'valid'", "'train'"
    )
    assert_one_line_of_error(call("translate", "--model", unbroken, ""), "it is empty")
    assert_one_line_of_error(
        call("translate", "--model", unbroken, typed="\n"), "there is none; give one"
    )
    assert_one_line_of_error(call("translate", "--model", unbroken, "abz"), "'z'", "'abcd'")
    assert_one_line_of_error(
        call("translate", "--model", unbroken, "abcdabcd"), "at most 5 tokens", "it has 9"
    )
    for name in ("decoder.9.cross", "encoder.0.self"):
        assert_one_line_of_error(
            call("explain", "abc", "--model", unbroken, "--map", name), name, "decoder.0.cross"
        )
    for picture, word in (
        ("map", "'.png', '.svg', '.pdf', but it is ''"),
        ("map.docx", "docx"),
        ("no/such/folder/map.png", "no/such/folder"),
    ):
        assert_one_line_of_error(
            call("explain", "abc", "--model", unbroken, "--picture", tmp_path / picture), word
        )


@pytest.mark.parametrize(
    "arguments",
    [
        ["train"],
        ["evaluate"],
        ["explain"],
        ["translate", "--beam", "0", "abc"],
        ["train", "pocket", "--steps", "0"],
        ["train", "pocket", "--seed", "-1"],
        ["fly"],
    ],
)
def test_wrong_usage_points_to_the_help(arguments: list[str]) -> None:
    result = call(*arguments)
    assert result.exit_code == 2
    assert "--help" in result.stderr and "Traceback" not in result.output


def test_text_that_is_not_utf8_is_named(unbroken: Path) -> None:
    foreign = "ab\udcff"  # as Python hands on the byte ff of the command line
    for command in ("translate", "explain"):
        result = call(command, "--model", unbroken, foreign)
        assert_one_line_of_error(result, r"text must be text in UTF-8, but it is 'ab\udcff'")
    typed = CliRunner().invoke(cli.app, ["translate", "--model", str(unbroken)], input=b"ab\xff\n")
    assert_one_line_of_error(typed, "standard input must be text in UTF-8, but byte 2 begins")


def test_no_vocabulary_commands_the_terminal(tmp_path: Path) -> None:
    symbols = CharacterTokenizer(["a", "\x1b[2J"])
    model = Seq2Seq(Seq2SeqConfig(len(symbols), len(symbols), "dot", d_embedding=4, hidden=4))
    with torch.no_grad():
        model.output.bias[symbols.encode("a")[0] + 1] = 99.0
    saved = checkpoint.SavedModel(model, symbols, symbols, 9, {"name": "copy"})
    checkpoint.save(tmp_path / "model", saved)
    for command in ("translate", "explain"):
        result = call(command, "--model", tmp_path / "model", "a")
        assert result.exit_code == 0, result.output
        assert "\x1b" not in result.stdout and r"\x1b[2J" in result.stdout


def test_a_long_word_is_not_echoed_whole(unbroken: Path) -> None:
    result = call("translate", "--model", unbroken, "z" * 10**6)
    assert_one_line_of_error(result, "'z'")
    result = call("data", "z" * 10**6)
    assert_one_line_of_error(result, "(1,000,002 characters)")
    assert len(result.stderr) < 400


def test_the_installed_command() -> None:
    result = subprocess.run(
        [COMMAND, "data", "klingon"], capture_output=True, text=True, check=False, timeout=120
    )
    assert result.returncode == 1 and result.stdout == ""
    assert result.stderr.startswith("error: ") and len(result.stderr.splitlines()) == 1
