"""The recurrent encoder–decoder, without attention and with every classic kind of it."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from transformer_lite.attention import AttentionRecord
from transformer_lite.layers import ungroup
from transformer_lite.masks import masked_softmax
from transformer_lite.model import (
    DecoderState,
    SequenceModel,
    check_source,
    check_target,
    check_token,
    look_up,
    regroup,
)
from transformer_lite.recurrent import BahdanauDecoder, LuongDecoder, PlainDecoder
from transformer_lite.scores import (
    AdditiveScore,
    DotScore,
    GeneralScore,
    LocationScore,
    ScaledDotScore,
    Score,
    context,
)
from transformer_lite.seq2seq_config import Seq2SeqConfig
from transformer_lite.windows import MonotonicWindow, PredictiveWindow, Window


@dataclass(frozen=True)
class RecurrentMemory:
    """The encoded source.

    Attributes:
        outputs: Float[B, S, D], one vector a source token; a model without attention ignores it.
        mask: Bool[B, S], True = real token.
        last: Float[L, B, D], the encoder's last states: the whole message of a model without
            attention.
    """

    outputs: Tensor
    mask: Tensor
    last: Tensor


@dataclass(frozen=True)
class RecurrentState(DecoderState):
    """One size for ever, however many tokens were written.

    Attributes:
        memory: of B sentences.
        prepared: what the score made of the encoder outputs, Float[B, S, A]; empty without it.
        hidden: Float[L, N, D], the recurrent state, N = B · per_sentence.
        fed: Float[N, D], the last attentional vector; zeros at the start.
        position: of the next target token, from 0; a window may stand there.
        per_sentence: rows that share one sentence.
    """

    memory: RecurrentMemory
    prepared: Tensor
    hidden: Tensor
    fed: Tensor
    position: int
    per_sentence: int

    def select(self, rows: Int[Tensor, " N"]) -> "RecurrentState":
        """See `DecoderState.select`."""
        sentences, per_sentence = regroup(rows, self.per_sentence, len(self.memory.mask))
        memory, prepared = self.memory, self.prepared
        if sentences is not None:
            memory = RecurrentMemory(
                memory.outputs[sentences], memory.mask[sentences], memory.last[:, sentences]
            )
            prepared = prepared[sentences]
        return replace(
            self,
            memory=memory,
            prepared=prepared,
            hidden=self.hidden[:, rows],
            fed=self.fed[rows],
            per_sentence=per_sentence,
        )


class Seq2Seq(SequenceModel[RecurrentMemory, RecurrentState]):
    """GRU encoder and decoder, joined by their last state alone or by attention.

    Source: Sutskever et al. 2014; Cho et al. 2014; Bahdanau et al. 2015; Luong et al. 2015.
    """

    def __init__(self, config: Seq2SeqConfig) -> None:
        super().__init__(config.source_vocab, config.target_vocab)
        self.config = config
        hidden, embedding = config.hidden, config.d_embedding
        between = config.dropout if config.layers > 1 else 0.0
        directions = 2 if config.bidirectional else 1
        self.source_embedding = nn.Embedding(config.source_vocab, embedding)
        self.target_embedding = nn.Embedding(config.target_vocab, embedding)
        self.encoder = nn.GRU(
            embedding, hidden // directions, config.layers, batch_first=True,
            dropout=between, bidirectional=config.bidirectional,
        )  # fmt: skip
        self.bridge = nn.Linear(hidden, hidden)
        self.score = _score(config)
        self.window = _window(config)
        self.decoder = _decoder(config)
        self.output = nn.Linear(hidden, config.target_vocab)
        self.dropout = nn.Dropout(config.dropout)

    def encode(
        self, source: Int[Tensor, "B S"], source_mask: Bool[Tensor, "B S"]
    ) -> RecurrentMemory:
        """See `SequenceModel.encode`. Packing makes the last state that of the last REAL token."""
        check_source(source, source_mask)
        embedded = self.dropout(look_up(self.source_embedding, source, "source"))
        lengths = source_mask.sum(1).cpu()
        packed = pack_padded_sequence(embedded, lengths, batch_first=True, enforce_sorted=False)
        packed_outputs, last = self.encoder(packed)
        outputs, _ = pad_packed_sequence(
            packed_outputs, batch_first=True, total_length=source.shape[1]
        )
        if self.config.bidirectional:
            # L·2 B D/2 → L B D: both directions of a layer side by side.
            last = torch.cat([last[0::2], last[1::2]], dim=-1)
        return RecurrentMemory(outputs, source_mask, last)

    def start(self, memory: RecurrentMemory, capacity: int | None = None) -> RecurrentState:
        """See `SequenceModel.start`; a recurrent state needs no capacity."""
        hidden = torch.tanh(self.bridge(memory.last))
        prepared = memory.outputs if self.score is None else self.score.prepare(memory.outputs)
        fed = torch.zeros_like(hidden[-1])
        return RecurrentState(memory, prepared, hidden, fed, position=0, per_sentence=1)

    def advance(
        self, state: RecurrentState, token: Int[Tensor, " N"], record: AttentionRecord | None
    ) -> tuple[Float[Tensor, "N D"], RecurrentState]:
        """See `SequenceModel.advance`."""
        check_token(token, len(state.fed))
        embedded = self.dropout(look_up(self.target_embedding, token[:, None], "token"))
        features, after = self._decode(state, embedded, record)
        return features[:, 0], after

    def features(
        self,
        source: Int[Tensor, "B S"],
        source_mask: Bool[Tensor, "B S"],
        target_in: Int[Tensor, "B T"],
        record: AttentionRecord | None = None,
    ) -> Float[Tensor, "B T D"]:
        """See `SequenceModel.features`."""
        state = self.start(self.encode(source, source_mask))
        check_target(source, target_in)
        embedded = self.dropout(look_up(self.target_embedding, target_in, "target_in"))
        if not self.config.one_by_one:
            return self._decode(state, embedded, record)[0]
        features, records = [], []
        for position in range(target_in.shape[1]):
            here = AttentionRecord() if record is not None else None
            step, state = self._decode(state, embedded[:, position : position + 1], here)
            features.append(step)
            records.append(here)
        if record is not None:
            for name in records[0] or {}:
                record[name] = torch.cat([one[name] for one in records if one], dim=2)
        return torch.cat(features, dim=1)

    def project(self, features: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch V"]:
        """See `SequenceModel.project`."""
        logits: Tensor = self.output(features)
        return logits

    def _decode(
        self,
        state: RecurrentState,
        words: Float[Tensor, "N T E"],
        record: AttentionRecord | None,
    ) -> tuple[Float[Tensor, "N T D"], RecurrentState]:
        """Features of T target tokens and the state after them."""
        features, hidden = self.decoder(
            words, state.hidden, state.fed, lambda query: self._look(state, query, record)
        )
        position = state.position + words.shape[1]
        after = replace(state, hidden=hidden, fed=features[:, -1], position=position)
        return self.dropout(features), after

    def _look(
        self,
        state: RecurrentState,
        query: Float[Tensor, "N T D"],
        record: AttentionRecord | None,
    ) -> Float[Tensor, "N T D"]:
        """The context of every query: by attention, or else the last encoder state each time."""
        memory = state.memory
        if self.score is None:
            last = memory.last[-1].repeat_interleave(state.per_sentence, dim=0)
            return last[:, None].expand_as(query)
        # The rows of one sentence are further queries to the same keys: no copies.
        queries = query.reshape(len(memory.mask), -1, query.shape[2])
        energies = self.score.energies(queries, state.prepared)
        mask = memory.mask[:, None]
        if self.window is None:
            weights = masked_softmax(energies, mask)
        else:
            positions = state.position + torch.arange(query.shape[1], device=query.device)
            positions = positions.expand(query.shape[:2]).reshape(queries.shape[:2])
            weights = self.window(energies, mask, queries, positions)
        if record is not None:
            record["decoder.0.cross"] = ungroup(weights[:, None], len(query))
        return context(weights, memory.outputs).reshape(query.shape)


def _decoder(config: Seq2SeqConfig) -> nn.Module:
    sizes = (config.d_embedding, config.hidden, config.layers, config.dropout)
    if config.attention is None and config.context == "start":
        return PlainDecoder(*sizes)
    if config.attention is not None and config.decoder == "luong":
        return LuongDecoder(*sizes, config.input_feeding)
    return BahdanauDecoder(*sizes)


def _score(config: Seq2SeqConfig) -> Score | None:
    width = config.hidden
    match config.attention:
        case None:
            return None
        case "additive":
            return AdditiveScore(width, width, config.score_width or width)
        case "dot":
            return DotScore()
        case "scaled_dot":
            return ScaledDotScore()
        case "general":
            return GeneralScore(width, width)
        case "location":
            return LocationScore(width, config.longest_source)


def _window(config: Seq2SeqConfig) -> Window | None:
    match config.window:
        case None:
            return None
        case "monotonic":
            return MonotonicWindow(config.window_radius)
        case "predictive":
            return PredictiveWindow(config.hidden, config.window_radius)
