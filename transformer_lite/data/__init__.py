"""Corpora, tokenizers and batches: from text to the tensors that models read, and back."""

from transformer_lite.data.batching import (
    Batch,
    Example,
    collate,
    encode_pairs,
    epoch_batches,
    padding_waste,
)
from transformer_lite.data.corpus import (
    LOADERS,
    build_tokenizers,
    load,
    target_labels,
    tokenizer_from_json,
)
from transformer_lite.data.describe import describe
from transformer_lite.data.karate import KarateClub, karate_club
from transformer_lite.data.pairs import Corpus, Pair
from transformer_lite.data.subword import SubwordTokenizer
from transformer_lite.data.vocabulary import (
    BOS,
    EOS,
    PAD,
    SPECIALS,
    UNK,
    CharacterTokenizer,
    Tokenizer,
    WordTokenizer,
    normalise,
)

__all__ = [
    "BOS",
    "EOS",
    "LOADERS",
    "PAD",
    "SPECIALS",
    "UNK",
    "Batch",
    "CharacterTokenizer",
    "Corpus",
    "Example",
    "KarateClub",
    "Pair",
    "SubwordTokenizer",
    "Tokenizer",
    "WordTokenizer",
    "build_tokenizers",
    "collate",
    "describe",
    "encode_pairs",
    "epoch_batches",
    "karate_club",
    "load",
    "normalise",
    "padding_waste",
    "target_labels",
    "tokenizer_from_json",
]
