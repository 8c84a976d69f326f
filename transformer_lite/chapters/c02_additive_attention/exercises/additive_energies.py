"""Exercise "additive-energies": how well each encoder state fits the decoder's."""

from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from transformer_lite.exercises.exercise import Arguments, Function
from transformer_lite.exercises.families import OF_ENERGIES, close
from transformer_lite.exercises.hidden_layer import (
    added,
    hidden_layer_mistakes,
    through,
    v_ignored,
)
from transformer_lite.exercises.spelled_out import Mistake, spelled_out

Weights = dict[str, Tensor]


def additive_energies(
    query: Float[Tensor, "B D"], keys: Float[Tensor, "B S N"], weights: Weights
) -> Float[Tensor, "B S"]:
    """vᵀ tanh(W query + U key) for every key, with W: A × D, U: A × N, v: A.

    Source: Bahdanau et al. 2015, appendix A.1.2.
    """
    energies = torch.zeros(keys.shape[:2])
    for row, state in enumerate(query):
        for position, key in enumerate(keys[row]):
            hidden = torch.tanh(weights["W"] @ state + weights["U"] @ key)
            energies[row, position] = (weights["v"] * hidden).sum()
    return energies


def cases(generator: torch.Generator) -> Iterator[Arguments]:
    """Widths that differ, and widths that agree, where a wrong product goes unnoticed."""

    def draw(*shape: int) -> Tensor:
        return torch.randint(-15, 16, shape, generator=generator) / 10

    sizes = [
        (1, 3, 2, 3, 2), (2, 3, 2, 2, 2), (2, 4, 3, 3, 3), (3, 3, 2, 4, 3), (4, 5, 3, 3, 5),
        (2, 6, 4, 3, 4),
    ]  # fmt: skip
    for rows, length, d_query, d_key, hidden in sizes:
        weights = {"W": draw(hidden, d_query), "U": draw(hidden, d_key), "v": draw(hidden)}
        yield draw(rows, d_query), draw(rows, length, d_key), weights


def _parts(query: Tensor, keys: Tensor, weights: Weights) -> tuple[Tensor, Tensor, Tensor]:
    """What comes from the query and from the key, both B S A, and v."""
    from_query, from_keys = query @ weights["W"].T, keys @ weights["U"].T
    return from_query[:, None].expand_as(from_keys), from_keys, weights["v"]


_energies = through(_parts, added)


def _swapped(query: Tensor, keys: Tensor, weights: Weights) -> Tensor:
    return _energies(query, keys, weights | {"W": weights["U"], "U": weights["W"]})


def _transposed(query: Tensor, keys: Tensor, weights: Weights) -> Tensor:
    return _energies(query, keys, weights | {"W": weights["W"].T, "U": weights["U"].T})


def _one_matrix(name: str) -> Function:
    return lambda query, keys, weights: _energies(
        query, keys, weights | {"W": weights[name], "U": weights[name]}
    )


def _query_of_mate(query: Tensor, keys: Tensor, weights: Weights) -> Tensor:
    hidden = torch.tanh(query @ weights["W"].T + keys @ weights["U"].T)
    return hidden @ weights["v"]


def _one_query(pick: Function) -> Function:
    return lambda query, keys, weights: _energies(pick(query).expand(len(keys), -1), keys, weights)


def _over_root(name: str) -> Function:
    """Energies over the square root of the width that a matrix has."""
    return lambda query, keys, weights: (
        _energies(query, keys, weights) / weights[name].shape[-1] ** 0.5
    )


def _context(query: Tensor, keys: Tensor, weights: Weights) -> Tensor:
    shares = _energies(query, keys, weights).softmax(-1)
    return (shares[:, :, None] * keys).sum(1)


def _ignores_v(arguments: Arguments, value: Any, answer: Function) -> bool:
    query, keys, weights = arguments
    return close(answer(query, keys, weights | {"v": weights["v"] + 1}), value)


MISTAKES = (
    *hidden_layer_mistakes(_parts),
    Mistake(
        "weights-swapped",
        "You use W for the keys and U for the query. Where both have one width no error says so.",
        (_swapped,),
    ),
    Mistake(
        "weights-transposed",
        "You multiply by your matrices from the wrong side. Each has one ROW for every hidden "
        "unit, as the weight of a linear layer in PyTorch. Where a matrix is square no error "
        "says so.",
        (_transposed,),
    ),
    Mistake(
        "one-matrix-for-both",
        "Query and key go through the same matrix. They come from different networks, and each "
        "has its own.",
        (_one_matrix("W"), _one_matrix("U")),
    ),
    Mistake(
        "query-along-positions",
        "Your query lacks the axis of the source positions, and broadcasting lays the BATCH there: "
        "position 0 is asked by the decoder of sentence 0, position 1 by that of sentence 1. One "
        "sentence alone is right; most batches raise an error.",
        (_query_of_mate,),
    ),
    Mistake(
        "one-query-for-all",
        "You ask every sentence of the batch with one query. Each has a decoder state of its own.",
        (
            _one_query(lambda query: query[:1]),
            _one_query(lambda query: query[-1:]),
            _one_query(lambda query: query.mean(0, keepdim=True)),
        ),
    ),
    Mistake(
        "context-not-energies",
        "You went two steps too far and return contexts: a vector of the width of a key. An energy "
        "is one number for each position.",
        (_context,),
    ),
    Mistake(
        "scaled",
        "You divide by the root of a width. That belongs to the dot product, which grows with the "
        "width. Here v can make the energies as large or small as training wants.",
        (_over_root("v"), _over_root("W"), _over_root("U")),
    ),
)

ADDITIVE_ENERGIES = spelled_out(
    task="write additive_energies(query, keys, weights): the energies, Float[B, S], of one decoder "
    "state for each sentence, query, Float[B, D], against the encoder states of its words, keys, "
    "Float[B, S, N]. weights is a dictionary of W (A × D), U (A × N) and v (A).",
    reference=additive_energies,
    cases=cases,
    mistakes=MISTAKES,
    symptoms=(*OF_ENERGIES, v_ignored(_ignores_v)),
)
