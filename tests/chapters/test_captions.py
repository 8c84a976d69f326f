"""Captions that pages quote by number are those of the corpus."""

import re
from pathlib import Path

import pytest

from transformer_lite import data
from transformer_lite.data.multi30k import is_at_hand

BOOK = Path(__file__).resolve().parents[2] / "book"


@pytest.mark.skipif(not is_at_hand(), reason="the corpus is not at hand")
@pytest.mark.parametrize("name", ["04-queries-keys-values", "05-positions"])
def test_quoted_captions_are_in_the_corpus(name: str) -> None:
    quoted = re.findall(r'^    (\d+): "(.+)",$', (BOOK / f"{name}.md").read_text(), re.MULTILINE)
    assert len(quoted) >= 3
    captions = data.load("multi30k").test
    assert {number: captions[int(number)].source for number, _ in quoted} == dict(quoted)
