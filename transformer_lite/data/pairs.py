"""What a corpus is made of: sentence pairs, three splits, and what counts as one token."""

from dataclasses import dataclass
from typing import Literal

from transformer_lite.checks import check_whole

MOST_PAIRS = 10**6  # of a split that is made in code
Units = Literal["characters", "words", "subwords"]
Link = tuple[int, int]


@dataclass(frozen=True)
class Pair:
    """One source text, its target text and, where it is known, the gold word alignment.

    Links are (target token position, source token position), both counted from zero. As in
    Och and Ney (2003, section 4), `sure` links are those that any annotator would draw and
    `possible` links those that may be drawn; every sure link is also possible. Both sets are
    empty where no gold alignment exists.
    """

    source: str
    target: str
    sure: frozenset[Link] = frozenset()
    possible: frozenset[Link] = frozenset()

    def __post_init__(self) -> None:
        """Raise ValueError for a sure link that is not possible."""
        if not self.sure <= self.possible:
            raise ValueError(
                "sure must be a subset of possible, but these links are only sure: "
                f"{sorted(self.sure - self.possible)}; add them to possible"
            )


@dataclass(frozen=True)
class Corpus:
    """A named collection of pairs in three splits.

    `units` says what one token is; `joint` says whether source and target share one tokenizer.
    """

    name: str
    units: Units
    train: tuple[Pair, ...]
    valid: tuple[Pair, ...]
    test: tuple[Pair, ...]
    joint: bool


def check_sizes(train: int, valid: int, test: int) -> None:
    """Raise ValueError unless each split is to have a pair, and none more than MOST_PAIRS."""
    for name, size in (("train", train), ("valid", valid), ("test", test)):
        check_whole(name, size, 1, MOST_PAIRS)
