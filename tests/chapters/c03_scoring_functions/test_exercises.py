"""The exercises of chapter 03: symptoms of wrong answers, and references that are right."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from answers_scoring import (
    concat_by_splitting,
    local_by_where,
    scaled_by_product,
    temperature_by_softmax,
)
from naming import Shown, assert_all_shown, assert_named
from torch import Tensor

from transformer_lite.chapters.c02_additive_attention.exercises.additive_energies import (
    additive_energies,
)
from transformer_lite.chapters.c03_scoring_functions.exercises import EXERCISES
from transformer_lite.chapters.c03_scoring_functions.exercises.concat_energies import (
    concat_energies,
)
from transformer_lite.chapters.c03_scoring_functions.exercises.scaled_dot_energies import (
    scaled_dot_energies,
)

# ---- Symptoms: wrong in a way that no catalogued answer computes


def mixed_dots(query: Tensor, keys: Tensor) -> Tensor:
    return scaled_by_product(query + query.mean(0), keys)


def centred_dots(query: Tensor, keys: Tensor) -> Tensor:
    energies = scaled_by_product(query, keys)
    return energies - energies.mean(-1, keepdim=True)


def dots_of_positions(query: Tensor, keys: Tensor) -> Tensor:
    return query.sum(-1, keepdim=True) * torch.arange(keys.shape[1])


def sums(query: Tensor, keys: Tensor) -> Tensor:
    return query.sum(-1, keepdim=True) + keys.sum(-1)[:, None]


def clipped(query: Tensor, keys: Tensor) -> Tensor:
    return scaled_by_product(query, keys).clamp(-2, 2)


def always_eight(query: Tensor, keys: Tensor) -> Tensor:
    return query @ keys.mT / 8


def mixed_pairs(query: Tensor, keys: Tensor, weight: Tensor, v: Tensor) -> Tensor:
    return concat_by_splitting(query, keys + keys.mean(0), weight, v)


def centred_pairs(query: Tensor, keys: Tensor, weight: Tensor, v: Tensor) -> Tensor:
    energies = concat_by_splitting(query, keys, weight, v)
    return energies - energies.mean(-1, keepdim=True)


def pairs_of_positions(query: Tensor, keys: Tensor, weight: Tensor, v: Tensor) -> Tensor:
    positions = torch.arange(keys.shape[1])
    return positions * concat_by_splitting(query, torch.zeros_like(keys), weight, v)


def pairs_apart(query: Tensor, keys: Tensor, weight: Tensor, v: Tensor) -> Tensor:
    nothing = torch.zeros_like
    from_query = concat_by_splitting(query, nothing(keys), weight, v)
    return from_query + 3 * concat_by_splitting(nothing(query), keys, weight, v)


def pairs_without_v(query: Tensor, keys: Tensor, weight: Tensor, v: Tensor) -> Tensor:
    width = query.shape[-1]
    both = (query @ weight[:, :width].T)[:, :, None] + (keys @ weight[:, width:].T)[:, None]
    return both.tanh().square().sum(-1)


def halved(energies: Tensor, tau: float) -> Tensor:
    return temperature_by_softmax(energies, tau) / 2


def reversed_order(energies: Tensor, tau: float) -> Tensor:
    return temperature_by_softmax(-energies, tau)


def always_at_three(energies: Tensor, tau: float) -> Tensor:
    return temperature_by_softmax(energies, 3.0)


def hot_is_sharp(energies: Tensor, tau: float) -> Tensor:
    return temperature_by_softmax(energies, 1 / tau**3)


def mean_of_centres(weights: Tensor, centre: Tensor, radius: int) -> Tensor:
    return local_by_where(weights, (centre + centre.mean()) / 2, radius)


def wider(weights: Tensor, centre: Tensor, radius: int) -> Tensor:
    return local_by_where(weights, centre, radius + 1)


def other_normalisation(weights: Tensor, centre: Tensor, radius: int) -> Tensor:
    local = local_by_where(weights, centre, radius)
    return local / (1 + local.sum(-1, keepdim=True))


def raised(weights: Tensor, centre: Tensor, radius: int) -> Tensor:
    return 3 * local_by_where(weights, centre, radius)


SYMPTOMS: list[Shown] = [
    ("scaled-dot-energies", mixed_dots, "depends-on-batch-mates"),
    ("scaled-dot-energies", centred_dots, "depends-on-other-keys"),
    ("scaled-dot-energies", dots_of_positions, "source-ignored"),
    ("scaled-dot-energies", sums, "query-ignored-by-softmax"),
    ("scaled-dot-energies", clipped, "not-proportional"),
    ("scaled-dot-energies", always_eight, "scale-ignores-width"),
    ("scaled-dot-energies", lambda query, keys: scaled_by_product(query, keys) / 2, None),
    ("concat-energies", mixed_pairs, "depends-on-batch-mates"),
    ("concat-energies", centred_pairs, "depends-on-other-keys"),
    ("concat-energies", pairs_of_positions, "source-ignored"),
    ("concat-energies", pairs_apart, "query-ignored-by-softmax"),
    ("concat-energies", pairs_without_v, "v-ignored"),
    ("concat-energies", lambda *case: 2 * concat_by_splitting(*case), None),
    ("temperature", halved, "rows-not-one"),
    ("temperature", reversed_order, "order-lost"),
    ("temperature", always_at_three, "tau-ignored"),
    ("temperature", hot_is_sharp, "sharper-when-hot"),
    ("temperature", lambda energies, tau: temperature_by_softmax(energies, tau + 1), None),
    ("local-window", mean_of_centres, "depends-on-batch-mates"),
    ("local-window", wider, "weight-outside-window"),
    ("local-window", other_normalisation, "positions-mixed"),
    ("local-window", raised, "weights-grow"),
    ("local-window", lambda *case: local_by_where(*case) / 2, None),
]


@pytest.mark.parametrize(("name", "answer", "misconception"), SYMPTOMS)
def test_symptoms(name: str, answer: Callable[..., Any], misconception: str | None) -> None:
    assert_named(name, answer, misconception)


def test_every_symptom_has_an_answer_that_shows_it() -> None:
    assert_all_shown(EXERCISES, SYMPTOMS)


# ---- The references are right (the package is among the right answers)


def test_the_scaled_dot_product_is_the_one_of_torch() -> None:
    query, keys, values = torch.randn(2, 3, 5), torch.randn(2, 4, 5), torch.randn(2, 4, 6)
    ours = scaled_dot_energies(query, keys).softmax(-1) @ values
    torch.testing.assert_close(ours, F.scaled_dot_product_attention(query, keys, values))


def test_concat_is_the_additive_score_with_its_matrices_side_by_side() -> None:
    query, keys = torch.randn(2, 3), torch.randn(2, 5, 4)
    weights = {"W": torch.randn(6, 3), "U": torch.randn(6, 4), "v": torch.randn(6)}
    weight = torch.cat([weights["W"], weights["U"]], dim=1)
    concat = concat_energies(query[:, None], keys, weight, weights["v"])
    torch.testing.assert_close(concat[:, 0], additive_energies(query, keys, weights))
