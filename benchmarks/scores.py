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
from torch import Tensor

from transformer_lite import Seq2Seq, Seq2SeqConfig, data
from transformer_lite.data import Example, build_tokenizers, collate, encode_pairs
from transformer_lite.decoding import evaluation_mode
from transformer_lite.evaluation import alignment_by_layer, free_running, teacher_forced
from transformer_lite.results import CHAPTERS
from transformer_lite.scores import DotScore
from transformer_lite.training import Trainer, TrainingConfig, seed_for

CORPORA: dict[str, dict[str, int]] = {
    "pocket": {},
    "copy": {"shortest": 1, "longest": 20},
    "reverse": {"shortest": 1, "longest": 20},
    "lookup": {"shortest": 1, "longest": 10},
}
WATCHED = (0, 50, *range(100, 1001, 100))  # steps
WIDTH = 128
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
    divisor: float | None = None
    steps: int = 1000


class DividedScore(DotScore):
    """The dot product, divided by a number of our choice; scaled_dot divides by √128 ≈ 11.3."""

    def __init__(self, divisor: float) -> None:
        super().__init__()
        self.divisor = divisor

    def energies(self, query: Tensor, prepared: Tensor) -> Tensor:
        """Smaller or larger than a dot product, in the same order."""
        return super().energies(query, prepared) / self.divisor


def settings() -> list[Setting]:
    """All runs: scores and decoders on `pocket`, position against content, windows, controls.

    Controls: "uniform" is the same decoder with a context that never changes, None one without.
    """
    runs = []
    for seed in (1, 2, 3):
        for attention in ("additive", "dot", "scaled_dot", "general", "location", "uniform", None):
            runs.append(Setting("pocket", attention, seed))
        runs.append(Setting("pocket", "general", seed, decoder="bahdanau"))
        runs.append(Setting("pocket", "general", seed, input_feeding=True))
        for divisor in (4.0, 32.0):
            runs.append(Setting("pocket", "dot", seed, divisor=divisor))
    for seed in (1, 2):
        for task in ("copy", "lookup"):
            for attention in ("general", "location", "uniform"):
                runs.append(Setting(task, attention, seed))
        runs.append(Setting("reverse", "general", seed))
        for task in ("copy", "reverse", "pocket"):
            for window in ("monotonic", "predictive"):
                runs.append(Setting(task, "general", seed, window=window))
    # Is it the window, or too little training?
    runs.append(Setting("copy", "general", 1, window="predictive", steps=4000))
    return runs


@torch.no_grad()
def watch(model: Seq2Seq, examples: list[Example], divisor: float) -> dict[str, float]:
    """How even the weights of a dot product are, and whether training can still move them.

    Over all target tokens: the mean entropy of the weights, in nats; the median size of their
    derivative with respect to the query; the share of tokens where it is below 0.01.
    """
    batch, attention = collate(examples), model.attention
    assert attention is not None
    seen: list[tuple[Tensor, Tensor]] = []
    hook = attention.register_forward_hook(lambda _, given, out: seen.append((given[1], out[1])))
    with evaluation_mode(model):
        model.features(batch.source, batch.source_mask, batch.target_in)
    hook.remove()
    ((keys, weights),) = seen  # B S D, B T S
    a = weights[batch.target_mask]  # N S
    k = keys.repeat_interleave(batch.target_mask.sum(1), dim=0)  # N S D
    mean = a[:, None] @ k  # N 1 D
    sizes = (a[..., None] * (k - mean) / divisor).flatten(1).norm(dim=1)  # JK/τ, N
    return {
        "entropy": torch.special.entr(a).sum(-1).mean().item(),
        "median_gradient": sizes.median().item(),
        "stuck": (sizes < 0.01).float().mean().item(),
    }


def run(setting: Setting) -> dict[str, Any]:
    """Train and score one setting."""
    corpus = data.load(setting.task, train=20_000, seed=0, **CORPORA[setting.task])
    source, target = build_tokenizers(corpus)
    torch.manual_seed(seed_for(setting.seed, 0))
    config = Seq2SeqConfig(
        len(source),
        len(target),
        attention=setting.attention,
        decoder=setting.decoder,
        input_feeding=setting.input_feeding,
        window=setting.window,
        hidden=WIDTH,
        bidirectional=True,
        longest_source=32,
    )
    model = Seq2Seq(config)
    divisor = setting.divisor or {"dot": 1.0, "scaled_dot": WIDTH**0.5}.get(setting.attention or "")
    if setting.divisor is not None and model.attention is not None:
        model.attention.score = DividedScore(setting.divisor)
    training = TrainingConfig(
        steps=setting.steps, batch_tokens=1024, peak_rate=3e-3, warmup=200, seed=setting.seed
    )
    began = time.perf_counter()
    trainer = Trainer(model, encode_pairs(corpus.train, source, target), training)
    test = corpus.test[:500]
    examples = encode_pairs(test, source, target)
    history, watched = [], []
    for step in range(setting.steps + 1):
        if divisor is not None and step in WATCHED:
            watched.append({"step": step} | watch(model, examples[:100], divisor))
        if step < setting.steps:
            history.append(trainer.step())
    model.eval()
    seconds = time.perf_counter() - began
    gold = [pair.sure for pair in test], [pair.possible for pair in test]
    looks = setting.attention not in (None, "uniform") and setting.task == "pocket"
    errors = alignment_by_layer(model, examples, *gold) if looks else {}
    score = sum(p.numel() for p in model.attention.score.parameters()) if model.attention else 0
    return {
        "exact_match": free_running(model, examples),
        "teacher_forced_loss": teacher_forced(model, examples).loss,
        "alignment_error": errors.get("decoder.0.cross"),
        "parameters": sum(p.numel() for p in model.parameters()),
        "score_parameters": score,
        "watched": watched,
        "target_tokens": sum(step.target_tokens for step in history),
        "seconds": round(seconds, 1),
    }


if __name__ == "__main__":
    run_missing(RESULTS, __doc__.splitlines()[0], settings(), run)
