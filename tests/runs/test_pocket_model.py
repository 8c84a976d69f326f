"""The model that ships with the package: small, as its recipe says, and good at its job."""

import pytest

from transformer_lite import Translator, evaluation
from transformer_lite.data import Corpus, Pair, encode_pairs, load
from transformer_lite.reading import read_json
from transformer_lite.runs import checkpoint
from transformer_lite.runs.folder import shipped_models
from transformer_lite.runs.recipe import Recipe

FOLDER = shipped_models()["pocket"]
SENTENCES = 100  # of the held-out test split: enough to see a broken model, quick to decode


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    """Fewer sentences than it was trained on; the held-out combinations are the same."""
    return load("pocket", train=2000, valid=1, test=SENTENCES)


@pytest.fixture(scope="module")
def translator() -> Translator:
    return Translator.load("pocket")


def test_it_is_small_and_whole() -> None:
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 1_000_000
    checkpoint.check_folder(FOLDER)
    names = {path.name for path in FOLDER.iterdir()}
    assert "optimizer.safetensors" not in names


def test_it_was_made_by_the_recipe_that_ships(translator: Translator) -> None:
    recipe = Recipe.load("pocket")
    assert Recipe.from_dict(read_json(FOLDER / "recipe.json")) == recipe
    assert translator.task == recipe.task
    stored = read_json(FOLDER / "model.json")
    assert recipe.model["kind"] == stored["kind"]
    for name, value in recipe.model.items():
        assert name == "kind" or stored["config"][name] == value, name


def test_it_translates_combinations_it_never_saw(translator: Translator, corpus: Corpus) -> None:
    pairs = corpus.test
    found = translator([pair.source for pair in pairs])
    assert evaluation.exact_match(found, [pair.target for pair in pairs]) >= 0.97


@pytest.mark.parametrize(
    ("english", "korean"),
    [
        ("the cat drinks milk", "고양이 는 우유 를 마셔요"),
        ("The cat eats an apple.", "고양이 는 사과 를 먹어요"),
    ],
)
def test_it_translates_what_the_pages_show(
    english: str, korean: str, translator: Translator
) -> None:
    assert translator(english) == korean
    assert translator(english, beam_size=4) == korean


def test_a_particle_is_labelled_with_sound_and_meaning(translator: Translator) -> None:
    found = translator.explain("the cat drinks milk")
    assert found.target_tokens == ["고양이", "는", "우유", "를", "마셔요", "<eos>"]
    assert found.target_labels[0] == "고양이 goyangi “cat”"
    assert found.target_labels[1] == "는 neun “topic”"
    assert found.target_labels[-1] == "<eos>"
    assert found.as_text().splitlines()[0].startswith("고양이 goyangi “cat”")


def test_its_attention_finds_the_gold_alignment(translator: Translator, corpus: Corpus) -> None:
    pairs = corpus.test
    errors = evaluation.alignment_by_layer(
        translator.model,
        encode_pairs(pairs, translator.source, translator.target),
        [pair.sure for pair in pairs],
        [pair.possible for pair in pairs],
    )
    assert set(errors) == {"decoder.0.cross", "decoder.1.cross"}
    # What attention must beat to have found anything: a diagonal, drawn without reading a word.
    diagonal = evaluation.alignment_error_rate(
        [frozenset((row, row) for row in range(words(pair))) for pair in pairs],
        [pair.sure for pair in pairs],
        [pair.possible for pair in pairs],
    )
    assert min(errors.values()) < 0.2 < diagonal / 2


def words(pair: Pair) -> int:
    """Words on the shorter side."""
    return min(len(pair.source.split()), len(pair.target.split()))
