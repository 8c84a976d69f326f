"""The recurrent encoder–decoder, without attention and with every classic kind of it."""

from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from transformer_lite.checks import (
    MOST_LAYERS,
    MOST_POSITIONS,
    MOST_SIZE,
    check_at_least,
    check_at_most,
    check_choice,
    check_share,
)
from transformer_lite.model import (
    DecoderState,
    SequenceModel,
    check_source,
    check_target,
    check_token,
    look_up,
    regroup,
)
from transformer_lite.recurrent import Attention, BahdanauDecoder, LuongDecoder, gru
from transformer_lite.scope import AttentionRecord, Hypotheses
from transformer_lite.scores import (
    AdditiveScore,
    DotScore,
    GeneralScore,
    LocationScore,
    ScaledDotScore,
    Score,
    UniformScore,
)
from transformer_lite.windows import MonotonicWindow, PredictiveWindow

ScoreName = Literal["additive", "dot", "scaled_dot", "general", "location", "uniform"]
DecoderName = Literal["bahdanau", "luong"]
ContextPlace = Literal["start", "each_step"]
WindowName = Literal["monotonic", "predictive"]


@dataclass(frozen=True)
class Seq2SeqConfig:
    """What defines a `Seq2Seq`.

    Attributes:
        source_vocab, target_vocab: number of token ids on each side.
        attention: None, or the score: "additive", "dot", "scaled_dot", "general", "location", or
            the control "uniform".
        decoder: which state asks. "bahdanau": the previous one, and the context enters the
            recurrent cell at the same step. "luong": the state just computed, and the context
            joins behind the cell.
        context: without attention, where the one context enters: at the "start" (Sutskever et al.
            2014) or at "each_step" (Cho et al. 2014).
        input_feeding: with "luong", the attentional vector also enters the NEXT step's cell
            (Luong et al. 2015, section 3.3).
        window: None attends to the whole source (global attention); "monotonic" (local-m) and
            "predictive" (local-p) to a window of it.
        window_radius: R, how far a window reaches to both sides of its centre, in tokens.
        bidirectional: two encoders, left-to-right and right-to-left, each hidden / 2 wide.
        d_embedding: E, width of the embeddings.
        hidden: D, width of encoder outputs, decoder state and features.
        layers: L, number of recurrent layers in encoder and decoder.
        score_width: hidden width of the additive score; None takes `hidden`.
        longest_source: number of positions the location score knows, in tokens.
        dropout: of embeddings, between recurrent layers, and of features.
    """

    source_vocab: int
    target_vocab: int
    attention: ScoreName | None = None
    decoder: DecoderName = "bahdanau"
    context: ContextPlace = "start"
    input_feeding: bool = False
    window: WindowName | None = None
    window_radius: int = 10
    bidirectional: bool = False
    d_embedding: int = 64
    hidden: int = 128
    layers: int = 1
    score_width: int | None = None
    longest_source: int = 128
    dropout: float = 0.0

    def __post_init__(self) -> None:
        check_at_least(
            1, self, "source_vocab target_vocab d_embedding hidden layers longest_source"
        )
        if self.score_width is not None:
            check_at_least(1, self, "score_width")
        check_at_most(MOST_SIZE, self, "source_vocab target_vocab d_embedding hidden score_width")
        check_at_most(MOST_LAYERS, self, "layers")
        check_at_most(MOST_POSITIONS, self, "longest_source")
        check_share("dropout", self.dropout)
        if self.attention is not None:
            check_choice("attention", self.attention, ScoreName)
        check_choice("decoder", self.decoder, DecoderName)
        check_choice("context", self.context, ContextPlace)
        if self.window is not None:
            check_choice("window", self.window, WindowName)
        if self.bidirectional and self.hidden % 2:
            raise ValueError(
                f"a bidirectional encoder halves hidden, but hidden={self.hidden} is odd"
            )
        if self.attention is None and self.decoder != "bahdanau":
            raise ValueError(
                f"decoder={self.decoder!r} belongs to attention, but there is none; choose a score"
            )
        if self.input_feeding and (self.attention is None or self.decoder != "luong"):
            raise ValueError(
                'input_feeding belongs to attention with decoder="luong"; in '
                'decoder="bahdanau" the context enters the cell at the same step already'
            )
        if self.window is not None and self.attention is None:
            raise ValueError(
                f"window={self.window!r} belongs to attention, but there is none; choose a score"
            )
        if self.attention is not None and self.context != "start":
            raise ValueError(
                'context="each_step" belongs to attention=None: attention makes a fresh context '
                "at every step by itself"
            )

    @property
    def least_weights(self) -> int:
        """How many weights the model has at least, known before it is built."""
        tables = (self.source_vocab + self.target_vocab) * self.d_embedding
        return tables + self.target_vocab * self.hidden + 4 * self.layers * self.hidden**2

    @property
    def needs_loop(self) -> bool:
        """Whether a step's input needs the step before, so that training loops over positions."""
        return self.input_feeding or (self.attention is not None and self.decoder == "bahdanau")


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
    """A fixed-size state, however many tokens were written.

    Attributes:
        memory: of B sentences.
        prepared: what the score made of the encoder outputs, Float[B, S, A]; else the outputs.
        hidden: Float[L, N, D], the recurrent state, N = B · per_sentence.
        attentional_vector: Float[N, D], the features of the last token; zeros at the start.
        position: of the next target token, from 0; a window may stand there.
        per_sentence: rows that share one sentence.
    """

    memory: RecurrentMemory
    prepared: Tensor
    hidden: Tensor
    attentional_vector: Tensor
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
            attentional_vector=self.attentional_vector[rows],
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
        directions = 2 if config.bidirectional else 1
        self.source_embedding = nn.Embedding(config.source_vocab, embedding)
        self.target_embedding = nn.Embedding(config.target_vocab, embedding)
        self.encoder = gru(
            embedding, hidden // directions, config.layers, config.dropout, config.bidirectional
        )
        self.bridge = nn.Linear(hidden, hidden)
        self.attention = _attention(config)
        self.decoder = _decoder(config)
        self.output = nn.Linear(hidden, config.target_vocab)
        self.dropout = nn.Dropout(config.dropout)

    def encode(
        self, source: Int[Tensor, "B S"], source_mask: Bool[Tensor, "B S"]
    ) -> RecurrentMemory:
        """See `SequenceModel.encode`. Packing makes the last state that of the last REAL token."""
        check_source(source, source_mask)
        words = self.dropout(look_up(self.source_embedding, source, "source"))  # B S E
        lengths = source_mask.sum(1).cpu()
        packed = pack_padded_sequence(words, lengths, batch_first=True, enforce_sorted=False)
        packed_outputs, last = self.encoder(packed)  # last: L·directions B D/directions
        outputs, _ = pad_packed_sequence(
            packed_outputs, batch_first=True, total_length=source.shape[1]
        )  # B S D
        if self.config.bidirectional:
            # L·2 B D/2 → L B D: both directions of a layer side by side.
            last = torch.cat([last[0::2], last[1::2]], dim=-1)
        return RecurrentMemory(outputs, source_mask, last)

    def start(self, memory: RecurrentMemory, capacity: int | None = None) -> RecurrentState:
        """See `SequenceModel.start`; a recurrent state has one size and needs no capacity."""
        hidden = torch.tanh(self.bridge(memory.last))  # L B D
        prepared = memory.outputs
        if self.attention is not None:
            prepared = self.attention.score.prepare(memory.outputs)  # B S A
        nothing = torch.zeros_like(hidden[-1])  # B D
        return RecurrentState(memory, prepared, hidden, nothing, position=0, per_sentence=1)

    def advance(
        self, state: RecurrentState, token: Int[Tensor, " N"], record: AttentionRecord | None
    ) -> tuple[Float[Tensor, "N D"], RecurrentState]:
        """See `SequenceModel.advance`."""
        check_token(token, state.hidden.shape[1])
        words = self.dropout(look_up(self.target_embedding, token[:, None], "token"))  # N 1 E
        features, after = self._decode(state, words, record)
        return features[:, 0], after

    def features(
        self,
        source: Int[Tensor, "B S"],
        source_mask: Bool[Tensor, "B S"],
        target_in: Int[Tensor, "B T"],
        record: AttentionRecord | None = None,
    ) -> Float[Tensor, "B T D"]:
        """See `SequenceModel.features`."""
        check_target(source, target_in)
        state = self.start(self.encode(source, source_mask))
        words = self.dropout(look_up(self.target_embedding, target_in, "target_in"))  # B T E
        if not self.config.needs_loop:
            return self._decode(state, words, record)[0]
        steps: list[Tensor] = []
        maps: list[Tensor] = []
        for word in words.split(1, dim=1):  # B 1 E
            here = None if record is None else AttentionRecord()
            features, state = self._decode(state, word, here)  # B 1 D
            steps.append(features)
            if here is not None:
                maps.append(here["decoder.0.cross"])  # B 1 1 S
        if record is not None:
            record["decoder.0.cross"] = torch.cat(maps, dim=2)  # B 1 T S
        return torch.cat(steps, dim=1)  # B T D

    def _decode(
        self,
        state: RecurrentState,
        words: Float[Tensor, "N T E"],
        record: AttentionRecord | None,
    ) -> tuple[Float[Tensor, "N T D"], RecurrentState]:
        """Features of T target tokens and the state after them."""
        if self.config.input_feeding:  # T = 1
            words = torch.cat([words, state.attentional_vector[:, None]], dim=-1)
        if isinstance(self.decoder, nn.GRU):
            features, hidden = self.decoder(words, state.hidden)  # N T D, L N D
        else:
            features, hidden = self.decoder(
                words, state.hidden, lambda query: self._attend(state, query, record)
            )
        after = replace(
            state,
            hidden=hidden,
            attentional_vector=features[:, -1],
            position=state.position + words.shape[1],
        )
        return self.dropout(features), after

    def _attend(
        self,
        state: RecurrentState,
        query: Float[Tensor, "N T D"],
        record: AttentionRecord | None,
    ) -> Float[Tensor, "N T D"]:
        """The context of every query: by attention, or else the last encoder state each time."""
        memory = state.memory
        if self.attention is None:
            last = memory.last[-1].repeat_interleave(state.per_sentence, dim=0)  # N D
            return last[:, None].expand_as(query)
        rows = Hypotheses(len(memory.mask), len(query))
        queries = rows.unpack(query)  # B g·T D
        positions = state.position + torch.arange(query.shape[1], device=query.device)
        positions = positions.repeat(state.per_sentence).expand(queries.shape[:2])  # B g·T
        context, weights = self.attention(
            queries, state.prepared, memory.outputs, memory.mask, positions
        )
        if record is not None:
            record["decoder.0.cross"] = rows.maps(weights[:, None])  # N 1 T S
        return rows.pack(context)


