"""A few captions of Multi30k's test set, as the recurrent models of the ladder translate them.

    python benchmarks/captions.py

The corpus does not ship with the course, so the captions that chapters 01 and 02 show are stored,
with the translations of `benchmarks/multi30k.py` and the attention map of a model trained again by
the recipe multi30k-additive, in runs/benchmark (about 11 minutes, once). Results go to
transformer_lite/chapters/c01_bottleneck/captions.json.
"""

import json
import platform
from pathlib import Path
from typing import Any

import torch
from stored import written

from transformer_lite import Translator, data, runs
from transformer_lite.results import CHAPTERS
from transformer_lite.runs import checkpoint
from transformer_lite.runs.log import METRICS, VALIDATION
from transformer_lite.runs.recipe import Recipe

RESULTS = CHAPTERS / "c01_bottleneck" / "captions.json"
LADDER = CHAPTERS / "c16_translation" / "multi30k.json"
RECIPES = ("multi30k-start", "multi30k-each-step", "multi30k-additive")
SHOWN = (778, 464, 890, 697, 410, 203, 63, 810)  # numbers of test sentences, from 0


def main() -> None:
    """Train where it was not done, translate, store."""
    torch.set_num_threads(1)
    folder = Path("runs/benchmark/multi30k-additive-1")
    recipe = Recipe.load("multi30k-additive")
    best = runs.train(recipe, folder, resume=runs.holds_run(folder))
    translator = Translator(checkpoint.load(best))
    steps = [json.loads(line) for line in (folder / METRICS).read_text().splitlines()]
    loss = min(json.loads(line)["loss"] for line in (folder / VALIDATION).read_text().splitlines())
    pairs = data.load("multi30k").test
    translations = stored_translations()
    rows: list[dict[str, Any]] = []
    for number in SHOWN:
        explanation = translator.explain(pairs[number].source)
        target, source, weights = explanation.by_word()
        rows.append(
            {
                "seed": recipe.training.seed,
                "seconds": round(sum(step["seconds"] for step in steps), 1),
                "valid_loss": round(loss, 4),
                "sentence": number,
                "source": pairs[number].source,
                "target": pairs[number].target,
                "output": {recipe: translations[recipe][number] for recipe in RECIPES},
                "map": {
                    "translation": explanation.translation,
                    "source": source,
                    "target": target,
                    "weights": [[round(one, 3) for one in row] for row in weights.tolist()],
                },
            }
        )
    stored = {
        "command": "python benchmarks/captions.py",
        "versions": {"torch": torch.__version__, "python": platform.python_version()},
        "runs": rows,
    }
    RESULTS.write_text(written(stored), encoding="utf-8")


def stored_translations() -> dict[str, list[str]]:
    """What each recipe's run, of seed 1, made of all test sentences."""
    stored = json.loads(LADDER.read_text(encoding="utf-8"))["runs"]
    return {
        run["recipe"]: run["translations"]
        for run in stored
        if run["recipe"] in RECIPES and run["seed"] == 1 and run["rate"] is None
    }


if __name__ == "__main__":
    main()
