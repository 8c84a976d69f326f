"""Text in, text out, and the attention maps behind it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload
from unicodedata import east_asian_width

import torch
from jaxtyping import Float
from torch import Tensor

from transformer_lite.attention_table import attention_table
from transformer_lite.checks import check_one_of, check_text, printable
from transformer_lite.data import EOS, SPECIALS, Example, collate, target_labels
from transformer_lite.data.subword import WORD_START
from transformer_lite.evaluation import decode_all
from transformer_lite.runs import checkpoint, model_folder
from transformer_lite.runs.checkpoint import SavedModel
from transformer_lite.scope import AttentionRecord


@dataclass(frozen=True, repr=False)
class Explanation:
    """A translation and where the model looked while it wrote each token.

    A notebook shows it as a table, the Python prompt as `as_text`.

    Attributes:
        translation: the text.
        source_tokens: S tokens that the model read, `<eos>` last.
        target_tokens: T tokens that it wrote, `<eos>` last (unless it was cut off).
        maps: attention by name ("decoder.1.cross", "encoder.0.self", …), Float[H, T, S] each; row
            t belongs to the token written at t. The columns of a decoder's own map are what it
            had read: `<bos>` and the target tokens but the last.
        target_labels: `target_tokens` for readers without the language: `data.target_labels`.
    """

    translation: str
    source_tokens: list[str]
    target_tokens: list[str]
    maps: dict[str, Tensor]
    target_labels: list[str]

    def __repr__(self) -> str:
        said = printable(self.translation)
        return f"{said}\n{self.as_text()}" if self._attends() else said

    def _repr_html_(self) -> str | None:
        """The map as a table; None, for `repr` in its place, if the model has no attention."""
        if not self._attends():
            return None
        target, source, weights = self.by_word()
        caption = (
            f"“{printable(self.translation)}”: each row is a word written, each number the weight "
            "of a source word in hundredths, averaged over layers and heads."
        )
        return attention_table(weights, source, target, caption)

    def _attends(self) -> bool:
        return any(name.endswith(".cross") for name in self.maps)

    def cross(self, name: str | None = None) -> Float[Tensor, "T S"]:
        """Which source tokens each target token looked at, averaged over heads.

        Args:
            name: one map ("decoder.0.cross"); None averages those of all decoder layers.

        Raises:
            ValueError: there is no such cross-attention map (a model without attention has none).
        """
        names = [one for one in self.maps if one.endswith(".cross")]
        if not names:
            raise ValueError("the model must have attention to have attention maps, but has none")
        if name is not None:
            check_one_of("the cross-attention map", name, names)
        chosen = names if name is None else [name]
        return torch.stack([self.maps[one].mean(0) for one in chosen]).mean(0)

    def by_word(
        self, name: str | None = None
    ) -> tuple[list[str], list[str], Float[Tensor, "T2 S2"]]:
        """Like `cross`, with the pieces of each word taken together.

        Weights are summed over the pieces of a source word and averaged over the pieces of a
        target word, so that rows still sum to 1.

        Returns:
            Target words, source words, and their weights.
        """
        source, target = word_groups(self.source_tokens), word_groups(self.target_tokens)
        weights = self.cross(name)
        columns = torch.stack([weights[:, group].sum(1) for group in source], dim=1)
        rows = torch.stack([columns[group].mean(0) for group in target])
        return _words(self.target_labels, target), _words(self.source_tokens, source), rows

    def as_text(self, name: str | None = None, most: int = 3) -> str:
        """The map in words: a line for each target word, with the words it looked at most."""
        target, source, weights = self.by_word(name)
        width = max(_columns(word) for word in target)
        lines = []
        for word, row in zip(target, weights, strict=True):
            values, places = row.topk(min(most, len(source)))
            looked = [
                f"{source[place]} {value:.2f}"
                for value, place in zip(values.tolist(), places.tolist(), strict=True)
            ]
            padding = " " * (width - _columns(word))
            lines.append(f"{word}{padding}  ←  {', '.join(looked)}")
        return "\n".join(lines)


class Translator:
    """A trained model with its tokenizers.

    Args:
        saved: a model with its tokenizers: one's own, or what a model folder holds; see `load`.
    """

    def __init__(self, saved: SavedModel) -> None:
        self.model, self.source, self.target = saved.model, saved.source, saved.target
        self.longest_source = saved.longest_source
        self.task = saved.task

    @classmethod
    def load(cls, path_or_name: str | Path) -> "Translator":
        """A translator from disk.

        Args:
            path_or_name: as for `runs.model_folder`.

        Raises:
            CheckpointError: there is no such model, or it is damaged.
        """
        return cls(checkpoint.load(model_folder(path_or_name)))

    def save(self, folder: str | Path) -> None:
        """Write a model folder, which `load` takes.

        Args:
            folder: where; it must not exist.

        Raises:
            FileExistsError: it exists; whatever is in it stays as it is.
            ValueError: a model of a class, or with tokenizers, that `load` could not build again,
                such as those of a Marian model.
        """
        saved = SavedModel(self.model, self.source, self.target, self.longest_source, self.task)
        checkpoint.save(folder, saved)

    @overload
    def __call__(self, text: str, beam_size: int = 1) -> str: ...
    @overload
    def __call__(self, text: list[str], beam_size: int = 1) -> list[str]: ...
    def __call__(self, text: str | list[str], beam_size: int = 1) -> str | list[str]:
        """Translate one text, or a list of texts.

        Args:
            text: one sentence, or several.
            beam_size: 1 decodes greedily, more by beam search.

        Raises:
            ValueError: a text is no string, is empty, has symbols the model never saw, or is too
                long.
        """
        if not isinstance(text, list):
            return self([text], beam_size)[0]
        examples = [self._encode(one) for one in text]
        decoded = decode_all(self.model, examples, beam_size=beam_size)
        return [self.target.decode(one.tokens) for one in decoded]

    @torch.no_grad()
    def explain(self, text: str, beam_size: int = 1) -> Explanation:
        """Translate one text and keep every attention map.

        Args:
            text: one sentence; for several, call it once for each.
            beam_size: as for calling.

        Raises:
            ValueError: as for calling.
        """
        source = self._encode(text).source
        hypothesis = decode_all(self.model, [Example(source, [])], beam_size=beam_size)[0]
        written = [*hypothesis.tokens, *([EOS] if hypothesis.finished else [])]
        # The decoder reads all but the last token that it wrote, behind <bos>: one row a token.
        batch = collate([Example(source, written[:-1])])
        record = AttentionRecord()
        self.model.features(batch.source, batch.source_mask, batch.target_in, record)
        tokens = self.target.tokens(written)
        return Explanation(
            translation=self.target.decode(hypothesis.tokens),
            source_tokens=self.source.tokens(source),
            target_tokens=tokens,
            maps={name: weights[0] for name, weights in record.items()},
            target_labels=target_labels(self.task["name"] if self.task else None, tokens),
        )

    def _encode(self, text: str) -> Example:
        check_text("text", text)
        source = [*self.source.encode(text), EOS]
        if len(source) > self.longest_source:
            raise ValueError(
                f"text must have at most {self.longest_source} tokens, as in training, but it has "
                f"{len(source)}; translate it in shorter sentences"
            )
        return Example(source, [])


def word_groups(tokens: Sequence[str]) -> list[list[int]]:
    """The positions of the pieces of each word; without word marks every token is a word."""
    marked = any(token.startswith(WORD_START) for token in tokens)
    groups: list[list[int]] = []
    for position, token in enumerate(tokens):
        begins = token.startswith(WORD_START) or token in SPECIALS
        if groups and marked and not begins:
            groups[-1].append(position)
        else:
            groups.append([position])
    return groups


def _columns(text: str) -> int:
    """Columns on a terminal: a wide character takes two."""
    return sum(2 if east_asian_width(character) == "W" else 1 for character in text)


def _words(tokens: Sequence[str], groups: Sequence[Sequence[int]]) -> list[str]:
    words = ["".join(tokens[i] for i in group).replace(WORD_START, "") for group in groups]
    return [printable(word) for word in words]
