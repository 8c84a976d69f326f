"""Multi30k, German → English: learning rates, the ladder of models, longer runs.

    python benchmarks/multi30k.py                          # run what is missing; print the tables
    python benchmarks/multi30k.py --list                   # which runs there are
    python benchmarks/multi30k.py --only multi30k-additive # some of them

Every run is a recipe that ships with the package (`transformer-lite train RECIPE --seed SEED`), in
a run folder under runs/benchmark, where it goes on if it was stopped. The learning rate of each
step of the ladder is half of that which did best, by the loss on the validation sentences, in runs
of half an epoch: a run ten times as long wants a lower one. Nothing is chosen by the test
sentences: they are translated with the checkpoint of the lowest validation loss, and with the mean
of the last ones.
Results go to transformer_lite/chapters/c16_translation/multi30k.json.
"""

import json
import re
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from statistics import median
from typing import Any

import sacrebleu
from stored import machine, run_missing

from transformer_lite import data, evaluation, runs
from transformer_lite.data import Corpus, encode_pairs
from transformer_lite.results import CHAPTERS
from transformer_lite.runs import checkpoint
from transformer_lite.runs.checkpoint import SavedModel
from transformer_lite.runs.log import METRICS, VALIDATION
from transformer_lite.runs.recipe import Recipe

LADDER = ("multi30k-start", "multi30k-each-step", "multi30k-additive", "multi30k-dot", "multi30k")
OTHERS = (
    "multi30k-untied", "multi30k-ten", "multi30k-twenty", "multi30k-forty", "multi30k-decay",
)  # fmt: skip
RATES = (1e-3, 2e-3, 4e-3, 8e-3)
RATE_STEPS = 234  # half an epoch
BINS = ((1, 8), (9, 11), (12, 14), (15, 18), (19, 99))  # source words
RESULTS = CHAPTERS / "c16_translation" / "multi30k.json"


@dataclass(frozen=True)
class Setting:
    """One run of a recipe; with `rate` a short one, to choose the recipe's rate."""

    recipe: str
    seed: int = 1
    rate: float | None = None


def settings() -> list[Setting]:
    """All runs."""
    rates = [Setting(recipe, rate=rate) for recipe in LADDER for rate in RATES]
    ladder = [Setting(recipe) for recipe in LADDER]
    seeds = [Setting("multi30k", 2), Setting("multi30k", 3), Setting("multi30k-decay", 2)]
    return [*rates, *ladder, *seeds, *(Setting(recipe) for recipe in OTHERS)]


def run(setting: Setting) -> dict[str, Any]:
    """Train and score one setting."""
    recipe = Recipe.load(setting.recipe)
    training = replace(recipe.training, seed=setting.seed)
    if setting.rate is not None:
        training = replace(training, peak_rate=setting.rate, steps=RATE_STEPS)
    recipe = replace(recipe, training=training)
    name = "-".join(str(one) for one in vars(setting).values() if one is not None)
    folder = Path("runs/benchmark") / name
    best = checkpoint.load(runs.train(recipe, folder, resume=runs.holds_run(folder)))
    steps = read_lines(folder / METRICS)
    validation = read_lines(folder / VALIDATION)
    chosen = min(validation, key=lambda row: float(row["loss"]))
    found = {
        "parameters": sum(p.numel() for p in best.model.parameters()),
        "threads": recipe.machine.threads,
        "precision": training.precision,
        "peak_rate": training.peak_rate,
        "steps": training.steps,
        "target_tokens": sum(row["target_tokens"] for row in steps),
        "seconds": round(sum(row["seconds"] for row in steps), 1),
        "median_step_ms": round(1000 * median(row["seconds"] for row in steps)),
        "valid_loss": round(chosen["loss"], 4),
        "valid_bleu": round(chosen["bleu"], 2),
        "machine": machine(),
    }
    if setting.rate is not None:
        return found
    seconds = list(accumulate(row["seconds"] for row in steps))
    curve = [
        {
            "step": row["step"],
            "seconds": round(seconds[row["step"] - 1], 1),
            "valid_loss": round(row["loss"], 4),
            "valid_bleu": round(row["bleu"], 2),
        }
        for row in validation
    ]
    corpus = data.load("multi30k")
    translations = translate(best, corpus)
    test = {
        "greedy": score(translations, corpus),
        "beam of 5": score(translate(best, corpus, beam_size=5), corpus),
    }
    count = recipe.validation.keep
    if count > 2:  # asked for in order to average
        mean = checkpoint.average(runs.scheduled_checkpoints(folder)[-count:])
        name = f"mean of {count} checkpoints"
        test[name] = score(translate(mean, corpus), corpus)
        test[f"{name}, beam of 5"] = score(translate(mean, corpus, beam_size=5), corpus)
    return found | {"curve": curve, "test": test, "translations": translations}


