"""What each habit of training is worth: warm-up, schedule, smoothing, clipping. Chapter 11's runs.

    python benchmarks/training.py            # what is missing in the results file
    python benchmarks/training.py --list     # which runs there are

The recipes `pocket`, with fewer steps and a higher rate, and `multi30k`; every run reads the same
batches as the others of its recipe and seed. Each is also scored with the mean of its last five
checkpoints. Results go to transformer_lite/chapters/c11_training/training.json.
"""

import time
from dataclasses import dataclass, replace
from statistics import mean, median
from typing import Any

import torch
from stored import run_missing
from torch import Tensor

from transformer_lite import TransformerConfig, data, evaluation
from transformer_lite.data import Batch, build_tokenizers, encode_pairs
from transformer_lite.fast import FastTransformer
from transformer_lite.results import CHAPTERS
from transformer_lite.runs.recipe import Recipe
from transformer_lite.runs.trainer import SharedTrainer
from transformer_lite.training import seed_for

RESULTS = CHAPTERS / "c11_training" / "training.json"
POINTS = 20  # of a curve


@dataclass(frozen=True)
class Setting:
    """One run."""

    seed: int
    recipe: str = "pocket"
    steps: int = 400
    rate: float = 9e-3  # at its peak
    warmup: int = 100
    schedule: str = "cosine"
    smoothing: float = 0.05
    clip: float = 1.0
    norm: str = "pre"


def settings() -> list[Setting]:
    """All runs."""
    runs = []
    for base in (Setting(1), Setting(2), Setting(3)):
        post, high = replace(base, norm="post"), replace(base, rate=27e-3)
        runs += [base, replace(base, warmup=0), post, replace(post, warmup=0)]
        runs += [high, replace(high, warmup=0), replace(high, clip=0.0), replace(base, rate=3e-3)]
        runs += [replace(base, schedule=other) for other in ("constant", "inverse_sqrt")]
        runs += [replace(base, smoothing=0.0), replace(base, clip=0.0)]
    first = Setting(1, steps=1200)  # a limit, or too little training?
    runs += [first, replace(first, warmup=0, norm="post"), replace(first, warmup=0, rate=27e-3)]
    captions = Setting(1, "multi30k", steps=1872, rate=2e-3, smoothing=0.1)  # the recipe's own
    return [*runs, captions, replace(captions, smoothing=0.0), replace(captions, warmup=0)]


class Watched(SharedTrainer):
    """A trainer that keeps the norm of each gradient, as it was before clipping."""

    def backward(self, batch: Batch) -> tuple[float, int]:
        """As in `SharedTrainer`."""
        found = super().backward(batch)
        gradients = [one.grad for one in self.model.parameters() if one.grad is not None]
        self.norms = [*getattr(self, "norms", []), torch.nn.utils.get_total_norm(gradients).item()]
        return found


def run(setting: Setting) -> dict[str, Any]:
    """Train and score one setting."""
    torch.set_num_threads(1)
    recipe = Recipe.load(setting.recipe)
    corpus = data.load(**recipe.task)
    words = source, target = build_tokenizers(corpus, **recipe.tokenizer)
    fields = recipe.model | {"norm": setting.norm}
    del fields["kind"]
    torch.manual_seed(seed_for(setting.seed, 0))
    model = FastTransformer(TransformerConfig(len(source), len(target), **fields))
    training = replace(
        recipe.training, seed=setting.seed, steps=setting.steps, peak_rate=setting.rate,
        warmup=setting.warmup, schedule=setting.schedule,  # type: ignore[arg-type]
        label_smoothing=setting.smoothing, clip=setting.clip,
    )  # fmt: skip
    train = encode_pairs(corpus.train, *words, max_tokens=recipe.max_tokens)
    trainer = Watched(model, train, training)
    stretch = setting.steps // POINTS
    began, losses, last = time.perf_counter(), [], list[dict[str, Tensor]]()
    for step in range(1, setting.steps + 1):
        losses.append(trainer.step().loss)
        if step % stretch == 0 and step > setting.steps - 5 * stretch:
            last.append({name: one.clone() for name, one in model.state_dict().items()})
    found: dict[str, Any] = {"seconds": round(time.perf_counter() - began, 1)}
    starts = range(0, setting.steps - stretch + 1, stretch)
    found["losses"] = [round(mean(losses[start : start + stretch]), 3) for start in starts]
    found["norms"] = [round(median(trainer.norms[start : start + stretch]), 3) for start in starts]
    found["above_1"] = round(mean(norm > 1 for norm in trainer.norms), 3)  # share of the norms

    def score() -> dict[str, float]:
        examples = encode_pairs(corpus.test[:1000], *words)
        written = [target.decode(one.tokens) for one in evaluation.decode_all(model, examples)]
        wanted = [pair.target for pair in corpus.test[:1000]]
        valid = evaluation.teacher_forced(model, encode_pairs(corpus.valid, *words))
        quality = {"valid_loss": valid.loss, "exact_match": evaluation.exact_match(written, wanted)}
        if setting.recipe != "pocket":
            quality["bleu"] = evaluation.bleu(written, wanted, lowercase=True).score
        return {name: round(one, 4) for name, one in quality.items()}

    found |= score()
    averaged = {name: torch.stack([one[name] for one in last]).mean(0) for name in last[0]}
    model.load_state_dict(averaged)
    return found | {"averaged": score()}


if __name__ == "__main__":
    run_missing(RESULTS, __doc__.splitlines()[0], settings(), run)
