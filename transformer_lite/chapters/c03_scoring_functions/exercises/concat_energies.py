"""Exercise "concat-energies": one matrix that reads query and key, one behind the other."""

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


def concat_energies(
    query: Float[Tensor, "B T Q"],
    keys: Float[Tensor, "B S N"],
    weight: Float[Tensor, "A C"],
    v: Float[Tensor, " A"],
) -> Float[Tensor, "B T S"]:
    """vᵀ tanh(W [query; key]) for every query and key of a sentence; W is `weight`, C = Q + N.

    Source: Luong et al. 2015, section 3.1 (concat).
    """
    rows, steps, _ = query.shape
    energies = torch.zeros(rows, steps, keys.shape[1])
    for row in range(rows):
        for step in range(steps):
            for position, key in enumerate(keys[row]):
                hidden = torch.tanh(weight @ torch.cat([query[row, step], key]))
                energies[row, step, position] = (v * hidden).sum()
    return energies


def cases(generator: torch.Generator) -> Iterator[Arguments]:
    """Widths that differ and agree, a square W, and as many steps as positions."""

    def draw(*shape: int) -> Tensor:
        return torch.randint(-15, 16, shape, generator=generator) / 10

    sizes = [
        (1, 2, 3, 2, 3, 2), (2, 3, 2, 2, 2, 3), (1, 3, 3, 2, 1, 3), (2, 2, 4, 1, 3, 4),
        (3, 4, 4, 3, 2, 2), (2, 3, 5, 3, 3, 4),
    ]  # fmt: skip
    for rows, steps, length, d_query, d_key, hidden in sizes:
        matrix = draw(hidden, d_query + d_key)
        yield draw(rows, steps, d_query), draw(rows, length, d_key), matrix, draw(hidden)


def _spread(from_query: Tensor, from_keys: Tensor) -> tuple[Tensor, Tensor]:
    """Both parts for all pairs, B T S A."""
    ours, theirs = torch.broadcast_tensors(from_query[:, :, None], from_keys[:, None])
    return ours, theirs


