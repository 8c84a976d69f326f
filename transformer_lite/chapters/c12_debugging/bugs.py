"""Bugs to plant in a right Transformer, each a few lines that run without an error.

A bug is a wrong method in the place of a right one, a change of weights or modules, or a change of
the batch that is learned from.
"""

import math
import re
from collections.abc import Callable
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
from transformer_lite.transformer import Transformer, TransformerConfig, TransformerState

Plant = Callable[[Transformer], object]


PAST = "decoder.*self_attention"  # names of the attentions that must not see the future
ACROSS = "cross_attention"  # of those to the source
SOURCE = "encoder.*self_attention|cross_attention"  # of those that must not see its padding


@dataclass(frozen=True)
class Bug:
    """What is wrong, in a few words, and what is done to a new model and to each batch."""

    story: str
    plant: Plant = lambda model: None
    read: Callable[[Batch], Batch] = lambda batch: batch


def instead(kind: type[nn.Module], names: str = "", **methods: Callable[..., Any]) -> Plant:
    """A `plant` that puts methods in the place of those of all parts of a kind (and such names)."""

    def plant(model: Transformer) -> None:
        for name, part in model.named_modules():
            if isinstance(part, kind) and re.search(names, name):
                part.__class__ = type(f"Wrong{kind.__name__}", (type(part),), methods)

    return plant


def attending(attend: Callable[..., Tensor]) -> Plant:
    """A `plant` of other weights and blends in all attentions."""
    return instead(MultiHeadAttention, _attend=attend)


# Masks: True = may attend


def masked(names: str, wrong: Callable[[MultiHeadAttention, Any], Tensor | None]) -> Plant:
    """A `plant` of other masks in attentions; `wrong` is handed the right one, None in a step."""

    def forward(self: Any, query: Tensor, key: Tensor, value: Tensor, scope: Scope) -> Tensor:
        scope = replace(scope, mask=wrong(self, scope.mask))
        return MultiHeadAttention.forward(self, query, key, value, scope)

    return instead(MultiHeadAttention, names, forward=forward)


def inverted(attention: MultiHeadAttention, mask: Tensor | None) -> Tensor | None:
    """Takes True for "hidden", as `torch.nn.MultiheadAttention` does."""
    return None if mask is None else ~mask


def too_wide(attention: MultiHeadAttention, mask: Tensor | None) -> Tensor | None:
    """The past, itself and the next word."""
    return None if mask is None else torch.ones_like(mask).tril(1)


def too_narrow(attention: MultiHeadAttention, mask: Tensor | None) -> Tensor | None:
    """The past alone."""
    return None if mask is None else mask.tril(-1)


def nothing(attention: MultiHeadAttention, mask: Tensor | None) -> Tensor:
    """Hides the future in one convention and the past in the other; the shapes are right."""
    return torch.zeros(1, 1, dtype=torch.bool, device=attention.output.weight.device)


# Attention


def mask_late(self: Any, query: Tensor, key: Tensor, value: Tensor, scope: Scope) -> Tensor:
    """Multiplies the weights by the mask: too late, the future is in their sum."""
    _, weights = scaled_dot_product_attention(query, key, value)  # B H T S
    return (weights if scope.mask is None else weights * scope.mask) @ value


def over_queries(self: Any, query: Tensor, key: Tensor, value: Tensor, scope: Scope) -> Tensor:
    """Normalises over the wrong axis."""
    energies = key @ query.mT / math.sqrt(query.shape[-1])  # B H S T
    shape = (*query.shape[:-1], key.shape[-2])
    mask = None if scope.mask is None else scope.mask.expand(shape).mT
    return masked_softmax(energies, mask).mT @ value


def not_scaled(self: Any, query: Tensor, *rest: Any) -> Tensor:
    """Leaves √K out."""
    return MultiHeadAttention._attend(self, query * math.sqrt(query.shape[-1]), *rest)


def scaled_by_model(self: Any, query: Tensor, *rest: Any) -> Tensor:
    """Divides by the root of the whole width, √D."""
    return MultiHeadAttention._attend(self, query / math.sqrt(self.heads), *rest)


def merge_wrong(self: Any, heads: Tensor) -> Tensor:
    """Does not transpose first: B H T K → B T D, of the right shape."""
    return heads.reshape(heads.shape[0], heads.shape[2], -1)


def split_wrong(self: Any, x: Tensor) -> Tensor:
    """Cuts the sentence, not the width: B T D → B H T K, of the right shape."""
    return x.reshape(len(x), self.heads, x.shape[1], -1)


# Normalisation and layers


def over_words(self: Any, x: Tensor) -> Tensor:
    """x, B T D, normalised along T."""
    return F.layer_norm(x.mT, x.shape[-2:-1], eps=self.eps).mT * self.weight + self.bias


