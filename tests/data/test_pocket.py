"""The pocket grammar: right Korean, right links, truly held-out combinations."""

import hashlib
import unicodedata
from itertools import islice, pairwise

import pytest

from transformer_lite.data import Corpus, Pair, build_tokenizers, encode_pairs, load
from transformer_lite.data.pocket import lexicon
from transformer_lite.data.pocket.corpus import LONGEST, gloss, glossary, sentences
from transformer_lite.data.pocket.phrases import linearise, nominal, verbal

SUBJECT_MARKS = {"은", "는", "이", "가"}
OBJECT_MARKS = {"을", "를"}


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return load("pocket")


def every_pair(corpus: Corpus) -> list[Pair]:
    return [*corpus.train, *corpus.valid, *corpus.test]


def noun_before(tokens: list[str], position: int) -> str:
    """The noun that the particle at this position marks."""
    return tokens[position - 2] if tokens[position - 1] == lexicon.PLURAL else tokens[position - 1]


def korean_combination(korean: str) -> tuple[str, str]:
    """Verb form and noun, read off the finished Korean sentence: object, else subject."""
    tokens = korean.split()
    verb = tokens[-2] if tokens[-1] == lexicon.WILL else tokens[-1]
    objects = [i for i, token in enumerate(tokens) if token in OBJECT_MARKS]
    # From 1 on: 이 in front means "this".
    subjects = [i for i, token in enumerate(tokens) if i and token in SUBJECT_MARKS]
    return verb, noun_before(tokens, objects[0] if objects else subjects[0])


def held_out_in_korean() -> set[tuple[str, str]]:
    nouns = {noun.english: noun.korean for noun in lexicon.NOUNS}
    return {
        (form, nouns[noun])
        for base, noun in lexicon.HELD_OUT
        for verb in lexicon.VERBS
        if verb.base == base
        for form in (verb.korean_present, verb.korean_past, verb.korean_future)
    }


def test_sizes_and_distinct_sentences(corpus: Corpus) -> None:
    assert (len(corpus.train), len(corpus.valid), len(corpus.test)) == (20_000, 500, 500)
    sources = [pair.source for pair in every_pair(corpus)]
    assert len(set(sources)) == len(sources) >= 20_000
    lengths = {len(source.split()) for source in sources}
    assert min(lengths) >= 2
    assert max(lengths) == LONGEST


def test_no_held_out_combination_in_training_and_only_those_in_test(corpus: Corpus) -> None:
    held_out = held_out_in_korean()
    for pair in (*corpus.train, *corpus.valid):
        assert korean_combination(pair.target) not in held_out, pair
    tested = {korean_combination(pair.target) for pair in corpus.test}
    assert tested <= held_out
    # All held-out pairs are tested, not a few of them.
    assert len({noun for _, noun in tested}) == len({noun for _, noun in lexicon.HELD_OUT})


def test_every_word_of_valid_and_test_is_in_training(corpus: Corpus) -> None:
    source, target = build_tokenizers(corpus)
    pairs = [*corpus.valid, *corpus.test]
    assert len(encode_pairs(pairs, source, target)) == len(pairs)
    assert 150 <= len(source) <= 220
    assert 130 <= len(target) <= 200


def test_a_small_training_split_still_shows_every_word(corpus: Corpus) -> None:
    small = load("pocket", train=300, valid=50, test=50)
    assert len(small.train) == 300
    assert [len(t) for t in build_tokenizers(small)] == [len(t) for t in build_tokenizers(corpus)]


def test_splits_look_alike(corpus: Corpus) -> None:
    means = [
        sum(len(pair.source.split()) for pair in split) / len(split)
        for split in (corpus.train, corpus.valid, corpus.test)
    ]
    assert max(means) - min(means) < 0.5


def test_one_english_sentence_has_one_translation() -> None:
    translations: dict[str, str] = {}
    shared = 0
    for seed in range(3):
        for sentence in islice(sentences(seed), 5000):
            pair = sentence.pair
            shared += pair.source in translations
            assert translations.setdefault(pair.source, pair.target) == pair.target
    assert shared > 500  # the seeds overlap enough for this to mean something


def test_read_is_past_only_where_english_shows_it(corpus: Corpus) -> None:
    past = [pair for pair in corpus.train if "읽었어요" in pair.target.split()]
    assert len(past) > 50
    for pair in past:
        words = pair.source.split()
        assert words[0] not in ("i", "we", "they", "many") or "did" in words, pair


def test_particles_fit_the_word_before_them(corpus: Corpus) -> None:
    after_consonant = {"은", "을", "과"}
    after_vowel = {"는", "가", "를", "와"}
    for pair in every_pair(corpus):
        tokens = pair.target.split()
        for before, token in pairwise(tokens):
            has_final = (ord(before[-1]) - 0xAC00) % 28 != 0
            if token in after_consonant:
                assert has_final, pair
            elif token in after_vowel:
                assert not has_final, pair


def test_every_word_is_linked_within_range(corpus: Corpus) -> None:
    for pair in every_pair(corpus):
        source, target = pair.source.split(), pair.target.split()
        assert pair.sure <= pair.possible
        assert {k for k, _ in pair.possible} == set(range(len(target))), pair
        assert {e for _, e in pair.possible} == set(range(len(source))), pair


def test_every_content_word_is_surely_linked(corpus: Corpus) -> None:
    function_words = {"은", "는", "이", "가", "을", "를", "들", "에"}
    for pair in every_pair(corpus):
        sure = {k for k, _ in pair.sure}
        for position, token in enumerate(pair.target.split()):
            assert position in sure or token in function_words, (pair, token)