def _attention(config: Seq2SeqConfig) -> Attention | None:
    width = config.hidden
    score: Score
    match config.attention:
        case None:
            return None
        case "additive":
            hidden = width if config.score_width is None else config.score_width
            score = AdditiveScore(width, width, hidden)
        case "dot":
            score = DotScore()
        case "scaled_dot":
            score = ScaledDotScore()
        case "general":
            score = GeneralScore(width, width)
        case "location":
            score = LocationScore(width, config.longest_source)
        case "uniform":
            score = UniformScore()
    match config.window:
        case None:
            return Attention(score)
        case "monotonic":
            return Attention(score, MonotonicWindow(config.window_radius))
        case "predictive":
            return Attention(score, PredictiveWindow(width, config.window_radius))


def _decoder(config: Seq2SeqConfig) -> nn.GRU | BahdanauDecoder | LuongDecoder:
    """Without attention and with the context at the start, the decoder is a GRU and no more."""
    embedding, others = config.d_embedding, (config.hidden, config.layers, config.dropout)
    if config.attention is None and config.context == "start":
        return gru(embedding, *others)
    if config.attention is not None and config.decoder == "luong":
        extra = config.hidden if config.input_feeding else 0
        return LuongDecoder(embedding + extra, *others)
    return BahdanauDecoder(embedding, *others)
