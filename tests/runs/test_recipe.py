"""Recipes: read, checked, written back, and shipped."""

from pathlib import Path
from typing import Any

import pytest

from transformer_lite.runs import checkpoint
from transformer_lite.runs.recipe import Recipe, shipped_recipes

SMALLEST = '[task]\nname = "copy"\n[model]\nkind = "seq2seq"\n'


def load(tmp_path: Path, text: str) -> Recipe:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return Recipe.load(str(path))


def test_the_recipes_that_ship() -> None:
    assert {"pocket", "multi30k"} <= set(shipped_recipes())


@pytest.mark.parametrize("name", shipped_recipes())
def test_a_shipped_recipe_builds_its_model_and_survives_a_round_trip(name: str) -> None:
    recipe = Recipe.load(name)
    assert recipe.task["name"] == name.partition("-")[0]
    assert Recipe.from_dict(recipe.to_dict()) == recipe
    fields = {key: value for key, value in recipe.model.items() if key != "kind"}
    sizes = {"source_vocab": 100, "target_vocab": 100}
    model: Any = checkpoint.build_model(recipe.model["kind"], fields | sizes)
    weights = sum(one.numel() for one in model.parameters())
    assert weights / 4 < model.config.least_weights <= weights


def test_defaults_fill_what_a_recipe_leaves_out(tmp_path: Path) -> None:
    recipe = load(tmp_path, SMALLEST)
    assert recipe.training.steps == 1000 and recipe.training.betas == (0.9, 0.98)
    assert recipe.validation.every == 500 and recipe.max_tokens is None


def test_every_value_arrives(recipe: Recipe, tmp_path: Path) -> None:
    assert recipe.task["letters"] == 4 and recipe.model["d_model"] == 16
    assert recipe.training.steps == 12 and recipe.validation.every == 4
    fast = load(tmp_path, "max_tokens = 9\n" + SMALLEST + "[training]\nbetas = [0.8, 0.9]\n")
    assert fast.max_tokens == 9 and fast.training.betas == (0.8, 0.9)
