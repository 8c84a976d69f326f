"""Where the order comes from, and what it is worth beyond the trained length: chapter 05's runs.

    python benchmarks/positions.py            # what is missing in the results file
    python benchmarks/positions.py --list     # which runs there are

Every model trains on random strings of 3 to 12 letters and is then scored on 200 new strings of
each of several lengths, most of them longer. Results go to
transformer_lite/chapters/c05_positions/positions.json.
"""

import math
import time
from dataclasses import dataclass
from typing import Any

import torch
from stored import run_missing
from torch import Tensor, nn

from transformer_lite import Seq2Seq, Seq2SeqConfig, Transformer, TransformerConfig, data
from transformer_lite.attention import MultiHeadAttention
from transformer_lite.data import build_tokenizers, encode_pairs
from transformer_lite.evaluation import free_running
from transformer_lite.positions import sinusoidal
from transformer_lite.results import CHAPTERS
from transformer_lite.scope import Scope
from transformer_lite.training import TrainingConfig, fit, seed_for
from transformer_lite.transformer import initialise

WIDTH = 64
LENGTHS = (4, 8, 12, 13, 14, 16, 20, 24)  # trained: 3 to 12
TESTS = 200  # strings of each length
POSITIONS = 64  # in a table: the longest string, and room for a model that writes too much
FURTHEST = 20  # where a training sentence may start with "shifted" positions
RESULTS = CHAPTERS / "c05_positions" / "positions.json"


@dataclass(frozen=True)
class Setting:
    """One run.

    "recurrence" is chapter 02's model, in which each state comes from the last; "large" and "small"
    are the sinusoidal table times √D and divided by it.
    """

    task: str
    positions: str
    seed: int
    spread: float = WIDTH**-0.5  # standard deviation of an embedding's entries at the start
    steps: int = 1000


def settings() -> list[Setting]:
    """All runs: kinds of positions, two remedies, and embeddings of the wrong size."""
    kinds = ("recurrence", "none", "sinusoidal", "learned", "triangle")
    tasks = ("reverse", "copy")
    runs = [Setting(task, kind, seed) for seed in (1, 2, 3) for task in tasks for kind in kinds]
    remedies = ("shifted", "rotary")
    runs += [Setting(task, kind, seed) for seed in (1, 2) for task in tasks for kind in remedies]
    for seed in (1, 2):
        # Embeddings √D too large. Is it their ratio to the positions, or their size?
        runs.append(Setting("reverse", "sinusoidal", seed, spread=1.0))
        runs.append(Setting("reverse", "large", seed, spread=1.0))
        runs.append(Setting("reverse", "small", seed))
        # Is it what a setting names, or too little training?
        runs.append(Setting("reverse", "shifted", seed, steps=3000))
        runs.append(Setting("reverse", "sinusoidal", seed, spread=1.0, steps=3000))
        runs.append(Setting("reverse", "sinusoidal", seed, steps=3000))
    return runs


class Table(nn.Module):
    """Adds a fixed table; row `first` belongs to the first token of a training sentence."""

    table: Tensor
    first: Tensor | int = 0  # B 1

    def __init__(self, table: Tensor) -> None:
        super().__init__()
        self.register_buffer("table", table)

    def forward(self, x: Tensor, start: int = 0) -> Tensor:
        """x plus the rows of its places, `B T D`."""
        rows = torch.arange(start, start + x.shape[1])  # T
        return x + self.table[rows + self.first if self.training else rows]


class Shifted(Transformer):
    """Each training sentence starts at a random position, the same one on both sides."""

    def features(self, source: Tensor, *others: Any) -> Tensor:
        """As `Transformer` does."""
        self.positions.first = torch.randint(FURTHEST + 1, (len(source), 1))
        return super().features(source, *others)


