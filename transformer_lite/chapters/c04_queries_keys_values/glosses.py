"""English sentences of `pocket` with the Korean word that belongs to each of their words."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from transformer_lite import data
from transformer_lite.data.pairs import Pair

HELPERS = frozenset({"will", "do", "does", "did"})
UNLINKED, UNWANTED = "–", -100  # a word that is not translated; where no answer is wanted


@dataclass(frozen=True)
class Glosses:
    """N sentences of at most S words, each word with its gloss.

    Attributes:
        words, names: what the ids of English words and of glosses stand for.
        tokens: Int[N, S], ids of words; 0 is padding.
        wanted: Int[N, S], ids of glosses; -100, which PyTorch's cross-entropy ignores, on padding.
    """

    words: list[str]
    names: list[str]
    tokens: Tensor
    wanted: Tensor

    def encode(self, text: str) -> Int[Tensor, " S"]:
        """The ids of a text's words; ValueError for a word that no sentence has."""
        return torch.tensor([self.words.index(word) for word in text.split()])


def load_glosses() -> Glosses:
    """Statements of `pocket` in the present and past, without "will" and "do"."""
    pairs = data.load("pocket", train=20_000, seed=0).train
    pairs = tuple(pair for pair in pairs if not HELPERS & set(pair.source.split()))
    sentences = [pair.source.split() for pair in pairs]
    answers = [glosses(pair) for pair in pairs]
    words = ["<pad>", *sorted({word for sentence in sentences for word in sentence})]
    names = sorted({name for answer in answers for name in answer})
    return Glosses(words, names, _ids(sentences, words, 0), _ids(answers, names, UNWANTED))


def glosses(pair: Pair) -> list[str]:
    """For each English word the Korean words that surely belong to it, in their order."""
    target, linked = pair.target.split(), dict[int, list[str]]()
    for row, column in sorted(pair.sure):
        linked.setdefault(column, []).append(target[row])
    count = len(pair.source.split())
    return [" ".join(linked.get(column, [UNLINKED])) for column in range(count)]


def _ids(rows: Sequence[Sequence[str]], known: list[str], padding: int) -> Int[Tensor, "N S"]:
    number = {one: n for n, one in enumerate(known)}
    ids = [torch.tensor([number[one] for one in row]) for row in rows]
    return pad_sequence(ids, batch_first=True, padding_value=padding)
