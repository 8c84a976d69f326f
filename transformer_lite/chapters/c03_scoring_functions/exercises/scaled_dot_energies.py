"""Exercise "scaled-dot-energies": every query times every key, at a scale that fits the width."""

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from transformer_lite.exercises.exercise import Arguments, Function
from transformer_lite.exercises.families import OF_ENERGIES, close
from transformer_lite.exercises.spelled_out import Mistake, Symptom, spelled_out


def scaled_dot_energies(
    query: Float[Tensor, "B T K"], keys: Float[Tensor, "B S K"]
) -> Float[Tensor, "B T S"]:
    """query · key / √K for every query and every key of a sentence.

    Source: Vaswani et al. 2017, equation 1.
    """
    rows, steps, width = query.shape
    energies = torch.zeros(rows, steps, keys.shape[1])
    for row in range(rows):
        for step in range(steps):
            for position, key in enumerate(keys[row]):
                energies[row, step, position] = (query[row, step] * key).sum() / width**0.5
    return energies


def cases(generator: torch.Generator) -> Iterator[Arguments]:
    """Sizes that all differ, and sizes of which some agree."""
    sizes = [
        (1, 2, 3, 4), (2, 3, 2, 5), (3, 2, 3, 3), (2, 4, 4, 3), (3, 3, 5, 2), (1, 5, 4, 9),
        (2, 3, 6, 16),
    ]  # fmt: skip
    for rows, steps, length, width in sizes:
        yield tuple(
            torch.randint(-30, 31, (rows, size, width), generator=generator) / 10
            for size in (steps, length)
        )


def _products(query: Tensor, keys: Tensor) -> Tensor:
    return query @ keys.mT


def _energies(query: Tensor, keys: Tensor) -> Tensor:
    return _products(query, keys) / _root(query.shape[-1])


def _root(size: int) -> float:
    return float(size**0.5)


def _turned(turn: Function) -> Function:
    """Energies with the keys turned in another way than by exchanging their last two axes."""
    return lambda query, keys: query @ turn(keys) / _root(query.shape[-1])


def _at_other_scale(factor: Function) -> Function:
    return lambda query, keys: _products(query, keys) * factor(query, keys)


def _cosine(query: Tensor, keys: Tensor) -> Tensor:
    return _products(F.normalize(query, dim=-1), F.normalize(keys, dim=-1))


def _all_products(query: Tensor, keys: Tensor) -> Tensor:
    return query[:, :, None] * keys[:, None]  # B T S K


def _distance(query: Tensor, keys: Tensor) -> Tensor:
    return torch.cdist(query, keys)


def _not_proportional(arguments: Arguments, value: Any, answer: Function) -> bool:
    query, keys = arguments
    return not close(answer(2 * query, keys), 2 * value)


def _scale_ignores_width(arguments: Arguments, value: Any, answer: Function) -> bool:
    """Vectors that repeat their numbers have twice the dot product and √2 times the root."""
    query, keys = arguments
    wide = answer(torch.cat([query, query], -1), torch.cat([keys, keys], -1))
    return not close(wide, 2**0.5 * value)


