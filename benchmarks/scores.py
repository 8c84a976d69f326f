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
WATCH_EVERY = 100  # steps
RESULTS = CHAPTERS / "c03_scoring_functions" / "scores.json"


@dataclass(frozen=True)
class Setting:
    """One run."""

    task: str
    attention: str
    seed: int
    decoder: str = "luong"
    input_feeding: bool = False
    window: str | None = None
    window_radius: int = 2
    divisor: float | None = None
    steps: int = 1000


class DividedScore(DotScore):
    """The dot product, divided by a number of our choice; scaled_dot divides by √128 ≈ 11.3."""

    def __init__(self, divisor: float) -> None:
        super().__init__()
        self.divisor = divisor

    def energies(self, query: Tensor, prepared: Tensor) -> Tensor:
        return super().energies(query, prepared) / self.divisor


def settings() -> list[Setting]:
    """All runs: scores and decoders on `pocket`, position against content, windows, controls.

    "uniform" is the control: the same decoder with a context that never changes.
    """
    runs = []
    for seed in (1, 2, 3):
        for attention in ("additive", "dot", "scaled_dot", "general", "location", "uniform"):
            runs.append(Setting("pocket", attention, seed))
        for attention in ("additive", "general"):
            runs.append(Setting("pocket", attention, seed, decoder="bahdanau"))
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
def watch(model: Seq2Seq, examples: list[Example]) -> dict[str, float]:
    """How far apart the energies lie, and how even the weights are that come of them.

    Mean over target tokens of the energies' standard deviation over the real source tokens, and of
    the weights' entropy, in nats. (A window changes the weights only.)
    """
    batch, attention = collate(examples), model.attention
    assert attention is not None
    seen: list[tuple[Tensor, Tensor]] = []

    def keep(_: Any, inputs: tuple[Tensor, ...], output: tuple[Tensor, Tensor]) -> None:
        seen.append((attention.score.energies(*inputs[:2]), output[1]))

    with attention.register_forward_hook(keep), evaluation_mode(model):
        model.features(batch.source, batch.source_mask, batch.target_in)
    energies, weights = (torch.cat(steps, dim=1) for steps in zip(*seen, strict=True))  # B T S
    real = batch.source_mask[:, None].expand_as(energies)  # B T S
    count = real.sum(-1)  # B T
    mean = (energies * real).sum(-1) / count  # B T
    variance = ((energies - mean[..., None]).square() * real).sum(-1) / count  # B T
    entropy = torch.special.entr(weights).sum(-1)  # B T
    return {
        "deviation": variance.sqrt()[batch.target_mask].mean().item(),
        "entropy": entropy[batch.target_mask].mean().item(),
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
        window_radius=setting.window_radius,
        hidden=128,
        bidirectional=True,
        longest_source=32,
    )
    model = Seq2Seq(config)
    assert model.attention is not None
    if setting.divisor is not None:
        model.attention.score = DividedScore(setting.divisor)
    training = TrainingConfig(
        steps=setting.steps, batch_tokens=1024, peak_rate=3e-3, warmup=200, seed=setting.seed
    )
    began = time.perf_counter()
    trainer = Trainer(model, encode_pairs(corpus.train, source, target), training)
    test = corpus.test[:500]
    examples = encode_pairs(test, source, target)
    history, spread = [], []
    for step in range(setting.steps + 1):
        if step % WATCH_EVERY == 0:
            spread.append({"step": step} | watch(model, examples[:100]))
        if step < setting.steps:
            history.append(trainer.step())
    model.eval()
    seconds = time.perf_counter() - began
    gold = [pair.sure for pair in test], [pair.possible for pair in test]
    errors = alignment_by_layer(model, examples, *gold) if setting.task == "pocket" else {}
    score = sum(p.numel() for p in model.attention.score.parameters())
    return {
        "exact_match": free_running(model, examples),
        "teacher_forced_loss": teacher_forced(model, examples).loss,
        "alignment_error": errors.get("decoder.0.cross"),
        "parameters": sum(p.numel() for p in model.parameters()),
        "score_parameters": score,
        "spread": spread,
        "target_tokens": sum(step.target_tokens for step in history),
        "seconds": round(seconds, 1),
    }


if __name__ == "__main__":
    run_missing(RESULTS, __doc__.splitlines()[0], settings(), run)
