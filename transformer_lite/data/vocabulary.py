"""Text to token ids and back: characters and words (subwords live in `subword`).

Every tokenizer gives the first four ids to the same special tokens, and none adds `<bos>` or
`<eos>` by itself: batching does that, in one place.
"""

import unicodedata
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from itertools import islice
from typing import Any, ClassVar

from transformer_lite.checks import MOST_SHOWN, shortened, shown

PAD, BOS, EOS, UNK = 0, 1, 2, 3
SPECIALS = ("<pad>", "<bos>", "<eos>", "<unk>")
MOST_NAMED = 5  # unknown symbols in a message


def normalise(text: str) -> str:
    """Lower-case a sentence, compose its letters (NFC), and strip final punctuation.

    Readers may so type "The cat drinks milk." where the pocket corpus has "the cat drinks milk".
    """
    return unicodedata.normalize("NFC", text).lower().strip().rstrip(".!?…").rstrip()


class Tokenizer(ABC):
    """Turns text into ids and back; ids 0 to 3 are the SPECIALS, in that order."""

    kind: ClassVar[str]

    @abstractmethod
    def __len__(self) -> int:
        """Number of ids, the specials included: the V of the models."""

    @abstractmethod
    def encode(self, text: str) -> list[int]:
        """Give the ids of a text, without `<bos>` and `<eos>`.

        Raises ValueError for an empty text and for symbols the tokenizer cannot represent.
        """

    @abstractmethod
    def token(self, index: int) -> str:
        """Give the token of one id as it is shown in figures; the caller keeps the id in range."""

    @abstractmethod
    def join(self, ids: Sequence[int]) -> str:
        """Put the tokens of ordinary ids (no specials) together to a text."""

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """Give everything that `from_json` needs, as plain JSON data."""

    def tokens(self, ids: Iterable[int]) -> list[str]:
        """Give one string to show for each id, specials as "<eos>" and so on.

        Raises ValueError for an id outside the vocabulary.
        """
        return [self.token(index) for index in self._checked(ids)]

    def decode(self, ids: Iterable[int]) -> str:
        """Give the text of some ids: it ends before the first EOS, and specials are dropped.

        Raises ValueError for an id outside the vocabulary.
        """
        kept = []
        for index in self._checked(ids):
            if index == EOS:
                break
            if index >= len(SPECIALS):
                kept.append(index)
        return self.join(kept)

    def _checked(self, ids: Iterable[int]) -> list[int]:
        known = [int(index) for index in ids]
        wrong = sorted({index for index in known if not 0 <= index < len(self)})
        if wrong:
            raise ValueError(
                f"ids must be from 0 to {len(self) - 1}, but some are {shown(wrong)}; "
                "they come from another vocabulary"
            )
        return known


class _ListedTokenizer(Tokenizer):
    """A tokenizer whose tokens stand in a list: id = place in the list."""

    def __init__(self, symbols: Iterable[str]) -> None:
        listed = list(symbols)
        if not listed:
            raise ValueError(
                "symbols must hold at least one, but it is empty; give a training text"
            )
        repeated = sorted(s for s, n in Counter(listed).items() if n > 1 or s in SPECIALS)
        if repeated:
            raise ValueError(
                f"symbols must be different ones and no specials, but these are not: "
                f"{shown(repeated)}"
            )
        self._tokens = [*SPECIALS, *listed]
        self._ids = {token: index for index, token in enumerate(self._tokens)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "_ListedTokenizer":
        """Rebuild from what `to_json` gave; raises ValueError for damaged content."""
        symbols = data.get("symbols")
        if not isinstance(symbols, list) or not all(isinstance(symbol, str) for symbol in symbols):
            raise ValueError(
                f"symbols must be a list of strings, but it is {shown(symbols)}; the file is "
                "damaged, take it from its source again"
            )
        return cls(symbols)

    def __len__(self) -> int:
        return len(self._tokens)

    def token(self, index: int) -> str:
        """Give the character or word of one id."""
        return self._tokens[index]

    def to_json(self) -> dict[str, Any]:
        """Give the kind and the list of symbols, specials left out."""
        return {"kind": self.kind, "symbols": self._tokens[len(SPECIALS) :]}

    def _lookup(self, symbols: Iterable[str]) -> list[int]:
        symbols = list(symbols)
        if not symbols:
            raise ValueError("text must hold at least one symbol, but it is empty")
        known = {symbol: self._ids.get(symbol, UNK) for symbol in symbols}
        unknown = (symbol for symbol, index in known.items() if index < len(SPECIALS))
        named = list(islice(unknown, MOST_NAMED))
        if named:
            others = len(list(unknown))
            more = f" and {others:,} more" if others else ""
            raise ValueError(
                f"text must hold known {self.kind} only, but it has "
                f"{', '.join(map(shown, named))}{more}; {self._advice(named)}"
            )
        return [known[symbol] for symbol in symbols]

    @abstractmethod
    def _advice(self, unknown: Sequence[str]) -> str:
        """Say what could have been written instead of the unknown symbols."""


class CharacterTokenizer(_ListedTokenizer):
    """One id for each character, spaces included."""

    kind = "characters"

    @classmethod
    def train(cls, texts: Iterable[str]) -> "CharacterTokenizer":
        """Collect the characters of the texts, in code point order."""
        return cls(sorted({character for text in texts for character in text}))

    def encode(self, text: str) -> list[int]:
        """Give one id a character; ValueError for an empty text or unknown characters."""
        return self._lookup(text)

    def join(self, ids: Sequence[int]) -> str:
        """Put the characters side by side."""
        return "".join(map(self.token, ids))

    def _advice(self, unknown: Sequence[str]) -> str:
        return f"the characters are {shown(''.join(self._tokens[len(SPECIALS) :]))}"


class WordTokenizer(_ListedTokenizer):
    """One id for each word between spaces, after `normalise`."""

    kind = "words"

    @classmethod
    def train(cls, texts: Iterable[str]) -> "WordTokenizer":
        """Collect the words of the texts, in code point order."""
        return cls(sorted({word for text in texts for word in normalise(text).split()}))

    def encode(self, text: str) -> list[int]:
        """Give one id a word; ValueError, with close words, for an empty text or unknown words."""
        return self._lookup(normalise(text).split())

    def join(self, ids: Sequence[int]) -> str:
        """Put the words side by side, with spaces."""
        return " ".join(map(self.token, ids))

    def _advice(self, unknown: Sequence[str]) -> str:
        words = self._tokens[len(SPECIALS) :]
        close = {word: get_close_matches(word, words) for word in unknown}
        hints = [
            f"{shown(word)}: {shortened(', '.join(found), MOST_SHOWN)}"
            for word, found in close.items()
            if found
        ]
        if hints:
            return f"close words that are known: {'; '.join(hints)}"
        return f"no word of the {len(words)} known ones is close; use other words"
