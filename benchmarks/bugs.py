"""What does a bug do to the loss, and to what is written? The stored runs of chapter 12.

    python benchmarks/bugs.py            # what is missing in the results file
    python benchmarks/bugs.py --list     # which runs there are

A small Transformer learns with one bug at a time, on `pocket` and on copying strings of letters;
all runs of one task and seed read the same batches from the same start. Results go to
transformer_lite/chapters/c12_debugging/bugs.json.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from stored import run_missing

from transformer_lite import Transformer, TransformerConfig, data
from transformer_lite.chapters.c12_debugging.bugs import BUGS, RIGHT, Bug, planted
from transformer_lite.data import BOS, EOS, Batch, Example, build_tokenizers, collate, encode_pairs
from transformer_lite.decoding import greedy
from transformer_lite.evaluation import longest_translation
from transformer_lite.results import CHAPTERS
from transformer_lite.training import Trainer, TrainingConfig, batch_loss

RESULTS = CHAPTERS / "c12_debugging" / "bugs.json"


@dataclass(frozen=True)
class Setting:
    """One run."""

    task: str
    bug: str
    seed: int
    steps: int = 400


def settings() -> list[Setting]:
    """All runs."""
    seeds, tasks = (1, 2, 3), ("pocket", "copy")
    runs = [Setting(task, bug, seed) for seed in seeds for task in tasks for bug in BUGS]
    longer = (RIGHT, "mask-blocks-all")  # better at copying, or only sooner?
    return runs + [Setting("copy", bug, seed, steps=800) for bug in longer for seed in seeds]


class Learner(Trainer):
    """A trainer that reads batches as the bug does."""

    def __init__(self, bug: Bug, *rest: Any) -> None:
        super().__init__(*rest)
        self.bug = bug

    def batch(self, rows: Sequence[int]) -> Batch:
        """As `Trainer` does, changed."""
        return self.bug.read(super().batch(rows))


@torch.no_grad()
def score(model: Transformer, bug: Bug, examples: Sequence[Example]) -> dict[str, float]:
    """Loss, and the share of sentences without a mistake, forced and free.

    Sentences stand in batches as they come, short ones beside long ones.
    """
    total, tokens, forced, free = 0.0, 0, [], []
    for start in range(0, len(examples), 100):
        chunk = examples[start : start + 100]
        right = collate(chunk)
        batch = bug.read(right)
        total += batch_loss(model, batch, smoothing=0.0).item()
        tokens += batch.target_tokens
        answers = model(batch.source, batch.source_mask, batch.target_in).argmax(-1)  # B T
        forced += ((answers == right.target_out) | ~right.target_mask).all(1).tolist()
        limit = longest_translation(right.source.shape[1])
        source = (right.source, right.source_mask)
        written = greedy(model, *source, bos=BOS, eos=EOS, max_length=limit)
        free += [[*w.tokens] == e.target for w, e in zip(written, chunk, strict=True)]
    differ = sum(a != b for a, b in zip(forced, free, strict=True))
    count = len(examples)
    return {
        "test_loss": round(total / tokens, 4),
        "forced": sum(forced) / count,
        "free": sum(free) / count,
        "differ": differ / count,
    }


def run(setting: Setting) -> dict[str, Any]:
    """Train one model with its bug and score it."""
    corpus = data.load(setting.task)
    source, target = build_tokenizers(corpus)
    examples = encode_pairs(corpus.train, source, target)
    bug = BUGS[setting.bug]
    config = TransformerConfig(
        len(source), len(target), d_model=64, layers=2, d_ff=128, dropout=0.0
    )
    model = planted(setting.bug, config, setting.seed)
    training = TrainingConfig(
        setting.steps, batch_tokens=512, peak_rate=3e-3, warmup=50, seed=setting.seed
    )
    trainer = Learner(bug, model, examples, training)
    began = time.perf_counter()
    losses = [trainer.step().loss for _ in range(setting.steps)]
    seconds = round(time.perf_counter() - began, 1)
    model.eval()
    test = encode_pairs(corpus.test[:500], source, target)
    found = {"training_loss": round(sum(losses[-50:]) / 50, 4)} | score(model, bug, test)
    return found | {"seconds": seconds}


if __name__ == "__main__":
    run_missing(RESULTS, __doc__.splitlines()[0], settings(), run)
