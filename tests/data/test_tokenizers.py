"""Tokenizers: round trips, special ids, JSON, and what they say to bad input."""

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transformer_lite.data import (
    BOS,
    EOS,
    PAD,
    SPECIALS,
    UNK,
    CharacterTokenizer,
    SubwordTokenizer,
    Tokenizer,
    WordTokenizer,
    normalise,
    tokenizer_from_json,
)

TEXTS = [
    "Ein Hund rennt durch den Schnee.",
    "Ein kleiner Hund, der durch den Schnee rennt.",
    "A dog runs through the snow.",
    "A small dog running through snow.",
]


def make(kind: str) -> Tokenizer:
    if kind == "characters":
        return CharacterTokenizer.train(TEXTS)
    if kind == "words":
        return WordTokenizer.train(TEXTS)
    return SubwordTokenizer.train(TEXTS, 80)


KINDS = pytest.mark.parametrize("kind", ["characters", "words", "subwords"])


@KINDS
def test_specials_have_the_first_ids(kind: str) -> None:
    tokenizer = make(kind)
    assert tokenizer.tokens([PAD, BOS, EOS, UNK]) == list(SPECIALS)
    for text in TEXTS:
        ids = tokenizer.encode(text)
        assert min(ids) >= len(SPECIALS)
        assert max(ids) < len(tokenizer)


@KINDS
def test_round_trip(kind: str) -> None:
    tokenizer = make(kind)
    for text in TEXTS:
        expected = normalise(text) if kind == "words" else text
        assert tokenizer.decode(tokenizer.encode(text)) == expected


@KINDS
def test_decode_stops_at_eos_and_drops_specials(kind: str) -> None:
    tokenizer = make(kind)
    ids = tokenizer.encode(TEXTS[0])
    padded = [BOS, *ids, EOS, *ids, PAD]
    assert tokenizer.decode(padded) == tokenizer.decode(ids)
    assert tokenizer.decode([BOS, EOS]) == ""
    assert len(tokenizer.tokens(padded)) == len(padded)


@KINDS
def test_json_round_trip(kind: str) -> None:
    tokenizer = make(kind)
    rebuilt = tokenizer_from_json(tokenizer.to_json())
    assert type(rebuilt) is type(tokenizer)
    assert len(rebuilt) == len(tokenizer)
    assert rebuilt.to_json() == tokenizer.to_json()
    for text in [*TEXTS, "Schnee dog"]:
        assert rebuilt.encode(text) == tokenizer.encode(text)


@pytest.mark.parametrize(
    ("kind", "text"),
    # To characters, a space is a character like any other.
    [("characters", ""), ("words", ""), ("words", " . "), ("subwords", ""), ("subwords", "  ")],
)
def test_empty_text_is_refused(kind: str, text: str) -> None:
    with pytest.raises(ValueError, match=r"text must hold at least one .* is empty"):
        make(kind).encode(text)


@KINDS
def test_ids_outside_the_vocabulary_are_refused(kind: str) -> None:
    tokenizer = make(kind)
    for index in (-1, len(tokenizer)):
        with pytest.raises(ValueError, match=rf"ids must be .* some are \[{index}\]"):
            tokenizer.decode([index])
        with pytest.raises(ValueError, match="ids must be"):
            tokenizer.tokens([index])


def test_unknown_words_are_named_with_close_ones() -> None:
    with pytest.raises(ValueError, match=r"it has 'hunt', 'xyzzy'; .*'hunt': .*hund"):
        make("words").encode("Ein hunt xyzzy rennt")
    with pytest.raises(ValueError, match=r"it has 'xyzzy'; no word .* is close"):
        make("words").encode("xyzzy")


def test_unknown_characters_are_named() -> None:
    with pytest.raises(ValueError, match=r"it has 'X', '!'; the characters are"):
        make("characters").encode("XX dog!")


