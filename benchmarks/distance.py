"""How far back can a layer learn to look? The stored runs of chapter 15.

    python benchmarks/distance.py            # what is missing in the results file
    python benchmarks/distance.py --list     # which runs there are

A string of `distance` + 1 random letters; the answer at its last place is its first letter. Every
model has about 17,000 parameters and trains until it names 99 % of a batch of 512 new strings right,
or for STEPS steps. Results go to transformer_lite/chapters/c15_why_self_attention/distance.json.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import torch
from stored import run_missing
from torch import Tensor, nn

from transformer_lite.positions import sinusoidal
from transformer_lite.results import CHAPTERS
from transformer_lite.scope import Scope
from transformer_lite.transformer import EncoderLayer, TransformerConfig

RESULTS = CHAPTERS / "c15_why_self_attention" / "distance.json"
LETTERS, BATCH, STEPS, EVERY = 8, 64, 1500, 50
PARAMETERS = 17_000


@dataclass(frozen=True)
class Setting:
    """One model at one distance."""

    model: str
    distance: int
    rate: float
    seed: int


def settings() -> list[Setting]:
    """Three seeds at one rate, and a seed at a lower and at a higher one."""
    trials = ((2e-3, 1), (2e-3, 2), (2e-3, 3), (5e-4, 1), (8e-3, 1))
    every = product(MODELS, (8, 16, 32, 64, 128), trials)
    # 64 layers for 128 letters would take an hour.
    left = [one for one in every if one[:2] != ("plain convolutions", 128)]
    return [Setting(model, distance, rate, seed) for model, distance, (rate, seed) in left]


class Recurrent(nn.Module):
    """One GRU layer."""

    def __init__(self, width: int, distance: int) -> None:
        super().__init__()
        self.gru = nn.GRU(width, width, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:  # B n D
        """What each place gives, `B n D`."""
        return self.gru(x)[0]


class OpenGates(Recurrent):
    """The same, beginning with update gates that keep nearly everything."""

    def __init__(self, width: int, distance: int) -> None:
        super().__init__(width, distance)
        with torch.no_grad():  # r, z, n: as many numbers each
            self.gru.bias_hh_l0[width : 2 * width] += 4.0


class Convolutions(nn.Module):
    """Causal convolutions, each behind a normalisation and with a residual connection."""

    def __init__(self, width: int, dilations: list[int], kernel: int) -> None:
        super().__init__()
        self.kernel = kernel
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in dilations)
        self.layers = nn.ModuleList(
            nn.Conv1d(width, width, kernel, dilation=one) for one in dilations
        )

    def forward(self, x: Tensor) -> Tensor:  # B n D
        """What each place gives, `B n D`."""
        for norm, layer in zip(self.norms, self.layers, strict=True):
            before = (self.kernel - 1) * layer.dilation[0]
            inner = nn.functional.pad(norm(x).transpose(1, 2), (before, 0))  # B D n + before
            x = x + layer(inner).transpose(1, 2).relu()
        return x


def plain(width: int, distance: int) -> Convolutions:
    """Kernels of 3, as many layers as it takes to reach over the distance."""
    return Convolutions(width, [1] * -(-distance // 2), 3)


def dilated(width: int, distance: int) -> Convolutions:
    """Kernels of 2 with holes of 1, 2, 4, …: the reach doubles with each layer."""
    return Convolutions(width, [2**i for i in range(distance.bit_length())], 2)


class SelfAttention(nn.Module):
    """One layer of the Transformer, with the positions of the paper."""

    def __init__(self, width: int, distance: int) -> None:
        super().__init__()
        config = TransformerConfig(4, 4, d_model=width, heads=1, d_ff=4 * width, dropout=0.0)
        self.layer = EncoderLayer(config)
        self.positions = sinusoidal(distance + 1, width)

    def forward(self, x: Tensor) -> Tensor:  # B n D
        """What each place gives, `B n D`."""
        return self.layer(x + self.positions, Scope())


MODELS = {
    "self-attention": SelfAttention,
    "GRU": Recurrent,
    "GRU, gates open": OpenGates,
    "dilated convolutions": dilated,
    "plain convolutions": plain,
}


class Recaller(nn.Module):
    """Embedding, one of MODELS, and the letter read from the last place."""

    def __init__(self, name: str, width: int, distance: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(LETTERS, width)
        self.inner = MODELS[name](width, distance)
        self.norm, self.output = nn.LayerNorm(width), nn.Linear(width, LETTERS)

    def forward(self, letters: Tensor) -> Tensor:  # B n
        """Logits of the letter, `B LETTERS`."""
        return self.output(self.norm(self.inner(self.embedding(letters))[:, -1]))


def build(name: str, distance: int) -> Recaller:
    """The even width that comes nearest to PARAMETERS."""

    def misses(width: int) -> int:
        return abs(count(Recaller(name, width, distance)) - PARAMETERS)

    return Recaller(name, min(range(4, 97, 2), key=misses), distance)


def count(model: nn.Module) -> int:
    """Its parameters."""
    return sum(one.numel() for one in model.parameters())


def train(setting: Setting) -> Iterator[tuple[int, float]]:
    """Train one, and yield steps and the share of new strings that it answers right."""
    torch.manual_seed(setting.seed)
    model = build(setting.model, setting.distance)
    yield count(model), 0.0
    generator = torch.Generator().manual_seed(setting.seed)
    draw = partial(torch.randint, 0, LETTERS, generator=generator)
    optimiser = torch.optim.Adam(model.parameters(), lr=setting.rate)
    for step in range(1, STEPS + 1):
        letters = draw((BATCH, setting.distance + 1))
        loss = nn.functional.cross_entropy(model(letters), letters[:, 0])
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        if step % EVERY == 0:
            with torch.no_grad():
                test = draw((512, setting.distance + 1))
                right = (model(test).argmax(-1) == test[:, 0]).float().mean().item()
            yield step, right
            if right >= 0.99:
                return


def run(setting: Setting) -> dict[str, Any]:
    """Train one, and say after how many steps it could do it."""
    torch.set_num_threads(1)
    began = time.perf_counter()
    (parameters, _), *curve = train(setting)
    steps, right = curve[-1]
    return {
        "parameters": parameters,
        "steps": steps,
        "right": round(right, 4),
        "seconds": round(time.perf_counter() - began, 1),
    }


if __name__ == "__main__":
    run_missing(RESULTS, __doc__.splitlines()[0], settings(), run)
