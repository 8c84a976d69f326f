"""What bugs do on real captions: loss, BLEU and what is written. Chapter 12's stored captions.

    python benchmarks/buggy_captions.py            # what is missing in the results file
    python benchmarks/buggy_captions.py --list     # which runs there are

The recipe `multi30k` for two epochs, with one bug at a time; all runs read the same batches from
the same start. Results go to transformer_lite/chapters/c12_debugging/buggy_captions.json.
"""

import time
from dataclasses import dataclass, replace
from statistics import mean
from typing import Any

import torch
from stored import run_missing

from transformer_lite import TransformerConfig, data, evaluation
from transformer_lite.chapters.c12_debugging.bugs import planted
from transformer_lite.data import build_tokenizers, encode_pairs
from transformer_lite.results import CHAPTERS
from transformer_lite.runs.recipe import Recipe
from transformer_lite.training import Trainer

RESULTS = CHAPTERS / "c12_debugging" / "buggy_captions.json"
SHOWN = (30, 40, 131, 170, 203, 410, 421, 541, 609, 697)  # captions of the test set, from 0


@dataclass(frozen=True)
class Setting:
    """One run."""

    bug: str
    seed: int = 1
    steps: int = 936


def run(setting: Setting) -> dict[str, Any]:
    """Train one model with its bug, score it, and keep a few of its translations."""
    torch.set_num_threads(1)
    recipe = Recipe.load("multi30k")
    corpus = data.load(**recipe.task)
    words = source, target = build_tokenizers(corpus, **recipe.tokenizer)
    examples = encode_pairs(corpus.train, *words, max_tokens=recipe.max_tokens)
    fields = {name: one for name, one in recipe.model.items() if name != "kind"}
    config = TransformerConfig(len(source), len(target), **fields)
    model = planted(setting.bug, config, setting.seed)
    training = replace(recipe.training, steps=setting.steps, seed=setting.seed)
    trainer = Trainer(model, examples, training)
    began = time.perf_counter()
    losses = [trainer.step().loss for _ in range(setting.steps)]
    seconds = round(time.perf_counter() - began, 1)
    model.eval()
    forced = evaluation.teacher_forced(model, encode_pairs(corpus.test, *words))
    written = evaluation.decode_all(model, encode_pairs(corpus.test, *words))
    texts = [target.decode(one.tokens) for one in written]
    bleu = evaluation.bleu(texts, [pair.target for pair in corpus.test], lowercase=True)
    return {
        "training_loss": round(mean(losses[-50:]), 4),
        "test_loss": round(forced.loss, 4),
        "accuracy": round(forced.accuracy, 4),  # of tokens, teacher forced
        "bleu": round(bleu.score, 2),
        "translations": {str(number): texts[number] for number in SHOWN},
        "seconds": seconds,
    }


if __name__ == "__main__":
    bugs = ("no-mask", "right", "mask-blocks-all", "not-scaled")
    run_missing(RESULTS, __doc__.splitlines()[0], [Setting(bug) for bug in bugs], run)