def test_typed_specials_are_ordinary_text() -> None:
    for kind in ("characters", "words"):
        with pytest.raises(ValueError, match="text must hold known"):
            make(kind).encode("<eos>")
    subwords = make("subwords")
    for tokenizer in (subwords, tokenizer_from_json(subwords.to_json())):
        assert not {PAD, BOS, EOS} & set(tokenizer.encode("dog <eos> <pad> snow"))


def test_normalise() -> None:
    assert normalise("  The Cat drinks MILK. ") == "the cat drinks milk"
    assert normalise(unicodedata.normalize("NFD", "책")) == "책"


def test_subwords_keep_punctuation_apart_and_mark_word_starts() -> None:
    tokens = make("subwords").tokens(make("subwords").encode("snow."))
    assert tokens[0].startswith("▁")
    assert tokens[-1] == "."


def test_subwords_lowercase_and_compose() -> None:
    tokenizer = SubwordTokenizer.train(TEXTS, 80, lowercase=True)
    assert tokenizer.decode(tokenizer.encode("EIN HUND")) == "ein hund"
    composed = SubwordTokenizer.train(["für über müde"], 40)
    assert composed.encode(unicodedata.normalize("NFD", "für")) == composed.encode("für")


def test_subwords_know_what_they_do_not_know() -> None:
    tokenizer = make("subwords")
    ids = tokenizer.encode("dog 漢 snow")
    assert ids.count(UNK) == 1
    assert tokenizer.decode(ids).split() == ["dog", "snow"]


def test_subwords_train_the_same_twice_and_respect_the_size() -> None:
    assert make("subwords").to_json() == make("subwords").to_json()
    assert len(SubwordTokenizer.train(TEXTS, 50)) == 50


@given(st.lists(st.sampled_from(["dog", "Schnee", "der", "runs,", "small."]), min_size=1))
def test_subword_round_trip_on_any_order(words: list[str]) -> None:
    tokenizer = make("subwords")
    text = " ".join(words)
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_a_vocabulary_smaller_than_the_alphabet_is_refused() -> None:
    with pytest.raises(ValueError, match=r"vocab_size must be at least 8 .* it is 5"):
        SubwordTokenizer.train(["abc cba"], 5)
    assert len(SubwordTokenizer.train(["abc cba"], 8)) == 8


def test_a_vocabulary_that_no_memory_holds_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"vocab_size must be .* from 1 to 1048576, but it is 10{12}$"
    ):
        SubwordTokenizer.train(["abc cba"], 10**12)


def test_long_and_many_unknown_words_are_shortened() -> None:
    tokenizer = WordTokenizer.train(["the cat"])
    with pytest.raises(ValueError, match=r"'xxx.* … .*\(1,000,002 characters\)") as caught:
        tokenizer.encode("x" * 10**6)
    assert len(str(caught.value)) < 300
    with pytest.raises(ValueError, match=r"'0', '1', '2', '3', '4' and 9,995 more; no word"):
        tokenizer.encode(" ".join(map(str, range(10_000))))


def test_a_long_vocabulary_is_read_at_once() -> None:
    symbols = [str(number) for number in range(100_000)]
    began = time.perf_counter()
    tokenizer_from_json({"kind": "words", "symbols": symbols})
    assert time.perf_counter() - began < 5, "it compares all symbols with all"


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"kind": "letters"},
        {"kind": "words"},
        {"kind": "words", "symbols": [1, 2]},
        {"kind": "words", "symbols": []},
        {"kind": "characters", "symbols": ["a", "a"]},
        {"kind": "characters", "symbols": ["<pad>"]},
        {"kind": "subwords"},
        {"kind": "subwords", "tokenizer": {"model": "gone"}},
    ],
)
def test_damaged_json_is_refused(data: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"(tokenizer|symbols) must"):
        tokenizer_from_json(data)


def test_subword_json_with_other_specials_is_refused() -> None:
    data = make("subwords").to_json()
    data["tokenizer"]["model"]["vocab"]["<eos>"] = 77
    data["tokenizer"]["added_tokens"] = []
    with pytest.raises(ValueError, match=r"must give .* the ids 0 to 3"):
        tokenizer_from_json(data)
