"""English to Korean from a small grammar: sentences, gold alignments, and a trained model."""

from transformer_lite.data.pocket.corpus import gloss, label, load_pocket

__all__ = ["gloss", "label", "load_pocket"]
