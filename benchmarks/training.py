"""What each habit of training is worth: warm-up, schedule, smoothing, clipping. Chapter 11's runs.

    python benchmarks/training.py            # what is missing in the results file
    python benchmarks/training.py --list     # which runs there are

The recipe `pocket`, with fewer steps and a higher rate, and `multi30k` without smoothing; every run
reads the same batches as the others of its recipe and seed. Each is also scored with the mean of
its last five checkpoints. Results go to transformer_lite/chapters/c11_training/training.json.
"""

import time
from dataclasses import dataclass, replace
from statistics import mean
from typing import Any

import torch
from stored import run_missing
from torch import Tensor

from transformer_lite import TransformerConfig, data, evaluation
from transformer_lite.data import build_tokenizers, encode_pairs
from transformer_lite.fast import FastTransformer
from transformer_lite.results import CHAPTERS
from transformer_lite.runs.recipe import Recipe
from transformer_lite.runs.trainer import SharedTrainer
from transformer_lite.training import seed_for

RESULTS = CHAPTERS / "c11_training" / "training.json"
POINTS = 20  # of a curve


@dataclass(frozen=True)
class Setting:
    """One run: a recipe, with another training, order of the normalisation and dropout."""

    seed: int
    recipe: str = "pocket"
    steps: int = 400
    peak_rate: float = 9e-3
    warmup: int = 100
    schedule: str = "cosine"
    label_smoothing: float = 0.05
    clip: float = 1.0
    norm: str = "pre"
    dropout: float = 0.1


def settings() -> list[Setting]:
    """All runs."""
    runs = []
    for base in (Setting(1), Setting(2), Setting(3)):
        post, high = replace(base, norm="post"), replace(base, peak_rate=27e-3)
        runs += [base, replace(base, warmup=0), post, replace(post, warmup=0)]
        runs += [high, replace(high, warmup=0), replace(high, clip=0.0), replace(base, clip=0.0)]
        runs += [replace(base, schedule=other) for other in ("constant", "inverse_sqrt")]
        runs += [replace(base, peak_rate=3e-3), replace(base, label_smoothing=0.0)]
        runs += [replace(base, dropout=0.0)]
        if base.seed == 1:  # a limit, or too little training?
            runs += [replace(one, steps=1200) for one in (base, runs[3], runs[5])]
    # With smoothing it is the recipe's own run, which multi30k.json has.
    return [*runs, Setting(1, "multi30k", 1872, 2e-3, label_smoothing=0.0)]


def run(setting: Setting) -> dict[str, Any]:
    """Train and score one setting."""
    torch.set_num_threads(1)
    recipe = Recipe.load(setting.recipe)
    corpus = data.load(**recipe.task)
    words = source, target = build_tokenizers(corpus, **recipe.tokenizer)
    fields = recipe.model | {"norm": setting.norm, "dropout": setting.dropout}
    del fields["kind"]
    torch.manual_seed(seed_for(setting.seed, 0))
    model = FastTransformer(TransformerConfig(len(source), len(target), **fields))
    changes = {name: one for name, one in vars(setting).items() if name in vars(recipe.training)}
    training = replace(recipe.training, **changes)
    trainer = SharedTrainer(model, encode_pairs(corpus.train, *words), training)
    stretch = setting.steps // POINTS
    began, losses, last = time.perf_counter(), [], list[dict[str, Tensor]]()
    for step in range(1, setting.steps + 1):
        losses.append(trainer.step().loss)
        if step % stretch == 0 and step > setting.steps - 5 * stretch:
            last.append({name: one.clone() for name, one in model.state_dict().items()})
    found: dict[str, Any] = {"seconds": round(time.perf_counter() - began, 1)}
    starts = range(0, stretch * POINTS, stretch)
    found["losses"] = [round(mean(losses[start : start + stretch]), 3) for start in starts]

    def score() -> dict[str, float]:
        test = corpus.test[:1000]
        written = evaluation.decode_all(model, encode_pairs(test, *words))
        texts, wanted = [target.decode(one.tokens) for one in written], [one.target for one in test]
        valid = evaluation.teacher_forced(model, encode_pairs(corpus.valid, *words)).loss
        if setting.recipe == "pocket":
            quality = {"exact_match": evaluation.exact_match(texts, wanted)}
        else:
            quality = {"bleu": round(evaluation.bleu(texts, wanted, lowercase=True).score, 2)}
        return {"valid_loss": round(valid, 4)} | quality

    found |= score()
    averaged = {name: torch.stack([one[name] for one in last]).mean(0) for name in last[0]}
    model.load_state_dict(averaged)
    return found | {"averaged": score()}


if __name__ == "__main__":
    run_missing(RESULTS, __doc__.splitlines()[0], settings(), run)
