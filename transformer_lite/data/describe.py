"""A corpus in words: what `transformer-lite data NAME` prints."""

from collections.abc import Sequence

from transformer_lite.data.pairs import Corpus, Pair
from transformer_lite.data.pocket import gloss

SAMPLES = 3


def describe(corpus: Corpus) -> str:
    """Give counts, lengths and three sample pairs of a corpus as text of several lines.

    Lengths count characters for a corpus of characters and words between spaces otherwise.
    Korean samples come with romanisation and gloss.
    """
    unit = "characters" if corpus.units == "characters" else "words"
    lines = [f"{corpus.name}: pairs of texts, read as {corpus.units}"]
    for name, pairs in _splits(corpus).items():
        lines.append(
            f"  {name:<5} {len(pairs):>7,} pairs, {unit} a source "
            f"{_lengths([pair.source for pair in pairs], unit)}, a target "
            f"{_lengths([pair.target for pair in pairs], unit)}"
        )
    lines.append("samples")
    for pair in corpus.train[:SAMPLES]:
        lines += ["", *_sample(corpus, pair)]
    return "\n".join(lines)


def _splits(corpus: Corpus) -> dict[str, tuple[Pair, ...]]:
    return {"train": corpus.train, "valid": corpus.valid, "test": corpus.test}


def _lengths(texts: Sequence[str], unit: str) -> str:
    counts = [len(text) if unit == "characters" else len(text.split()) for text in texts]
    return f"{min(counts)} to {max(counts)} (mean {sum(counts) / len(counts):.1f})"


def _sample(corpus: Corpus, pair: Pair) -> list[str]:
    lines = [f"  source  {pair.source}", f"  target  {pair.target}"]
    if corpus.name == "pocket":
        glosses = [gloss(token) for token in pair.target.split()]
        lines.append(f"  sound   {' '.join(entry.romanisation for entry in glosses)}")
        lines.append(f"  gloss   {' | '.join(entry.meaning for entry in glosses)}")
    return lines
