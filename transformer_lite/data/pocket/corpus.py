"""English to Korean by a small synchronous grammar, with gold word alignments.

A synchronous grammar writes both languages at once: every phrase is a pair, English and Korean
with the links between them, and a sentence is up to eight such phrases in two orders. English
says subject, verb, object, adjuncts; Korean says subject, adjuncts, object, verb. Particles are
tokens of their own. A definite subject is the topic (은/는); a new one, "a cat" or "many cats",
takes 이/가. `phrases` defines the links, `lexicon` the words.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from random import Random

from transformer_lite.data.pairs import Corpus, Pair, check_sizes
from transformer_lite.data.pocket import lexicon
from transformer_lite.data.pocket.hangul import PARTICLES, romanise
from transformer_lite.data.pocket.phrases import (
    Phrase,
    adverbial,
    destination,
    linearise,
    location,
    nominal,
    time_phrase,
    verbal,
)

TENSES = ("present", "past", "future")
LONGEST = 10  # English words
MINIMUM_POOL = 5000  # sentences drawn at least, so that every word of the lexicon turns up


@dataclass(frozen=True)
class Sentence:
    """A pair and its combination: the verb with its object, or with its subject without one.

    The noun of the combination is in the singular; it may be a pronoun or a name.
    """

    pair: Pair
    combination: tuple[str, str]


@dataclass(frozen=True)
class Gloss:
    """How a Korean token sounds (Revised Romanization) and what it means."""

    romanisation: str
    meaning: str


@dataclass(frozen=True)
class Subject:
    """A drawn subject and what the rest of the sentence must know of it."""

    phrase: Phrase
    name: str
    third_singular: bool
    definite: bool


def load_pocket(*, seed: int = 0, train: int = 20_000, valid: int = 500, test: int = 500) -> Corpus:
    """Generate the pocket corpus; the same seed and sizes give the same corpus.

    The test split holds combinations of verb and noun that training never shows
    (`lexicon.HELD_OUT`); the validation split holds new sentences of known combinations.
    No English sentence occurs twice, and every word of valid and test occurs in train.
    Raises ValueError for sizes below one or a training split too small to show every word.
    """
    check_sizes(train, valid, test)
    known: list[Pair] = []
    held_out: list[Pair] = []
    for sentence in sentences(seed):
        split = held_out if sentence.combination in lexicon.HELD_OUT else known
        split.append(sentence.pair)
        if len(known) >= max(train + valid, MINIMUM_POOL) and len(held_out) >= test:
            break
    with_new_words, others = _split_by_new_words(known)
    if train < len(with_new_words):
        raise ValueError(
            f"train must be at least {len(with_new_words)} sentences, which it takes to show "
            f"every word once, but it is {train}; ask for more"
        )
    # Draws are distinct, so short sentences run out early: unshuffled, the splits would differ.
    random = Random(f"pocket splits {seed}")
    random.shuffle(others)
    random.shuffle(held_out)
    ordered = with_new_words + others
    return Corpus(
        name="pocket",
        units="words",
        train=tuple(ordered[:train]),
        valid=tuple(ordered[train : train + valid]),
        test=tuple(held_out[:test]),
        joint=False,
    )


def sentences(seed: int) -> Iterator[Sentence]:
    """Draw distinct sentences of at most ten English words, in an order fixed by the seed.

    The space holds millions of sentences: the iterator is made to be cut short.
    """
    random = Random(f"pocket {seed}")
    seen: set[str] = set()
    while True:
        sentence = _draw(random)
        length = len(sentence.pair.source.split())
        if length <= LONGEST and sentence.pair.source not in seen:
            seen.add(sentence.pair.source)
            yield sentence


def gloss(token: str) -> Gloss:
    """Explain one Korean token to readers without Korean.

    A form with two meanings names both: 이 is "this / subject". Raises ValueError for a token
    that the grammar does not write.
    """
    meanings = glossary()
    if token not in meanings:
        raise ValueError(
            f"token must be a word of the pocket lexicon, but it is {token!r}; only Korean words "
            "and particles that the grammar writes have a gloss"
        )
    return Gloss(romanise(token), meanings[token])


def label(token: str) -> str:
    """A Korean token with its romanisation and its meaning, for the axis of a figure.

    Raises ValueError for a token that the grammar does not write.
    """
    known = gloss(token)
    return f"{token} {known.romanisation} “{known.meaning}”"


@cache
def glossary() -> dict[str, str]:
    """Give every Korean token of the grammar with its meaning."""
    entries: list[tuple[str, str]] = [
        *((noun.korean, noun.english) for noun in lexicon.NOUNS),
        *((person.korean, person.english) for person in (*lexicon.PRONOUNS, *lexicon.NAMES)),
        *((adjective.korean, adjective.english) for adjective in lexicon.ADJECTIVES),
        *((place.korean, place.english) for place in lexicon.PLACES),
        *((time.korean, " ".join(time.english)) for time in lexicon.TIMES),
        *((korean, english) for english, korean in lexicon.FREQUENCIES.items()),
        *((korean, english) for english, korean in lexicon.DETERMINERS.items()),
        *(
            (form, lexicon.PARTICLE_MEANINGS[role])
            for role in PARTICLES
            for form in PARTICLES[role]
        ),
        (lexicon.PLURAL, "plural"),
        (lexicon.NOT, "not"),
        (lexicon.WILL, "will"),
    ]
    for verb in lexicon.VERBS:
        name = f"{verb.base} {verb.preposition}".strip()
        entries.append((verb.korean_present, name))
        entries.append((verb.korean_past, f"{name} (past)"))
        entries.append((verb.korean_future, f"{name} (future)"))
    meanings: dict[str, list[str]] = {}
    for korean, meaning in entries:
        known = meanings.setdefault(korean, [])
        if meaning not in known:
            known.append(meaning)
    return {korean: " / ".join(known) for korean, known in meanings.items()}


def _split_by_new_words(pairs: list[Pair]) -> tuple[list[Pair], list[Pair]]:
    """Separate the pairs that bring a word not seen before from the rest."""
    seen: set[str] = set()
    with_new_words: list[Pair] = []
    others: list[Pair] = []
    for pair in pairs:
        words = {*pair.source.split(), *pair.target.split()}
        (others if words <= seen else with_new_words).append(pair)
        seen |= words
    return with_new_words, others


def _draw(random: Random) -> Sentence:
    """Draw one sentence: a verb, one of its frames, then whatever the frame allows."""
    verb = random.choice(lexicon.VERBS)
    frame = random.choice(verb.frames)
    subject = _draw_subject(random, frame)
    # "They read books" is always present here: a past that looks like the present would give
    # one English sentence two translations.
    told_apart = verb.past != verb.base or subject.third_singular
    tense = random.choice(TENSES if told_apart else ("present", "future"))
    negative = subject.definite and random.random() < 0.2
    parts = {
        "subject": subject.phrase,
        "verb": verbal(verb, tense, singular=subject.third_singular, negative=negative),
    }
    taken = {subject.name}
    if frame.objects:
        parts["object"], object_name = _draw_object(random, frame.objects, taken)
        combination = (verb.base, object_name)
        taken.add(object_name)
    else:
        combination = (verb.base, subject.name)
    if frame.recipient:
        parts["recipient"] = _draw_person(random, "recipient", "to", taken)
    if frame.companion and random.random() < 0.2:
        parts["companion"] = _draw_person(random, "companion", "with", taken)
    if verb.motion or (frame.places and random.random() < 0.35):
        place = random.choice([p for p in lexicon.PLACES if p.english in frame.places])
        parts["place"] = destination(place) if verb.motion else location(place)
    if frame.timed and random.random() < 0.4:
        parts["time"] = time_phrase(random.choice([t for t in lexicon.TIMES if tense in t.tenses]))
    elif frame.timed and tense == "present" and not negative and random.random() < 0.25:
        word = random.choice(tuple(lexicon.FREQUENCIES))
        parts["frequency"] = adverbial((word,), lexicon.FREQUENCIES[word])
    return Sentence(linearise(parts), combination)


def _draw_subject(random: Random, frame: lexicon.Frame) -> Subject:
    """Draw a pronoun, a name or a noun phrase; people may be any of them."""
    if "person" in frame.subjects and random.random() < 0.5:
        person = random.choice((*lexicon.PRONOUNS, *lexicon.NAMES))
        phrase = nominal(person.english, person.korean, "topic")
        return Subject(phrase, person.english, person.third_singular, definite=True)
    noun = random.choice([n for n in lexicon.NOUNS if n.kinds & frame.subjects])
    plural = random.random() < 0.3
    choices = ["the", "many"] if plural else ["a", "the", "this"]
    determiner = random.choice(choices + ["my"] * noun.mine)
    definite = determiner not in ("a", "many")
    role = "topic" if definite else "subject"
    phrase = _noun_phrase(random, noun, role, determiner, plural=plural)
    return Subject(phrase, noun.english, not plural, definite)


def _draw_object(random: Random, kinds: frozenset[str], taken: set[str]) -> tuple[Phrase, str]:
    """Draw an object of one of the kinds and give it with its noun."""
    fitting = [n for n in lexicon.NOUNS if n.kinds & kinds and n.english not in taken]
    noun = random.choice(fitting)
    plural = noun.plural is not None and random.random() < 0.35
    if noun.plural is None:
        choices = ["", "the"]
    elif plural:
        choices = ["", "the", "many"]
    else:
        choices = ["a", "the", "this"]
    determiner = random.choice(choices + ["my"] * noun.mine)
    return _noun_phrase(random, noun, "object", determiner, plural=plural), noun.english


def _draw_person(random: Random, role: str, preposition: str, taken: set[str]) -> Phrase:
    """Draw somebody else than the people in the sentence so far."""
    people = [n for n in lexicon.NOUNS if "person" in n.kinds and n.english not in taken]
    names = [n for n in lexicon.NAMES if n.english not in taken]
    if random.random() < 0.3:
        name = random.choice(names)
        return nominal(name.english, name.korean, role, preposition=preposition)
    noun = random.choice(people)
    determiner = random.choice(["a", "the"] + ["my"] * noun.mine)
    return nominal(noun.english, noun.korean, role, determiner=determiner, preposition=preposition)


def _noun_phrase(
    random: Random, noun: lexicon.Noun, role: str, determiner: str, *, plural: bool
) -> Phrase:
    """Build a noun phrase, with an adjective now and then.

    Korean marks the plural of people and animals, unless they are meant in general: 고양이 들
    for "the cats", plain 고양이 in "likes cats".
    """
    adjectives = [a for a in lexicon.ADJECTIVES if a.kinds & noun.kinds]
    adjective = random.choice(adjectives) if adjectives and random.random() < 0.2 else None
    animate = bool(noun.kinds & {"person", "animal"})
    english = noun.plural if plural and noun.plural else noun.english
    return nominal(
        english,
        noun.korean,
        role,
        determiner=determiner,
        adjective=adjective,
        plural=plural and animate and determiner != "",
    )
