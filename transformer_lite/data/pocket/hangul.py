"""Korean syllables taken apart: final consonants, the particles they choose, romanisation.

Unicode lays the 11,172 Hangul syllables out as one table (The Unicode Standard, section 3.12):
code point = 0xAC00 + (initial * 21 + vowel) * 28 + final, where final 0 means that the syllable
ends in its vowel. Everything below is read off that formula.
"""

from transformer_lite.checks import check_one_of

FIRST_SYLLABLE = 0xAC00
VOWEL_COUNT = 21
FINAL_COUNT = 28
SYLLABLE_COUNT = 19 * VOWEL_COUNT * FINAL_COUNT
SILENT_INITIAL = 11  # the letter ㅇ in front of a vowel
SILENT_FINALS = {"h": "", "nh": "n", "lh": "l"}  # ㅎ is not heard between vowels: 많은 maneun

# Revised Romanization of Korean (Republic of Korea, Ministry of Culture and Tourism, 2000).
INITIALS = (
    "g", "kk", "n", "d", "tt", "r", "m", "b", "pp", "s", "ss", "", "j", "jj", "ch", "k", "t", "p",
    "h",
)  # fmt: skip
VOWELS = (
    "a", "ae", "ya", "yae", "eo", "e", "yeo", "ye", "o", "wa", "wae", "oe", "yo", "u", "wo", "we",
    "wi", "yu", "eu", "ui", "i",
)  # fmt: skip
FINALS = (
    "", "k", "k", "k", "n", "n", "n", "t", "l", "k", "m", "l", "l", "l", "p", "l", "m", "p", "p",
    "t", "t", "ng", "t", "t", "k", "t", "p", "t",
)  # fmt: skip
# The same finals in front of a vowel, where they open the next syllable: 먹어 is "meogeo".
# Of a double final the first letter stays behind and the second moves: 읽어 is "ilgeo".
LINKED = (
    "", "g", "kk", "gs", "n", "nj", "nh", "d", "r", "lg", "lm", "lb", "ls", "lt", "lp", "lh", "m",
    "b", "bs", "s", "ss", "ng", "j", "ch", "k", "t", "p", "h",
)  # fmt: skip

# Role -> (form after a consonant, form after a vowel).
PARTICLES = {
    "topic": ("은", "는"),
    "subject": ("이", "가"),
    "object": ("을", "를"),
    "companion": ("과", "와"),
    "location": ("에서", "에서"),
    "destination": ("에", "에"),
    "time": ("에", "에"),
    "recipient": ("에게", "에게"),
}


def _split(syllable: str) -> tuple[int, int, int]:
    """Give the numbers of the initial, the vowel and the final of one Hangul syllable."""
    index = ord(syllable) - FIRST_SYLLABLE
    if not 0 <= index < SYLLABLE_COUNT:
        raise ValueError(f"word must be Hangul only, but it has {syllable!r}; write Hangul")
    rest, final = divmod(index, FINAL_COUNT)
    initial, vowel = divmod(rest, VOWEL_COUNT)
    return initial, vowel, final


def ends_in_consonant(word: str) -> bool:
    """Tell whether the last syllable of a Korean word has a final consonant.

    Raises ValueError for an empty word or a last character that is no Hangul syllable.
    """
    if not word:
        raise ValueError("word must hold at least one Hangul syllable, but it is empty")
    return _split(word[-1])[2] != 0


def particle(role: str, word: str) -> str:
    """Choose the form of a particle that fits the word in front of it: 책 + 을, but 편지 + 를.

    `role` is one of PARTICLES. Raises ValueError for another role or a word that is not Hangul.
    """
    check_one_of("role", role, PARTICLES)
    after_consonant, after_vowel = PARTICLES[role]
    return after_consonant if ends_in_consonant(word) else after_vowel


def romanise(word: str) -> str:
    """Write a Korean word in Latin letters, after the Revised Romanization.

    Covers what the words of this course need: a final consonant opens the next syllable when a
    vowel follows, and ㅎ falls silent there. Words whose neighbouring consonants change each
    other (국물 gungmul) are outside it. Raises ValueError for anything but Hangul.
    """
    syllables = [_split(syllable) for syllable in word]
    letters = []
    for position, (initial, vowel, final) in enumerate(syllables):
        following = syllables[position + 1][0] if position + 1 < len(syllables) else None
        after_l = position > 0 and syllables[position - 1][2] == LINKED.index("r")
        # ㄹ after ㄹ is written "ll", as in 달라 dalla.
        first = "l" if INITIALS[initial] == "r" and after_l else INITIALS[initial]
        letters.append(first + VOWELS[vowel])
        if following == SILENT_INITIAL:
            letters.append(SILENT_FINALS.get(LINKED[final], LINKED[final]))
        else:
            letters.append(FINALS[final])
    return "".join(letters)
