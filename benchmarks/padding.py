"""What padding costs, and what bucketing and packing save: tokens and time. Chapter 11's counts.

    python benchmarks/padding.py             # what is missing in the results file

An epoch of each recipe, cut into batches of equally many sentences at random, or by length as
`epoch_batches` does; then steps with padding and without it (`fast.packing`), turn by turn on one
thread, in milliseconds of processor time. Results go to
transformer_lite/chapters/c11_training/padding.json.
"""

import time
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Any

import numpy as np
import torch
from stored import machine, run_missing

from transformer_lite import TransformerConfig, data, training
from transformer_lite.data import Batch, build_tokenizers, collate, encode_pairs
from transformer_lite.data.batching import epoch_batches, padding_waste
from transformer_lite.fast import FastTransformer
from transformer_lite.results import CHAPTERS
from transformer_lite.runs.recipe import Recipe

RESULTS = CHAPTERS / "c11_training" / "padding.json"


@dataclass(frozen=True)
class Setting:
    """One recipe; so many steps of each kind are timed."""

    recipe: str
    seed: int = 1
    steps: int = 15


def run(setting: Setting) -> dict[str, Any]:
    """Count and time one recipe."""
    started = time.perf_counter()
    torch.set_num_threads(1)
    recipe = Recipe.load(setting.recipe)
    config, corpus = recipe.training, data.load(**recipe.task)
    words = build_tokenizers(corpus, **recipe.tokenizer)
    examples = encode_pairs(corpus.train, *words, max_tokens=recipe.max_tokens)
    bucketed = epoch_batches(examples, batch_tokens=config.batch_tokens, seed=setting.seed, epoch=0)
    order = np.random.default_rng(setting.seed).permutation(len(examples)).tolist()
    cuts = np.linspace(0, len(order), len(bucketed) + 1).astype(int).tolist()
    at_random = [order[start:end] for start, end in pairwise(cuts)]
    batches = {"random": at_random, "bucketed": bucketed}

    torch.manual_seed(setting.seed)
    fields = {name: value for name, value in recipe.model.items() if name != "kind"}
    sizes = len(words[0]), len(words[1])
    models = {
        form: FastTransformer(TransformerConfig(*sizes, **fields)) for form in ("padded", "packed")
    }
    optimizers = {form: training.adam(model, config) for form, model in models.items()}

    def step(form: str, batch: Batch) -> None:
        model = models[form]
        if form == "padded":
            loss = training.batch_loss(model, batch, config.label_smoothing)
        else:
            sides = batch.source, batch.source_mask, batch.target_in, batch.target_mask
            logits = model.project(model.token_features(*sides))  # N V
            target = batch.target_out[batch.target_mask]
            loss = training.label_smoothed_loss(logits, target, config.label_smoothing)
        optimizers[form].zero_grad()
        (loss / batch.target_tokens).backward()
        optimizers[form].step()

    times: dict[tuple[str, str], list[float]] = {}
    for number in range(setting.steps + 2):  # the first two warm up
        for name, groups in batches.items():
            batch = collate([examples[row] for row in groups[number]])
            for form in models:
                began = time.process_time()
                step(form, batch)
                times.setdefault((name, form), []).append(1000 * (time.process_time() - began))

    real = sum(one.source_length + one.target_length for one in examples)
    found: dict[str, Any] = {"batches": len(bucketed), "real": real, "machine": machine()}
    for name, groups in batches.items():
        waste = padding_waste(examples, groups)
        found[name] = {"padding": round(waste, 4), "positions": round(real / (1 - waste))}
        found[name] |= {form: round(median(times[name, form][2:]), 1) for form in models}  # ms
    return found | {"seconds": round(time.perf_counter() - started, 1)}


if __name__ == "__main__":
    runs = [Setting("pocket", steps=60), Setting("multi30k")]
    run_missing(RESULTS, __doc__.splitlines()[0], runs, run)
