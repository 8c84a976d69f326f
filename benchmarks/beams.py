"""Width, length penalty and BLEU on real captions, and beams step by step. Chapter 13's runs.

    python benchmarks/beams.py               # what is missing in the results file
    python benchmarks/beams.py --list        # which runs there are

The recipe `multi30k`, trained with two seeds in runs/benchmark (about 15 minutes each, once, on one
thread), translates the captions of test 2016 by beams of several widths. Results go to
transformer_lite/chapters/c13_decoding/beams.json. A row's `bleu`, `mean` and `half_width` are
sacreBLEU's score and the 95% interval of its bootstrap, not rounded. Beside "runs" stand

- `counts`, for each of the runs in DETAILED six whole numbers a caption, in one text:
  `numpy.array(text.split(), int).reshape(-1, 6)`. They are the lengths of translation and reference
  and the matched 1-, 2-, 3- and 4-grams; BLEU and its interval follow from them;
- `mistakes` and `signatures`: other scores of the same translations, wrong ones and lawful ones;
- `vocabularies`: the score of the greedy ones where words seen less than `least` times are <unk>;
- `below_greedy`: captions of which a beam of 2 (alpha 0) ends with a less probable translation than
  greedy decoding: [number, step at which the beam drops the greedy prefix, log probability and text
  of the greedy one, log probability and text of the beam's]; null: the beam was full before that;
- `trees`: by caption and width the steps of `trace`;
- `captions`: source and reference of those that pages show.
"""

import json
import time
from collections import Counter
from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from pathlib import Path
from statistics import fmean
from typing import Any

import sacrebleu
import torch
from stored import run_missing, written

from transformer_lite import data, runs
from transformer_lite.data import BOS, EOS, Example, collate, encode_pairs
from transformer_lite.decoding import Hypothesis
from transformer_lite.evaluation import decode_all, longest_translation
from transformer_lite.results import CHAPTERS
from transformer_lite.runs import checkpoint
from transformer_lite.runs.checkpoint import SavedModel
from transformer_lite.runs.recipe import Recipe

RESULTS = CHAPTERS / "c13_decoding" / "beams.json"
SHOWN = (24, 26, 32, 167, 202, 392, 470, 498, 588, 618)  # numbers of captions, from 0
TREES, WIDTHS = (470, 618, 498), (1, 2, 3, 5)
EQUAL = 1e-3  # log probabilities that differ by less count as equal
RARE = (2, 5, 10, 50, 100)  # words seen less often in training become <unk> in a mistake
SIGNATURES = (("13a", True), ("13a", False), ("intl", True), ("char", True), ("none", True))


@dataclass(frozen=True)
class Setting:
    """One search over all captions, with the model of one seed."""

    seed: int
    width: int
    alpha: float


GREEDY, BEAM = Setting(1, 1, 0.0), Setting(1, 5, 1.0)
DETAILED = {"greedy": GREEDY, "beam of 5": BEAM} | {
    "greedy, seed 2": replace(GREEDY, seed=2),
    "beam of 5, seed 2": replace(BEAM, seed=2),
}
SETTINGS = [Setting(1, *one) for one in product((1, 2, 3, 5, 10, 20), (0.0, 0.6, 1.0))]
SETTINGS += [replace(one, seed=2) for one in (GREEDY, BEAM)]


@cache
def corpus() -> tuple[data.Corpus, list[str]]:
    """The captions, and the references of the test."""
    captions = data.load("multi30k")
    return captions, [pair.target for pair in captions.test]


@cache
def trained(seed: int) -> tuple[SavedModel, list[Example]]:
    """A model, trained where it was not done, and the test captions in its words."""
    torch.set_num_threads(1)
    recipe, folder = Recipe.load("multi30k"), Path(f"runs/benchmark/multi30k-{seed}")
    training, machine = replace(recipe.training, seed=seed), replace(recipe.machine, threads=1)
    recipe = replace(recipe, training=training, machine=machine)
    saved = checkpoint.load(runs.train(recipe, folder, resume=runs.holds_run(folder)))
    return saved, encode_pairs(corpus()[0].test, saved.source, saved.target)


@cache
def search(setting: Setting) -> tuple[list[Hypothesis], list[str]]:
    """The best hypothesis of every caption, and its text."""
    saved, examples = trained(setting.seed)
    found = decode_all(saved.model, examples, beam_size=setting.width, alpha=setting.alpha)
    return found, [saved.target.decode(one.tokens) for one in found]


def run(setting: Setting) -> dict[str, Any]:
    """Search and score."""
    trained(setting.seed)
    began = time.perf_counter()
    found, texts = search(setting)
    seconds = round(time.perf_counter() - began, 1)
    greedy, _ = search(Setting(setting.seed, 1, 0.0))
    gains = [a.log_probability - b.log_probability for a, b in zip(found, greedy, strict=True)]
    metric = sacrebleu.BLEU(lowercase=True)
    bleu = metric.corpus_score(texts, [corpus()[1]], n_bootstrap=1000)
    return {
        "seconds": seconds,
        "bleu": bleu.score,
        "mean": bleu._mean,
        "half_width": bleu._ci,
        "signature": str(metric.get_signature()),
        "length_ratio": round(bleu.sys_len / bleu.ref_len, 4),
        "log_probability": round(fmean(one.log_probability for one in found), 4),
        "above_greedy": sum(gain > EQUAL for gain in gains),
        "below_greedy": sum(gain < -EQUAL for gain in gains),
        "unfinished": sum(not one.finished for one in found),
        "shown": {number: texts[number] for number in SHOWN},
    }


