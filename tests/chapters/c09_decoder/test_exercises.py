"""The references of the exercises of chapter 09 are right: as the package decodes and scores."""

import math
from dataclasses import dataclass
from itertools import product

import pytest
import torch
from torch import Tensor, nn

from transformer_lite.chapters.c09_decoder.exercises import (
    FORCED_AND_FREE,
    GREEDY_LOOP,
    LOG_PROBABILITY,
)
from transformer_lite.data.batching import Example
from transformer_lite.data.vocabulary import BOS, EOS
from transformer_lite.decoding import greedy
from transformer_lite.evaluation import teacher_forced
from transformer_lite.model import DecoderState, SequenceModel
from transformer_lite.scope import AttentionRecord


@dataclass
class Read(DecoderState):
    """The table of each row: nothing else needs to be kept."""

    tables: Tensor

    def select(self, rows: Tensor) -> "Read":
        return Read(self.tables[rows])


class Tables(SequenceModel[Tensor, Read]):
    """A model that remembers one token; the first token of a source says by which table."""

    def __init__(self, tables: Tensor) -> None:
        super().__init__(len(tables), tables.shape[-1])
        self.tables = nn.Parameter(tables)

    def encode(self, source: Tensor, source_mask: Tensor) -> Tensor:
        return self.tables[source[:, 0]]

    def start(self, memory: Tensor, capacity: int | None = None) -> Read:
        return Read(memory)

    def advance(
        self, state: Read, token: Tensor, record: AttentionRecord | None
    ) -> tuple[Tensor, Read]:
        return state.tables[torch.arange(len(token)), token], state

    def features(
        self,
        source: Tensor,
        source_mask: Tensor,
        target_in: Tensor,
        record: AttentionRecord | None = None,
    ) -> Tensor:
        return self.tables[source[:, :1], target_in]

    def project(self, features: Tensor) -> Tensor:
        return features


def test_the_loop_writes_what_the_package_writes_with_this_probability() -> None:
    tables = torch.randn(40, 5, 5)
    source = torch.arange(40)[:, None]
    found = greedy(Tables(tables), source, source >= 0, bos=3, eos=1, max_length=6)
    written = GREEDY_LOOP.reference(tables, 3, 1, 6).tolist()
    assert {row.finished for row in found} == {True, False}
    for table, row, tokens in zip(tables, found, written, strict=True):
        assert [*row.tokens, *[1] * (6 - len(row.tokens))] == tokens
        if row.finished:
            value = LOG_PROBABILITY.reference(table, torch.tensor(row.tokens).long(), 3, 1)
            assert value == pytest.approx(row.log_probability, rel=1e-5)


def test_the_probabilities_of_all_sentences_sum_to_1() -> None:
    """There are two words, and eos is so probable that longer sentences do not count."""
    table = torch.randn(4, 4)
    table[:, 0], table[:, 3] = -torch.inf, 5.0  # bos is never written
    sentences = (words for length in range(9) for words in product((1, 2), repeat=length))
    total = sum(
        math.exp(LOG_PROBABILITY.reference(table, torch.tensor(words).long(), 0, 3))
        for words in sentences
    )
    assert total == pytest.approx(1.0, abs=1e-4)


def test_the_forced_share_is_the_token_accuracy_of_the_package() -> None:
    table = torch.randn(7, 7)
    target = torch.randint(3, 7, (30,))
    reference = torch.cat([target, torch.tensor([EOS])])
    forced, _ = FORCED_AND_FREE.reference(table, reference, BOS)
    scores = teacher_forced(Tables(table[None]), [Example([0], target.tolist())])
    assert forced.item() == pytest.approx(scores.accuracy)


def test_the_free_share_is_that_of_the_greedy_loop() -> None:
    table = torch.randn(7, 7)
    table[:, 0] = -torch.inf  # an eos that is never written
    reference = torch.randint(7, (30,))
    _, free = FORCED_AND_FREE.reference(table, reference, 2)
    written = GREEDY_LOOP.reference(table[None], 2, 0, 30)
    assert free == (written == reference).float().mean()
