"""Every kind of model of the package, small, and random batches for them."""

from dataclasses import dataclass
from typing import Any

import torch
from hypothesis import strategies as st
from torch import Tensor

from transformer_lite import Seq2Seq, Seq2SeqConfig, Transformer, TransformerConfig
from transformer_lite.fast import FastTransformer
from transformer_lite.masks import padding_mask
from transformer_lite.model import SequenceModel

SOURCE_VOCAB, TARGET_VOCAB = 11, 9
BOS, EOS = 1, 2
ATTENTIONS = ("additive", "dot", "scaled_dot", "general", "location")
DECODERS: dict[str, dict[str, Any]] = {
    "bahdanau": {"decoder": "bahdanau"},
    "luong": {"decoder": "luong"},
    "luong, input feeding": {"decoder": "luong", "input_feeding": True},
}

Model = SequenceModel[Any, Any]


def _kinds() -> dict[str, tuple[type, dict[str, Any]]]:
    """What makes kinds of models differ most; the rest of a configuration is drawn at random."""
    kinds: dict[str, tuple[type, dict[str, Any]]] = {
        f"rnn, context {context}": (Seq2SeqConfig, {"context": context})
        for context in ("start", "each_step")
    }
    for attention in ATTENTIONS:
        for name, decoder in DECODERS.items():
            kinds[f"rnn, {attention}, {name}"] = (
                Seq2SeqConfig,
                {"attention": attention, **decoder},
            )
    kinds["rnn, uniform, luong"] = (
        Seq2SeqConfig,
        {"attention": "uniform", "decoder": "luong"},
    )
    for window in ("monotonic", "predictive"):
        for name, decoder in DECODERS.items():
            kinds[f"rnn, {window} window, {name}"] = (
                Seq2SeqConfig,
                {"attention": "general", "window": window, "window_radius": 2, **decoder},
            )
    for norm in ("pre", "post"):
        for positions in ("sinusoidal", "learned"):
            kinds[f"transformer, {norm}, {positions}"] = (
                TransformerConfig,
                {"norm": norm, "positions": positions},
            )
    kinds["transformer, pre, sinusoidal, fast"] = (TransformerConfig, {"norm": "pre"})
    return kinds


KINDS = _kinds()
TRANSFORMERS = [kind for kind in KINDS if kind.startswith("transformer")]

# Every part of every model at least once, for tests that are too slow for all combinations.
FAMILIES = [
    "rnn, context start",
    "rnn, context each_step",
    "rnn, additive, bahdanau",
    "rnn, dot, luong",
    "rnn, scaled_dot, luong, input feeding",
    "rnn, location, luong",
    "rnn, monotonic window, bahdanau",
    "rnn, predictive window, luong",
    "transformer, pre, sinusoidal, fast",
    "transformer, post, learned",
]

# Attention is one module, whichever decoder asks: each score beside one decoder, each decoder and
# each window beside one score, and all Transformers hold what all combinations would.
COVERING = [
    *FAMILIES,
    "rnn, additive, luong, input feeding",
    "rnn, general, bahdanau",
    "rnn, general, luong",
    "rnn, uniform, luong",
    "transformer, pre, sinusoidal",
    "transformer, pre, learned",
    "transformer, post, sinusoidal",
]


def build(kind: str, seed: int = 0, dropout: float = 0.0, **fields: Any) -> Model:
    """A model of one kind in float64 and evaluation mode, with weights from `seed`."""
    configuration, defaults = KINDS[kind]
    torch.manual_seed(seed)
    common = {"source_vocab": SOURCE_VOCAB, "target_vocab": TARGET_VOCAB, "dropout": dropout}
    model: Model
    if configuration is TransformerConfig:
        small: dict[str, Any] = {"d_model": 8, "heads": 2, "layers": 2, "d_ff": 12}
        made = FastTransformer if kind.endswith("fast") else Transformer
        model = made(TransformerConfig(**(common | small | defaults | fields)))
    else:
        small = {"d_embedding": 5, "hidden": 6, "longest_source": 16}
        model = Seq2Seq(Seq2SeqConfig(**(common | small | defaults | fields)))
    return model.double().eval()


@st.composite
def models(draw: st.DrawFn, kind: str) -> Model:
    """A model of one kind; what the kind leaves open is drawn."""
    fields: dict[str, Any] = {"layers": draw(st.integers(1, 2))}
    if KINDS[kind][0] is TransformerConfig:
        fields["tie"] = draw(st.sampled_from(["none", "target", "all"]))
        if fields["tie"] == "all":
            fields["source_vocab"] = TARGET_VOCAB
        fields["final_norm"] = draw(st.sampled_from([None, True, False]))
        fields["activation"] = draw(st.sampled_from(["relu", "gelu", "silu"]))
        fields["decoder_layers"] = draw(st.sampled_from([None, 1, 2]))
        fields["heads"] = draw(st.sampled_from([1, 2, 4]))
    else:
        fields["bidirectional"] = draw(st.booleans())
    return build(kind, seed=draw(st.integers(0, 99)), **fields)


@dataclass(frozen=True)
class Inputs:
    """A batch as a model takes it: sources padded on the right, targets of one length."""

    source: Tensor
    lengths: Tensor
    target_in: Tensor

    @property
    def source_mask(self) -> Tensor:
        return padding_mask(self.lengths, self.source.shape[1])

    def __iter__(self) -> Any:
        return iter((self.source, self.source_mask, self.target_in))


def random_inputs(
    batch: int, source: int, target: int, seed: int, vocab: int = TARGET_VOCAB
) -> Inputs:
    """Random ids, padding included: what stands there must not matter."""
    generator = torch.Generator().manual_seed(seed)
    return Inputs(
        torch.randint(vocab, (batch, source), generator=generator),
        torch.randint(1, source + 1, (batch,), generator=generator),
        torch.randint(TARGET_VOCAB, (batch, target), generator=generator),
    )


@st.composite
def inputs(draw: st.DrawFn, most: int = 6) -> Inputs:
    """A random batch of 1 to 4 sentences, up to `most` tokens on each side."""
    size = st.integers(1, most)
    return random_inputs(
        draw(st.integers(1, 4)), draw(size), draw(size), draw(st.integers(0, 9999))
    )


def assert_same(ours: Tensor, theirs: Tensor) -> None:
    """Equal but for the rounding of float64."""
    torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-10)
