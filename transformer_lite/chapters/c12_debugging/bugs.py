"""Bugs to plant in a right Transformer, each a few lines that run without an error.

A bug is a subclass that takes the place of a right part (`turn`), a change of weights or modules,
or a change of the batch that is learned from.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from transformer_lite.attention import MultiHeadAttention, scaled_dot_product_attention
from transformer_lite.data.batching import Batch
from transformer_lite.diagnosis import Diagnosis, diagnose, mean_loss
from transformer_lite.masks import masked_softmax
from transformer_lite.scope import KeyValueCache, Scope
from transformer_lite.transformer import (
    Transformer,
    TransformerConfig,
    TransformerMemory,
    TransformerState,
)

Plant = Callable[[Transformer], None]


@dataclass(frozen=True)
class Bug:
    """One bug.

    Attributes:
        story: what is wrong, in a few words.
        plant: changes a right, new model in place.
        read: changes a batch before a model is trained or tested on it.
    """

    story: str
    plant: Plant = lambda model: None
    read: Callable[[Batch], Batch] = lambda batch: batch


def turn(parts: Callable[[Transformer], Iterable[nn.Module]], kind: type[nn.Module]) -> Plant:
    """A `plant` that makes these parts of a model instances of `kind`, a subclass of theirs."""

    def plant(model: Transformer) -> None:
        for part in parts(model):
            part.__class__ = kind

    return plant


def whole(model: Transformer) -> list[nn.Module]:
    """The model itself."""
    return [model]


def attentions(model: Transformer) -> list[nn.Module]:
    """All attentions."""
    return [part for part in model.modules() if isinstance(part, MultiHeadAttention)]


def looking_back(model: Transformer) -> list[nn.Module]:
    """The masked self-attentions of the decoder."""
    return [layer.self_attention for layer in model.decoder.layers]


def looking_across(model: Transformer) -> list[nn.Module]:
    """The attentions of the decoder to the source."""
    return [layer.cross_attention for layer in model.decoder.layers]


def looking_at_source(model: Transformer) -> list[nn.Module]:
    """The attentions whose keys are the source's: they hide its padding."""
    return [part for part in attentions(model) if part not in looking_back(model)]


def norms(model: Transformer) -> list[nn.Module]:
    """All layer normalisations."""
    return [part for part in model.modules() if isinstance(part, nn.LayerNorm)]


# Masks: True = may attend; `seen` is handed the right one, None in a step


class Masked(MultiHeadAttention):
    """An attention that changes its mask."""

    def forward(self, query: Tensor, key: Tensor, value: Tensor, mask: Any = None) -> Tensor:
        """As `MultiHeadAttention` does."""
        return super().forward(query, key, value, replace(mask, mask=self.seen(mask.mask)))

    def seen(self, mask: Tensor | None) -> Tensor | None:
        """What takes the place of `mask`."""
        raise NotImplementedError


class NoMask(Masked):
    """Forgets it."""

    def seen(self, mask: Tensor | None) -> Tensor | None:
        """Everything."""
        return None


class Inverted(Masked):
    """Takes True for "hidden", as `torch.nn.MultiheadAttention` does."""

    def seen(self, mask: Tensor | None) -> Tensor | None:
        """The others."""
        return None if mask is None else ~mask


class OneTooFar(Masked):
    """A triangle that is one place too wide."""

    def seen(self, mask: Tensor | None) -> Tensor | None:
        """The past, itself and the next word."""
        return None if mask is None else torch.ones_like(mask).tril(1)


class WithoutItself(Masked):
    """A triangle that is one place too narrow."""

    def seen(self, mask: Tensor | None) -> Tensor | None:
        """The past alone."""
        return None if mask is None else mask.tril(-1)


class Blocked(Masked):
    """Hides the future in one convention and the past in the other; the shapes are right."""

    def seen(self, mask: Tensor | None) -> Tensor | None:
        """Nothing."""
        return torch.zeros(1, 1, dtype=torch.bool, device=self.output.weight.device)


class InTrainingOnly(Masked):
    """Hides the future only while it is trained."""

    def seen(self, mask: Tensor | None) -> Tensor | None:
        """Everything, in evaluation mode."""
        return mask if self.training else None


# Attention


class MaskedAfterSoftmax(MultiHeadAttention):
    """Multiplies the weights by the mask: too late, the future is in their sum."""

    def _attend(self, query: Tensor, key: Tensor, value: Tensor, scope: Scope) -> Tensor:
        _, weights = scaled_dot_product_attention(query, key, value)  # B H T S
        return (weights if scope.mask is None else weights * scope.mask) @ value