def _parts(query: Tensor, keys: Tensor, weight: Tensor, v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    width = query.shape[-1]
    return *_spread(query @ weight[:, :width].T, keys @ weight[:, width:].T), v


_energies = through(_parts, added)


def _key_first(query: Tensor, keys: Tensor, weight: Tensor, v: Tensor) -> Tensor:
    return _energies(keys, query, weight, v).mT


def _cut_at(place: Function) -> Function:
    """Energies with the columns of W cut elsewhere."""

    def energies(query: Tensor, keys: Tensor, weight: Tensor, v: Tensor) -> Tensor:
        cut = place(query, keys)
        ours, theirs = _spread(query @ weight[:, :cut].T, keys @ weight[:, cut:].T)
        return torch.tanh(ours + theirs) @ v

    return energies


def _same_first_columns(query: Tensor, keys: Tensor, weight: Tensor, v: Tensor) -> Tensor:
    ours, theirs = _spread(
        query @ weight[:, : query.shape[-1]].T, keys @ weight[:, : keys.shape[-1]].T
    )
    return torch.tanh(ours + theirs) @ v


def _same_last_columns(query: Tensor, keys: Tensor, weight: Tensor, v: Tensor) -> Tensor:
    ours, theirs = _spread(
        query @ weight[:, -query.shape[-1] :].T, keys @ weight[:, -keys.shape[-1] :].T
    )
    return torch.tanh(ours + theirs) @ v


def _in_step(query: Tensor, keys: Tensor, weight: Tensor, v: Tensor) -> Tensor:
    return torch.tanh(torch.cat([query, keys], dim=-1) @ weight.T) @ v


def _repeated(repeat_query: Function, repeat_keys: Function) -> Function:
    """Energies of a long list of pairs, read as a table of steps and positions."""

    def energies(query: Tensor, keys: Tensor, weight: Tensor, v: Tensor) -> Tensor:
        steps, length = query.shape[1], keys.shape[1]
        pairs = _in_step(repeat_query(query, length), repeat_keys(keys, steps), weight, v)
        return pairs.reshape(-1, steps, length)

    return energies


def _as_a_whole(x: Tensor, times: int) -> Tensor:
    return x.repeat(1, times, 1)


def _each(x: Tensor, times: int) -> Tensor:
    return x.repeat_interleave(times, 1)


def _over_root(size: Function) -> Function:
    return lambda query, keys, weight, v: (
        _energies(query, keys, weight, v) / size(query, keys, weight) ** 0.5
    )


def _ignores_v(arguments: Arguments, value: Any, answer: Function) -> bool:
    query, keys, weight, v = arguments
    return close(answer(query, keys, weight, v + 1), value)


MISTAKES = (
    *hidden_layer_mistakes(_parts),
    Mistake(
        "key-first",
        "You put the key in front of the query, so that each meets the columns of `weight` that "
        "were trained for the other. The shape fits in any order, and no error says so.",
        (_key_first,),
    ),
    Mistake(
        "cut-at-wrong-place",
        "You cut the columns of `weight` in the middle, or at the width of a key. The first ones "
        "are the query's, as many as it is wide. Where both have one width it looks right.",
        (
            _cut_at(lambda query, keys: (query.shape[-1] + keys.shape[-1]) // 2),
            _cut_at(lambda query, keys: (query.shape[-1] + keys.shape[-1] + 1) // 2),
            _cut_at(lambda query, keys: keys.shape[-1]),
        ),
    ),
    Mistake(
        "columns-used-twice",
        "Query and key meet the same columns of `weight`: some you use twice, others never. Each "
        "column belongs to one number of the pair.",
        (_same_first_columns, _same_last_columns),
    ),
    Mistake(
        "weights-transposed",
        "You multiply by `weight` from the wrong side. It has one ROW for every hidden unit, as "
        "linear layers in PyTorch have. Where it is square no error says so.",
        (lambda query, keys, weight, v: _energies(query, keys, weight.T, v),),
    ),
    Mistake(
        "paired-in-step",
        "You put query 0 only with key 0, query 1 only with key 1, and so on. Every query asks "
        "EVERY key: a table of steps times positions. (Where there are not as many of both you "
        "get an error.)",
        (_in_step, lambda query, keys, weight, v: _in_step(keys, query, weight, v)),
    ),
    Mistake(
        "repeated-in-wrong-order",
        "You repeat queries and keys, but what stands side by side are not the pairs of the table: "
        "some pairs come twice and others never, or all come in another order. Within one row of "
        "the table the query stays and the key changes.",
        (
            _repeated(_as_a_whole, _as_a_whole),
            _repeated(_each, _each),
            _repeated(_as_a_whole, _each),
        ),
    ),
    Mistake(
        "keys-ask",
        "Your result has one ROW for each key and one column for each query. Rows belong to the "
        "steps that ask, columns to the positions that are asked.",
        (lambda query, keys, weight, v: _energies(query, keys, weight, v).mT,),
    ),
    Mistake(
        "one-sentence-for-all",
        "You use the queries or the keys of one sentence for all of the batch. Each sentence has "
        "its own.",
        (
            lambda query, keys, weight, v: _energies(query, keys[:1], weight, v),
            lambda query, keys, weight, v: _energies(query, keys[-1:], weight, v),
            lambda query, keys, weight, v: _energies(query[:1], keys, weight, v),
            lambda query, keys, weight, v: _energies(query[-1:], keys, weight, v),
        ),
    ),
    Mistake(
        "scaled",
        "You divide by the root of a width. That belongs to the dot product, which grows with the "
        "width. Here v can make the energies as large or small as training wants.",
        (
            _over_root(lambda query, keys, weight: weight.shape[0]),
            _over_root(lambda query, keys, weight: weight.shape[1]),
            _over_root(lambda query, keys, weight: query.shape[-1]),
            _over_root(lambda query, keys, weight: keys.shape[-1]),
        ),
    ),
)

CONCAT_ENERGIES = spelled_out(
    task="write concat_energies(query, keys, weight, v): the energies, Float[B, T, S], of every "
    "query, Float[B, T, Q], against every key of the same sentence, keys, Float[B, S, N], by "
    "Luong's concat score. weight is W, A × (Q + N), and reads the query first; v is A.",
    reference=concat_energies,
    cases=cases,
    mistakes=MISTAKES,
    symptoms=(*OF_ENERGIES, v_ignored(_ignores_v)),
)
