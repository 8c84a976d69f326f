"""Every corpus by its name, and the tokenizers that go with it: built, stored, rebuilt."""

from collections.abc import Callable, Mapping, Sequence
from inspect import signature
from typing import Any, get_type_hints

from transformer_lite.checks import check_keys, check_one_of, check_types
from transformer_lite.data.multi30k import load_multi30k
from transformer_lite.data.own import load_pairs
from transformer_lite.data.pairs import Corpus
from transformer_lite.data.pocket import label, load_pocket
from transformer_lite.data.subword import SubwordTokenizer
from transformer_lite.data.tasks import load_copy, load_dates, load_lookup, load_reverse
from transformer_lite.data.vocabulary import (
    SPECIALS,
    CharacterTokenizer,
    Tokenizer,
    WordTokenizer,
)

LOADERS: dict[str, Callable[..., Corpus]] = {
    "copy": load_copy,
    "reverse": load_reverse,
    "lookup": load_lookup,
    "dates": load_dates,
    "pocket": load_pocket,
    "multi30k": load_multi30k,
    "pairs": load_pairs,
}
LABELS: dict[str, Callable[[str], str]] = {"pocket": label}  # corpora that few can read
TOKENIZERS = {one.kind: one for one in (CharacterTokenizer, WordTokenizer, SubwordTokenizer)}


def load(name: str, *, seed: int = 0, **options: Any) -> Corpus:
    """Load a corpus by name; the options are those of its loader, see LOADERS.

    Raises ValueError for an unknown name or option, and what the loader raises.
    """
    check_one_of("name", name, LOADERS)
    loader = LOADERS[name]
    known = [option for option in signature(loader).parameters if option != "seed"]
    check_keys(f"the options of {name}", options, known)
    check_types("", options | {"seed": seed}, get_type_hints(loader))
    return loader(seed=seed, **options)


def target_labels(name: str | None, tokens: Sequence[str]) -> list[str]:
    """Target tokens of a corpus as figures show them, for readers who do not know the language.

    Args:
        name: the corpus, if it has a name; Korean gets its romanisation and its meaning, all else
            stays as it is.
        tokens: T tokens, specials among them.

    Raises:
        ValueError: a token that the corpus does not have.
    """
    label = LABELS.get(name or "", str)
    return [token if token in SPECIALS else label(token) for token in tokens]


def build_tokenizers(
    corpus: Corpus, *, vocab_size: int = 8000, lowercase: bool = False, joint: bool = True
) -> tuple[Tokenizer, Tokenizer]:
    """Build the tokenizers of source and target from the TRAINING split only.

    A joint corpus gets one tokenizer, the same object twice, unless `joint` is False: then each
    side has its own, and the output layer no rows for words of the other language. `vocab_size`
    (of each tokenizer) and `lowercase` are for subwords; characters and words take every symbol
    that training shows. Raises ValueError for a vocabulary too small for the characters of the
    corpus.
    """

    def train(texts: list[str]) -> Tokenizer:
        if corpus.units == "characters":
            return CharacterTokenizer.train(texts)
        if corpus.units == "words":
            return WordTokenizer.train(texts)
        return SubwordTokenizer.train(texts, vocab_size, lowercase=lowercase)

    sources = [pair.source for pair in corpus.train]
    targets = [pair.target for pair in corpus.train]
    if corpus.joint and joint:
        shared = train(sources + targets)
        return shared, shared
    return train(sources), train(targets)


def tokenizer_from_json(data: Mapping[str, Any]) -> Tokenizer:
    """Rebuild a tokenizer from what its `to_json` gave.

    Raises ValueError for an unknown kind and for missing or damaged content.
    """
    kind: Any = data.get("kind") if isinstance(data, Mapping) else None
    check_one_of("the kind of a tokenizer", kind, TOKENIZERS)
    return TOKENIZERS[kind].from_json(data)
