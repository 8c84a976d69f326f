"""The attentions of a translator, and what it writes while some of their heads are off."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

from torch import Tensor

from transformer_lite.attention import MultiHeadAttention
from transformer_lite.data.pocket import gloss, lexicon

# The attentions that a `HeadView` shows, and what an `AttentionRecord` calls them.
SHOWN = {
    "encoder 1": "encoder.0.self",
    "encoder 2": "encoder.1.self",
    "cross 1": "decoder.0.cross",
    "cross 2": "decoder.1.cross",
}
# What particles mean, and which of them no English word stands for.
PARTICLES = frozenset(one.split(" (")[0] for one in lexicon.PARTICLE_MEANINGS.values())
ROLES = frozenset({"topic", "subject", "object"})
_FORMS = {verb.base: (verb.base, verb.third, verb.past) for verb in lexicon.VERBS}


# `Any`: a chapter's folder imports nothing that loads models.
def attentions(model: Any) -> dict[str, MultiHeadAttention]:
    """Every attention of a Transformer by a name such as "cross 2", its layers counted from 1.

    "decoder 2" is that of the decoder's second layer to itself, "cross 2" that to the encoder.
    """
    decoder = model.decoder.layers
    stacks = {
        "encoder": [layer.self_attention for layer in model.encoder.layers],
        "decoder": [layer.self_attention for layer in decoder],
        "cross": [layer.cross_attention for layer in decoder],
    }
    return {
        f"{stack} {number}": one
        for stack, ones in stacks.items()
        for number, one in enumerate(ones, start=1)
    }


@contextmanager
def heads_off(
    attention: MultiHeadAttention,
    *heads: int,
) -> Iterator[None]:
    """Switch heads off for a while: W_O reads nothing of them.

    They are counted from 0.
    """
    weight = attention.output.weight.data  # D D, W_O transposed
    kept = weight.clone()
    try:
        by_head = weight.view(len(weight), attention.heads, -1)  # D H K
        by_head[:, list(heads)] = 0
        yield
    finally:
        weight.copy_(kept)


class Word(NamedTuple):
    """A token of a translation, and what it means there."""

    korean: str
    english: str


@dataclass(frozen=True)
class HeadView:
    """The H heads of one attention, for one sentence: T tokens ask, S tokens answer.

    Attributes:
        asking, answering: T and S tokens; Korean ones with their meaning.
        weights: Float[H, T, S], the attention map of each head.
        translation: what the model writes.
        without: H + 1 translations, the one at h written with head h off, the last with all off.

    Raises:
        ValueError: the maps do not fit the tokens or the number of translations.
    """

    asking: Sequence[str]
    answering: Sequence[str]
    weights: Tensor
    translation: Sequence[Word]
    without: Sequence[Sequence[Word]]

    def __post_init__(self) -> None:
        must = len(self.without) - 1, len(self.asking), len(self.answering)
        if self.weights.shape != must:
            raise ValueError(
                f"weights must have a map for each translation without one head, a row for each "
                f"token that asks and a column for each that answers, {must}, but its shape is "
                f"{tuple(self.weights.shape)}"
            )


def head_views(translator: Any, text: str) -> dict[str, HeadView]:
    """Where the heads of four attentions look, and what is written without them.

    Args:
        translator: the `Translator` "pocket", or another one into the Korean of its grammar whose
            Transformer has two layers.
        text: one sentence.

    Returns:
        By the names of `SHOWN`. In an encoder the S tokens of the sentence ask themselves; in a
        cross-attention each of T tokens asks just before it is written.

    Raises:
        ValueError: as for `Translator.explain`.
    """
    explanation, modules = translator.explain(text), attentions(translator.model)
    source, target = explanation.source_tokens, explanation.target_tokens
    translation = _words(explanation.translation, text)
    labels = [*map(" ".join, translation), *target[len(translation) :]]
    views = {}
    for name, recorded in SHOWN.items():
        heads = range(modules[name].heads)
        without = []
        for off in (*([head] for head in heads), heads):
            with heads_off(modules[name], *off):
                without.append(_words(translator(text), text))
        asking, maps = labels if "cross" in name else source, explanation.maps[recorded]
        views[name] = HeadView(asking, source, maps, translation, without)
    return views


def _words(korean: str, text: str) -> list[Word]:
    """Korean tokens with what they mean in the translation of this text.

    Of two meanings the one that fits: a role behind a noun, all else where the text has the word.
    """
    known, words = set(text.split()), list[Word]()
    for token in korean.split():
        behind_noun = bool(words) and words[-1].english not in {*PARTICLES, *lexicon.DETERMINERS}
        senses = [sense.split(" (")[0] for sense in gloss(token).meaning.split(" / ")]
        fits = [
            sense
            for sense in senses
            if (behind_noun if sense in ROLES else known & {*_FORMS.get(sense, sense.split(", "))})
        ]
        words.append(Word(token, (fits or senses)[-1]))
    return words
