"""Tasks made in code, without a network: copying, reversing, looking up, and reading dates.

All draws come from one `random.Random` seeded with the name of the task and the seed: the same
call gives the same corpus everywhere.
"""

from collections.abc import Callable, Container
from datetime import date, timedelta
from random import Random
from string import ascii_lowercase, digits

from transformer_lite.data.pairs import Corpus, Pair, check_sizes

# Our own names: those of the `datetime` module change with the reader's locale.
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
FIRST_DAY, LAST_DAY = date(1900, 1, 1), date(2099, 12, 31)
DATES = (LAST_DAY - FIRST_DAY).days + 1

# The month is always a word and the year always has four digits, so each text means one day.
DATE_FORMATS = (
    "{day} {month} {year}",
    "{day:02d} {month} {year}",
    "{month} {day}, {year}",
    "{month} {ordinal}, {year}",
    "the {ordinal} of {month} {year}",
    "{ordinal} of {month}, {year}",
    "{short_month} {day}, {year}",
    "{day} {short_month} {year}",
    "{day:02d}-{short_month}-{year}",
    "{year} {month} {day}",
    "{year}/{short_month}/{day:02d}",
    "{weekday}, {day} {month} {year}",
    "{weekday}, {month} {day}, {year}",
    "{weekday} the {ordinal} of {month} {year}",
    "{short_weekday} {day} {short_month} {year}",
    "{short_weekday}, {short_month} {ordinal} {year}",
)
MOST_SYMBOLS = 1000  # of a string
REDRAWS = 30  # tries to find a string that no other split has

Write = Callable[[Random, int], str]  # a random text of this length


def load_copy(
    *,
    seed: int = 0,
    letters: int = 26,
    shortest: int = 3,
    longest: int = 12,
    train: int = 20_000,
    valid: int = 500,
    test: int = 500,
) -> Corpus:
    """Random strings of the first `letters` letters; the target is the source.

    Lengths are uniform from `shortest` to `longest`. Strings of valid and test are not in train
    where enough strings of their length exist. Raises ValueError for impossible sizes.
    """
    check_sizes(train, valid, test)
    write = _letters(letters)
    return _strings("copy", write, _same, seed, (shortest, longest), (train, valid, test))


def load_reverse(
    *,
    seed: int = 0,
    letters: int = 26,
    shortest: int = 3,
    longest: int = 12,
    train: int = 20_000,
    valid: int = 500,
    test: int = 500,
) -> Corpus:
    """Random strings of the first `letters` letters; the target is the source backwards.

    Options and errors are those of `load_copy`.
    """
    check_sizes(train, valid, test)
    write = _letters(letters)
    return _strings("reverse", write, _backwards, seed, (shortest, longest), (train, valid, test))


def load_lookup(
    *,
    seed: int = 0,
    letters: int = 26,
    shortest: int = 3,
    longest: int = 10,
    train: int = 20_000,
    valid: int = 500,
    test: int = 500,
) -> Corpus:
    """Shuffled cards, each a letter and a digit; the target is the digits in order of the letters.

    "m3a7k1" becomes "713": a before k before m. Which card comes next is a question of content;
    where it lies says nothing. Lengths count cards, and no letter occurs twice. Other options and
    errors are those of `load_copy`; `longest` may not exceed `letters`.
    """
    check_sizes(train, valid, test)
    write, lengths = _cards(letters), (shortest, longest)
    if longest > letters:
        raise ValueError(
            f"longest must be at most {letters}, a card for each letter, but it is {longest}; "
            "lower it or raise letters"
        )
    return _strings("lookup", write, _in_order, seed, lengths, (train, valid, test))


def load_dates(*, seed: int = 0, train: int = 20_000, valid: int = 500, test: int = 500) -> Corpus:
    """Dates as people write them, in sixteen ways; the target is ISO 8601, like 2021-03-09.

    The days lie between 1900 and 2099. A day of one split occurs in no other. Raises ValueError
    for sizes below one or a valid and test split that take most days there are.
    """
    check_sizes(train, valid, test)
    if valid + test > DATES // 2:
        raise ValueError(
            f"valid and test must be at most {DATES // 2} together, so that half the days are "
            f"left to train on, but they are {valid} and {test}"
        )
    random = Random(f"dates {seed}")
    days = list(range(DATES))
    random.shuffle(days)
    held_out, others = days[: valid + test], days[valid + test :]
    return Corpus(
        name="dates",
        units="characters",
        # Days may come back in another format; with 64 % or more of them unused nothing is lost.
        train=tuple(_date_pair(random, random.choice(others)) for _ in range(train)),
        valid=tuple(_date_pair(random, day) for day in held_out[:valid]),
        test=tuple(_date_pair(random, day) for day in held_out[valid:]),
        joint=False,
    )


def write_date(day: date, date_format: str) -> str:
    """Write a day in one of DATE_FORMATS."""
    month, weekday = MONTHS[day.month - 1], WEEKDAYS[day.weekday()]
    return date_format.format(
        day=day.day,
        year=day.year,
        month=month,
        weekday=weekday,
        short_month=month[:3],
        short_weekday=weekday[:3],
        ordinal=f"{day.day}{_ordinal_ending(day.day)}",
    )


def _ordinal_ending(number: int) -> str:
    if number in (11, 12, 13):
        return "th"
    return {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")


def _date_pair(random: Random, offset: int) -> Pair:
    day = FIRST_DAY + timedelta(days=offset)
    return Pair(write_date(day, random.choice(DATE_FORMATS)), day.isoformat())


def _same(text: str) -> str:
    return text


def _backwards(text: str) -> str:
    return text[::-1]


def _in_order(cards: str) -> str:
    return "".join(digit for _, digit in sorted(zip(cards[::2], cards[1::2], strict=True)))


def _letters(letters: int) -> Write:
    alphabet = _alphabet(letters)
    return lambda random, length: "".join(random.choices(alphabet, k=length))


def _cards(letters: int) -> Write:
    alphabet = _alphabet(letters)

    def write(random: Random, length: int) -> str:
        names = random.sample(alphabet, k=length)
        return "".join(name + random.choice(digits) for name in names)

    return write


def _alphabet(letters: int) -> str:
    if not 1 <= letters <= len(ascii_lowercase):
        raise ValueError(f"letters must be from 1 to 26, but it is {letters}")
    return ascii_lowercase[:letters]


def _strings(
    name: str,
    write: Write,
    answer: Callable[[str], str],
    seed: int,
    lengths: tuple[int, int],
    sizes: tuple[int, int, int],
) -> Corpus:
    """Draw the three splits of a task on strings, each apart from those before it."""
    shortest, longest = lengths
    if not 1 <= shortest <= longest <= MOST_SYMBOLS:
        raise ValueError(
            f"shortest and longest must fit 1 <= shortest <= longest <= {MOST_SYMBOLS}, "
            f"but they are {shortest} and {longest}; swap or raise them"
        )
    random = Random(f"{name} {seed}")
    used: set[str] = set()
    splits = []
    for size in sizes:
        texts = [_draw(random, write, random.randint(*lengths), used) for _ in range(size)]
        used.update(texts)
        splits.append(tuple(Pair(text, answer(text)) for text in texts))
    train, valid, test = splits
    return Corpus(name, "characters", train, valid, test, joint=True)


def _draw(random: Random, write: Write, length: int, used: Container[str]) -> str:
    """Draw a string that is not used, or any string where unused ones are hard to find.

    The length stays as it was drawn: redrawing it as well would make short strings rare.
    """
    for _ in range(REDRAWS):
        text = write(random, length)
        if text not in used:
            break
    return text
