"""The model contract: what training, decoding, evaluation and plots may ask of any model.

A recurrent network and a Transformer answer the same calls. Their states differ in nature: a
recurrent network has a fixed-size state, that of a Transformer (the key/value cache) grows with
every token and forgets nothing.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from transformer_lite.masks import check_source_mask
from transformer_lite.scope import AttentionRecord


class DecoderState(ABC):
    """All that a decoder keeps between two target tokens, one row a hypothesis.

    A state is used once: after `step`, go on with the state that it returned.
    """

    @abstractmethod
    def select(self, rows: Int[Tensor, " N"]) -> "DecoderState":
        """The state whose row i is this state's row `rows[i]`; rows may repeat or be left out.

        What belongs to a sentence is not copied as long as every sentence keeps equally many rows
        that stand side by side (as in greedy decoding and beam search).
        """


Memory = TypeVar("Memory")
State = TypeVar("State", bound=DecoderState)


class SequenceModel(nn.Module, ABC, Generic[Memory, State]):
    """A sequence-to-sequence model: reads a source, writes a target token by token.

    Shapes: `source` Int[B, S]; `source_mask` Bool[B, S], True = real token, padding on the right;
    `target_in` Int[B, T], the target shifted right (it begins with `<bos>`).

    For every prefix of a target, stepping through it gives the logits that `forward` gives.

    Args:
        source_vocab, target_vocab: number of token ids on each side.
    """

    output: nn.Linear  # from features to logits

    def __init__(self, source_vocab: int, target_vocab: int) -> None:
        super().__init__()
        self.source_vocab = source_vocab
        self.target_vocab = target_vocab

    @abstractmethod
    def encode(self, source: Int[Tensor, "B S"], source_mask: Bool[Tensor, "B S"]) -> Memory:
        """Read the source once; the result is all that the decoder will know of it."""

    @abstractmethod
    def start(self, memory: Memory, capacity: int | None = None) -> State:
        """The state before the first target token.

        Args:
            memory: what `encode` returned.
            capacity: how many target tokens a preallocated cache holds; None lets it grow.
        """

    @abstractmethod
    def advance(
        self, state: State, token: Int[Tensor, " N"], record: AttentionRecord | None
    ) -> tuple[Float[Tensor, "N D"], State]:
        """Features of the token after `token`, and the state to go on with; see `step`."""

    @abstractmethod
    def features(
        self,
        source: Int[Tensor, "B S"],
        source_mask: Bool[Tensor, "B S"],
        target_in: Int[Tensor, "B T"],
        record: AttentionRecord | None = None,
    ) -> Float[Tensor, "B T D"]:
        """Teacher forcing up to the last hidden layer; `project` turns it into logits.

        Apart from `project`, so that a loss may project real tokens only.
        """

    def project(self, features: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch V"]:
        """Logits over the target vocabulary."""
        return self.output(features)

    def step(
        self, state: State, token: Int[Tensor, " N"], record: AttentionRecord | None = None
    ) -> tuple[Float[Tensor, "N V"], State]:
        """Feed one target token a row and return logits for the next one, and the state after it.

        Args:
            state: from `start`, from the last `step`, or from `state.select`.
            token: the token just written (first `<bos>`), one a row of the state.
            record: where to put the decoder's attention maps of this step (T = 1).

        Raises:
            ValueError: not one token for each row, a token outside the target vocabulary, or a
                state whose cache has gone on without it (a recurrent state can be used again).
        """
        features, state = self.advance(state, token, record)
        return self.project(features), state

    def forward(
        self,
        source: Int[Tensor, "B S"],
        source_mask: Bool[Tensor, "B S"],
        target_in: Int[Tensor, "B T"],
        record: AttentionRecord | None = None,
    ) -> Float[Tensor, "B T V"]:
        """Teacher forcing: row t of the logits predicts the token after `target_in[:, t]`.

        Args:
            source, source_mask, target_in: see `SequenceModel`.
            record: where to put the attention maps; without one they need not be formed.

        Raises:
            ValueError: shapes that do not fit, ids outside the vocabulary, a row without a real
                token, or padding that is not on the right.
        """
        return self.project(self.features(source, source_mask, target_in, record))


@dataclass(frozen=True)
class Written(DecoderState):
    """A state without a cache: what `encode` gave, and all that was written, N rows each."""

    memory: tuple[Tensor, ...]
    tokens: Int[Tensor, "N T"]

    def select(self, rows: Int[Tensor, " N"]) -> "Written":
        """See `DecoderState.select`; the memory is copied, too."""
        return Written(tuple(one[rows] for one in self.memory), self.tokens[rows])


class Uncached(SequenceModel[tuple[Tensor, ...], Written]):
    """A model without a cache, of `encode` and `decode`: a step decodes all that was written again.

    Slow, and the shortest way to put a model of your own behind the contract. `encode` returns a
    tuple of tensors, each with a row a sentence.
    """

    @abstractmethod
    def decode(
        self, target_in: Int[Tensor, "N T"], memory: tuple[Tensor, ...]
    ) -> Float[Tensor, "N T V"]:
        """Logits of the token after each of `target_in`."""

    def features(
        self,
        source: Int[Tensor, "B S"],
        source_mask: Bool[Tensor, "B S"],
        target_in: Int[Tensor, "B T"],
        record: AttentionRecord | None = None,
    ) -> Float[Tensor, "B T V"]:
        """See `SequenceModel.features`; here they are the logits."""
        return self.decode(target_in, self.encode(source, source_mask))

    def project(self, features: Float[Tensor, "*batch V"]) -> Float[Tensor, "*batch V"]:
        """See `SequenceModel.project`."""
        return features

    def start(self, memory: tuple[Tensor, ...], capacity: int | None = None) -> Written:
        """See `SequenceModel.start`."""
        return Written(memory, memory[0].new_empty(len(memory[0]), 0, dtype=torch.long))

    def advance(
        self, state: Written, token: Int[Tensor, " N"], record: AttentionRecord | None
    ) -> tuple[Float[Tensor, "N V"], Written]:
        """See `SequenceModel.advance`."""
        check_token(token, len(state.tokens))
        state = Written(state.memory, torch.cat([state.tokens, token[:, None]], dim=1))
        return self.decode(state.tokens, state.memory)[:, -1], state


def check_source(source: Tensor, source_mask: Tensor) -> None:
    """Raise ValueError unless `source` is Int[B, S] and `source_mask` fits it."""
    _check_ids("source", source)
    check_source_mask(source, source_mask)


def check_target(source: Tensor, target_in: Tensor) -> None:
    """Raise ValueError unless `target_in` is Int[B, T] with the batch size of `source`."""
    _check_ids("target_in", target_in)
    if len(target_in) != len(source):
        raise ValueError(
            f"source and target_in must have one batch size, but source has {len(source)} rows "
            f"and target_in has {len(target_in)}"
        )


def _check_ids(name: str, ids: Tensor) -> None:
    if ids.ndim != 2 or ids.dtype not in (torch.int64, torch.int32):
        raise ValueError(
            f"{name} must be a batch of token ids, Int[B, length], but it has shape "
            f"{tuple(ids.shape)} and dtype {ids.dtype}"
        )
    if ids.numel() == 0:
        raise ValueError(
            f"{name} must hold at least one row of at least one token, but its shape is "
            f"{tuple(ids.shape)}"
        )


def check_token(token: Tensor, rows: int) -> None:
    """Raise ValueError unless `token` has one id for each of the `rows` of a state."""
    if token.shape != (rows,):
        raise ValueError(
            f"token must hold one id for each of the state's {rows} rows, but its shape is "
            f"{tuple(token.shape)}"
        )


def look_up(
    table: nn.Embedding, ids: Int[Tensor, "*batch"], name: str
) -> Float[Tensor, "*batch D"]:
    """The embeddings of `ids`; an id outside the vocabulary is a ValueError that names it.

    (On a GPU the check would stop the pipeline at every batch; there PyTorch's own assertion acts.)
    """
    try:
        vectors: Tensor = table(ids)
    except IndexError:
        bad = ids[(ids < 0) | (ids >= table.num_embeddings)]
        raise ValueError(
            f"{name} holds the id {int(bad[0])}, but this model's vocabulary has the ids "
            f"0 to {table.num_embeddings - 1}; was it encoded with another tokenizer?"
        ) from None
    return vectors


def regroup(
    rows: Int[Tensor, " N"], per_sentence: int, sentences: int
) -> tuple[Int[Tensor, " M"] | None, int]:
    """How a sentence's own data must follow when the rows of a state are selected.

    Before, row r belongs to sentence r // per_sentence.

    Returns:
        Which sentences' data to take (None: all, as they stand) and the new number of rows a
        sentence. Equal groups side by side share their sentence's data; any other choice of rows
        gets a copy each.
    """
    owner = rows // per_sentence
    kept, counts = torch.unique_consecutive(owner, return_counts=True)
    if bool((counts != counts[0]).any()):
        return owner, 1
    everything = torch.arange(sentences, device=rows.device)
    return (None if torch.equal(kept, everything) else kept), int(counts[0])
