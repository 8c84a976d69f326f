"""What a decoder with attention wrote, and where it looked at each step."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from transformer_lite.data import BOS, EOS, Tokenizer
from transformer_lite.decoding import evaluation_mode, greedy
from transformer_lite.scope import AttentionRecord
from transformer_lite.seq2seq import Seq2Seq

MOST_STEPS = 40  # nobody steps on for longer


@dataclass(frozen=True)
class Recording:
    """One text, decoded.

    Attributes:
        text: the source as a reader knows it.
        source: its S tokens, `<eos>` last.
        written: T target tokens in their order.
        weights: T rows of S numbers from 0 to 1; row t belongs to the step that wrote token t.

    Raises:
        ValueError: the rows do not fit the tokens.
    """

    text: str
    source: Sequence[str]
    written: Sequence[str]
    weights: Sequence[Sequence[float]]

    def __post_init__(self) -> None:
        lengths = [len(row) for row in self.weights]
        if not lengths or lengths != [len(self.source)] * len(self.written):
            raise ValueError(
                f"weights must be a row of {len(self.source)} for each of the tokens written, of "
                f"which there must be at least one and are {len(self.written)}, but the lengths of "
                f"its rows are {lengths}"
            )


@torch.no_grad()
def record(
    model: Seq2Seq, source_tokenizer: Tokenizer, target_tokenizer: Tokenizer, text: str
) -> Recording:
    """Greedy decoding of one text, `<eos>` included where the model wrote it."""
    ids = [*source_tokenizer.encode(text), EOS]
    source = torch.tensor([ids], device=model.output.weight.device)
    mask = torch.ones_like(source, dtype=torch.bool)
    (best,) = greedy(model, source, mask, bos=BOS, eos=EOS, max_length=MOST_STEPS)
    written = [*best.tokens, EOS] if best.finished else [*best.tokens]
    maps = AttentionRecord()
    with evaluation_mode(model):
        model(source, mask, source.new_tensor([[BOS, *written[:-1]]]), maps)
    return Recording(
        text,
        source_tokenizer.tokens(ids),
        target_tokenizer.tokens(written),
        maps["decoder.0.cross"][0, 0].tolist(),  # T S
    )


def check(model: Any, source_tokenizer: Tokenizer, target_tokenizer: Tokenizer, texts: Any) -> None:
    """Raise ValueError unless `record` can decode these texts with this model."""
    if not isinstance(model, Seq2Seq) or model.attention is None:
        came = model.config if isinstance(model, Seq2Seq) else f"a {type(model).__name__}"
        raise ValueError(
            "model must be a Seq2Seq with attention, such as "
            f'Seq2Seq(Seq2SeqConfig(..., attention="additive")), but it is {came}'
        )
    for name, tokenizer, size in (
        ("source_tokenizer", source_tokenizer, model.source_vocab),
        ("target_tokenizer", target_tokenizer, model.target_vocab),
    ):
        if len(tokenizer) != size:
            raise ValueError(
                f"{name} must be the one that the model was trained with, of {size} ids, but it "
                f"has {len(tokenizer)}"
            )
    if isinstance(texts, str) or not texts:
        raise ValueError(
            f"texts must be a list of at least one text, but it is {texts!r}; write [text] for one"
        )
