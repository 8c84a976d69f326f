"""The exercises of chapter 02: symptoms of wrong answers, and references that are right."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from answers_additive import (
    Weights,
    additive_by_broadcast,
    context_by_product,
    join_by_slices,
    masked_by_package,
    run_both_ways,
)
from naming import Shown, assert_all_shown, assert_named
from torch import Tensor

from transformer_lite.chapters.c02_additive_attention.exercises import EXERCISES
from transformer_lite.chapters.c02_additive_attention.exercises.join_directions import (
    join_directions,
)

# ---- Symptoms: wrong in a way that no catalogued answer computes


def over_the_batch(query: Tensor, keys: Tensor, weights: Weights) -> Tensor:
    energies = additive_by_broadcast(query, keys, weights)
    return energies - energies.mean(0)


def centred(query: Tensor, keys: Tensor, weights: Weights) -> Tensor:
    energies = additive_by_broadcast(query, keys, weights)
    return energies - energies.mean(-1, keepdim=True)


def of_positions(query: Tensor, keys: Tensor, weights: Weights) -> Tensor:
    positions = torch.arange(keys.shape[1])
    return positions * additive_by_broadcast(query, torch.zeros_like(keys), weights)


def added_apart(query: Tensor, keys: Tensor, weights: Weights) -> Tensor:
    from_keys = torch.tanh(keys @ weights["U"].T) @ weights["v"]
    return from_keys + (query @ weights["W"].T).sum(1, keepdim=True)


def without_v(query: Tensor, keys: Tensor, weights: Weights) -> Tensor:
    hidden = (query @ weights["W"].T)[:, None] + keys @ weights["U"].T
    return hidden.tanh().square().sum(-1)


def a_little_for_padding(energies: Tensor, mask: Tensor) -> Tensor:
    return masked_by_package(energies, mask) + 0.01 * ~mask[:, None]


def halved(energies: Tensor, mask: Tensor) -> Tensor:
    return masked_by_package(energies, mask) / 2


def shared_energies(energies: Tensor, mask: Tensor) -> Tensor:
    return masked_by_package(energies + energies.mean(0).argsort(-1), mask)


def shaken_by_padding(energies: Tensor, mask: Tensor) -> Tensor:
    level = energies.masked_fill(mask[:, None], 0.0).sum((1, 2), keepdim=True)
    return masked_by_package(energies * (1 + level.sin()), mask)


def next_sentence(weights: Tensor, values: Tensor) -> Tensor:
    return context_by_product(weights, values) + 0.1 * values.mean(1, keepdim=True).roll(1, 0)


def smoothed(weights: Tensor, values: Tensor) -> Tensor:
    return context_by_product(weights + 0.05, values)


def rounded(weights: Tensor, values: Tensor) -> Tensor:
    return context_by_product(weights, values).round()


def sharpened(weights: Tensor, values: Tensor) -> Tensor:
    squared = weights.square()
    shares = squared / squared.sum(-1, keepdim=True).clamp(min=1e-9)
    return context_by_product(shares, values)


def doubled(weights: Tensor, values: Tensor) -> Tensor:
    return 2 * context_by_product(weights, values)


def neighbours_joined(last: Tensor) -> Tensor:
    return join_by_slices(last.roll(1, 1))


def next_layer_joined(last: Tensor) -> Tensor:
    return join_by_slices(last.roll(1, 0))


SYMPTOMS: list[Shown] = [
    ("additive-energies", over_the_batch, "depends-on-batch-mates"),
    ("additive-energies", centred, "depends-on-other-keys"),
    ("additive-energies", of_positions, "source-ignored"),
    ("additive-energies", added_apart, "query-ignored-by-softmax"),
    ("additive-energies", without_v, "v-ignored"),
    ("additive-energies", lambda *case: 2 * additive_by_broadcast(*case), None),
    ("additive-energies", lambda query, keys, weights: keys[0], None),
    ("masked-weights", a_little_for_padding, "padding-gets-weight"),
    ("masked-weights", halved, "rows-not-one"),
    ("masked-weights", shared_energies, "depends-on-batch-mates"),
    ("masked-weights", shaken_by_padding, "reads-padding"),
    ("masked-weights", lambda energies, mask: masked_by_package(energies / 2, mask), None),
    ("context-vectors", next_sentence, "depends-on-batch-mates"),
    # `weights.T @ values`: sizes fit in few cases, and the verdict has to show one of them.
    (
        "context-vectors",
        lambda weights, values: weights.permute(2, 1, 0) @ values,
        "leaves-the-range",
    ),
    ("context-vectors", smoothed, "reads-weight-zero"),
    ("context-vectors", rounded, "not-proportional"),
    ("context-vectors", doubled, "leaves-the-range"),
    ("context-vectors", sharpened, None),
    ("join-directions", lambda last: join_by_slices(last) / 2, "numbers-lost"),
    ("join-directions", neighbours_joined, "sentences-mixed"),
    ("join-directions", next_layer_joined, "layers-mixed"),
    ("join-directions", lambda last: join_by_slices(last).flip(2), None),
]


@pytest.mark.parametrize(("name", "answer", "misconception"), SYMPTOMS)
def test_symptoms(name: str, answer: Callable[..., Any], misconception: str | None) -> None:
    assert_named(name, answer, misconception)


def test_every_symptom_has_an_answer_that_shows_it() -> None:
    assert_all_shown(EXERCISES, SYMPTOMS)


# ---- The references are right (those of the other exercises meet the package as right answers)


def test_the_join_pairs_what_a_bidirectional_encoder_knew_last() -> None:
    width = 4
    outputs, last = run_both_ways(torch.randn(3, 5, 2), layers=2, width=width)
    top = join_directions(last)[-1]
    torch.testing.assert_close(top[:, :width], outputs[:, -1, :width])
    torch.testing.assert_close(top[:, width:], outputs[:, 0, width:])