class OverQueries(MultiHeadAttention):
    """Normalises over the wrong axis."""

    def _attend(self, query: Tensor, key: Tensor, value: Tensor, scope: Scope) -> Tensor:
        energies = key @ query.mT / math.sqrt(query.shape[-1])  # B H S T
        shape = (*query.shape[:-1], key.shape[-2])
        mask = None if scope.mask is None else scope.mask.expand(shape).mT
        return masked_softmax(energies, mask).mT @ value


class NotScaled(MultiHeadAttention):
    """Leaves √d out."""

    def _attend(self, query: Tensor, key: Tensor, value: Tensor, scope: Scope) -> Tensor:
        return super()._attend(query * math.sqrt(query.shape[-1]), key, value, scope)


class ScaledByModel(MultiHeadAttention):
    """Divides by the root of the whole width, √D."""

    def _attend(self, query: Tensor, key: Tensor, value: Tensor, scope: Scope) -> Tensor:
        return super()._attend(query / math.sqrt(self.heads), key, value, scope)


class MergedWrong(MultiHeadAttention):
    """Lays the heads together without transposing them back."""

    def merge(self, heads: Tensor) -> Tensor:
        """B H T K → B T D, of the right shape."""
        return heads.reshape(heads.shape[0], heads.shape[2], -1)


class SplitWrong(MergedWrong):
    """Cuts the sentence into heads, not the width."""

    def split(self, x: Tensor) -> Tensor:
        """B T D → B H T K, of the right shape."""
        return x.reshape(len(x), self.heads, x.shape[1], -1)


# Normalisation and layers


class OverWords(nn.LayerNorm):
    """Mean and variance over the words of a sentence."""

    def forward(self, x: Tensor) -> Tensor:
        """x, B T D, normalised along T."""
        return F.layer_norm(x.mT, x.shape[-2:-1], eps=self.eps).mT * self.weight + self.bias


class OverBatch(nn.LayerNorm):
    """Mean and variance over the batch."""

    def forward(self, x: Tensor) -> Tensor:
        """x, B T D, normalised along B."""
        spread = (x.var(0, correction=0) + self.eps).sqrt()
        return (x - x.mean(0)) / spread * self.weight + self.bias


def share_layers(model: Transformer) -> None:
    """`[layer] * n`."""
    for stack in (model.encoder, model.decoder):
        stack.layers = nn.ModuleList([stack.layers[0]] * len(stack.layers))  # type: ignore


def list_layers(model: Transformer) -> None:
    """A Python list, into which `parameters()` does not look."""
    for stack in (model.encoder, model.decoder):
        layers = list(stack.layers)
        del stack.layers
        stack.layers = layers  # type: ignore[assignment]


# Positions and embeddings


def drop_positions(model: Transformer) -> None:
    """Add zeros."""
    model.positions.table.zero_()


def divide_positions(model: Transformer) -> None:
    """Sines of the position DIVIDED by the frequency."""
    length, width = model.positions.table.shape
    frequency = 10000.0 ** (-torch.arange(0, width, 2) / width)
    angles = torch.arange(length)[:, None] / frequency
    model.positions.table.copy_(torch.stack([angles.sin(), angles.cos()], -1).flatten(1))


def enlarge_embeddings(model: Transformer) -> None:
    """PyTorch's own start, N(0, 1), and × √D on top of it."""
    nn.init.normal_(model.source_embedding.weight)
    nn.init.normal_(model.target_embedding.weight)


# Steps


class RestartedPositions(Transformer):
    """Tells every token of a step that it stands at place 0."""

    def embed(self, table: nn.Embedding, ids: Tensor, name: str, start: int = 0) -> Tensor:
        """As `Transformer` does, from 0 on."""
        return super().embed(table, ids, name)


