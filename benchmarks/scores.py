"""Scores, decoders and windows beside each other: the stored runs of chapter 03.

    python benchmarks/scores.py            # what is missing in the results file
    python benchmarks/scores.py --list     # which runs there are

All runs share one model (bidirectional GRU encoder, GRU decoder, width 128); only what a setting
names differs. Results go to transformer_lite/chapters/c03_scoring_functions/scores.json.
"""

import time
from dataclasses import dataclass
from typing import Any

import torch
from stored import run_missing

from transformer_lite import Seq2Seq, Seq2SeqConfig, data
from transformer_lite.data import build_tokenizers, encode_pairs
from transformer_lite.evaluation import alignment_by_layer, free_running, teacher_forced
from transformer_lite.results import CHAPTERS
from transformer_lite.training import TrainingConfig, fit, seed_for

CORPORA: dict[str, dict[str, int]] = {
    "pocket": {},
    "copy": {"shortest": 1, "longest": 20},
    "reverse": {"shortest": 1, "longest": 20},
    "lookup": {"shortest": 1, "longest": 10},
}
RESULTS = CHAPTERS / "c03_scoring_functions" / "scores.json"


@dataclass(frozen=True)
class Setting:
    """One run."""

    task: str
    attention: str | None
    seed: int
    decoder: str = "luong"
    input_feeding: bool = False
    window: str | None = None
    window_radius: int = 2
    steps: int = 1000


def settings() -> list[Setting]:
    """All runs: scores and decoders on `pocket`, position against content, windows, a control."""
    runs = []
    for seed in (1, 2, 3):
        for attention in ("additive", "dot", "scaled_dot", "general", "location", None):
            runs.append(Setting("pocket", attention, seed))
        for attention in ("additive", "general"):
            runs.append(Setting("pocket", attention, seed, decoder="bahdanau"))
        runs.append(Setting("pocket", "general", seed, input_feeding=True))
    for seed in (1, 2):
        for task in ("copy", "lookup"):
            for attention in ("general", "location", None):
                runs.append(Setting(task, attention, seed))
        runs.append(Setting("reverse", "general", seed))
        for task in ("copy", "reverse", "pocket"):
            for window in ("monotonic", "predictive"):
                runs.append(Setting(task, "general", seed, window=window))
    # Is it the window, or too little training?
    runs.append(Setting("copy", "general", 1, window="predictive", steps=4000))
    return runs


def run(setting: Setting) -> dict[str, Any]:
    """Train and score one setting."""
    corpus = data.load(setting.task, train=20_000, seed=0, **CORPORA[setting.task])
    source, target = build_tokenizers(corpus)
    torch.manual_seed(seed_for(setting.seed, 0))
    with_attention: dict[str, Any] = {
        "attention": setting.attention,
        "decoder": setting.decoder,
        "input_feeding": setting.input_feeding,
        "window": setting.window,
        "window_radius": setting.window_radius,
    }
    config = Seq2SeqConfig(
        len(source),
        len(target),
        hidden=128,
        bidirectional=True,
        longest_source=32,
        **(with_attention if setting.attention else {"context": "start"}),
    )
    model = Seq2Seq(config)
    training = TrainingConfig(
        steps=setting.steps, batch_tokens=1024, peak_rate=3e-3, warmup=200, seed=setting.seed
    )
    began = time.perf_counter()
    history = fit(model, encode_pairs(corpus.train, source, target), training)
    seconds = time.perf_counter() - began
    test = corpus.test[:500]
    examples = encode_pairs(test, source, target)
    gold = [pair.sure for pair in test], [pair.possible for pair in test]
    aligned = setting.task == "pocket" and setting.attention is not None
    errors = alignment_by_layer(model, examples, *gold) if aligned else {}
    score = 0 if model.score is None else sum(p.numel() for p in model.score.parameters())
    return {
        "exact_match": free_running(model, examples),
        "teacher_forced_loss": teacher_forced(model, examples).loss,
        "alignment_error": errors.get("decoder.0.cross"),
        "parameters": sum(p.numel() for p in model.parameters()),
        "score_parameters": score,
        "target_tokens": sum(step.target_tokens for step in history),
        "seconds": round(seconds, 1),
    }


if __name__ == "__main__":
    run_missing(RESULTS, __doc__.splitlines()[0], settings(), run)
