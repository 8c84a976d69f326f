"""What holds a Transformer together: √D, one matrix for two, the first weights. Chapter 10's runs.

    python benchmarks/assembly.py            # what is missing in the results file
    python benchmarks/assembly.py --list     # which runs there are

The recipe `pocket` with fewer steps and the plain model; every run reads the same batches as the
others of its seed. Results go to transformer_lite/chapters/c10_transformer/assembly.json.
"""

import time
from dataclasses import dataclass, replace
from typing import Any

import torch
from stored import run_missing
from torch import Tensor, nn

from transformer_lite import Transformer, TransformerConfig, data
from transformer_lite.data import Example, build_tokenizers, collate, encode_pairs
from transformer_lite.evaluation import free_running, teacher_forced
from transformer_lite.results import CHAPTERS
from transformer_lite.runs.recipe import Recipe
from transformer_lite.training import Trainer, seed_for

ROOT = 64**0.5  # √D of the recipe
RESULTS = CHAPTERS / "c10_transformer" / "assembly.json"


@dataclass(frozen=True)
class Setting:
    """One run; the defaults are the package's own form."""

    seed: int
    multiplied: bool = True  # are embeddings multiplied by √D?
    spread: float = 1 / ROOT  # standard deviation of an embedding's entries at the start
    output: str = "tied"  # or "untied", or "divided": tied, its logits divided by √D
    weights: str = "xavier"  # of the layers at the start: or "pytorch", or a standard deviation
    rate: float = 1.0  # how many times as far as Adam says an update moves the embeddings
    steps: int = 400


def settings() -> list[Setting]:
    """All runs."""
    runs = []
    for own in (Setting(1), Setting(2), Setting(3)):
        quiet = replace(own, multiplied=False)
        even = replace(quiet, spread=1.0)  # as long as the package's, without the factor
        tied = [own, quiet, replace(own, spread=1.0), even, replace(even, output="divided")]
        runs += [replace(one, output="untied") for one in tied[:4]]
        tied += [replace(own, weights=start) for start in ("0.02", "1")]
        runs += tied + [replace(one, rate=ROOT) for one in (quiet, tied[4])]
        # PyTorch's own start: of the layers, and of the embeddings too.
        runs += [replace(own, weights="pytorch", spread=spread) for spread in (1 / ROOT, 1.0)]
        if own.seed < 3:  # is it what a setting names, or too little training?
            runs += [replace(one, steps=1200) for one in tied]
    return runs


class Assembled(Transformer):
    """The package's Transformer, put together as a setting says."""

    def __init__(self, config: TransformerConfig, setting: Setting) -> None:
        super().__init__(config)
        self.factor = ROOT if setting.multiplied else 1.0
        self.divisor = ROOT if setting.output == "divided" else 1.0
        for table in (self.source_embedding, self.target_embedding):
            table.weight.data *= setting.spread * ROOT
        parts = [*self.encoder.modules(), *self.decoder.modules()]
        for linear in [part for part in parts if isinstance(part, nn.Linear)]:
            if setting.weights == "pytorch":
                linear.reset_parameters()
            elif setting.weights != "xavier":
                nn.init.normal_(linear.weight, std=float(setting.weights))

    def embed(self, table: nn.Embedding, ids: Tensor, name: str, start: int = 0) -> Tensor:
        """As `Transformer` does, with another factor."""
        return self.dropout(self.positions(table(ids) * self.factor, start))

    def project(self, features: Tensor) -> Tensor:
        """As `Transformer` does, divided."""
        return super().project(features) / self.divisor


@torch.no_grad()
def untrained(model: Assembled, examples: list[Example]) -> dict[str, float]:
    """Mean length of a word (a position's is √(D / 2)), spread of logits, that of the word read."""
    batch = collate(examples)
    words = model.source_embedding(batch.source[batch.source_mask]) * model.factor  # M D
    logits = model.eval()(batch.source, batch.source_mask, batch.target_in)  # B T V
    return {
        "word": words.norm(dim=-1).mean().item(),
        "logits": logits[batch.target_mask].std(-1).mean().item(),
        "logit_read": logits.gather(2, batch.target_in[..., None])[batch.target_mask].mean().item(),
    }


def run(setting: Setting) -> dict[str, Any]:
    """Train and score one setting."""
    recipe = Recipe.load("pocket")
    corpus = data.load(**recipe.task)
    source, target = build_tokenizers(corpus)
    fields = recipe.model | {"tie": "none" if setting.output == "untied" else "target"}
    del fields["kind"]
    torch.manual_seed(seed_for(setting.seed, 0))
    model = Assembled(TransformerConfig(len(source), len(target), **fields), setting)
    test = encode_pairs(corpus.test[:500], source, target)
    found = untrained(model, test) | {"parameters": sum(p.numel() for p in model.parameters())}
    training = replace(recipe.training, steps=setting.steps, seed=setting.seed)
    trainer = Trainer(model, encode_pairs(corpus.train, source, target), training)
    tables = (model.source_embedding.weight, model.target_embedding.weight)
    began, losses, loss = time.perf_counter(), [], {}
    for step in range(setting.steps):
        if step in (0, 100):  # without dropout and smoothing
            loss[step] = round(teacher_forced(model, test).loss, 4)
        before = [table.detach().clone() for table in tables]
        losses.append(trainer.step().loss)
        for table, old in zip(tables, before, strict=True):
            table.data = old.lerp(table.data, setting.rate)
    seconds = round(time.perf_counter() - began, 1)
    loss["end"] = round(teacher_forced(model, test).loss, 4)
    found |= {"training_loss": sum(losses[-50:]) / 50, "exact_match": free_running(model, test)}
    rounded = {name: round(value, 4) for name, value in found.items()}
    return rounded | {"loss": loss, "seconds": seconds}


if __name__ == "__main__":
    run_missing(RESULTS, __doc__.splitlines()[0], settings(), run)
