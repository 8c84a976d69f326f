"""Subwords by byte pair encoding (Sennrich, Haddow and Birch 2016), through `tokenizers`."""

import json
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import tokenizers
from tokenizers import decoders, models, normalizers, pre_tokenizers, trainers

from transformer_lite.checks import MOST_SIZE, check_whole, shown
from transformer_lite.data.vocabulary import SPECIALS, UNK, Tokenizer

WORD_START = "\u2581"  # ▁ marks where a word begins, so that joining the pieces is lossless


class SubwordTokenizer(Tokenizer):
    """Frequent words are one token, rare words several; ▁ opens each word.

    A character that training never showed becomes `<unk>`. Falling back on bytes would avoid
    that, at the price of 256 vocabulary rows which almost no training sentence touches and
    which would reach the model untrained; an honest `<unk>` is easier to see.
    """

    kind = "subwords"

    def __init__(self, backend: tokenizers.Tokenizer) -> None:
        ids = [backend.token_to_id(token) for token in SPECIALS]
        if ids != list(range(len(SPECIALS))):
            raise ValueError(
                f"backend must give {', '.join(SPECIALS)} the ids 0 to 3, but it gives "
                f"{shown(ids)}; "
                "train it with SubwordTokenizer.train"
            )
        # A reader who types "<eos>" means five characters, not the end of the sentence.
        backend.encode_special_tokens = True
        self._backend = backend

    @classmethod
    def train(
        cls, texts: Iterable[str], vocab_size: int, *, lowercase: bool = False
    ) -> "SubwordTokenizer":
        """Learn the merges from training texts; `vocab_size` counts the specials.

        The result may be smaller where the texts offer too few pairs to merge. Raises
        ValueError when `vocab_size` cannot even hold every character of the texts.
        """
        check_whole("vocab_size", vocab_size, 1, MOST_SIZE)
        steps = [normalizers.NFC(), *([normalizers.Lowercase()] if lowercase else [])]
        backend = tokenizers.Tokenizer(models.BPE(unk_token=SPECIALS[UNK]))
        backend.normalizer = normalizers.Sequence(steps)
        backend.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Metaspace(replacement=WORD_START, prepend_scheme="first"),
                # Without this, "snow." and "snow" would be two unrelated tokens.
                pre_tokenizers.Punctuation(),
            ]
        )
        backend.decoder = decoders.Metaspace(replacement=WORD_START, prepend_scheme="first")
        sentences = [" ".join(text.split()) for text in texts]
        normalised = (unicodedata.normalize("NFC", text) for text in sentences)
        alphabet = {c for text in normalised for c in (text.lower() if lowercase else text)}
        smallest = len(SPECIALS) + len(alphabet - {" "} | {WORD_START})
        if vocab_size < smallest:
            raise ValueError(
                f"vocab_size must be at least {smallest} (the specials and one entry for "
                f"each character of the texts), but it is {vocab_size}"
            )
        trainer = trainers.BpeTrainer(
            vocab_size=vocab_size, special_tokens=list(SPECIALS), show_progress=False
        )
        backend.train_from_iterator(sentences, trainer)
        return cls(backend)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "SubwordTokenizer":
        """Rebuild from what `to_json` gave; raises ValueError for damaged content."""
        try:
            backend = tokenizers.Tokenizer.from_str(json.dumps(data["tokenizer"]))
        except Exception as error:  # the library raises bare Exception for whatever is wrong
            raise ValueError(
                "tokenizer must be the settings of a subword tokenizer, but it is not "
                f"({shown(error)}); the file is damaged, take it from its source again"
            ) from error
        return cls(backend)

    def __len__(self) -> int:
        return int(self._backend.get_vocab_size())

    def encode(self, text: str) -> list[int]:
        """Give the ids of the pieces; runs of spaces count as one. ValueError for an empty text."""
        words = text.split()
        if not words:
            raise ValueError("text must hold at least one word, but it is empty")
        return list(self._backend.encode(" ".join(words)).ids)

    def token(self, index: int) -> str:
        """Give one piece, with ▁ where it opens a word."""
        return str(self._backend.id_to_token(index))

    def join(self, ids: Sequence[int]) -> str:
        """Put the pieces together; each ▁ but the first becomes a space."""
        return str(self._backend.decode(list(ids)))

    def to_json(self) -> dict[str, Any]:
        """Give the kind and the settings of the library, merges included."""
        return {"kind": self.kind, "tokenizer": json.loads(self._backend.to_str())}
