"""Weights from elsewhere as our own modules, and our Transformer for elsewhere."""

from transformer_lite.interop.ctranslate2 import to_ctranslate2
from transformer_lite.interop.marian import from_marian
from transformer_lite.interop.marian_text import load_marian
from transformer_lite.interop.torch_transformer import from_torch

__all__ = ["from_marian", "from_torch", "load_marian", "to_ctranslate2"]