MISTAKES = (
    Mistake(
        "not-scaled",
        "The scale is missing. The spread of a dot product grows with the root of the width, so in "
        "wide vectors the softmax gives nearly all weight to one key, and hardly any gradient "
        "comes through.",
        (_products,),
    ),
    Mistake(
        "divided-by-width",
        "You divide by the width itself (or take a mean instead of a sum). The spread of a dot "
        "product grows only with the ROOT of the width: yours shrinks as vectors get wider, and "
        "the weights become almost uniform, a map of one colour.",
        (_at_other_scale(lambda query, keys: 1 / query.shape[-1]),),
    ),
    Mistake(
        "scaled-by-length",
        "You scale by the size of another axis: the number of source positions, of steps or of "
        "sentences. The sum of a dot product runs over the WIDTH, so the width decides how large "
        "it gets. Yours also changes when padding is added.",
        (
            _at_other_scale(lambda query, keys: 1 / _root(keys.shape[1])),
            _at_other_scale(lambda query, keys: 1 / _root(query.shape[1])),
            _at_other_scale(lambda query, keys: 1 / _root(query.shape[0])),
            _at_other_scale(lambda query, keys: 1 / keys.shape[1]),
        ),
    ),
    Mistake(
        "multiplied-not-divided",
        "You multiply where you should divide: your energies grow with the width even faster than "
        "the plain dot product does.",
        (
            _at_other_scale(lambda query, keys: _root(query.shape[-1])),
            _at_other_scale(lambda query, keys: query.shape[-1]),
        ),
    ),
    Mistake(
        "softmax-applied",
        "You went one step too far: these are weights already. An energy can be any number; the "
        "softmax comes after the mask.",
        (
            lambda query, keys: _energies(query, keys).softmax(-1),
            lambda query, keys: _energies(query, keys).softmax(1),
            lambda query, keys: _products(query, keys).softmax(-1),
        ),
    ),
    Mistake(
        "scaled-after-softmax",
        "You scale after a softmax. That makes all weights smaller, so that a row sums to far less "
        "than 1, and leaves them as one-sided as they were. The scale has to act on the energies.",
        (
            lambda query, keys: _products(query, keys).softmax(-1) / _root(query.shape[-1]),
            lambda query, keys: _products(query, keys).softmax(1) / _root(query.shape[-1]),
        ),
    ),
    Mistake(
        "cosine",
        "You divide by the lengths of the vectors: that is the cosine of the angle between them. "
        "It stays between −1 and 1, and a vector can no longer say by its length how sure it is.",
        (
            _cosine,
            lambda query, keys: _energies(F.normalize(query, dim=-1), F.normalize(keys, dim=-1)),
            lambda query, keys: _products(F.normalize(query, dim=-1), keys),
            lambda query, keys: _products(query, F.normalize(keys, dim=-1)),
        ),
    ),
    Mistake(
        "distance-not-product",
        "You measure how far query and key are from each other. The dot product measures in how "
        "far they point the same way.",
        (_distance, lambda query, keys: -_distance(query, keys)),
    ),
    Mistake(
        "keys-reshaped",
        "You give the keys the right shape, not the right order: reshaping fills the new shape "
        "with the numbers as they stand in memory, so that each of your columns is made of pieces "
        "of several keys. Two axes have to be exchanged.",
        (
            _turned(lambda keys: keys.reshape(len(keys), keys.shape[2], keys.shape[1])),
            lambda query, keys: query @ keys.reshape(len(keys), keys.shape[2], keys.shape[1]),
        ),
    ),
    Mistake(
        "keys-not-transposed",
        "You multiply by the keys as they stand. Where there are as many keys as they are wide no "
        "error says so, but your sums run over the positions, not over the width.",
        (_turned(lambda keys: keys), lambda query, keys: query @ keys),
    ),
    Mistake(
        "wrong-axes-transposed",
        "You exchange axes of the keys that belong elsewhere: the sentences of the batch get "
        "mixed. Only positions and width change places, each sentence by itself.",
        (
            _turned(lambda keys: keys.permute(2, 1, 0)),
            _turned(lambda keys: keys.transpose(0, 1)),
            lambda query, keys: query @ keys.permute(2, 1, 0),
            lambda query, keys: query @ keys.transpose(0, 1),
        ),
    ),
    Mistake(
        "one-sentence-for-all",
        "You use the queries or the keys of one sentence for all of the batch, or add those of "
        "all. Each sentence has its own.",
        (
            lambda query, keys: _energies(query, keys[:1]),
            lambda query, keys: _energies(query, keys[-1:]),
            lambda query, keys: _energies(query[:1], keys),
            lambda query, keys: _energies(query[-1:], keys),
            lambda query, keys: _energies(query, keys.sum(0, keepdim=True)),
        ),
    ),
    Mistake(
        "keys-ask",
        "Your result has one ROW for each key and one column for each query. Rows belong to the "
        "steps that ask, columns to the positions that are asked. Where both are equally many no "
        "error says so.",
        (lambda query, keys: _energies(keys, query), lambda query, keys: _products(keys, query)),
    ),
    Mistake(
        "not-summed",
        "You multiply query and key number by number, but do not add the products up. An energy is "
        "one number for a query and a key.",
        (
            _all_products,
            lambda query, keys: _all_products(query, keys) / _root(query.shape[-1]),
        ),
    ),
)

SCALED_DOT_ENERGIES = spelled_out(
    task="write scaled_dot_energies(query, keys): the energies, Float[B, T, S], of every query, "
    "Float[B, T, K], against every key of the same sentence, keys, Float[B, S, K], by the scaled "
    "dot product.",
    reference=scaled_dot_energies,
    cases=cases,
    mistakes=MISTAKES,
    symptoms=(
        *OF_ENERGIES,
        Symptom(
            "not-proportional",
            "A query twice as long does not make your energies twice as large. A dot product does "
            "that; something is applied before or after it.",
            _not_proportional,
        ),
        Symptom(
            "scale-ignores-width",
            "Your scale does not follow the width as it should. When every vector repeats its "
            "numbers once, so that it is twice as wide, the scaled energies have to grow by the "
            "root of 2.",
            _scale_ignores_width,
        ),
    ),
)
