"""One decoder, three encoders, with and without positions: the stored runs of chapters 04 and 05.

    python benchmarks/encoders.py            # what is missing in the results file
    python benchmarks/encoders.py --list     # which runs there are

The decoder is chapter 03's (Luong, scaled dot, width 128). It starts from the mean of what the
encoder hands over, and only the encoder and its positions differ. Results go to
transformer_lite/chapters/c04_queries_keys_values/encoders.json.
"""

import math
import time
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import torch
from jaxtyping import Bool, Int
from stored import run_missing
from torch import Tensor, nn

from transformer_lite import Seq2Seq, Seq2SeqConfig, data
from transformer_lite.attention import MultiHeadAttention
from transformer_lite.data import Example, Tokenizer, build_tokenizers, encode_pairs
from transformer_lite.data.vocabulary import EOS
from transformer_lite.evaluation import decode_all, free_running
from transformer_lite.positions import LearnedPositions, SinusoidalPositions, sinusoidal
from transformer_lite.results import CHAPTERS
from transformer_lite.seq2seq import RecurrentMemory
from transformer_lite.training import Trainer, TrainingConfig, seed_for

WIDTH = 128
LONGEST = 32  # source tokens
RESULTS = CHAPTERS / "c04_queries_keys_values" / "encoders.json"
PEOPLE = ["student", "teacher", "friend", "child", "woman", "man"]
# Pairs of twins: the same words in another order, with another meaning.
TWINS = [
    (f"the {one} sees the {other}", f"the {other} sees the {one}")
    for one, other in combinations(PEOPLE, 2)
]
SHOWN = [
    "the dog sees the rabbit",
    "the rabbit sees the dog",
    "my white dog sees the rabbit in the garden",
    "she wears a white hat",
]


@dataclass(frozen=True)
class Setting:
    """One run. "words" hands over embeddings alone, "attention" what each word asked for, too."""

    encoder: str
    positions: str | None
    seed: int
    steps: int = 1000


def settings() -> list[Setting]:
    """All runs."""
    runs = []
    for seed in (1, 2, 3):
        for positions in (None, "sinusoidal"):
            for encoder in ("words", "attention", "gru"):
                runs.append(Setting(encoder, positions, seed))
        for positions in ("learned", "triangle"):
            runs.append(Setting("attention", positions, seed))
    return runs


class TrianglePositions(nn.Module):
    """Like the sinusoidal table, with triangles in place of waves."""

    table: Tensor

    def __init__(self, d_model: int) -> None:
        super().__init__()
        waves = sinusoidal(LONGEST, d_model).clamp(-1, 1)
        self.register_buffer("table", torch.asin(waves) * 2 / math.pi)

    def forward(self, x: Tensor) -> Tensor:
        """x plus the table, `B T D`."""
        return x + self.table[: x.shape[1]]


class Translator(Seq2Seq):
    """A recurrent decoder that looks back at one of three encoders."""

    def __init__(self, config: Seq2SeqConfig, encoder: str, positions: str | None) -> None:
        super().__init__(config)
        self.kind = encoder
        if encoder != "gru":
            del self.encoder
        if encoder == "attention":
            self.asks = MultiHeadAttention(WIDTH, heads=1)
            self.combine = nn.Linear(2 * WIDTH, WIDTH, bias=False)
        self.positions: nn.Module = {
            None: nn.Identity,
            "sinusoidal": lambda: SinusoidalPositions(WIDTH, LONGEST),
            "learned": lambda: LearnedPositions(WIDTH, LONGEST),
            "triangle": lambda: TrianglePositions(WIDTH),
        }[positions]()

    def encode(
        self, source: Int[Tensor, "B S"], source_mask: Bool[Tensor, "B S"]
    ) -> RecurrentMemory:
        """One vector for each word, and their mean."""
        x = self.positions(self.source_embedding(source))  # B S D
        if self.kind == "gru":
            packed = nn.utils.rnn.pack_padded_sequence(
                x, source_mask.sum(1), batch_first=True, enforce_sorted=False
            )
            outputs, _ = nn.utils.rnn.pad_packed_sequence(
                self.encoder(packed)[0], batch_first=True, total_length=source.shape[1]
            )
        elif self.kind == "attention":
            context = self.asks(x, x, x, source_mask[:, None, None])
            outputs = torch.tanh(self.combine(torch.cat([x, context], dim=-1)))
        else:
            outputs = x
        real = source_mask[..., None]
        mean = (outputs * real).sum(1) / real.sum(1)  # B D
        return RecurrentMemory(outputs, source_mask, mean[None])


def translate(model: Seq2Seq, source: Tokenizer, target: Tokenizer, texts: list[str]) -> list[str]:
    """Greedy translations."""
    examples = [Example([*source.encode(text), EOS], []) for text in texts]
    return [target.decode(one.tokens) for one in decode_all(model, examples)]


def run(setting: Setting) -> dict[str, Any]:
    """Train and score one setting."""
    corpus = data.load("pocket", train=20_000, seed=0)
    source, target = build_tokenizers(corpus)
    torch.manual_seed(seed_for(setting.seed, 0))
    config = Seq2SeqConfig(
        len(source),
        len(target),
        attention="scaled_dot",
        decoder="luong",
        d_embedding=WIDTH,
        hidden=WIDTH,
        bidirectional=True,
    )
    model = Translator(config, setting.encoder, setting.positions)
    training = TrainingConfig(
        steps=setting.steps, batch_tokens=1024, peak_rate=3e-3, warmup=200, seed=setting.seed
    )
    began = time.perf_counter()
    trainer = Trainer(model, encode_pairs(corpus.train, source, target), training)
    for _ in range(setting.steps):
        trainer.step()
    model.eval()
    seconds = time.perf_counter() - began
    examples = encode_pairs(corpus.test[:500], source, target)
    translations = [translate(model, source, target, list(pair)) for pair in TWINS]
    return {
        "exact_match": free_running(model, examples),
        "twins_alike": sum(one == other for one, other in translations) / len(TWINS),
        "shown": dict(zip(SHOWN, translate(model, source, target, SHOWN), strict=True)),
        "seconds": round(seconds, 1),
    }


if __name__ == "__main__":
    run_missing(RESULTS, __doc__.splitlines()[0], settings(), run)
