"""Phrases of the pocket grammar, written in English and Korean at once, with their links.

Gold links, a definition in the terms of Och and Ney (2003, section 4):

- sure: words that translate each other. Nouns, verbs, adjectives, pronouns, names, adverbs;
  "this", "my", "many", "not", "will"; a preposition and the particle that says the same
  (at, in, on: 에서, 에; to: 에, 에게; with: 와, 과); each word of an expression that Korean says
  in one ("every day": 매일; "listen to": 들어요).
- possible, besides: what one language must say and the other need not. An article and the
  Korean noun; the particles 은/는, 이/가, 을/를 and the plural 들 with the English noun, the
  particles with its article too; "do", "does", "did" with the verb and with 안; 에 in
  "go home" with "home".

So every word of both languages has at least one link.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from transformer_lite.data.pairs import Link, Pair
from transformer_lite.data.pocket import lexicon
from transformer_lite.data.pocket.hangul import particle

ENGLISH_ORDER = (
    "subject", "frequency", "verb", "object", "recipient", "place", "companion", "time",
)  # fmt: skip
KOREAN_ORDER = (
    "subject", "time", "frequency", "companion", "place", "recipient", "object", "verb",
)  # fmt: skip


@dataclass(frozen=True)
class Phrase:
    """One phrase in both languages; links are (Korean position, English position)."""

    english: tuple[str, ...]
    korean: tuple[str, ...]
    sure: frozenset[Link]
    possible: frozenset[Link]


def linearise(parts: Mapping[str, Phrase]) -> Pair:
    """Put the phrases of a sentence in the order of each language and move their links along.

    `parts` maps roles (see ENGLISH_ORDER) to phrases; a role may be absent.
    """
    english: list[str] = []
    korean: list[str] = []
    english_start, korean_start = {}, {}
    for role in ENGLISH_ORDER:
        if role in parts:
            english_start[role] = len(english)
            english += parts[role].english
    for role in KOREAN_ORDER:
        if role in parts:
            korean_start[role] = len(korean)
            korean += parts[role].korean
    sure: set[Link] = set()
    possible: set[Link] = set()
    for role, phrase in parts.items():
        down, right = korean_start[role], english_start[role]
        sure.update((k + down, e + right) for k, e in phrase.sure)
        possible.update((k + down, e + right) for k, e in phrase.possible)
    return Pair(" ".join(english), " ".join(korean), frozenset(sure), frozenset(possible))


@cache  # the same phrases come back in many sentences
def nominal(
    english: str,
    korean: str,
    role: str,
    *,
    determiner: str = "",
    adjective: lexicon.Adjective | None = None,
    plural: bool = False,
    preposition: str = "",
) -> Phrase:
    """A noun with what stands before it in English and after it in Korean.

    `role` chooses the particle (`hangul.PARTICLES`); `plural` adds 들. The determiner "a"
    becomes "an" where the next word asks for it.
    """
    is_article = determiner in lexicon.ARTICLES
    following = adjective.english if adjective else english
    if determiner == "a" and following[0] in "aeiou":
        determiner = "an"
    plural_marker = lexicon.PLURAL if plural else ""
    case_link = "preposition" if preposition else "noun"
    return _aligned(
        english={
            "preposition": preposition,
            "article": determiner if is_article else "",
            "determiner": "" if is_article else determiner,
            "adjective": adjective.english if adjective else "",
            "noun": english,
        },
        korean={
            "determiner": lexicon.DETERMINERS.get(determiner, ""),
            "adjective": adjective.korean if adjective else "",
            "noun": korean,
            "plural": plural_marker,
            "particle": particle(role, plural_marker or korean),
        },
        sure=[
            ("determiner", "determiner"),
            ("adjective", "adjective"),
            ("noun", "noun"),
            ("particle", "preposition"),
        ],
        possible=[
            ("noun", "article"),
            ("plural", "noun"),
            ("particle", case_link),
            ("particle", "preposition" if preposition else "article"),
        ],
    )


@cache
def verbal(verb: lexicon.Verb, tense: str, *, singular: bool, negative: bool) -> Phrase:
    """A verb with its auxiliaries; `singular`: the subject is a third person singular."""
    if tense == "future":
        helper, form = "", verb.base
    elif negative:
        present_helper = "does" if singular else "do"
        helper, form = "did" if tense == "past" else present_helper, verb.base
    else:
        present_form = verb.third if singular else verb.base
        helper, form = "", verb.past if tense == "past" else present_form
    korean_forms = {
        "present": verb.korean_present,
        "past": verb.korean_past,
        "future": verb.korean_future,
    }
    return _aligned(
        english={
            "do": helper,
            "will": "will" if tense == "future" else "",
            "not": "not" if negative else "",
            "verb": form,
            "preposition": verb.preposition,
        },
        korean={
            "not": lexicon.NOT if negative else "",
            "verb": korean_forms[tense],
            "will": lexicon.WILL if tense == "future" else "",
        },
        sure=[("verb", "verb"), ("verb", "preposition"), ("not", "not"), ("will", "will")],
        possible=[("verb", "do"), ("not", "do")],
    )


def location(place: lexicon.Place) -> Phrase:
    """Where something happens: "in the park", 공원 에서."""
    return nominal(
        place.english,
        place.korean,
        "location",
        determiner=place.article,
        preposition=place.preposition,
    )


def destination(place: lexicon.Place) -> Phrase:
    """Where somebody goes: "to the park", 공원 에, but "home", 집 에."""
    preposition = "" if place.english == "home" else "to"
    return nominal(
        place.english,
        place.korean,
        "destination",
        determiner=place.article,
        preposition=preposition,
    )


def time_phrase(time: lexicon.Time) -> Phrase:
    """When: "in the morning", 아침 에, or "every day", 매일, without a particle."""
    if not time.preposition:
        return adverbial(time.english, time.korean)
    return nominal(
        time.english[0],
        time.korean,
        "time",
        determiner=time.article,
        preposition=time.preposition,
    )


def adverbial(english: tuple[str, ...], korean: str) -> Phrase:
    """One Korean adverb and the English words that say the same."""
    links = frozenset((0, position) for position in range(len(english)))
    return Phrase(english, (korean,), links, links)


def _aligned(
    english: Mapping[str, str],
    korean: Mapping[str, str],
    sure: Iterable[tuple[str, str]],
    possible: Iterable[tuple[str, str]],
) -> Phrase:
    """Turn named words into a phrase; empty words and links to them fall away.

    Links are (Korean name, English name).
    """
    english_words = {name: word for name, word in english.items() if word}
    korean_words = {name: word for name, word in korean.items() if word}
    english_position = {name: position for position, name in enumerate(english_words)}
    korean_position = {name: position for position, name in enumerate(korean_words)}

    sure_links = _positions(sure, korean_position, english_position)
    possible_links = _positions(possible, korean_position, english_position)
    return Phrase(
        tuple(english_words.values()),
        tuple(korean_words.values()),
        sure_links,
        sure_links | possible_links,
    )


def _positions(
    links: Iterable[tuple[str, str]], korean: Mapping[str, int], english: Mapping[str, int]
) -> frozenset[Link]:
    """Replace the names in links by positions; a link to a word that is not there falls away."""
    return frozenset((korean[k], english[e]) for k, e in links if k in korean and e in english)
