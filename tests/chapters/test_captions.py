"""Captions that pages quote are those of the corpus, word for word."""

import ast
import re
from pathlib import Path
from typing import Any

import pytest

from transformer_lite import data
from transformer_lite.data.multi30k import is_at_hand

BOOK = Path(__file__).resolve().parents[2] / "book"


@pytest.mark.skipif(not is_at_hand(), reason="the corpus is not at hand")
@pytest.mark.parametrize(
    "name",
    [
        "04-queries-keys-values", "05-positions", "06-multi-head", "07-masks", "11-training",
        "12-debugging", "13-decoding", "16-translation",
    ],
)  # fmt: skip
def test_quoted_captions_are_in_the_corpus(name: str) -> None:
    page = (BOOK / f"{name}.md").read_text("utf-8")
    for one in re.findall(r"^(\w+) = \{  # of the test set", page, re.MULTILINE):
        quoted = _literal(one, page)
        pairs = [data.load("multi30k").test[number] for number in quoted]
        assert [pair.source for pair in pairs] == list(quoted.values())
    if "PERSON = " in page:
        assert [pair.target for pair in pairs] == _literal("PERSON", page)


def _literal(name: str, page: str) -> Any:
    """What a cell of the page calls `name`, written over several lines."""
    found = re.search(rf"^{name} = (.+?^[]}}])$", page, re.DOTALL | re.MULTILINE)
    assert found is not None
    return ast.literal_eval(found[1])
