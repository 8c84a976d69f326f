"""Batches: right shifts, right masks, every example once, within the budget, little padding."""

from random import Random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from transformer_lite.data import (
    BOS,
    EOS,
    PAD,
    CharacterTokenizer,
    Example,
    Pair,
    collate,
    encode_pairs,
    epoch_batches,
    padding_waste,
)

LENGTHS = st.lists(st.tuples(st.integers(1, 12), st.integers(1, 12)), min_size=1, max_size=60)


def examples_of(lengths: list[tuple[int, int]]) -> list[Example]:
    """Examples with so many source and target ids, all different within an example."""
    return [
        Example([*range(4, 4 + source), EOS], [*range(5, 5 + target)]) for source, target in lengths
    ]


def random_examples(count: int) -> list[Example]:
    random = Random(1)
    return examples_of([(random.randint(1, 40), random.randint(1, 40)) for _ in range(count)])


def test_collate_by_hand() -> None:
    batch = collate([Example([7, 8, EOS], [9]), Example([7, EOS], [9, 10])])
    assert batch.source.tolist() == [[7, 8, EOS], [7, EOS, PAD]]
    assert batch.source_mask.tolist() == [[True, True, True], [True, True, False]]
    assert batch.target_in.tolist() == [[BOS, 9, PAD], [BOS, 9, 10]]
    assert batch.target_out.tolist() == [[9, EOS, PAD], [9, 10, EOS]]
    assert batch.target_mask.tolist() == [[True, True, False], [True, True, True]]
    assert batch.target_tokens == 5


@settings(deadline=None)
@given(LENGTHS)
def test_collate_properties(lengths: list[tuple[int, int]]) -> None:
    examples = examples_of(lengths)
    batch = collate(examples)
    for row, example in enumerate(examples):
        assert batch.source[row][batch.source_mask[row]].tolist() == example.source
        assert batch.target_in[row][batch.target_mask[row]].tolist() == [BOS, *example.target]
        assert batch.target_out[row][batch.target_mask[row]].tolist() == [*example.target, EOS]
    assert torch.equal(batch.source_mask, batch.source != PAD)
    assert torch.equal(batch.target_mask, batch.target_out != PAD)
    assert batch.target_tokens == sum(len(example.target) + 1 for example in examples)


def test_batch_moves_as_a_whole() -> None:
    batch = collate([Example([7, EOS], [9])]).to("meta")
    tensors = (batch.source, batch.source_mask, batch.target_in, batch.target_out)
    assert {tensor.device.type for tensor in (*tensors, batch.target_mask)} == {"meta"}


@settings(deadline=None)
@given(LENGTHS, st.integers(13, 80), st.integers(0, 5), st.integers(0, 5))
def test_every_example_once_within_the_budget(
    lengths: list[tuple[int, int]], batch_tokens: int, seed: int, epoch: int
) -> None:
    examples = examples_of(lengths)
    batches = epoch_batches(examples, batch_tokens=batch_tokens, seed=seed, epoch=epoch)
    assert sorted(i for batch in batches for i in batch) == list(range(len(examples)))
    for batch in batches:
        padded = collate([examples[i] for i in batch])
        assert padded.target_in.numel() <= batch_tokens
        assert padded.source.numel() <= batch_tokens


def test_order_depends_on_seed_and_epoch_alone() -> None:
    examples = random_examples(500)

    def order(seed: int, epoch: int) -> list[list[int]]:
        return epoch_batches(examples, batch_tokens=400, seed=seed, epoch=epoch)

    assert order(3, 1) == order(3, 1)
    assert order(3, 1) != order(3, 2)
    assert order(3, 1) != order(4, 1)
    assert order(1, 3) != order(3, 1)


def test_batches_come_in_mixed_lengths() -> None:
    examples = random_examples(2000)
    batches = epoch_batches(examples, batch_tokens=400, seed=0, epoch=0)
    widths = [max(examples[i].longest_side for i in batch) for batch in batches]
    assert widths != sorted(widths)


def test_sorting_saves_padding() -> None:
    examples = random_examples(2000)
    by_length = epoch_batches(examples, batch_tokens=800, seed=0, epoch=0)
    order = list(range(len(examples)))
    as_they_come = [order[start : start + 20] for start in range(0, len(order), 20)]
    assert padding_waste(examples, by_length) < 0.6 * padding_waste(examples, as_they_come)


def test_padding_waste_by_hand() -> None:
    examples = [Example([5, 5, 5, EOS], [6, 6, 6]), Example([5, EOS], [6])]
    # Real: 4 + 4 and 2 + 2; padded to 4 + 4 twice.
    assert padding_waste(examples, [[0, 1]]) == pytest.approx(4 / 16)
    assert padding_waste(examples, [[0], [1]]) == 0
    with pytest.raises(ValueError, match="batches must hold at least one"):
        padding_waste(examples, [])


def test_encode_pairs_ends_sources_and_drops_long_pairs() -> None:
    tokenizer = CharacterTokenizer("abc")
    pairs = [Pair("ab", "c"), Pair("abc", "c"), Pair("a", "abc")]
    encoded = encode_pairs(pairs, tokenizer, tokenizer)
    assert encoded[0] == Example([4, 5, EOS], [6])
    assert len(encoded) == 3
    # With EOS the other two have four tokens on one side.
    assert encode_pairs(pairs, tokenizer, tokenizer, max_tokens=3) == encoded[:1]


def test_bad_input_is_named() -> None:
    tokenizer = CharacterTokenizer("abc")
    with pytest.raises(ValueError, match="target text 'x': text must hold known characters"):
        encode_pairs([Pair("ab", "x")], tokenizer, tokenizer)
    with pytest.raises(ValueError, match=r"source text '': text must .* empty"):
        encode_pairs([Pair("", "a")], tokenizer, tokenizer)
    with pytest.raises(ValueError, match="max_tokens must be at least 2"):
        encode_pairs([], tokenizer, tokenizer, max_tokens=1)
    with pytest.raises(ValueError, match="examples must hold at least one"):
        collate([])
    examples = random_examples(5)
    with pytest.raises(ValueError, match="batch_tokens must be at least"):
        epoch_batches(examples, batch_tokens=3, seed=0, epoch=0)
    with pytest.raises(ValueError, match="seed and epoch must be 0 or more"):
        epoch_batches(examples, batch_tokens=100, seed=-1, epoch=0)