def translate(saved: SavedModel, corpus: Corpus, beam_size: int = 1) -> list[str]:
    """The test sentences in the model's words."""
    examples = encode_pairs(corpus.test, saved.source, saved.target)
    decoded = evaluation.decode_all(saved.model, examples, beam_size=beam_size)
    return [saved.target.decode(one.tokens) for one in decoded]


def score(texts: list[str], corpus: Corpus) -> dict[str, Any]:
    """Compare translations of the test sentences with the references."""
    references = [pair.target for pair in corpus.test]
    bleu = evaluation.bleu(texts, references, lowercase=True)
    by_length = []
    for low, high in BINS:
        rows = [i for i, pair in enumerate(corpus.test) if low <= len(pair.source.split()) <= high]
        part = evaluation.bleu(
            [texts[i] for i in rows], [references[i] for i in rows], lowercase=True
        )
        by_length.append(
            {"words": [low, high], "sentences": len(rows), "bleu": round(part.score, 2)}
        )
    return {
        "bleu": round(bleu.score, 2),
        "half_width": half_width(texts, references),
        "signature": bleu.signature,
        "word_tokenised": round(word_tokenised(texts, references), 2),
        "by_source_length": by_length,
        "stutters": sum(stutters(text) for text in texts),
        "stutters_in_references": sum(stutters(text.lower()) for text in references),
        "words": sum(len(words(text)) for text in texts),
        "words_in_references": sum(len(words(text)) for text in references),
    }


def report() -> None:
    """What is stored, as tables: scores, BLEU by source length, BLEU by minutes of training."""
    stored = {
        f"{run['recipe']}, {run['seed']}": run
        for run in json.loads(RESULTS.read_text(encoding="utf-8"))["runs"]
        if run["rate"] is None
    }
    print("recipe, seed               parameters    tokens  minutes  valid   test  beam 5  words")
    for name, run in stored.items():
        greedy, beam, *means = run["test"].values()
        print(
            f"{name:26} {run['parameters']:10,} {run['target_tokens']:9,}"
            f" {run['seconds'] / 60:8.1f} {run['valid_bleu']:6.2f}"
            f" {greedy['bleu']:6.2f} {beam['bleu']:7.2f} {greedy['word_tokenised']:6.2f}"
        )
        if means:
            print(f"{'  the mean of its last checkpoints':64}", end="")
            print(f"{means[0]['bleu']:6.2f} {means[1]['bleu']:7.2f}")
    print("stutters in 1,000 sentences, greedy and with a beam")
    for name, run in stored.items():
        greedy, beam, *_ = run["test"].values()
        print(f"{name:26} {greedy['stutters']:5} {beam['stutters']:5}")
    print("test BLEU by source words  " + "".join(f"{f'{low}–{high}':>8}" for low, high in BINS))
    for name, run in stored.items():
        parts = run["test"]["greedy"]["by_source_length"]
        print(f"{name:26} " + "".join(f"{part['bleu']:8.2f}" for part in parts))
    print("validation BLEU by minutes of training")
    for name, run in stored.items():
        points = (f"{one['seconds'] / 60:.1f}: {one['valid_bleu']:.1f}" for one in run["curve"])
        print(f"{name:26} " + "  ".join(points))


def half_width(texts: list[str], references: list[str]) -> float:
    """Half of the 95% interval of a bootstrap over the captions."""
    metric = sacrebleu.BLEU(lowercase=True)
    return round(metric.corpus_score(texts, [references], n_bootstrap=1000)._ci, 2)


def words(text: str) -> list[str]:
    """Words and punctuation marks, lower-cased: what the published ladder counts (about)."""
    return re.findall(r"\w+|[^\w\s]", text.lower())


def word_tokenised(texts: list[str], references: list[str]) -> float:
    """BLEU in the manner of the published ladder: of words that were split before."""
    split = [[" ".join(words(text)) for text in side] for side in (texts, references)]
    metric = sacrebleu.BLEU(tokenize="none", force=True)
    return float(metric.corpus_score(split[0], [split[1]]).score)


def stutters(text: str) -> bool:
    """Whether a word begins with the whole word before it, or a letter stands four times in a row.

    Such as "ter terrier", "a rock rock" or "a cccccc".
    """
    return re.search(r"\b(\w{2,}) \1|(\w)\2{3}", text) is not None


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The rows of a log of a run."""
    return [json.loads(line) for line in path.read_text().splitlines()]


if __name__ == "__main__":
    run_missing(RESULTS, __doc__.splitlines()[0], settings(), run)
    report()
