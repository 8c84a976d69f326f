"""transformer_lite: from the seq2seq bottleneck to the Transformer, in code that can be read."""

from transformer_lite import threads  # noqa: F401  (before anything that loads PyTorch)
from transformer_lite.attention import MultiHeadAttention
from transformer_lite.scope import AttentionRecord
from transformer_lite.seq2seq import Seq2Seq, Seq2SeqConfig
from transformer_lite.transformer import Transformer, TransformerConfig
from transformer_lite.translator import Translator

__all__ = [
    "AttentionRecord",
    "MultiHeadAttention",
    "Seq2Seq",
    "Seq2SeqConfig",
    "Transformer",
    "TransformerConfig",
    "Translator",
]