def over_batch(self: Any, x: Tensor) -> Tensor:
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


def embed_at_0(self: Any, table: nn.Embedding, ids: Tensor, name: str, start: int = 0) -> Tensor:
    """Tells every token of a step that it stands at place 0."""
    return Transformer.embed(self, table, ids, name)


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


def start_late(self: Any, memory: Any, capacity: int | None = None) -> TransformerState:
    """Attends to the past, then takes the current token into it."""
    state = Transformer.start(self, memory, capacity)
    return replace(state, caches={name: LateCache(capacity) for name in state.caches})


class UnsortedState(TransformerState):
    """Re-orders the hypotheses of a sentence, but not what is kept of their past."""

    def select(self, rows: Tensor) -> TransformerState:
        """As `TransformerState` does, with the past of the rows in their old order."""
        old = rows.sort().values
        caches = {name: cache.select(old) for name, cache in self.caches.items()}
        return replace(super().select(rows), caches=caches)


def start_unsorted(self: Any, memory: Any, capacity: int | None = None) -> TransformerState:
    """Hypotheses go on with each other's past."""
    return UnsortedState(**vars(Transformer.start(self, memory, capacity)))


# The loss


def softmax_twice(self: Any, features: Tensor) -> Tensor:
    """Hands probabilities to a loss that expects logits."""
    return Transformer.project(self, features).softmax(-1)


def not_shifted(batch: Batch) -> Batch:
    """Reads what it has to write."""
    return replace(batch, target_in=batch.target_out)


def with_padding(batch: Batch) -> Batch:
    """Counts padding as words that have to be written."""
    return replace(batch, target_mask=torch.ones_like(batch.target_mask))


RIGHT = "right"  # the name of the model without a bug

BUGS = {
    RIGHT: Bug("nothing"),
    "no-mask": Bug("no causal mask", masked(PAST, lambda attention, mask: None)),
    "mask-inverted": Bug("the causal mask inverted", masked(PAST, inverted)),
    "mask-too-wide": Bug("a triangle one place too wide", masked(PAST, too_wide)),
    "mask-too-narrow": Bug("a triangle without the word itself", masked(PAST, too_narrow)),
    "mask-blocks-all": Bug("a mask that hides every word", masked(PAST, nothing)),
    "mask-after-softmax": Bug("a mask after the softmax", attending(mask_late)),
    "mask-in-training-only": Bug("a causal mask in training only",
        masked(PAST, lambda attention, mask: mask if attention.training else None)),
    "padding-attended": Bug("no padding mask", masked(SOURCE, lambda attention, mask: None)),
    "padding-mask-inverted": Bug("the padding mask inverted", masked(ACROSS, inverted)),
    "softmax-over-queries": Bug("the softmax over the queries", attending(over_queries)),
    "heads-merged-wrong": Bug("heads merged without transposing",
        instead(MultiHeadAttention, merge=merge_wrong)),
    "heads-split-wrong": Bug("the sentence cut into heads",
        instead(MultiHeadAttention, split=split_wrong, merge=merge_wrong)),
    "not-scaled": Bug("no √K", attending(not_scaled)),
    "scaled-by-model": Bug("√D in place of √K", attending(scaled_by_model)),
    "norm-over-words": Bug("normalised over the words", instead(nn.LayerNorm, forward=over_words)),
    "norm-over-batch": Bug("normalised over the batch", instead(nn.LayerNorm, forward=over_batch)),
    "layers-shared": Bug("[layer] * n", share_layers),
    "layers-in-a-list": Bug("layers in a Python list", list_layers),
    "no-positions": Bug("no positions", lambda model: model.positions.table.zero_()),
    "positions-divided": Bug("position / frequency", divide_positions),
    "large-embeddings": Bug("embeddings N(0, 1), times √D", enlarge_embeddings),
    "positions-restart": Bug("positions that begin again in steps",
        instead(Transformer, embed=embed_at_0)),
    "cache-late": Bug("a cache without the current token", instead(Transformer, start=start_late)),
    "beams-mixed": Bug("hypotheses re-ordered, their cache not",
        instead(Transformer, start=start_unsorted)),
    "not-shifted": Bug("the target not shifted", read=not_shifted),
    "padding-in-loss": Bug("padding in the loss", read=with_padding),
    "softmax-twice": Bug("a softmax before the cross-entropy",
        instead(Transformer, project=softmax_twice)),
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
    source = torch.tensor([[4, 5, 6, 7, 8], [9, 4, 8, 0, 0]])
    inputs = source, source > 0, torch.tensor([[1, 7, 4, 9, 5]]).expand(2, -1)
    logits = right(*inputs)
    return ((model.eval()(*inputs) - logits).abs().max() / logits.std()).item()
