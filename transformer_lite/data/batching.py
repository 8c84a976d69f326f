"""From pairs of texts to padded batches, with as little padding as shuffling allows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from transformer_lite.checks import shown
from transformer_lite.data.pairs import Pair
from transformer_lite.data.vocabulary import BOS, EOS, PAD, Tokenizer
from transformer_lite.masks import padding_mask

POOL = 8192  # examples sorted by length together: large enough to sort well, still shuffled


@dataclass(frozen=True)
class Example:
    """One pair as ids: `source` ends with EOS; `target` has neither BOS nor EOS yet."""

    source: list[int]
    target: list[int]

    @property
    def source_length(self) -> int:
        """Source positions this example fills in a batch."""
        return len(self.source)

    @property
    def target_length(self) -> int:
        """Target positions this example fills in a batch, BOS (or EOS) included."""
        return len(self.target) + 1

    @property
    def longest_side(self) -> int:
        """The larger of both lengths."""
        return max(self.source_length, self.target_length)


@dataclass(frozen=True)
class Batch:
    """Padded examples; masks are True on real tokens, padding stands on the right.

    `target_in` begins with BOS and `target_out` ends with EOS: at each position the model reads
    `target_in` and is asked for `target_out`, the next token.
    """

    source: Int[Tensor, "B S"]
    source_mask: Bool[Tensor, "B S"]
    target_in: Int[Tensor, "B T"]
    target_out: Int[Tensor, "B T"]
    target_mask: Bool[Tensor, "B T"]

    @property
    def target_tokens(self) -> int:
        """Number of real target tokens, EOS included: what a loss is divided by."""
        return int(self.target_mask.sum())

    def to(self, device: torch.device | str) -> "Batch":
        """Give the same batch on another device."""
        return Batch(
            self.source.to(device),
            self.source_mask.to(device),
            self.target_in.to(device),
            self.target_out.to(device),
            self.target_mask.to(device),
        )


def encode_pairs(
    pairs: Iterable[Pair],
    source_tokenizer: Tokenizer,
    target_tokenizer: Tokenizer,
    *,
    max_tokens: int | None = None,
) -> list[Example]:
    """Turn pairs into ids, leaving out those with a side above `max_tokens` tokens (EOS included).

    How many were left out is the difference in number. Raises ValueError, with the text, for an
    empty side and for symbols that a tokenizer does not know, and for what is no `Pair`.
    """
    if max_tokens is not None and max_tokens < 2:
        raise ValueError(
            f"max_tokens must be at least 2 (one token and EOS), but it is {max_tokens}"
        )
    examples = []
    for pair in pairs:
        if not isinstance(pair, Pair):
            raise ValueError(
                f"pairs must be of the class Pair, but one is {shown(pair)}; "
                "make each one: Pair(source, target)"
            )
        example = Example(
            [*_encode(pair.source, source_tokenizer, "source"), EOS],
            _encode(pair.target, target_tokenizer, "target"),
        )
        if max_tokens is None or example.longest_side <= max_tokens:
            examples.append(example)
    return examples


def collate(examples: Sequence[Example]) -> Batch:
    """Pad some examples to a batch. Raises ValueError for none."""
    if not examples:
        raise ValueError(
            "examples must hold at least one pair, but it is empty; leave empty batches out"
        )
    source, source_mask = _pad([example.source for example in examples])
    target_in, target_mask = _pad([[BOS, *example.target] for example in examples])
    target_out, _ = _pad([[*example.target, EOS] for example in examples])
    return Batch(source, source_mask, target_in, target_out, target_mask)


def epoch_batches(
    examples: Sequence[Example], *, batch_tokens: int, seed: int, epoch: int
) -> list[list[int]]:
    """Group the examples of one epoch by length, each exactly once, as positions in `examples`.

    The epoch is shuffled and cut into pools; each pool is sorted by length and cut into batches
    of at most `batch_tokens` positions a side (rows times the longest source or target, EOS
    included); then the batches are shuffled. The result depends on `seed` and `epoch` (both at
    least 0) alone. Raises ValueError for a side that is longer than `batch_tokens` by itself.
    """
    if seed < 0 or epoch < 0:
        raise ValueError(f"seed and epoch must be 0 or more, but they are {seed} and {epoch}")
    longest = max((example.longest_side for example in examples), default=0)
    if longest > batch_tokens:
        raise ValueError(
            f"batch_tokens must be at least {longest}, the longest text with its EOS, but it is "
            f"{batch_tokens}; raise it or leave long pairs out with encode_pairs(max_tokens=...)"
        )
    generator = np.random.default_rng([seed, epoch])
    order = generator.permutation(len(examples)).tolist()
    batches: list[list[int]] = []
    for start in range(0, len(order), POOL):
        pool = order[start : start + POOL]
        # By the longer side: sorting by one side alone leaves the other ragged.
        pool.sort(key=lambda position: examples[position].longest_side)
        batches += _cut(pool, examples, batch_tokens)
    return [batches[position] for position in generator.permutation(len(batches)).tolist()]


def padding_waste(examples: Sequence[Example], batches: Iterable[Sequence[int]]) -> float:
    """Give the share of padding among all positions, source and target, of these batches.

    Raises ValueError where the batches hold no example.
    """
    real = positions = 0
    for batch in batches:
        sources = [examples[position].source_length for position in batch]
        targets = [examples[position].target_length for position in batch]
        real += sum(sources) + sum(targets)
        positions += len(batch) * (max(sources) + max(targets))
    if not positions:
        raise ValueError("batches must hold at least one example, but they hold none")
    return 1 - real / positions


def _encode(text: str, tokenizer: Tokenizer, side: str) -> list[int]:
    try:
        return tokenizer.encode(text)
    except ValueError as error:
        raise ValueError(f"{side} text {text!r}: {error}") from error


def _pad(rows: Sequence[Sequence[int]]) -> tuple[Int[Tensor, "B S"], Bool[Tensor, "B S"]]:
    """Pad rows of ids on the right; the mask is True on what was there."""
    longest = max(len(row) for row in rows)
    padded = torch.tensor([[*row, *[PAD] * (longest - len(row))] for row in rows])
    return padded, padding_mask(torch.tensor([len(row) for row in rows]), longest)


def _cut(pool: Sequence[int], examples: Sequence[Example], batch_tokens: int) -> list[list[int]]:
    """Cut a pool, sorted from short to long, into batches that respect the budget."""
    batches: list[list[int]] = []
    batch: list[int] = []
    for position in pool:
        # Sorted: the newcomer is the longest, so it alone sets the width of the batch.
        if (len(batch) + 1) * examples[position].longest_side > batch_tokens:
            batches.append(batch)
            batch = []
        batch.append(position)
    return [*batches, batch]
