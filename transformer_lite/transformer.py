"""The Transformer: embeddings and positions around an encoder–decoder stack."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from transformer_lite.attention import AttentionRecord
from transformer_lite.fast.dropout import Dropout
from transformer_lite.fast.packing import Packing
from transformer_lite.layers import (
    ACTIVATIONS,
    Activation,
    KeysValues,
    KeyValueCache,
    Norm,
    initialise,
)
from transformer_lite.masks import check_token_mask
from transformer_lite.model import (
    DecoderState,
    SequenceModel,
    check_source,
    check_target,
    check_token,
    look_up,
    regroup,
)
from transformer_lite.positions import LearnedPositions, SinusoidalPositions
from transformer_lite.stack import EncoderDecoder


@dataclass(frozen=True)
class TransformerConfig:
    """What defines a `Transformer`.

    Attributes:
        source_vocab, target_vocab: number of token ids on each side.
        d_model: D, width of every layer.
        heads: H; each head is D / H wide.
        layers: number of encoder layers, and of decoder layers unless `decoder_layers` is given.
        d_ff: width inside the feed-forward networks.
        dropout: of embeddings and sublayers.
        attention_dropout: of attention weights; None takes `dropout`.
        norm: "pre" or "post" (the paper).
        final_norm: one more normalisation after each stack; None means: with "pre" only.
        activation: "relu" (the paper), "gelu" or "silu".
        positions: "sinusoidal" (the paper) or "learned".
        max_length: longest input of learned positions, in tokens; sines have no limit.
        tie: which embedding matrices are one: "none", "target" (target embedding and output) or
            "all" (source too; the paper).
        decoder_layers: number of decoder layers; None takes `layers`. A shallow decoder makes
            decoding fast, since it alone runs once a token (Kasai et al. 2021).
    """

    source_vocab: int
    target_vocab: int
    d_model: int = 256
    heads: int = 4
    layers: int = 3
    d_ff: int = 1024
    dropout: float = 0.1
    attention_dropout: float | None = None
    norm: Norm = "pre"
    final_norm: bool | None = None
    activation: Activation = "relu"
    positions: Literal["sinusoidal", "learned"] = "sinusoidal"
    max_length: int = 256
    tie: Literal["none", "target", "all"] = "target"
    decoder_layers: int | None = None

    def __post_init__(self) -> None:
        for name in ("source_vocab", "target_vocab", "d_model", "heads", "layers", "d_ff"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, but it is {getattr(self, name)}")
        if self.decoder_layers is not None and self.decoder_layers < 1:
            raise ValueError(f"decoder_layers must be at least 1, but it is {self.decoder_layers}")
        if self.d_model % self.heads:
            raise ValueError(
                f"heads must divide d_model, but d_model={self.d_model} is no multiple of "
                f"heads={self.heads}"
            )
        choices = {
            "norm": ("pre", "post"),
            "activation": tuple(ACTIVATIONS),
            "positions": ("sinusoidal", "learned"),
            "tie": ("none", "target", "all"),
        }
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {allowed}, not {getattr(self, name)!r}")
        if self.tie == "all" and self.source_vocab != self.target_vocab:
            raise ValueError(
                'tie="all" needs one vocabulary for both sides, but source_vocab='
                f"{self.source_vocab} and target_vocab={self.target_vocab}; use a joint tokenizer, "
                'or tie="target"'
            )

    @classmethod
    def base(cls, vocab_size: int) -> "TransformerConfig":
        """The paper's base model (table 3), with one vocabulary for both languages."""
        return cls(
            vocab_size, vocab_size, 512, 8, 6, 2048, 0.1, attention_dropout=0.0, norm="post",
            tie="all",
        )  # fmt: skip

    @classmethod
    def big(cls, vocab_size: int) -> "TransformerConfig":
        """The paper's big model (table 3), with one vocabulary for both languages."""
        return cls(
            vocab_size, vocab_size, 1024, 16, 6, 4096, 0.3, attention_dropout=0.0, norm="post",
            tie="all",
        )  # fmt: skip