class LateCache(KeyValueCache):
    """Puts the newest keys and values behind the others after it has handed these out."""

    def append(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """All but the newest."""
        keys, values = super().append(key, value)
        return keys[:, :, :-1], values[:, :, :-1]

    def select(self, rows: Tensor) -> KeyValueCache:
        """As `KeyValueCache` does."""
        chosen = super().select(rows)
        chosen.__class__ = LateCache
        return chosen


class WithLateCache(Transformer):
    """Attends to the past, then takes the current token into it."""

    def start(self, memory: TransformerMemory, capacity: int | None = None) -> TransformerState:
        """As `Transformer` does."""
        state = super().start(memory, capacity)
        return replace(state, caches={name: LateCache(capacity) for name in state.caches})


class UnsortedState(TransformerState):
    """Re-orders the hypotheses of a sentence, but not what is kept of their past."""

    def select(self, rows: Tensor) -> TransformerState:
        """As `TransformerState` does, with the past of the rows in their old order."""
        old = rows.sort().values
        caches = {name: cache.select(old) for name, cache in self.caches.items()}
        return replace(super().select(rows), caches=caches)


class WithUnsortedState(Transformer):
    """Hypotheses go on with each other's past."""

    def start(self, memory: TransformerMemory, capacity: int | None = None) -> TransformerState:
        """As `Transformer` does."""
        return UnsortedState(**vars(super().start(memory, capacity)))


# The loss


class SoftmaxTwice(Transformer):
    """Hands probabilities to a loss that expects logits."""

    def project(self, features: Tensor) -> Tensor:
        """Probabilities."""
        return super().project(features).softmax(-1)


def not_shifted(batch: Batch) -> Batch:
    """Reads what it has to write."""
    return replace(batch, target_in=batch.target_out)


def with_padding(batch: Batch) -> Batch:
    """Counts padding as words that have to be written."""
    return replace(batch, target_mask=torch.ones_like(batch.target_mask))


RIGHT = "right"  # the name of the model without a bug

BUGS = {
    RIGHT: Bug("nothing"),
    "no-mask": Bug("no causal mask", turn(looking_back, NoMask)),
    "mask-inverted": Bug("the causal mask inverted", turn(looking_back, Inverted)),
    "mask-too-wide": Bug("a triangle one place too wide", turn(looking_back, OneTooFar)),
    "mask-too-narrow": Bug("a triangle without the word itself", turn(looking_back, WithoutItself)),
    "mask-blocks-all": Bug("a mask that hides every word", turn(looking_back, Blocked)),
    "mask-after-softmax": Bug("a mask after the softmax", turn(attentions, MaskedAfterSoftmax)),
    "mask-in-training-only": Bug(
        "a causal mask in training only", turn(looking_back, InTrainingOnly)
    ),
    "padding-attended": Bug("no padding mask", turn(looking_at_source, NoMask)),
    "padding-mask-inverted": Bug("the padding mask inverted", turn(looking_across, Inverted)),
    "softmax-over-queries": Bug("the softmax over the queries", turn(attentions, OverQueries)),
    "heads-merged-wrong": Bug("heads merged without transposing", turn(attentions, MergedWrong)),
    "heads-split-wrong": Bug("the sentence cut into heads", turn(attentions, SplitWrong)),
    "not-scaled": Bug("no √d", turn(attentions, NotScaled)),
    "scaled-by-model": Bug("√D of the model for √d of a head", turn(attentions, ScaledByModel)),
    "norm-over-words": Bug("normalised over the words", turn(norms, OverWords)),
    "norm-over-batch": Bug("normalised over the batch", turn(norms, OverBatch)),
    "layers-shared": Bug("[layer] * n", share_layers),
    "layers-in-a-list": Bug("layers in a Python list", list_layers),
    "no-positions": Bug("no positions", drop_positions),
    "positions-divided": Bug("position / frequency", divide_positions),
    "large-embeddings": Bug("embeddings N(0, 1), times √D", enlarge_embeddings),
    "positions-restart": Bug(
        "positions that begin again in steps", turn(whole, RestartedPositions)
    ),
    "cache-late": Bug("a cache without the current token", turn(whole, WithLateCache)),
    "beams-mixed": Bug("hypotheses re-ordered, their cache not", turn(whole, WithUnsortedState)),
    "not-shifted": Bug("the target not shifted", read=not_shifted),
    "padding-in-loss": Bug("padding in the loss", read=with_padding),
    "softmax-twice": Bug("a softmax before the cross-entropy", turn(whole, SoftmaxTwice)),
}  # fmt: skip


def planted(name: str, config: TransformerConfig, seed: int = 0) -> Transformer:
    """A new model with this bug; its weights start as those of the right one of this seed."""
    torch.manual_seed(seed)
    model = Transformer(config)
    BUGS[name].plant(model)
    return model


def diagnose_bug(name: str, config: TransformerConfig, seed: int = 0) -> Diagnosis:
    """What `diagnose` says of a new model with this bug, and of its batches."""
    model, bug = planted(name, config, seed), BUGS[name]
    return diagnose(model, loss=lambda model, batch: mean_loss(model, bug.read(batch)))


@torch.no_grad()
def distance_from_right(model: Transformer) -> float:
    """How far logits are from those of the right model with the same weights, at most.

    In standard deviations of the right logits; for this a right model must be at hand.
    """
    right = Transformer(model.config).eval()
    right.load_state_dict(model.state_dict(), strict=False)  # what is not listed is not saved
    source, target = (
        torch.tensor([[4, 5, 6, 7, 8], [9, 4, 8, 0, 0]]),
        torch.tensor([[1, 7, 4, 9, 5]]),
    )
    inputs = source, source > 0, target.expand(2, -1)
    logits = right(*inputs)
    return ((model.eval()(*inputs) - logits).abs().max() / logits.std()).item()
