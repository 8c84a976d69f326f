"""Final consonants, particles and romanisation, against Unicode and hand-checked words."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transformer_lite.data.pocket import lexicon
from transformer_lite.data.pocket.hangul import PARTICLES, ends_in_consonant, particle, romanise

SYLLABLES = st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3)
NOUNS = [
    word.korean for word in (*lexicon.NOUNS, *lexicon.PRONOUNS, *lexicon.NAMES, *lexicon.PLACES)
]


def decomposed_final(word: str) -> bool:
    """An independent answer: Unicode's own decomposition ends in a final-consonant letter."""
    return 0x11A8 <= ord(unicodedata.normalize("NFD", word)[-1]) <= 0x11C2


@given(st.text(SYLLABLES, min_size=1, max_size=4))
def test_final_consonant_is_unicodes(word: str) -> None:
    assert ends_in_consonant(word) == decomposed_final(word)


@pytest.mark.parametrize("noun", NOUNS)
def test_every_noun_takes_the_right_particles(noun: str) -> None:
    roles = ["topic", "subject", "object", "companion"]
    expected = "은 이 을 과" if decomposed_final(noun) else "는 가 를 와"
    assert " ".join(particle(role, noun) for role in roles) == expected


def test_particles_of_place_and_person_never_change() -> None:
    assert {particle("location", noun) for noun in NOUNS} == {"에서"}
    assert {particle("recipient", noun) for noun in NOUNS} == {"에게"}


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("학생", "haksaeng"),
        ("선생님", "seonsaengnim"),
        ("고양이", "goyangi"),
        ("책", "chaek"),
        ("꽃", "kkot"),
        ("부엌", "bueok"),
        ("읽어요", "ilgeoyo"),
        ("먹었어요", "meogeosseoyo"),
        ("좋아해요", "joahaeyo"),
        ("많은", "maneun"),
        ("일요일", "iryoil"),
        ("음악", "eumak"),
        ("친절한", "chinjeolhan"),
        ("거예요", "geoyeyo"),
        ("열쇠", "yeolsoe"),
        ("달라요", "dallayo"),
    ],
)
def test_romanisation(word: str, expected: str) -> None:
    assert romanise(word) == expected


@pytest.mark.parametrize("word", ["", "book", "책!"])
def test_other_scripts_are_refused(word: str) -> None:
    with pytest.raises(ValueError, match="word must"):
        ends_in_consonant(word)


def test_unknown_role_is_refused() -> None:
    with pytest.raises(ValueError, match="role must be one of 'topic'"):
        particle("vocative", "책")
    assert "vocative" not in PARTICLES