def scores(texts: list[str]) -> dict[str, Any]:
    """Each caption's counts, and other scores of the same translations."""
    pairs = [*zip(texts, corpus()[1], strict=True)]
    smoothed, plain = (
        [sacrebleu.sentence_bleu(a, [b], lowercase=True, smooth_method=how) for a, b in pairs]
        for how in ("exp", "none")
    )
    metrics = [sacrebleu.BLEU(tokenize=name, lowercase=low) for name, low in SIGNATURES]
    lawful = [metric.corpus_score(texts, [corpus()[1]]).score for metric in metrics]
    numbers = [number for it in smoothed for number in (it.sys_len, it.ref_len, *it.counts)]
    return {
        "counts": " ".join(map(str, numbers)),
        "mistakes": {
            "mean_of_sentences": fmean(one.score for one in smoothed),
            "mean_of_sentences_unsmoothed": fmean(one.score for one in plain),
        },
        "signatures": {str(a.get_signature()): b for a, b in zip(metrics, lawful, strict=True)},
    }


def vocabularies(texts: list[str]) -> list[dict[str, float]]:
    """The score where rare words are <unk>, on both sides or in the references alone."""
    captions, references = corpus()
    split = sacrebleu.BLEU().tokenizer
    seen = Counter(word for pair in captions.train for word in split(pair.target.lower()).split())
    of_words = sacrebleu.BLEU(tokenize="none", force=True)  # they are split already
    sides = [[split(text.lower()).split() for text in side] for side in (texts, references)]
    whole = [" ".join(words) for words in sides[0]]
    found = []
    for least in RARE:
        known = {word for word, times in seen.items() if times >= least}
        ours, theirs = (
            [" ".join(one if one in known else "<unk>" for one in words) for words in side]
            for side in sides
        )
        both, reference = (of_words.corpus_score(one, [theirs]).score for one in (ours, whole))
        found.append({"least": least, "words": len(known), "both": both, "reference": reference})
    return found


@torch.inference_mode()
def trace(number: int, width: int) -> list[list[tuple[str, float, str]]]:
    """A beam (alpha 0) over one caption: for each step its 2 · width best prefixes, best first.

    Each with its log probability and its fate: kept, ended or dropped; when `width` have ended
    nobody goes on.
    """
    saved, examples = trained(1)
    batch = collate([examples[number]])
    state = saved.model.start(saved.model.encode(batch.source, batch.source_mask))
    totals, newest, prefixes, ended = torch.zeros(1), torch.tensor([BOS]), [""], 0
    steps: list[list[tuple[str, float, str]]] = []
    while ended < width and len(steps) < longest_translation(batch.source.shape[1]):
        logits, state = saved.model.step(state, newest)
        totals, places = (totals[:, None] + logits.log_softmax(-1)).flatten().topk(2 * width)
        rows, tokens = places // logits.shape[1], places % logits.shape[1]
        names = zip(rows.tolist(), saved.target.tokens(tokens.tolist()), strict=True)
        prefixes = [f"{prefixes[row]} {name}".strip() for row, name in names]
        kept = (tokens != EOS).nonzero()[:width, 0].tolist()
        leaving = (tokens[:width] == EOS).nonzero()[: width - ended, 0].tolist()
        fates = dict.fromkeys(range(2 * width), "dropped")
        fates |= dict.fromkeys(kept, "kept") | dict.fromkeys(leaving, "ended")
        logs = [round(total, 4) for total in totals.tolist()]
        steps.append([*zip(prefixes, logs, fates.values(), strict=True)])
        ended += len(leaving)
        state, totals, newest = state.select(rows[kept]), totals[kept], tokens[kept]
        prefixes = [prefixes[place] for place in kept]
    return steps


def below_greedy() -> list[list[Any]]:
    """The captions of which a beam of 2 ends below greedy decoding."""
    found, target = [], trained(1)[0].target
    both = (search(Setting(1, width, 0.0))[0] for width in (1, 2))
    for number, (one, other) in enumerate(zip(*both, strict=True)):
        worse = one.log_probability - other.log_probability > EQUAL
        if worse and one.finished and other.finished:
            steps = trace(number, 2)
            staying = {prefix for step in steps for prefix, _, fate in step if fate != "dropped"}
            names = target.tokens([*one.tokens, EOS])[: len(steps)]
            lost = (n for n in range(1, len(names) + 1) if " ".join(names[:n]) not in staying)
            ends = [(round(it.log_probability, 4), target.decode(it.tokens)) for it in (one, other)]
            found.append([number, next(lost, None), *ends[0], *ends[1]])
    return found


def details() -> dict[str, Any]:
    """All that stands beside the runs."""
    of_each = {name: scores(search(setting)[1]) for name, setting in DETAILED.items()}
    test = corpus()[0].test
    return {
        **{part: {name: one[part] for name, one in of_each.items()} for part in of_each["greedy"]},
        "vocabularies": vocabularies(search(GREEDY)[1]),
        "below_greedy": below_greedy(),
        "trees": {number: {width: trace(number, width) for width in WIDTHS} for number in TREES},
        "captions": {number: [test[number].source, test[number].target] for number in SHOWN},
    }


if __name__ == "__main__":
    run_missing(RESULTS, __doc__.splitlines()[0], SETTINGS, run)
    stored = json.loads(RESULTS.read_text(encoding="utf-8"))
    if len(stored["runs"]) == len(SETTINGS) and "trees" not in stored:
        RESULTS.write_text(written(stored | details()), encoding="utf-8")
