"""The Transformer, from top to bottom: feed-forward, residual connection, layers, stacks, model.

Vaswani et al. 2017, "Attention Is All You Need", figure 1. What an attention may see is handed down
as a `Scope`, in the place of a mask.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from transformer_lite.attention import MultiHeadAttention
from transformer_lite.checks import (
    MOST_LAYERS,
    MOST_POSITIONS,
    MOST_SIZE,
    check_at_least,
    check_at_most,
    check_choice,
    check_share,
)
from transformer_lite.masks import causal_mask
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
from transformer_lite.scope import (
    AttentionRecord,
    Hypotheses,
    KeysValues,
    KeyValueCache,
    Layout,
    Scope,
)

Norm = Literal["pre", "post"]
Activation = Literal["relu", "gelu", "silu"]
Positions = Literal["sinusoidal", "learned"]
Tie = Literal["none", "target", "all"]
ACTIVATIONS: dict[Activation, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "gelu": F.gelu,
    "silu": F.silu,
}


@dataclass(frozen=True)
class TransformerConfig:
    """What defines a `Transformer`.

    Attributes:
        source_vocab, target_vocab: number of token ids on each side.
        d_model: D, width of every layer.
        heads: H; each head is D / H wide.
        layers: number of encoder layers, and of decoder layers unless `decoder_layers` is given.
        d_ff: width inside the feed-forward networks.
        dropout: of embeddings, of what each sublayer adds, and inside the feed-forward networks
            (the last as `torch.nn.Transformer` does; the paper has none there).
        attention_dropout: of attention weights; None takes `dropout`.
        norm: "pre" or "post" (the paper).
        final_norm: one more normalisation after each stack; None: with "pre" only, where the sum is
            never normalised otherwise.
        activation: "relu" (the paper), "gelu" or "silu" (x σ(x), also called swish).
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
    positions: Positions = "sinusoidal"
    max_length: int = 256
    tie: Tie = "target"
    decoder_layers: int | None = None

    def __post_init__(self) -> None:
        check_at_least(1, self, "source_vocab target_vocab d_model heads layers d_ff max_length")
        if self.decoder_layers is not None:
            check_at_least(1, self, "decoder_layers")
        check_at_most(MOST_SIZE, self, "source_vocab target_vocab d_model d_ff")
        check_at_most(MOST_LAYERS, self, "layers decoder_layers")
        check_at_most(MOST_POSITIONS, self, "max_length")
        if self.d_model % self.heads:
            raise ValueError(
                f"heads must divide d_model, but they are heads={self.heads} and "
                f"d_model={self.d_model}"
            )
        check_share("dropout", self.dropout)
        check_share("attention_dropout", self.attention_dropout or 0.0)
        check_choice("norm", self.norm, Norm)
        check_choice("activation", self.activation, Activation)
        check_choice("positions", self.positions, Positions)
        check_choice("tie", self.tie, Tie)
        if self.tie == "all" and self.source_vocab != self.target_vocab:
            raise ValueError(
                'tie="all" must have one vocabulary for both sides, but they are source_vocab='
                f"{self.source_vocab} and target_vocab={self.target_vocab}; use a joint tokenizer, "
                'or tie="target"'
            )

    @classmethod
    def base(cls, vocab_size: int) -> "TransformerConfig":
        """The paper's base model (table 3), but for dropout inside the feed-forward networks."""
        return cls(
            vocab_size, vocab_size, d_model=512, heads=8, layers=6, d_ff=2048, dropout=0.1,
            attention_dropout=0.0, norm="post", tie="all",
        )  # fmt: skip

    @classmethod
    def big(cls, vocab_size: int) -> "TransformerConfig":
        """The paper's big model (table 3), as `base`."""
        return replace(cls.base(vocab_size), d_model=1024, heads=16, d_ff=4096, dropout=0.3)

    @property
    def least_weights(self) -> int:
        """How many weights the matrices have: nearly all of the model's, known before it is."""
        layer = 2 * self.d_model * self.d_ff + 4 * self.d_model**2
        decoder_layer = layer + 4 * self.d_model**2
        depth = self.layers if self.decoder_layers is None else self.decoder_layers
        ids = self.target_vocab * (2 if self.tie == "none" else 1)
        ids += 0 if self.tie == "all" else self.source_vocab
        return self.layers * layer + depth * decoder_layer + ids * self.d_model

    @property
    def weight_dropout(self) -> float:
        """Dropout of attention weights."""
        return self.dropout if self.attention_dropout is None else self.attention_dropout

    @property
    def normalises_stacks(self) -> bool:
        """Whether each stack ends with a normalisation."""
        return self.norm == "pre" if self.final_norm is None else self.final_norm


