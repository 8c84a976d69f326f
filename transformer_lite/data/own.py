"""Pairs of your own: a file of two columns, and 200 German-English pairs that come with the course.

Each line holds a source text, a tab and its target text, in UTF-8. One token is one word between
spaces, without case and final punctuation (see `normalise`).
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

from transformer_lite.checks import shown
from transformer_lite.data.pairs import Corpus, Pair
from transformer_lite.data.vocabulary import normalise
from transformer_lite.reading import decode

EXAMPLE = Path(__file__).parent / "pairs-200.tsv"
FEWEST_PAIRS = 20
HELD_OUT = 0.1  # of the pairs, for valid, and as many for test
MOST_BYTES = 2**26


def load_pairs(*, seed: int = 0, path: str | None = None, sha256: str | None = None) -> Corpus:
    """Load a file of pairs; a tenth of them is held out for valid, another for test.

    A pair that occurs twice counts once. What is held out can be translated by who learned the
    rest: its source has one translation, and each of its words occurs in a training pair. So no
    source is in two splits, and there may be fewer such pairs than a tenth.

    Args:
        seed: decides which pairs are held out.
        path: the file; None takes EXAMPLE.
        sha256: the sum that the file must have; None takes any.

    Raises:
        ValueError: no such file or another than it was, a line that is no pair, or too few pairs.
    """
    file = EXAMPLE if path is None else Path(path)
    content = _read(file)
    found = hashlib.sha256(content).hexdigest()
    if sha256 not in (None, found):
        raise ValueError(
            f"{file} must have the SHA-256 sum {sha256}, as when training began, but it has "
            f"{found}; put it back as it was, or train again, in another folder"
        )
    pairs = list(dict.fromkeys(_pairs(file, content)))
    if len(pairs) < FEWEST_PAIRS:
        raise ValueError(
            f"{file} must hold at least {FEWEST_PAIRS} different pairs, but it holds {len(pairs)}; "
            "write more"
        )
    train, held_out = _split(pairs, Random(f"pairs {seed}"))
    if len(held_out) < 2:
        raise ValueError(
            f"{file} must hold at least 2 pairs whose words all occur in other pairs too, to hold "
            f"out, but it holds {len(held_out)}; write more pairs of the same words"
        )
    half = len(held_out) // 2
    valid, test = tuple(held_out[:half]), tuple(held_out[half:])
    return Corpus("pairs", "words", tuple(train), valid, test, joint=False)


def task_of(path: str | Path) -> dict[str, Any]:
    """The options of `data.load` for a file as it is now: from any folder, and no other content.

    Raises ValueError where there is no such file.
    """
    file = Path(path).resolve()
    return {
        "name": "pairs",
        "path": str(file),
        "sha256": hashlib.sha256(_read(file)).hexdigest(),
    }


def _read(file: Path) -> bytes:
    if not file.is_file():
        what = "it is a folder" if file.is_dir() else "there is no such file"
        raise ValueError(
            f"{file} must be a file of pairs, but {what}; give the path of a text file with a "
            "source text, a tab and its target text on each line"
        )
    if file.stat().st_size > MOST_BYTES:
        raise ValueError(f"{file} must have at most {MOST_BYTES:,} bytes, but it has more; cut it")
    return file.read_bytes()


def _pairs(file: Path, content: bytes) -> Iterator[Pair]:
    """The pair of each line that is not blank."""
    for number, raw in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        where = f"{file}, line {number:,}"
        try:
            line = decode(where, raw)
        except ValueError as error:
            raise ValueError(f"{error}; save the file as UTF-8") from None
        if line.strip():
            yield _pair(where, line)


def _pair(where: str, line: str) -> Pair:
    columns = line.split("\t")
    if len(columns) != 2:
        advice = "put one there" if len(columns) == 1 else "take the other columns out"
        raise ValueError(
            f"{where} must have one tab, between source and target, but it has "
            f"{len(columns) - 1 or 'none'}: {shown(line)}; {advice}"
        )
    source, target = map(normalise, columns)
    if not (source and target):
        side = "target" if source else "source"
        raise ValueError(
            f"{where} must have a word on either side of its tab, but the {side} is empty: "
            f"{shown(line)}; write it, or take the line out"
        )
    return Pair(source, target)


def _split(pairs: list[Pair], random: Random) -> tuple[list[Pair], list[Pair]]:
    """Training pairs in the order of the file, and pairs to hold out."""
    targets: dict[str, set[str]] = defaultdict(set)
    left = Counter[tuple[str, str]]()  # training pairs that have this word
    for pair in pairs:
        targets[pair.source].add(pair.target)
        left.update(_words(pair))
    held_out: list[Pair] = []
    most = 2 * max(1, round(HELD_OUT * len(pairs)))
    for pair in random.sample(pairs, k=len(pairs)):
        words = _words(pair)
        known = all(left[word] > 1 for word in words)
        if known and len(targets[pair.source]) == 1 and len(held_out) < most:
            held_out.append(pair)
            left.subtract(words)
    out = set(held_out)
    return [pair for pair in pairs if pair not in out], held_out


def _words(pair: Pair) -> set[tuple[str, str]]:
    """The different words of a pair, each with its side."""
    sides = (("source", pair.source), ("target", pair.target))
    return {(side, word) for side, text in sides for word in text.split()}
