"""A training run small enough for tests: copying strings of four letters, in twelve steps."""

from pathlib import Path

import pytest

from transformer_lite import runs
from transformer_lite.runs.recipe import Recipe

RECIPE = """
[task]
name = "copy"
letters = 4
shortest = 2
longest = 4
train = 100
valid = 8
test = 8

[model]
kind = "transformer"
d_model = 16
heads = 2
layers = 1
d_ff = 16
dropout = 0.1

[training]
steps = 12
batch_tokens = 64
warmup = 4
peak_rate = 3e-3
label_smoothing = 0.1

[validation]
every = 4
sentences = 4
"""


@pytest.fixture(scope="session")
def recipe_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recipe") / "tiny.toml"
    path.write_text(RECIPE)
    return path


@pytest.fixture(scope="session")
def recipe(recipe_file: Path) -> Recipe:
    return Recipe.load(str(recipe_file))


@pytest.fixture(scope="session")
def unbroken(recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that nothing disturbed; tests only read it."""
    folder = tmp_path_factory.mktemp("unbroken") / "run"
    runs.train(recipe, folder, progress=False)
    return folder