class FeedForward(nn.Module):
    """Two linear maps with an activation between, applied to every position by itself.

    Source: Vaswani et al. 2017, equation 2; Ramachandran et al. 2017 (swish).
    """

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.expand = nn.Linear(config.d_model, config.d_ff)
        self.contract = nn.Linear(config.d_ff, config.d_model)
        self.activation = ACTIVATIONS[config.activation]
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch D"]:
        """W₂ activation(W₁ x + b₁) + b₂."""
        inner = self.dropout(self.activation(self.expand(x)))  # ... d_ff
        return self.contract(inner)  # ... D


class Residual(nn.Module):
    """The residual connection around a sublayer: x + sublayer(x), with a layer normalisation.

    Post-norm (the paper) normalises the sum; pre-norm (today) normalises what enters the sublayer
    and leaves the sum itself alone, from the first layer to the last.

    Source: Vaswani et al. 2017, section 3.1 (post); Xiong et al. 2020, figure 1 (pre).
    """

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(config.d_model)
        self.dropout = nn.Dropout(config.dropout)
        self.norm_first = config.norm == "pre"

    def forward(
        self, x: Float[Tensor, "*batch D"], sublayer: Callable[[Tensor], Tensor]
    ) -> Float[Tensor, "*batch D"]:
        """x with what `sublayer` adds to it."""
        if self.norm_first:
            return x + self.dropout(sublayer(self.norm(x)))
        return self.norm(x + self.dropout(sublayer(x)))


class EncoderLayer(nn.Module):
    """Self-attention, then the feed-forward network, each inside a residual connection.

    Source: Vaswani et al. 2017, section 3.1 (encoder).
    """

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.self_attention = MultiHeadAttention(
            config.d_model, config.heads, config.weight_dropout
        )
        self.feed_forward = FeedForward(config)
        self.self_residual = Residual(config)
        self.feed_forward_residual = Residual(config)

    def forward(self, x: Float[Tensor, "*batch D"], scope: Scope) -> Float[Tensor, "*batch D"]:
        """One layer; `scope` hides the padding.

        Here and below `*batch` is `B S` or `B T`; one axis where padding is left out
        (`fast.packing`).
        """
        x = self.self_residual(x, lambda y: self.self_attention(y, y, y, scope))  # B S D
        x = self.feed_forward_residual(x, self.feed_forward)  # B S D
        return x


class DecoderLayer(nn.Module):
    """Masked self-attention, attention to the source, feed-forward network.

    Source: Vaswani et al. 2017, section 3.1 (decoder).
    """

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.self_attention = MultiHeadAttention(
            config.d_model, config.heads, config.weight_dropout
        )
        self.cross_attention = MultiHeadAttention(
            config.d_model, config.heads, config.weight_dropout
        )
        self.feed_forward = FeedForward(config)
        self.self_residual = Residual(config)
        self.cross_residual = Residual(config)
        self.feed_forward_residual = Residual(config)

    def forward(
        self,
        x: Float[Tensor, "*target D"],
        memory: Float[Tensor, "*source D"],
        self_scope: Scope,
        cross_scope: Scope,
    ) -> Float[Tensor, "*target D"]:
        """`self_scope` hides the future, `cross_scope` the padding of the source."""
        x = self.self_residual(x, lambda y: self.self_attention(y, y, y, self_scope))  # B T D
        x = self.cross_residual(
            x, lambda y: self.cross_attention(y, memory, memory, cross_scope)
        )  # B T D
        x = self.feed_forward_residual(x, self.feed_forward)  # B T D
        return x


