"""Generated tasks: right answers, held-out texts, the same corpus for the same seed."""

from datetime import date, datetime

import pytest

from transformer_lite.data import Corpus, Pair, build_tokenizers, describe, load
from transformer_lite.data.tasks import DATE_FORMATS, write_date

SMALL = {"train": 400, "valid": 60, "test": 60}
# Our own templates again, in the language of strptime, which reads ordinals once stripped.
PATTERNS = (
    "%d %B %Y", "%B %d, %Y", "the %d of %B %Y", "%d of %B, %Y", "%b %d, %Y", "%d %b %Y",
    "%d-%b-%Y", "%Y %B %d", "%Y/%b/%d", "%A, %d %B %Y", "%A, %B %d, %Y", "%A the %d of %B %Y",
    "%a %d %b %Y", "%a, %b %d %Y",
)  # fmt: skip


def sources(pairs: tuple[Pair, ...]) -> set[str]:
    return {pair.source for pair in pairs}


def readings(text: str) -> set[date]:
    """Every day that any pattern reads in a text, weekday included."""
    words = []
    for word in text.split():
        bare = word.rstrip(",")
        if bare[:1].isdigit() and bare[-2:] in ("st", "nd", "rd", "th"):
            word = word.replace(bare, bare[:-2])
        words.append(word)
    days = set()
    for pattern in PATTERNS:
        try:
            moment = datetime.strptime(" ".join(words), pattern)
        except ValueError:
            continue
        days.add(moment.date())
    return days


@pytest.mark.parametrize("name", ["copy", "reverse"])
def test_letter_tasks(name: str) -> None:
    corpus = load(name, letters=5, shortest=4, longest=9, **SMALL)
    for pair in (*corpus.train, *corpus.valid, *corpus.test):
        assert pair.target == (pair.source if name == "copy" else pair.source[::-1])
        assert 4 <= len(pair.source) <= 9
        assert set(pair.source) <= set("abcde")
    assert {len(pair.source) for pair in corpus.train} == set(range(4, 10))


def test_cards_are_looked_up_by_their_letters() -> None:
    corpus = load("lookup", letters=7, shortest=2, longest=5, **SMALL)
    for pair in (*corpus.train, *corpus.valid, *corpus.test):
        cards = {pair.source[i]: pair.source[i + 1] for i in range(0, len(pair.source), 2)}
        assert 2 <= len(cards) <= 5 and 2 * len(cards) == len(pair.source)
        assert pair.target == "".join(cards[letter] for letter in "abcdefg" if letter in cards)
    assert {len(pair.target) for pair in corpus.train} == {2, 3, 4, 5}


@pytest.mark.parametrize("name", ["copy", "reverse", "lookup", "dates"])
def test_splits_share_no_text(name: str) -> None:
    # So few short strings that splits drawn without care would share some.
    few = {"letters": 3, "shortest": 2, "longest": 2} if name == "lookup" else {
        "letters": 8, "shortest": 3, "longest": 4
    }  # fmt: skip
    options = {} if name == "dates" else few
    corpus = load(name, **SMALL, **options)
    assert not sources(corpus.train) & (sources(corpus.valid) | sources(corpus.test))
    assert not sources(corpus.valid) & sources(corpus.test)
    assert [len(corpus.train), len(corpus.valid), len(corpus.test)] == list(SMALL.values())


def test_a_space_too_small_for_that_still_gives_every_length() -> None:
    corpus = load("copy", letters=2, shortest=1, longest=2, **SMALL)
    assert {len(pair.source) for pair in corpus.test} == {1, 2}
    assert len(corpus.test) == SMALL["test"]


@pytest.mark.parametrize("name", ["copy", "reverse", "lookup", "dates"])
def test_same_seed_same_corpus(name: str) -> None:
    assert load(name, seed=4, **SMALL) == load(name, seed=4, **SMALL)
    assert load(name, seed=4, **SMALL).train != load(name, seed=5, **SMALL).train


