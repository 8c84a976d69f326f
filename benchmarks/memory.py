"""Does it matter which memory a decoder reads? The stored runs of chapter 09.

    python benchmarks/memory.py            # what is missing in the results file
    python benchmarks/memory.py --list     # which runs there are

The recipes `multi30k` and `pocket`, unchanged but for one thing: decoder layer i reads encoder
layer i, where all decoder layers of the paper read the last one. Parameters, their start and the
batches are the same; the recipes as they are have been run for multi30k.json and heads.json.
Results go to transformer_lite/chapters/c09_decoder/memory.json.
"""

from dataclasses import dataclass, replace
from typing import Any

import torch
from heads import score
from stored import run_missing
from torch import Tensor, nn

from transformer_lite.fast import FastTransformer
from transformer_lite.results import CHAPTERS
from transformer_lite.runs.checkpoint import KINDS
from transformer_lite.runs.recipe import Recipe
from transformer_lite.scope import Scope
from transformer_lite.transformer import Encoder, TransformerConfig

RESULTS = CHAPTERS / "c09_decoder" / "memory.json"
KIND = "layer by layer"


@dataclass(frozen=True)
class Setting:
    """One run of a recipe, layer by layer."""

    recipe: str
    seed: int


def settings() -> list[Setting]:
    """All runs."""
    return [Setting(recipe, seed) for recipe in ("multi30k", "pocket") for seed in (1, 2, 3)]


class EveryLayer(Encoder):
    """An encoder that hands on what each of its L layers gives, side by side along the width.

    It takes over the layers of `encoder`, and its final normalisation for all of them.
    """

    def __init__(self, encoder: Encoder) -> None:
        nn.Module.__init__(self)
        self.layers, self.norm = encoder.layers, encoder.norm

    def forward(self, x: Tensor, scope: Scope) -> Tensor:
        """The memory, `B S L·D`."""
        handed = []
        for index, layer in enumerate(self.layers):
            x = layer(x, scope.at(f"encoder.{index}.self"))  # B S D
            handed.append(self.norm(x))
        return torch.cat(handed, -1)


class LayerByLayer(FastTransformer):
    """`FastTransformer` whose decoder layer i reads encoder layer i: its keys and values do."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__(config)
        self.encoder = EveryLayer(self.encoder)
        for index, layer in enumerate(self.decoder.layers):

            def own(_: nn.Module, inputs: tuple[Tensor], index: int = index) -> Tensor:
                return inputs[0].chunk(config.layers, -1)[index]

            for projection in (layer.cross_attention.key, layer.cross_attention.value):
                projection.register_forward_pre_hook(own)


KINDS[KIND] = (TransformerConfig, LayerByLayer)


def run(setting: Setting) -> dict[str, Any]:
    """Train one and score it."""
    recipe = Recipe.load(setting.recipe)
    recipe = replace(recipe, model=recipe.model | {"kind": KIND})
    return score(recipe, setting.seed, f"{setting.recipe}-layer-by-layer")


if __name__ == "__main__":
    run_missing(RESULTS, __doc__.splitlines()[0], settings(), run)
