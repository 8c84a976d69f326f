"""What a layer can learn to recall: from how far, and out of how many. Chapter 15's stored runs.

    python benchmarks/distance.py            # what is missing in the results file
    python benchmarks/distance.py --list     # which runs there are

Four tasks, `size` of each: "first", a string of `size` + 1 random letters, whose first letter is
the answer at its last place; "pairs", `size` names with a letter each and then one of the names,
whose letter is the answer; "told", the same with that name in front as well, so that only its
letter has to be kept; and "marked", with one name for the pair that is asked for and another for
all the rest, so that no two names have to be compared. Every model has about 17,000 parameters
beside embeddings and output, and trains until it gets 99 % of 512 new strings right, or for `most`
steps. Results go to transformer_lite/chapters/c15_why_self_attention/distance.json.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
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
LETTERS, NAMES, BATCH, EVERY = 8, 64, 64, 50
PARAMETERS = 17_000


@dataclass(frozen=True)
class Setting:
    """One model in one task."""

    task: str
    model: str
    size: int
    rate: float
    seed: int
    most: int = 1000


def settings() -> list[Setting]:
    """All runs. The sizes of "first" are the worst for holes of 1, 2, 4, …: each must be used."""
    tasks = [("first", size) for size in (3, 7, 15, 31, 63)]
    tasks += [("pairs", size) for size in (2, 4, 8, 16, 32)]
    tasks += [(task, size) for task in ("told", "marked") for size in (2, 4, 8)]
    found = product(tasks, MODELS, (2e-3, 8e-3), (1, 2, 3))
    runs = [
        Setting(task, model, size, rate, seed)
        for (task, size), model, rate, seed in found
        if is_run(task, model, size)
    ]
    longer = [
        Setting(task, model, size, 2e-3, seed, most=10_000)
        for task, model, size in (
            ("pairs", "GRU", 4), ("pairs", "dilated convolutions", 4),
            ("pairs", "GRU", 8), ("told", "GRU", 8),
        )
        for seed in (1, 2, 3)
    ]  # fmt: skip
    return [*runs, *longer]


def is_run(task: str, model: str, size: int) -> bool:
    """More than 16 plain layers take too long; a start that passes on is for the far letter."""
    if model == "plain convolutions":
        return size < 32 and task in ("first", "pairs")
    return model != "dilated convolutions, passing on" or task == "first"


class Recurrent(nn.Module):
    """One GRU layer."""

    def __init__(self, width: int, size: int) -> None:
        super().__init__()
        self.gru = nn.GRU(width, width, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:  # B n D
        """What each place gives, `B n D`."""
        return self.gru(x)[0]


class OpenGates(Recurrent):
    """The same, beginning with update gates that keep nearly everything."""

    def __init__(self, width: int, size: int) -> None:
        super().__init__(width, size)
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


def plain(width: int, size: int) -> Convolutions:
    """Kernels of 3, as many layers as it takes to reach over the distance."""
    return Convolutions(width, [1] * -(-size // 2), 3)


def dilated(width: int, size: int) -> Convolutions:
    """Kernels of 2 with holes of 1, 2, 4, …: the reach doubles with each layer."""
    return Convolutions(width, [2**i for i in range(size.bit_length())], 2)


def passing(width: int, size: int) -> Convolutions:
    """The same, beginning with weights that pass on what stands at the far end of each kernel."""
    convolutions = dilated(width, size)
    with torch.no_grad():
        for layer in convolutions.layers:
            layer.weight[:, :, 0] += 4.0 * torch.eye(width)
    return convolutions


class SelfAttention(nn.Module):
    """One layer of the Transformer, with the positions of the paper."""

    def __init__(self, width: int, size: int) -> None:
        super().__init__()
        config = TransformerConfig(4, 4, d_model=width, heads=1, d_ff=4 * width, dropout=0.0)
        self.layer = EncoderLayer(config)
        self.positions = sinusoidal(size + 2, width)

    def forward(self, x: Tensor) -> Tensor:  # B n D
        """What each place gives, `B n D`."""
        return self.layer(x + self.positions[: x.shape[1]], Scope())


MODELS = {
    "self-attention": SelfAttention,
    "GRU": Recurrent,
    "GRU, gates open": OpenGates,
    "dilated convolutions": dilated,
    "dilated convolutions, passing on": passing,
    "plain convolutions": plain,
}


class Recaller(nn.Module):
    """Embeddings of names and letters, one of MODELS, and the letter read from the last place."""

    def __init__(self, name: str, width: int, size: int) -> None:
        super().__init__()
        self.names, self.letters = nn.Embedding(NAMES, width), nn.Embedding(LETTERS + 1, width)
        self.inner = MODELS[name](width, size)
        self.norm, self.output = nn.LayerNorm(width), nn.Linear(width, LETTERS)

    def forward(self, names: Tensor | None, letters: Tensor) -> Tensor:  # B n each
        """Logits of the letter, `B LETTERS`."""
        x = self.letters(letters)  # B n D
        x = x if names is None else x + self.names(names)
        return self.output(self.norm(self.inner(x)[:, -1]))


def draw(setting: Setting, count: int, generator: torch.Generator) -> tuple[Any, Tensor, Tensor]:
    """Names or None, letters, `B n` each, and the answers, `B`."""
    letters = torch.randint(LETTERS, (count, setting.size + 1), generator=generator)
    if setting.task == "first":
        return None, letters, letters[:, 0]
    names = torch.rand(count, NAMES, generator=generator).argsort(1)[
        :, : setting.size
    ]  # all differ
    asked = torch.randint(setting.size, (count, 1), generator=generator)
    answers = letters.gather(1, asked)[:, 0]
    if setting.task == "marked":
        names = torch.zeros_like(names).scatter_(1, asked, 1)
    letters[:, -1] = LETTERS  # no letter stands beside the name that is asked for
    name = names.gather(1, asked)
    if setting.task == "told":
        return torch.cat([name, names, name], 1), torch.cat([letters[:, -1:], letters], 1), answers
    return torch.cat([names, name], 1), letters, answers


def build(name: str, size: int) -> Recaller:
    """The even width that comes nearest to PARAMETERS beside the embeddings."""

    def misses(width: int) -> int:
        return abs(count(Recaller(name, width, size).inner) - PARAMETERS)

    return Recaller(name, min(range(4, 97, 2), key=misses), size)


def count(model: nn.Module) -> int:
    """Its parameters."""
    return sum(one.numel() for one in model.parameters())


def train(setting: Setting) -> Iterator[tuple[int, float]]:
    """Train one; yield its parameters, then steps and the share of new strings that are right."""
    torch.manual_seed(setting.seed)
    model = build(setting.model, setting.size)
    yield count(model.inner), 0.0
    generator = torch.Generator().manual_seed(setting.seed)
    optimiser = torch.optim.Adam(model.parameters(), lr=setting.rate)
    for step in range(1, setting.most + 1):
        names, letters, answers = draw(setting, BATCH, generator)
        loss = nn.functional.cross_entropy(model(names, letters), answers)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        if step % EVERY == 0:
            with torch.no_grad():
                names, letters, answers = draw(setting, 512, generator)
                right = (model(names, letters).argmax(-1) == answers).float().mean().item()
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