def test_dates_are_right_and_days_held_out() -> None:
    corpus = load("dates", train=3000, valid=100, test=100)
    for pair in (*corpus.train, *corpus.test):
        assert readings(pair.source) == {date.fromisoformat(pair.target)}, pair
    days = [{pair.target for pair in split} for split in (corpus.train, corpus.valid, corpus.test)]
    assert not days[0] & days[1]
    assert not days[0] & days[2]
    assert not days[1] & days[2]


def test_weekdays_are_those_of_the_calendar() -> None:
    names = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
    for pair in load("dates", **SMALL).train:
        for name in names:
            if pair.source.startswith(name[:3]):
                assert names[date.fromisoformat(pair.target).weekday()] == name


def test_at_least_twelve_date_formats_all_used() -> None:
    assert len(set(DATE_FORMATS)) >= 12
    written = {write_date(date(2021, 3, 9), one) for one in DATE_FORMATS}
    assert len(written) == len(DATE_FORMATS)
    assert "Tuesday the 9th of March 2021" in written
    assert "2021/Mar/09" in written
    endings = [write_date(date(2021, 1, day), "{ordinal}") for day in (1, 2, 3, 11, 12, 13, 21, 30)]
    assert endings == ["1st", "2nd", "3rd", "11th", "12th", "13th", "21st", "30th"]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("copy", {"letters": 27}, "letters must be from 1 to 26, but it is 27"),
        ("copy", {"shortest": 5, "longest": 4}, "shortest and longest must fit .*are 5 and 4"),
        ("reverse", {"shortest": 0}, "shortest and longest must fit"),
        (
            "lookup",
            {"letters": 4},
            "longest must be at most 4, a card for each letter, but it is 10",
        ),
        ("reverse", {"valid": 0}, "valid must be .* 1 to 1000000, but it is 0"),
        ("dates", {"test": 50_000}, "valid and test must be at most 36524"),
        ("copy", {"size": 3}, "options of copy must be among letters.*are size"),
        (
            "pockets",
            {},
            "name must be one of 'copy', 'reverse', 'lookup', 'dates', 'pocket', 'multi30k', "
            "'pairs', but",
        ),
    ],
)
def test_bad_options_are_named(name: str, options: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load(name, **options)


def test_tokenizers_come_from_the_training_split_only() -> None:
    corpus = Corpus(
        "toy", "words", (Pair("a b", "x"),), (Pair("c", "y"),), (Pair("d", "z"),), False
    )
    source, target = build_tokenizers(corpus)
    assert source.tokens(range(len(source)))[4:] == ["a", "b"]
    assert target.tokens(range(len(target)))[4:] == ["x"]
    joint = Corpus("toy", "words", corpus.train, corpus.valid, corpus.test, joint=True)
    both, same = build_tokenizers(joint)
    assert both is same
    assert both.tokens(range(len(both)))[4:] == ["a", "b", "x"]
    source, target = build_tokenizers(joint, joint=False)
    assert source.tokens(range(len(source)))[4:] == ["a", "b"]
    assert target.tokens(range(len(target)))[4:] == ["x"]


def test_subword_options_reach_the_tokenizer() -> None:
    train = (Pair("Ein Hund rennt", "A dog runs"), Pair("Ein Hund", "A dog"))
    corpus = Corpus("toy", "subwords", train, train, train, joint=True)
    tokenizer, _ = build_tokenizers(corpus, vocab_size=30, lowercase=True)
    assert len(tokenizer) == 30
    assert tokenizer.decode(tokenizer.encode("EIN")) == "ein"


def test_description_counts_and_glosses() -> None:
    text = describe(load("pocket", train=300, valid=50, test=50))
    assert "train     300 pairs" in text
    assert text.count("  sound ") == text.count("  gloss ") == text.count("  source") == 3
    assert "topic" in text
    assert "gloss" not in describe(load("dates", **SMALL))


def test_pair_refuses_sure_links_that_are_not_possible() -> None:
    with pytest.raises(ValueError, match=r"sure must be a subset of possible.*\[\(0, 0\)\]"):
        Pair("a", "b", sure=frozenset({(0, 0)}))