class Encoder(nn.Module):
    """Encoder layers, one behind the other.

    Source: Vaswani et al. 2017, section 3.1.
    """

    layers: Sequence[EncoderLayer]

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        # A new layer each time: `[layer] * n` would repeat one set of parameters.
        self.layers = nn.ModuleList(  # type: ignore[assignment]
            EncoderLayer(config) for _ in range(config.layers)
        )
        self.norm = nn.LayerNorm(config.d_model) if config.normalises_stacks else nn.Identity()

    def forward(self, x: Float[Tensor, "*batch D"], scope: Scope) -> Float[Tensor, "*batch D"]:
        """The memory, `B S D`: every source position, after it has looked at all real ones."""
        for index, layer in enumerate(self.layers):
            x = layer(x, scope.at(f"encoder.{index}.self"))  # B S D
        return self.norm(x)


class Decoder(nn.Module):
    """Decoder layers, one behind the other; all of them read the encoder's last layer.

    Source: Vaswani et al. 2017, section 3.1.
    """

    layers: Sequence[DecoderLayer]

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        depth = config.layers if config.decoder_layers is None else config.decoder_layers
        self.layers = nn.ModuleList(  # type: ignore[assignment]
            DecoderLayer(config) for _ in range(depth)
        )
        self.norm = nn.LayerNorm(config.d_model) if config.normalises_stacks else nn.Identity()

    def forward(
        self,
        x: Float[Tensor, "*target D"],
        memory: Float[Tensor, "*source D"],
        self_scope: Scope,
        cross_scope: Scope,
    ) -> Float[Tensor, "*target D"]:
        """Features, `B T D`, of target positions that see themselves, their past and the source."""
        for index, layer in enumerate(self.layers):
            own = self_scope.at(f"decoder.{index}.self")
            cross = cross_scope.at(f"decoder.{index}.cross")
            x = layer(x, memory, own, cross)  # B T D
        return self.norm(x)


@dataclass(frozen=True)
class TransformerMemory:
    """The encoded source: `states` Float[B, S, D] and `mask` Bool[B, S], True = real token."""

    states: Tensor
    mask: Tensor


@dataclass(frozen=True)
class TransformerState(DecoderState):
    """What decoding keeps between two tokens; it grows with each, and forgets nothing.

    Attributes:
        memory: of B sentences.
        known: by the name of each attention, keys and values of the source, for B sentences.
        caches: likewise of the target so far, for N = B · per_sentence rows.
        position: number of target tokens so far.
        per_sentence: g, rows that share one sentence.
    """

    memory: TransformerMemory
    known: dict[str, KeysValues]
    caches: dict[str, KeyValueCache]
    position: int
    per_sentence: int

    def select(self, rows: Int[Tensor, " N"]) -> "TransformerState":
        """See `DecoderState.select`."""
        sentences, per_sentence = regroup(rows, self.per_sentence, len(self.memory.mask))
        memory, known = self.memory, self.known
        if sentences is not None:
            memory = TransformerMemory(memory.states[sentences], memory.mask[sentences])
            known = {name: (k[sentences], v[sentences]) for name, (k, v) in known.items()}
        caches = {name: cache.select(rows) for name, cache in self.caches.items()}
        return replace(self, memory=memory, known=known, caches=caches, per_sentence=per_sentence)


