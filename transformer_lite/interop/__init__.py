"""Weights from elsewhere, into our own modules."""

from transformer_lite.interop.marian import from_marian
from transformer_lite.interop.marian_text import load_marian
from transformer_lite.interop.torch_transformer import from_torch

__all__ = ["from_marian", "from_torch", "load_marian"]