class RotaryAttention(MultiHeadAttention):
    """Self-attention whose queries and keys are rotated by their positions; values are not.

    Source: Su et al. 2021, section 3.4.
    """

    def _attend(self, query: Tensor, key: Tensor, value: Tensor, scope: Scope) -> Tensor:
        first = key.shape[2] - query.shape[2]  # in decoding, only the newest token asks
        return super()._attend(rotated(query, first), rotated(key, 0), value, scope)


def rotated(x: Tensor, first: int) -> Tensor:
    """Each pair of columns, turned by the angle of its position, `B H T K`."""
    table = sinusoidal(first + x.shape[2], x.shape[3])[first:]  # T K
    sine, cosine = table[:, 0::2], table[:, 1::2]
    even, odd = x[..., 0::2], x[..., 1::2]
    turned = [even * cosine - odd * sine, even * sine + odd * cosine]
    return torch.stack(turned, dim=-1).flatten(-2)


def transformer(positions: str, letters: int) -> Transformer:
    """The package's Transformer, with these positions in the place of its own."""
    kind = Shifted if positions == "shifted" else Transformer
    model = kind(
        TransformerConfig(
            letters,
            letters,
            d_model=WIDTH,
            layers=2,
            d_ff=2 * WIDTH,
            dropout=0.0,
            positions="learned" if positions == "learned" else "sinusoidal",
            max_length=POSITIONS,
            tie="none",
        )
    )
    waves = sinusoidal(POSITIONS, WIDTH)
    if positions == "triangle":
        waves = torch.asin(waves.clamp(-1, 1)) * 2 / math.pi
    elif positions in ("none", "rotary"):
        waves = torch.zeros_like(waves)
    elif positions in ("large", "small"):
        waves = waves * WIDTH ** (0.5 if positions == "large" else -0.5)
    if positions != "learned":
        model.positions = Table(waves)
    if positions == "rotary":
        for layer in [*model.encoder.layers, *model.decoder.layers]:
            layer.self_attention = RotaryAttention(WIDTH, model.config.heads)
            initialise(layer.self_attention)
    return model


def ratio(model: Any, positions: str) -> float | None:
    """How many times as long an embedding is as the position that is added to it."""
    if positions in ("recurrence", "none", "rotary"):
        return None
    words = model.source_embedding.weight * WIDTH**0.5  # V D
    return (words.norm(dim=1).mean() / model.positions.table[:13].norm(dim=1).mean()).item()


def run(setting: Setting) -> dict[str, Any]:
    """Train and score one setting."""
    corpus = data.load(setting.task, train=100_000, seed=0)
    source, target = build_tokenizers(corpus)
    torch.manual_seed(seed_for(setting.seed, 0))
    model: Seq2Seq | Transformer
    if setting.positions == "recurrence":
        config = Seq2SeqConfig(len(source), len(target), attention="additive", bidirectional=True)
        model, rate, warmup = Seq2Seq(config), 3e-3, 200  # as chapter 02 trains it
    else:
        model, rate, warmup = transformer(setting.positions, len(source)), 2e-3, 100
        for table in (model.source_embedding, model.target_embedding):
            table.weight.data *= setting.spread * WIDTH**0.5
    before = ratio(model, setting.positions)
    training = TrainingConfig(
        steps=setting.steps, batch_tokens=1024, peak_rate=rate, warmup=warmup, seed=setting.seed
    )
    began = time.perf_counter()
    fit(model, encode_pairs(corpus.train, source, target), training)
    seconds = time.perf_counter() - began
    exact = {}
    for length in LENGTHS:
        test = data.load(
            setting.task, shortest=length, longest=length, train=1, valid=1, test=TESTS, seed=99
        ).test
        exact[length] = free_running(model, encode_pairs(test, source, target))
    return {
        "exact_match": exact,
        "ratio_before": before,
        "parameters": sum(p.numel() for p in model.parameters()),
        "seconds": round(seconds, 1),
    }


if __name__ == "__main__":
    run_missing(RESULTS, __doc__.splitlines()[0], settings(), run)