def test_sure_links_agree_with_the_glosses(corpus: Corpus) -> None:
    meaning_of = glossary()
    for noun in lexicon.NOUNS:
        assert noun.english in meaning_of[noun.korean]
    english_forms = {n.english: {n.english, n.plural} for n in lexicon.NOUNS}
    korean_noun = {n.korean: n.english for n in lexicon.NOUNS}
    for pair in corpus.test:
        source, target = pair.source.split(), pair.target.split()
        for k, e in pair.sure:
            if target[k] in korean_noun:
                assert source[e] in english_forms[korean_noun[target[k]]]


def test_the_object_moves_in_front_of_the_verb(corpus: Corpus) -> None:
    reordered = 0
    for pair in corpus.train[:2000]:
        target = pair.target.split()
        if not OBJECT_MARKS & set(target):
            continue
        verb = len(target) - 2 if target[-1] == lexicon.WILL else len(target) - 1
        mark = min(i for i, token in enumerate(target) if token in OBJECT_MARKS)
        verb_source = min(e for k, e in pair.sure if k == verb)
        object_source = min(e for k, e in pair.possible if k == mark)
        assert mark < verb
        assert verb_source < object_source
        reordered += 1
    assert reordered > 1000


def test_same_seed_same_corpus_other_seed_other_corpus() -> None:
    sizes = {"train": 300, "valid": 50, "test": 50}
    assert load("pocket", **sizes) == load("pocket", **sizes)
    assert load("pocket", seed=1, **sizes) != load("pocket", **sizes)


def test_the_corpus_is_the_same_in_every_process_and_version(corpus: Corpus) -> None:
    """When the grammar is changed on purpose, what was trained on it must be trained again."""
    content = [
        (pair.source, pair.target, sorted(pair.sure), sorted(pair.possible))
        for pair in every_pair(corpus)
    ]
    digest = hashlib.sha256(repr(content).encode()).hexdigest()
    assert digest == "9938b3a25a41415f2627a7d02074eb6532161f5f1a046099ae2aab37f12a3f6e"


@pytest.mark.parametrize(
    ("english", "korean"),
    [
        ("she laughed", "그녀 는 웃었어요"),
        ("i will sleep", "저 는 잘 거예요"),
        ("jun went home", "준 은 집 에 갔어요"),
        ("she wears the hat", "그녀 는 모자 를 써요"),
        ("he wears the shoes", "그 는 신발 을 신어요"),
        ("jun wears the coat", "준 은 코트 를 입어요"),
        ("i did not listen to music", "저 는 음악 을 안 들었어요"),
        ("a child reads my book every day", "아이 가 매일 제 책 을 읽어요"),
        ("many women walked with the man", "많은 여자 들 이 남자 와 걸었어요"),
        ("he gave this big gift to the teacher", "그 는 선생님 에게 이 큰 선물 을 줬어요"),
        ("we often run", "우리 는 자주 뛰어요"),
    ],
)
def test_exact_sentences(corpus: Corpus, english: str, korean: str) -> None:
    assert {pair.source: pair.target for pair in every_pair(corpus)}[english] == korean


def test_exact_links() -> None:
    hungry = next(a for a in lexicon.ADJECTIVES if a.english == "hungry")
    eat = next(v for v in lexicon.VERBS if v.base == "eat")
    pair = linearise(
        {
            "subject": nominal("cats", "고양이", "topic", determiner="the", plural=True),
            "verb": verbal(eat, "past", singular=False, negative=True),
            "object": nominal("apple", "사과", "object", determiner="a"),
        }
    )
    assert pair.source == "the cats did not eat an apple"
    assert pair.target == "고양이 들 은 사과 를 안 먹었어요"
    assert pair.sure == {(0, 1), (3, 6), (5, 3), (6, 4)}
    besides = {(0, 0), (1, 1), (2, 0), (2, 1), (3, 5), (4, 5), (4, 6), (5, 2), (6, 2)}
    assert pair.possible == pair.sure | besides
    phrase = nominal("cat", "고양이", "subject", determiner="a", adjective=hungry)
    assert phrase.english == ("a", "hungry", "cat")
    assert phrase.korean == ("배고픈", "고양이", "가")


def test_every_korean_token_has_a_gloss(corpus: Corpus) -> None:
    tokens = {token for pair in every_pair(corpus) for token in pair.target.split()}
    assert tokens == set(glossary())
    for token in tokens:
        entry = gloss(token)
        assert entry.romanisation.isascii()
        assert entry.romanisation.isalpha()
        assert entry.meaning
    assert gloss("써요").meaning == "write / wear"
    assert gloss("이").meaning == "this / subject"
    assert gloss("읽었어요").romanisation == "ilgeosseoyo"


def test_romanisation_covers_the_lexicon() -> None:
    # `romanise` knows no assimilation: no word may hold a pair of consonants that needs it.
    stops = set("ᆨᆩᆪᆮᆸᆹᆺᆻᆽᆾᆿᇀᇁᇂ")
    for token in glossary():
        letters = unicodedata.normalize("NFD", token)
        for final, initial in pairwise(letters):
            if final in stops:
                assert initial not in "ᄂᄅᄆᄒ", token
            if final in "ᆫᆯᆼᆷ":
                assert (final, initial) not in {("ᆫ", "ᄅ"), ("ᆯ", "ᄂ"), ("ᆼ", "ᄅ"), ("ᆷ", "ᄅ")}


def test_bad_requests_say_what_was_expected() -> None:
    with pytest.raises(ValueError, match="test must be a whole number from 1"):
        load("pocket", test=0)
    with pytest.raises(ValueError, match="show every word once, but it is 20"):
        load("pocket", train=20)
    with pytest.raises(
        ValueError, match="must be a word of the pocket lexicon, but it is '커피숍'"
    ):
        gloss("커피숍")