@dataclass(frozen=True)
class TransformerMemory:
    """The encoded source: `states` Float[B, S, D] and `mask` Bool[B, S], True = real token."""

    states: Tensor
    mask: Tensor


@dataclass(frozen=True)
class TransformerState(DecoderState):
    """Keys and values of the source (a sentence's own) and of the target so far (a row's own).

    Attributes:
        source: keys and values of the source for every decoder layer.
        source_mask: Bool[B, S].
        caches: keys and values of the target tokens so far for every decoder layer.
        position: number of target tokens so far.
        per_sentence: g, rows that share one sentence.
    """

    source: list[KeysValues]
    source_mask: Tensor
    caches: list[KeyValueCache]
    position: int
    per_sentence: int

    def select(self, rows: Int[Tensor, " N"]) -> "TransformerState":
        """See `DecoderState.select`."""
        sentences, per_sentence = regroup(rows, self.per_sentence, len(self.source_mask))
        source, mask = self.source, self.source_mask
        if sentences is not None:
            source = [(key[sentences], value[sentences]) for key, value in source]
            mask = mask[sentences]
        caches = [cache.select(rows) for cache in self.caches]
        return TransformerState(source, mask, caches, self.position, per_sentence)


class Transformer(SequenceModel[TransformerMemory, TransformerState]):
    """Embeddings, positions, an `EncoderDecoder` and the output projection.

    Source: Vaswani et al. 2017.
    """

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__(config.source_vocab, config.target_vocab)
        self.config = config
        width = config.d_model
        self.source_embedding = nn.Embedding(config.source_vocab, width)
        self.target_embedding = nn.Embedding(config.target_vocab, width)
        self.output = nn.Linear(width, config.target_vocab, bias=False)
        self.positions = (
            LearnedPositions(width, config.max_length)
            if config.positions == "learned"
            else SinusoidalPositions(width, config.max_length)
        )
        self.dropout = Dropout(config.dropout)
        final_norm = config.norm == "pre" if config.final_norm is None else config.final_norm
        attention_dropout = (
            config.dropout if config.attention_dropout is None else config.attention_dropout
        )
        self.stack = EncoderDecoder(
            width, config.heads, config.d_ff, config.layers,
            config.layers if config.decoder_layers is None else config.decoder_layers,
            config.dropout, attention_dropout, config.norm, final_norm, config.activation,
        )  # fmt: skip
        initialise(self.output)
        # They are multiplied by √D when read: with this start their entries are N(0, 1) then.
        nn.init.normal_(self.source_embedding.weight, std=width**-0.5)
        nn.init.normal_(self.target_embedding.weight, std=width**-0.5)
        if config.tie != "none":
            self.output.weight = self.target_embedding.weight
        if config.tie == "all":
            self.source_embedding.weight = self.target_embedding.weight

    def embed(
        self, table: nn.Embedding, ids: Int[Tensor, "B T"], name: str, start: int = 0
    ) -> Float[Tensor, "B T D"]:
        """Embeddings × √D plus positions from `start` on, with dropout.

        Source: Vaswani et al. 2017, section 3.4.
        """
        words = look_up(table, ids, name) * math.sqrt(self.config.d_model)
        embedded: Tensor = self.dropout(self.positions(words, start))
        return embedded

    def encode(
        self,
        source: Int[Tensor, "B S"],
        source_mask: Bool[Tensor, "B S"],
        record: AttentionRecord | None = None,
    ) -> TransformerMemory:
        """See `SequenceModel.encode`; `record` collects the encoder's attention maps."""
        check_source(source, source_mask)
        x = self.embed(self.source_embedding, source, "source")
        return TransformerMemory(self.stack.encode(x, source_mask, record), source_mask)

    def features(
        self,
        source: Int[Tensor, "B S"],
        source_mask: Bool[Tensor, "B S"],
        target_in: Int[Tensor, "B T"],
        record: AttentionRecord | None = None,
    ) -> Float[Tensor, "B T D"]:
        """See `SequenceModel.features`. Target padding needs no mask: it lies in the future."""
        memory = self.encode(source, source_mask, record)
        check_target(source, target_in)
        x = self.embed(self.target_embedding, target_in, "target_in")
        keys_values = self.stack.source_keys_values(memory.states)
        return self.stack.decode(x, keys_values, memory.mask, record=record)

    def token_features(
        self,
        source: Int[Tensor, "B S"],
        source_mask: Bool[Tensor, "B S"],
        target_in: Int[Tensor, "B T"],
        target_mask: Bool[Tensor, "B T"],
    ) -> Float[Tensor, "N D"]:
        """See `SequenceModel.token_features`. All but attention runs on real tokens only."""
        check_source(source, source_mask)
        check_target(source, target_in)
        check_token_mask("target_mask", target_mask, "target_in", target_in)
        sources, targets = Packing(source_mask), Packing(target_mask)
        x = sources.pack(self.embed(self.source_embedding, source, "source"))
        memory = self.stack.encode(x, source_mask, packing=sources)
        keys_values = self.stack.source_keys_values(memory, sources)
        x = targets.pack(self.embed(self.target_embedding, target_in, "target_in"))
        return self.stack.decode(x, keys_values, source_mask, packing=targets)

    def project(self, features: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch V"]:
        """See `SequenceModel.project`."""
        logits: Tensor = self.output(features)
        return logits

    def start(self, memory: TransformerMemory, capacity: int | None = None) -> TransformerState:
        """See `SequenceModel.start`."""
        # Read again at every step: each head's keys and values side by side in memory.
        source = [
            (key.contiguous(), value.contiguous())
            for key, value in self.stack.source_keys_values(memory.states)
        ]
        caches = [KeyValueCache(capacity) for _ in source]
        return TransformerState(source, memory.mask, caches, position=0, per_sentence=1)

    def advance(
        self, state: TransformerState, token: Int[Tensor, " N"], record: AttentionRecord | None
    ) -> tuple[Float[Tensor, "N D"], TransformerState]:
        """See `SequenceModel.advance`. The caches are written in place: no gradients here."""
        check_token(token, len(state.source_mask) * state.per_sentence)
        if any(cache.length != state.position for cache in state.caches):
            raise ValueError(
                "this state was used already; go on with the state that step returned, or keep "
                "both futures apart with state.select"
            )
        with torch.no_grad():
            x = self.embed(self.target_embedding, token[:, None], "token", state.position)
            x = self.stack.decode(x, state.source, state.source_mask, state.caches, record)
        after = TransformerState(
            state.source, state.source_mask, state.caches, state.position + 1, state.per_sentence
        )
        return x[:, 0], after


def parameter_counts(model: Transformer) -> dict[str, int]:
    """The number of parameters of each component, and "total"; a shared matrix counts once."""
    parts: dict[str, Sequence[nn.Module]] = {
        "embeddings": [model.source_embedding, model.target_embedding, model.output],
        "positions": [model.positions],
    }
    for name, stack in (("encoder", model.stack.encoder), ("decoder", model.stack.decoder)):
        for kind in ("self_attention", "cross_attention", "feed_forward"):
            if hasattr(stack[0], kind):
                parts[f"{name} {kind}"] = [getattr(layer, kind) for layer in stack]
    parts["normalisation"] = [m for m in model.modules() if isinstance(m, nn.LayerNorm)]
    counts = {}
    for name, modules in parts.items():
        shared = {id(p): p.numel() for module in modules for p in module.parameters()}
        counts[name] = sum(shared.values())
    counts["total"] = sum(p.numel() for p in model.parameters())
    return counts
