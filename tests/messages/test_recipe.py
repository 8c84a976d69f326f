"""What a bad recipe is answered."""

from pathlib import Path
from typing import Any

import pytest

from transformer_lite.runs.checkpoint import build_model
from transformer_lite.runs.recipe import Recipe

SMALLEST = '[task]\nname = "copy"\n[model]\nkind = "transformer"\n'


def load(tmp_path: Path, text: str) -> Recipe:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return Recipe.load(str(path))


def example() -> dict[str, Any]:
    """The tables of a good recipe."""
    return {
        "task": {"name": "copy"},
        "model": {"kind": "transformer"},
        "tokenizer": {},
        "training": {},
        "validation": {},
    }


BAD: dict[str, tuple[str, str]] = {
    "unknown table": (
        SMALLEST + "[optimizer]\n", "keys of a recipe must be among .* but they are optimizer$"
    ),
    "unknown key": (
        SMALLEST + "[training]\nstep = 3",
        r"keys of \[training\] must be among steps, .* are step$",
    ),
    "unknown validation key": (
        SMALLEST + "[validation]\nof = 3",
        r"keys of \[validation\] must be among .* are of$",
    ),
    "unknown tokenizer key": (
        SMALLEST + "[tokenizer]\nsize = 3",
        r"keys of \[tokenizer\] must be among vocab_size, lowercase, .* are size$",
    ),
    "no task": (
        '[model]\nkind = "seq2seq"',
        r"\[task\] must be a table with the key 'name', but it is None",
    ),
    "no model": (
        '[task]\nname = "copy"',
        r"\[model\] must be a table with the key 'kind', but it is None",
    ),
    "text for a number": (
        SMALLEST + '[training]\nsteps = "many"',
        r"\[training\] steps must be a whole number, but it is 'many'",
    ),
    "fraction for a whole number": (
        SMALLEST + "[validation]\nevery = 2.5",
        r"\[validation\] every must be a whole number, but it is 2\.5",
    ),
    "a value for a table": ("training = 3\n" + SMALLEST, r"\[training\] must be a table"),
    "no steps": (SMALLEST + "[training]\nsteps = 0", "steps must be at least 1, but it is 0"),
    "unknown schedule": (SMALLEST + '[training]\nschedule = "steep"', "schedule must be .*steep"),
    "unknown precision": (SMALLEST + '[training]\nprecision = "half"', "precision must be .*half"),
    "a text for a choice": (
        SMALLEST + '[machine]\ncompile = "yes"',
        r"\[machine\] compile must be true or false, but it is 'yes'",
    ),
    "a billion threads": (
        SMALLEST + "[machine]\nthreads = 1000000000",
        "threads must be at most 1024, but it is 1000000000",
    ),
    "a trillion steps": (
        SMALLEST + "[training]\nsteps = 1000000000000", "steps must be at most 1000000000, but"
    ),
    "no number": (
        SMALLEST + "[training]\nclip = inf", r"\[training\] clip must be a number, but it is inf"
    ),
    "pairs of text": (
        SMALLEST + '[training]\nbetas = ["a", "b"]', r"betas must be a list .*, but it is \['a'"
    ),
    "a text for a limit": ('max_tokens = "x"\n' + SMALLEST, "max_tokens must be a whole number"),
    "a long name": (
        '[task]\nname = "' + "x" * 10**4 + '"', r"but it is 'xxx.* … .*xx' \(10,002 characters"
    ),
    "no thread": (SMALLEST + "[machine]\nthreads = 0", "threads must be at least 1, but it is 0"),
    "keys of an old recipe": (
        "longest = 60\n" + SMALLEST, "keys of a recipe must be among .*max_tokens.* are longest$"
    ),
    "too much smoothing": (SMALLEST + "[training]\nlabel_smoothing = 1.0", "label_smoothing must"),
    "never validated": (SMALLEST + "[validation]\nevery = 0", "every must be at least 1"),
    "one checkpoint kept": (SMALLEST + "[validation]\nkeep = 1", "keep must be at least 2"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_bad_recipe_is_explained(name: str, tmp_path: Path) -> None:
    text, words = BAD[name]
    with pytest.raises(ValueError, match=words) as caught:
        load(tmp_path, text)
    assert str(caught.value).startswith("the recipe mine.toml cannot be used: ")


def test_an_unknown_recipe_lists_those_that_ship() -> None:
    with pytest.raises(
        ValueError,
        match=r"must be .* a TOML file or one of multi30k, .*, pocket, but it is 'soup'",
    ):
        Recipe.load("soup")


@pytest.mark.parametrize(
    ("table", "key", "value", "words"),
    [
        ("model", "heads", "four", "must be a whole number, but it is 'four'"),
        ("model", "d_model", 16.5, r"must be a whole number, but it is 16\.5"),
        ("model", "dropout", "much", "must be a number, but it is 'much'"),
        ("model", "tie", 1, "must be a text, but it is 1"),
        ("task", "letters", True, "must be a whole number, but it is True"),
        ("tokenizer", "lowercase", "yes", "must be true or false, but it is 'yes'"),
        ("training", "betas", 0.9, r"must be a list \(a number, a number\), but it is 0\.9"),
    ],
)
def test_a_value_of_a_wrong_type_is_named(table: str, key: str, value: Any, words: str) -> None:
    tables = example()
    tables[table][key] = value
    with pytest.raises(ValueError, match=rf"\[{table}\] {key} {words}"):
        Recipe.from_dict(tables)


@pytest.mark.parametrize(
    ("table", "key", "words"),
    [
        ("task", "name", "one of 'copy', 'reverse'"),
        ("model", "kind", "one of 'fast', 'transformer', 'seq2seq'"),
    ],
)
def test_an_unknown_choice_lists_the_known_ones(table: str, key: str, words: str) -> None:
    tables = example()
    tables[table][key] = "soup"
    with pytest.raises(ValueError, match=rf"\[{table}\] {key} must be {words}.*'soup'"):
        Recipe.from_dict(tables)


def test_vocabulary_sizes_come_from_the_tokenizers_alone() -> None:
    tables = example()
    tables["model"]["source_vocab"] = 50
    with pytest.raises(ValueError, match=r"keys of \[model\] must be among .* are source_vocab"):
        Recipe.from_dict(tables)


@pytest.mark.parametrize(
    ("kind", "fields", "words"),
    [
        ("transformer", {"layers": 100_000}, "layers must be at most 200, but it is 100000"),
        ("transformer", {"decoder_layers": 10**12}, "decoder_layers must be at most 200"),
        (
            "transformer",
            {"d_model": 2**40},
            "d_model must be at most 1048576, but it is 1099511627776",
        ),
        ("transformer", {"max_length": 2**40}, "max_length must be at most 16384"),
        ("seq2seq", {"hidden": 2**40}, "hidden must be at most 1048576"),
        ("seq2seq", {"longest_source": 2**40}, "longest_source must be at most 16384"),
        # Each field is within its limit, the model is not.
        (
            "transformer",
            {"d_model": 2**14, "d_ff": 2**16, "layers": 200},
            "the model must have at most 2,147,483,648 weights, but its sizes make it 1,503",
        ),
    ],
)
def test_absurd_sizes_are_refused_before_memory_is_filled(
    kind: str, fields: dict[str, int], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        build_model(kind, {"source_vocab": 9, "target_vocab": 9} | fields)
