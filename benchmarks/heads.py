"""Equal parameters, another number of heads: the stored runs of chapter 06.

    python benchmarks/heads.py            # what is missing in the results file
    python benchmarks/heads.py --list     # which runs there are

The recipes `multi30k` and `pocket`, unchanged but for the heads; every run of one recipe reads the
same batches. Each is a run folder under runs/benchmark, where it goes on if it was stopped. Results
go to transformer_lite/chapters/c06_multi_head/heads.json.
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from stored import run_missing

from transformer_lite import data, evaluation, runs
from transformer_lite.data import encode_pairs
from transformer_lite.results import CHAPTERS
from transformer_lite.runs import checkpoint
from transformer_lite.runs.log import METRICS
from transformer_lite.runs.recipe import Recipe

SHOWN = (167, 180, 24)  # captions of the test set that chapters quote
RESULTS = CHAPTERS / "c06_multi_head" / "heads.json"


@dataclass(frozen=True)
class Setting:
    """One run of a recipe with so many heads in every attention."""

    recipe: str
    heads: int
    seed: int


def settings() -> list[Setting]:
    """All runs; `multi30k` with its own four heads is in multi30k.json."""
    pocket = [Setting("pocket", heads, seed) for seed in (1, 2, 3) for heads in (1, 2, 4)]
    return [*pocket, *(Setting("multi30k", 1, seed) for seed in (1, 2, 3))]


def run(setting: Setting) -> dict[str, Any]:
    """Train one and score it."""
    recipe = Recipe.load(setting.recipe)
    recipe = replace(recipe, model=recipe.model | {"heads": setting.heads})
    return score(recipe, setting.seed, f"{setting.recipe}-heads-{setting.heads}")


def score(recipe: Recipe, seed: int, name: str) -> dict[str, Any]:
    """Train on one thread, translate the test sentences greedily, and keep what chapters show.

    The run folder is called by `name` and `seed`.
    """
    recipe = replace(
        recipe,
        training=replace(recipe.training, seed=seed),
        machine=replace(recipe.machine, threads=1),
    )
    folder = Path("runs/benchmark") / f"{name}-{seed}"
    best = checkpoint.load(runs.train(recipe, folder, resume=runs.holds_run(folder)))
    corpus = recipe.task["name"]
    test = data.load(corpus).test
    if corpus == "pocket":
        test = test[:1000]
    decoded = evaluation.decode_all(best.model, encode_pairs(test, best.source, best.target))
    texts = [best.target.decode(one.tokens) for one in decoded]
    references = [pair.target for pair in test]
    steps = [json.loads(line) for line in (folder / METRICS).read_text().splitlines()]
    found = {
        "parameters": sum(p.numel() for p in best.model.parameters()),
        "seconds": round(sum(step["seconds"] for step in steps), 1),
    }
    if corpus == "pocket":
        return found | {"exact_match": evaluation.exact_match(texts, references)}
    found["bleu"] = round(evaluation.bleu(texts, references, lowercase=True).score, 2)
    return found | ({"shown": {str(n): texts[n] for n in SHOWN}} if seed == 1 else {})


if __name__ == "__main__":
    run_missing(RESULTS, __doc__.splitlines()[0], settings(), run)
