"""The words that a glosser learns."""

import pytest

from transformer_lite.chapters.c04_queries_keys_values.glosses import glosses, load_glosses
from transformer_lite.data.pairs import Pair


def test_each_word_has_the_korean_words_that_are_surely_its_own() -> None:
    pair = Pair(
        "i wear a hat",
        "저 는 모자 를 써요",
        frozenset({(0, 0), (2, 3), (4, 1)}),
        frozenset({(0, 0), (1, 0), (2, 3), (3, 3), (2, 2), (4, 1)}),
    )
    assert glosses(pair) == ["저", "써요", "–", "모자"]


def test_sentences_and_glosses_lie_on_each_other() -> None:
    found = load_glosses()
    assert found.tokens.shape == found.wanted.shape
    assert ((found.tokens == 0) == (found.wanted == -100)).all()
    row = found.tokens.tolist().index(
        [*found.encode("we like a woman").tolist(), *[0] * (found.tokens.shape[1] - 4)]
    )
    assert [found.names[name] for name in found.wanted[row, :4]] == [
        "우리",
        "좋아해요",
        "–",
        "여자",
    ]
    assert not {"will", "do", "does", "did"} & set(found.words)
    with pytest.raises(ValueError, match="zebra"):
        found.encode("a zebra")
