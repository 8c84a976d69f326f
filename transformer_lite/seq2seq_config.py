"""What defines a recurrent encoder–decoder; what the papers mix is kept apart."""

from dataclasses import dataclass
from typing import Literal

Attention = Literal["additive", "dot", "scaled_dot", "general", "location"]


@dataclass(frozen=True)
class Seq2SeqConfig:
    """What defines a `Seq2Seq`.

    Attributes:
        source_vocab, target_vocab: number of token ids on each side.
        attention: None, or the score: "additive", "dot", "scaled_dot", "general", "location".
        decoder: which state asks. "bahdanau": the previous one, and the context enters the
            recurrent cell at the same step. "luong": the state just computed, and the context
            joins behind the cell.
        context: without attention, where the one context enters: at the "start" (Sutskever et al.
            2014) or at "each_step" (Cho et al. 2014).
        input_feeding: with "luong", the attentional vector also enters the NEXT step's cell.
        window: None attends to the whole source (global attention); "monotonic" (local-m) and
            "predictive" (local-p) to a window of it.
        window_radius: D, how far a window reaches to both sides of its centre, in tokens.
        bidirectional: two encoders, left-to-right and right-to-left, each hidden / 2 wide.
        d_embedding: width of the embeddings.
        hidden: D, width of encoder outputs, decoder state and features.
        layers: number of recurrent layers in encoder and decoder.
        score_width: hidden width of the additive score; None takes `hidden`.
        longest_source: number of positions the location score knows, in tokens.
        dropout: of embeddings, between recurrent layers, and of features.
    """

    source_vocab: int
    target_vocab: int
    attention: Attention | None = None
    decoder: Literal["bahdanau", "luong"] = "bahdanau"
    context: Literal["start", "each_step"] = "start"
    input_feeding: bool = False
    window: Literal["monotonic", "predictive"] | None = None
    window_radius: int = 10
    bidirectional: bool = False
    d_embedding: int = 64
    hidden: int = 128
    layers: int = 1
    score_width: int | None = None
    longest_source: int = 128
    dropout: float = 0.0

    def __post_init__(self) -> None:
        for name in ("source_vocab", "target_vocab", "d_embedding", "hidden", "layers"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, but it is {getattr(self, name)}")
        choices = {
            "attention": (None, "additive", "dot", "scaled_dot", "general", "location"),
            "decoder": ("bahdanau", "luong"),
            "context": ("start", "each_step"),
            "window": (None, "monotonic", "predictive"),
        }
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {allowed}, not {getattr(self, name)!r}")
        if self.bidirectional and self.hidden % 2:
            raise ValueError(
                f"a bidirectional encoder halves hidden, but hidden={self.hidden} is odd"
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
    def one_by_one(self) -> bool:
        """Whether a step's input needs the step before, so that training loops over positions."""
        return self.input_feeding or (self.attention is not None and self.decoder == "bahdanau")
