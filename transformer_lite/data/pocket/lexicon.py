"""The words of the pocket grammar: what they mean, how they inflect, what goes with what.

Kinds keep the sentences sane. A noun has kinds ("drink", "aged"); a frame of a verb names the
kinds of its subject and object; an adjective names the kinds it may describe. So people read
books, and no cat drinks a newspaper. The Korean style is 해요체, polite and informal, throughout.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Noun:
    """A noun; `plural` is None for a mass noun. `mine`: "my ..." is natural in both languages."""

    english: str
    plural: str | None
    korean: str
    kinds: frozenset[str]
    mine: bool = False


@dataclass(frozen=True)
class Pronoun:
    """A personal pronoun or a name as subject; `third_singular`: the verb takes -s."""

    english: str
    korean: str
    third_singular: bool


@dataclass(frozen=True)
class Adjective:
    """An adjective in front of its noun, the same in the singular and the plural."""

    english: str
    korean: str
    kinds: frozenset[str]


@dataclass(frozen=True)
class Place:
    """Where something happens: "in the park" is 공원 에서; `article` is empty for "at home"."""

    english: str
    korean: str
    preposition: str
    article: str


@dataclass(frozen=True)
class Time:
    """When: one English phrase, its Korean noun, and the tenses it goes with.

    With a `preposition` the Korean noun takes the particle 에: "in the morning" is 아침 에.
    """

    english: tuple[str, ...]
    korean: str
    tenses: frozenset[str]
    preposition: str = ""
    article: str = ""


@dataclass(frozen=True)
class Frame:
    """One way to use a verb: who, with what, where, and which further phrases may follow."""

    subjects: frozenset[str]
    objects: frozenset[str] = frozenset()
    places: frozenset[str] = frozenset()
    companion: bool = False
    recipient: bool = False
    timed: bool = True


@dataclass(frozen=True)
class Verb:
    """An English verb and its Korean forms; `preposition` belongs to it, as in "look for".

    `korean_future` is the form that 거예요 follows: 읽을 거예요, "will read".
    """

    base: str
    third: str
    past: str
    korean_present: str
    korean_past: str
    korean_future: str
    frames: tuple[Frame, ...]
    preposition: str = ""
    motion: bool = False


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


def _noun(english: str, plural: str | None, korean: str, kinds: str, mine: bool = False) -> Noun:
    return Noun(english, plural, korean, _set(kinds), mine)


def _frame(
    subjects: str,
    objects: str = "",
    places: str = "",
    *,
    companion: bool = False,
    recipient: bool = False,
    timed: bool = True,
) -> Frame:
    return Frame(_set(subjects), _set(objects), _set(places), companion, recipient, timed)


NOUNS = (
    _noun("student", "students", "학생", "person", mine=True),
    _noun("teacher", "teachers", "선생님", "person", mine=True),
    _noun("friend", "friends", "친구", "person", mine=True),
    _noun("child", "children", "아이", "person", mine=True),
    _noun("woman", "women", "여자", "person"),
    _noun("man", "men", "남자", "person"),
    _noun("cat", "cats", "고양이", "animal legged", mine=True),
    _noun("dog", "dogs", "개", "animal legged", mine=True),
    _noun("bird", "birds", "새", "animal"),
    _noun("rabbit", "rabbits", "토끼", "animal legged", mine=True),
    _noun("apple", "apples", "사과", "food feed sized red"),
    _noun("cake", "cakes", "케이크", "food made sized"),
    _noun("bread", None, "빵", "food feed made", mine=True),
    _noun("rice", None, "밥", "food feed"),
    _noun("fish", None, "생선", "food feed"),
    _noun("water", None, "물", "drink lapped", mine=True),
    _noun("milk", None, "우유", "drink lapped", mine=True),
    _noun("coffee", None, "커피", "drink brewed", mine=True),
    _noun("tea", None, "차", "drink brewed"),
    _noun("book", "books", "책", "text written goods aged sized", mine=True),
    _noun("letter", "letters", "편지", "text written sent aged", mine=True),
    _noun("story", "stories", "이야기", "text written heard aged", mine=True),
    _noun("newspaper", "newspapers", "신문", "text aged"),
    _noun("flower", "flowers", "꽃", "goods scenery sized red white"),
    _noun("tree", "trees", "나무", "scenery sized aged"),
    _noun("picture", "pictures", "그림", "goods sent drawn sized aged", mine=True),
    _noun("gift", "gifts", "선물", "goods sent sized", mine=True),
    _noun("ball", "balls", "공", "goods lost sized red white", mine=True),
    _noun("key", "keys", "열쇠", "lost sized aged", mine=True),
    _noun("door", "doors", "문", "opened sized aged white"),
    _noun("window", "windows", "창문", "opened sized"),
    _noun("music", None, "음악", "heard"),
    _noun("hat", "hats", "모자", "hat goods made lost sized aged red white", mine=True),
    _noun("coat", "coats", "코트", "coat goods lost aged red white", mine=True),
    _noun("shoes", None, "신발", "shoes goods lost aged red white", mine=True),
)

PRONOUNS = (
    Pronoun("i", "저", third_singular=False),
    Pronoun("we", "우리", third_singular=False),
    Pronoun("he", "그", third_singular=True),
    Pronoun("she", "그녀", third_singular=True),
    Pronoun("they", "그들", third_singular=False),
)
NAMES = (
    Pronoun("mina", "미나", third_singular=True),
    Pronoun("jun", "준", third_singular=True),
)

ADJECTIVES = (
    Adjective("small", "작은", _set("animal sized")),
    Adjective("big", "큰", _set("animal sized")),
    Adjective("old", "오래된", _set("aged")),
    Adjective("red", "빨간", _set("red")),
    Adjective("white", "하얀", _set("animal white")),
    Adjective("kind", "친절한", _set("person")),
    Adjective("busy", "바쁜", _set("person")),
    Adjective("hungry", "배고픈", _set("person animal")),
    Adjective("hot", "뜨거운", _set("brewed")),
    Adjective("cold", "차가운", _set("drink")),
)

PLACES = (
    Place("home", "집", "at", ""),
    Place("school", "학교", "at", ""),
    Place("market", "시장", "at", "the"),
    Place("park", "공원", "in", "the"),
    Place("library", "도서관", "in", "the"),
    Place("garden", "정원", "in", "the"),
    Place("kitchen", "부엌", "in", "the"),
    Place("room", "방", "in", "the"),
)

TIMES = (
    Time(("yesterday",), "어제", _set("past")),
    Time(("today",), "오늘", _set("past future")),
    Time(("tomorrow",), "내일", _set("future")),
    Time(("every", "day"), "매일", _set("present")),
    Time(("morning",), "아침", _set("present past future"), "in", "the"),
    Time(("night",), "밤", _set("present past future"), "at"),
    Time(("sunday",), "일요일", _set("past future"), "on"),
)
FREQUENCIES = {"often": "자주", "always": "항상"}

ARTICLES = ("a", "the")  # Korean has none: they stay untranslated
DETERMINERS = {"this": "이", "my": "제", "many": "많은"}
PLURAL, NOT, WILL = "들", "안", "거예요"
PARTICLE_MEANINGS = {
    "topic": "topic",
    "subject": "subject",
    "object": "object",
    "companion": "with",
    "location": "at, in",
    "destination": "to",
    "time": "at, in, on (time)",
    "recipient": "to (a person)",
}

_MEALS, _QUIET, _OUTSIDE = "home kitchen garden park", "home school library room", "garden park"
_EVERYWHERE = " ".join(place.english for place in PLACES)

# fmt: off
VERBS = (
    Verb("eat", "eats", "ate", "먹어요", "먹었어요", "먹을", (
        _frame("person", "food", _MEALS, companion=True), _frame("animal", "feed", _OUTSIDE))),
    Verb("drink", "drinks", "drank", "마셔요", "마셨어요", "마실", (
        _frame("person", "drink", _MEALS, companion=True), _frame("animal", "lapped", _OUTSIDE))),
    Verb("read", "reads", "read", "읽어요", "읽었어요", "읽을", (
        _frame("person", "text", _QUIET + " park"),)),
    Verb("write", "writes", "wrote", "써요", "썼어요", "쓸", (
        _frame("person", "written", _QUIET),)),
    Verb("buy", "buys", "bought", "사요", "샀어요", "살", (
        _frame("person", "goods food drink", "market", companion=True),)),
    Verb("make", "makes", "made", "만들어요", "만들었어요", "만들", (
        _frame("person", "made", "home kitchen", companion=True),)),
    Verb("draw", "draws", "drew", "그려요", "그렸어요", "그릴", (
        _frame("person", "animal scenery drawn", _QUIET + " " + _OUTSIDE),)),
    Verb("see", "sees", "saw", "봐요", "봤어요", "볼", (
        _frame("person", "person animal scenery", "park market garden"),
        _frame("animal", "animal", _OUTSIDE))),
    Verb("meet", "meets", "met", "만나요", "만났어요", "만날", (
        _frame("person", "person", _EVERYWHERE),)),
    Verb("like", "likes", "liked", "좋아해요", "좋아했어요", "좋아할", (
        _frame("person", "person animal food drink heard scenery", timed=False),)),
    Verb("look", "looks", "looked", "찾아요", "찾았어요", "찾을", (
        _frame("person", "person animal lost", _EVERYWHERE),), preposition="for"),
    Verb("listen", "listens", "listened", "들어요", "들었어요", "들을", (
        _frame("person", "heard", _QUIET + " park", companion=True),), preposition="to"),
    Verb("open", "opens", "opened", "열어요", "열었어요", "열", (
        _frame("person", "opened", "home school library kitchen"),)),
    Verb("give", "gives", "gave", "줘요", "줬어요", "줄", (
        _frame("person", "goods", "home school", recipient=True),)),
    Verb("send", "sends", "sent", "보내요", "보냈어요", "보낼", (
        _frame("person", "sent", recipient=True),)),
    # One English verb, three Korean ones: what is worn decides.
    Verb("wear", "wears", "wore", "입어요", "입었어요", "입을", (
        _frame("person", "coat", "school market park"),)),
    Verb("wear", "wears", "wore", "신어요", "신었어요", "신을", (
        _frame("person", "shoes", "school market park"),)),
    Verb("wear", "wears", "wore", "써요", "썼어요", "쓸", (
        _frame("person", "hat", "school market park"),)),
    Verb("sleep", "sleeps", "slept", "자요", "잤어요", "잘", (
        _frame("person", places="home library room"),
        _frame("animal", places="home garden kitchen room"))),
    Verb("run", "runs", "ran", "뛰어요", "뛰었어요", "뛸", (
        _frame("person", places="park school", companion=True),
        _frame("legged", places=_OUTSIDE))),
    Verb("walk", "walks", "walked", "걸어요", "걸었어요", "걸을", (
        _frame("person", places=_OUTSIDE, companion=True),)),
    Verb("cry", "cries", "cried", "울어요", "울었어요", "울", (
        _frame("person", places="home school room garden"),)),
    Verb("laugh", "laughs", "laughed", "웃어요", "웃었어요", "웃을", (
        _frame("person", places="home school park room", companion=True),)),
    Verb("play", "plays", "played", "놀아요", "놀았어요", "놀", (
        _frame("person", places="home school park garden room", companion=True),
        _frame("animal", places=_OUTSIDE))),
    Verb("go", "goes", "went", "가요", "갔어요", "갈", (
        _frame("person", places="home school market park library", companion=True),),
        motion=True),
)
# fmt: on

# Pairs of verb and noun (its object, or its subject where it has none) that no training sentence
# contains. Each verb and each noun occurs in training in other pairs.
HELD_OUT = frozenset(
    {
        ("eat", "cake"), ("drink", "milk"), ("read", "letter"), ("write", "book"),
        ("buy", "flower"), ("draw", "dog"), ("see", "rabbit"), ("meet", "teacher"),
        ("like", "cat"), ("look", "ball"), ("give", "picture"), ("sleep", "dog"),
        ("walk", "student"), ("play", "child"), ("go", "friend"),
    }
)  # fmt: skip
