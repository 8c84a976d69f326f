"""Every corpus by its name, and the tokenizers that go with it: built, stored, rebuilt."""

from collections.abc import Callable, Mapping
from inspect import signature
from typing import Any

from transformer_lite.data.multi30k import load_multi30k
from transformer_lite.data.pairs import Corpus
from transformer_lite.data.pocket import load_pocket
from transformer_lite.data.subword import SubwordTokenizer
from transformer_lite.data.tasks import load_copy, load_dates, load_lookup, load_reverse
from transformer_lite.data.vocabulary import CharacterTokenizer, Tokenizer, WordTokenizer

LOADERS: dict[str, Callable[..., Corpus]] = {
    "copy": load_copy,
    "reverse": load_reverse,
    "lookup": load_lookup,
    "dates": load_dates,
    "pocket": load_pocket,
    "multi30k": load_multi30k,
}


def load(name: str, *, seed: int = 0, **options: Any) -> Corpus:
    """Load a corpus by name; the options are those of its loader, see LOADERS.

    Raises ValueError for an unknown name or option, and what the loader raises.
    """
    if name not in LOADERS:
        raise ValueError(f"name: expected one of {', '.join(LOADERS)}, got {name!r}")
    loader = LOADERS[name]
    known = [option for option in signature(loader).parameters if option != "seed"]
    unknown = [option for option in options if option not in known]
    if unknown:
        raise ValueError(
            f"options of {name}: expected some of {', '.join(known)}, got {', '.join(unknown)}"
        )
    return loader(seed=seed, **options)


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
    kind = data.get("kind") if isinstance(data, Mapping) else None
    if kind == SubwordTokenizer.kind:
        return SubwordTokenizer.from_json(data)
    listed = {cls.kind: cls for cls in (CharacterTokenizer, WordTokenizer)}
    if kind not in listed:
        known = ", ".join([*listed, SubwordTokenizer.kind])
        raise ValueError(f"tokenizer: expected the kind to be one of {known}, got {kind!r}")
    symbols = data.get("symbols")
    if not isinstance(symbols, list) or not all(isinstance(symbol, str) for symbol in symbols):
        raise ValueError(
            f"tokenizer: expected a list of strings under 'symbols', got {symbols!r}; "
            "the file is damaged, take it from its source again"
        )
    return listed[kind](symbols)