class Transformer(SequenceModel[TransformerMemory, TransformerState]):
    """Embeddings and positions, encoder, decoder, and the projection to the vocabulary.

    Source: Vaswani et al. 2017.
    """

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__(config.source_vocab, config.target_vocab)
        self.config = config
        width = config.d_model
        self.source_embedding = nn.Embedding(config.source_vocab, width)
        self.target_embedding = nn.Embedding(config.target_vocab, width)
        self.output = nn.Linear(width, config.target_vocab, bias=False)
        kind = LearnedPositions if config.positions == "learned" else SinusoidalPositions
        self.positions = kind(width, config.max_length)
        self.dropout = nn.Dropout(config.dropout)
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)
        for part in (self.encoder, self.decoder, self.output):
            initialise(part)
        # `embed` multiplies by √D: with this start the entries are N(0, 1) afterwards.
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
        words = look_up(table, ids, name) * math.sqrt(self.config.d_model)  # B T D
        return self.dropout(self.positions(words, start))  # B T D

    def encode(
        self,
        source: Int[Tensor, "B S"],
        source_mask: Bool[Tensor, "B S"],
        record: AttentionRecord | None = None,
    ) -> TransformerMemory:
        """See `SequenceModel.encode`."""
        check_source(source, source_mask)
        x = self.embed(self.source_embedding, source, "source")  # B S D
        scope = Scope(source_mask[:, None, None, :], record)
        return TransformerMemory(self.encoder(x, scope), source_mask)

    def features(
        self,
        source: Int[Tensor, "B S"],
        source_mask: Bool[Tensor, "B S"],
        target_in: Int[Tensor, "B T"],
        record: AttentionRecord | None = None,
    ) -> Float[Tensor, "B T D"]:
        """See `SequenceModel.features`. Target padding needs no mask: it lies in the future."""
        check_target(source, target_in)
        memory = self.encode(source, source_mask, record).states  # B S D
        x = self.embed(self.target_embedding, target_in, "target_in")  # B T D
        self_scope = Scope(causal_mask(x.shape[1], x.device), record)
        cross_scope = Scope(source_mask[:, None, None, :], record)
        return self.decoder(x, memory, self_scope, cross_scope)  # B T D

    def start(self, memory: TransformerMemory, capacity: int | None = None) -> TransformerState:
        """See `SequenceModel.start`. The source's keys and values are computed here, once."""
        known, caches = {}, {}
        for index, layer in enumerate(self.decoder.layers):
            states = memory.states
            key, value = layer.cross_attention.keys_values(states, states, Layout())  # B H S K
            # Read again at every step: each head's keys and values side by side in memory.
            known[f"decoder.{index}.cross"] = (key.contiguous(), value.contiguous())
            caches[f"decoder.{index}.self"] = KeyValueCache(capacity)
        return TransformerState(memory, known, caches, position=0, per_sentence=1)

    def advance(
        self, state: TransformerState, token: Int[Tensor, " N"], record: AttentionRecord | None
    ) -> tuple[Float[Tensor, "N D"], TransformerState]:
        """See `SequenceModel.advance`."""
        sentences, rows = len(state.memory.mask), len(state.memory.mask) * state.per_sentence
        check_token(token, rows)
        if any(cache.length != state.position for cache in state.caches.values()):
            raise ValueError(
                "this state was used already; go on with the state that step returned, or keep "
                "both futures apart with state.select"
            )
        self_scope = Scope(None, record, caches=state.caches)  # the newest token sees all of them
        cross_scope = Scope(
            state.memory.mask[:, None, None, :],
            record,
            known=state.known,
            query_layout=Hypotheses(sentences, rows),
        )
        x = self.embed(self.target_embedding, token[:, None], "token", state.position)  # N 1 D
        # The memory is not read again: its keys and values are known.
        x = self.decoder(x, state.memory.states, self_scope, cross_scope)  # N 1 D
        return x[:, 0], replace(state, position=state.position + 1)

    @torch.no_grad()
    def step(
        self,
        state: TransformerState,
        token: Int[Tensor, " N"],
        record: AttentionRecord | None = None,
    ) -> tuple[Float[Tensor, "N V"], TransformerState]:
        """See `SequenceModel.step`. Caches are written in place, so a step has no gradient."""
        return super().step(state, token, record)


def initialise(module: nn.Module) -> None:
    """Xavier-uniform weights and zero biases for every linear map inside `module`."""
    for part in module.modules():
        if isinstance(part, nn.Linear):
            nn.init.xavier_uniform_(part.weight)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
