"""How deep may an encoder be? The stored runs of chapter 08.

    python benchmarks/depth.py            # what is missing in the results file
    python benchmarks/depth.py --list     # which runs there are

An encoder names the Korean word of each English word (chapter 04's glosses); only its layers, the
place of the normalisation and the warm-up change (and, in three runs, the rate). Results go to
transformer_lite/chapters/c08_encoder/depth.json.
"""

import math
import time
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from stored import run_missing
from torch import nn

from transformer_lite.chapters.c04_queries_keys_values.glosses import load_glosses
from transformer_lite.positions import sinusoidal
from transformer_lite.results import CHAPTERS
from transformer_lite.scope import Scope
from transformer_lite.transformer import Encoder, TransformerConfig, initialise

RESULTS = CHAPTERS / "c08_encoder" / "depth.json"
WIDTH = 64
SHOWN = ("she wears a white hat", "we laugh at school at night")


@dataclass(frozen=True)
class Setting:
    """One run; `warmup` in steps, from there on the rate is constant."""

    layers: int
    norm: str
    warmup: int
    seed: int
    rate: float = 1e-3
    steps: int = 300


def settings() -> list[Setting]:
    """All runs."""
    runs = [
        Setting(layers, norm, warmup, seed)
        for seed in (1, 2, 3)
        for layers in (2, 6, 12)
        for norm in ("post", "pre")
        for warmup in (0, 100)
    ]
    return runs + [Setting(12, "post", 0, seed, rate=3e-4, steps=700) for seed in (1, 2, 3)]


def run(setting: Setting) -> dict[str, Any]:
    """Train one and name the words of the test sentences."""
    glosses = load_glosses()
    tokens, wanted = glosses.tokens[:-1000], glosses.wanted[:-1000]
    torch.manual_seed(setting.seed)
    config = TransformerConfig(
        len(glosses.words), len(glosses.names), d_model=WIDTH, layers=setting.layers, d_ff=128,
        dropout=0.0, norm=setting.norm,  # type: ignore[arg-type]
    )  # fmt: skip
    embedding, encoder = nn.Embedding(len(glosses.words), WIDTH), Encoder(config)
    output = nn.Linear(WIDTH, len(glosses.names))
    modules = nn.ModuleList([embedding, encoder, output])
    initialise(modules)
    nn.init.normal_(embedding.weight, std=WIDTH**-0.5)

    def names(ids: torch.Tensor) -> torch.Tensor:
        x = math.sqrt(WIDTH) * embedding(ids) + sinusoidal(ids.shape[1], WIDTH)
        return output(encoder(x, Scope((ids > 0)[:, None, None])))  # type: ignore[no-any-return]

    adam = torch.optim.Adam(modules.parameters(), lr=setting.rate, betas=(0.9, 0.98))
    began = time.perf_counter()
    for step in range(1, setting.steps + 1):
        for group in adam.param_groups:
            group["lr"] = setting.rate * min(1, step / max(1, setting.warmup))
        rows = torch.randint(len(tokens), (64,))
        loss = F.cross_entropy(names(tokens[rows]).mT, wanted[rows])
        adam.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        adam.step()
    seconds = round(time.perf_counter() - began, 1)
    with torch.no_grad():
        right = names(glosses.tokens[-1000:]).argmax(-1) == glosses.wanted[-1000:]
    share = right[glosses.wanted[-1000:] >= 0].float().mean().item()
    shown = {
        text: " ".join(glosses.names[n] for n in names(glosses.encode(text)[None])[0].argmax(-1))
        for text in SHOWN
    }
    return {"right": round(share, 4), "seconds": seconds, "shown": shown}


if __name__ == "__main__":
    run_missing(RESULTS, __doc__.splitlines()[0], settings(), run)
