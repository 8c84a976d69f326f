"""The exercises of chapter 05, positions; what they say is in `mistakes.toml`."""

import math
from collections.abc import Iterator
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from transformer_lite.exercises.comparing import difference
from transformer_lite.exercises.exercise import Arguments, Exercise, Function, Symptom
from transformer_lite.exercises.families import batch_mixing, changes_with, close, tenths

# ---- sinusoidal-table: a sine and a cosine for each frequency


def sinusoidal_table(length: int, d_model: int) -> Float[Tensor, "T D"]:
    """sin(t ω) in the even columns, cos(t ω) in the odd ones, ω = 10000^(−2i/D) for pair i.

    Source: Vaswani et al. 2017, section 3.5.
    """
    table = torch.zeros(length, d_model)
    for position in range(length):
        for column in range(0, d_model, 2):
            angle = position / 10000 ** (column / d_model)
            table[position, column] = math.sin(angle)
            table[position, column + 1] = math.cos(angle)
    return table


def _table_cases(generator: torch.Generator) -> Iterator[Arguments]:
    """At least two pairs and three positions: with fewer, wrong tables look right."""
    yield from [(3, 4), (4, 6), (5, 4), (6, 8), (3, 12), (12, 10)]


def _wrong_table(
    length: int,
    d_model: int,
    share: str = "2i",
    divided: bool = False,
    order: str = "sine, cosine",
    first: int = 0,
) -> Tensor:
    """Other exponents, angles or columns; positions that begin elsewhere."""
    column = torch.arange(d_model, dtype=torch.float64)
    pair = column // 2
    numerator = {"2i": 2 * pair, "i": pair, "4i": 4 * pair, "column": column, "twice": 2 * column}
    frequency = 10000 ** (-numerator[share] / d_model)
    position = torch.arange(first, first + length)[:, None]
    angle = position / frequency if divided else position * frequency
    sines, cosines = angle.sin(), angle.cos()
    if order == "halves":
        return torch.cat([sines[:, 0::2], cosines[:, 0::2]], dim=1)
    even, odd = (cosines, sines) if order == "cosine, sine" else (sines, cosines)
    return torch.where(column % 2 == 0, even, odd)


def _divided(arguments: Arguments, value: Tensor, answer: Function) -> bool:
    """No row: angles of thousands are rounded so much that two ways to compute them differ."""
    length, d_model = arguments
    return difference(_wrong_table(length, d_model, divided=True), value, 0.02) is None


def _off_circle(pairs: Tensor) -> bool:
    """Whether two neighbours are not the sine and the cosine of one angle."""
    squares = pairs.unflatten(-1, (-1, 2)).square().sum(-1)
    return not close(squares, torch.ones_like(squares))


SINUSOIDAL_TABLE = Exercise(
    sinusoidal_table,
    _table_cases,
    _wrong_table,
    {
        "exponent-too-small": [{"share": "i"}],
        "exponent-too-large": [{"share": "4i"}],
        "frequency-for-each-column": [{"share": "column"}, {"share": "twice"}],
        "halves": [{"order": "halves"}],
        "cosine-first": [{"order": "cosine, sine"}],
        "counts-from-one": [{"first": 1}],
    },
    (
        Symptom("divided-by-frequency", _divided),
        Symptom("off-circle", lambda arguments, value, answer: _off_circle(value)),
    ),
)

# ---- shift: one rotation a pair, whatever the position


def shift(
    encoding: Float[Tensor, "*rows D"], frequencies: Float[Tensor, " pairs"], k: int
) -> Float[Tensor, "*rows D"]:
    """The encoding k positions later: each pair (sin, cos) turned by ω k.

    Source: Vaswani et al. 2017, section 3.5, which names it a linear function.
    """
    shifted = torch.zeros_like(encoding)
    for pair, frequency in enumerate(frequencies.tolist()):
        sine, cosine = encoding[..., 2 * pair], encoding[..., 2 * pair + 1]
        ahead, beside = math.sin(frequency * k), math.cos(frequency * k)
        shifted[..., 2 * pair] = sine * beside + cosine * ahead
        shifted[..., 2 * pair + 1] = cosine * beside - sine * ahead
    return shifted


def _shift_cases(generator: torch.Generator) -> Iterator[Arguments]:
    """Encodings of positions in no order, forward and back; frequencies without rounding."""
    cases = [
        ([], [0.5, 0.25], 1), ([], [1.0, 0.25], -2), ([3], [2.0, 0.5], 3), ([], [0.5], 2),
        ([4], [1.0, 0.5, 0.125], -5), ([2, 3], [0.25, 2.0, 1.0, 0.5], 12),
        ([2, 2], [0.125, 0.5], -1),
    ]  # fmt: skip
    for rows, frequencies, k in cases:
        omega = torch.tensor(frequencies)
        angles = torch.randint(40, (*rows, 1), generator=generator) * omega
        yield torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(-2), omega, k


def _wrong_shift(
    encoding: Tensor,
    frequencies: Tensor,
    k: int,
    angle: str = "product",
    sign: int = 1,
    pairs: str = "neighbours",
    result: str = "right",
) -> Tensor:
    """Another angle or direction, other pairs, or something else done with them."""
    one = torch.ones_like(frequencies)
    angles = {
        "product": frequencies * k,
        "first": one * frequencies[0] * k,
        "mean": one * frequencies.mean() * k,
        "k": one * k,
        "frequency": frequencies,
        "sum": frequencies + k,
        "quotient": k / frequencies,
    }[angle]
    if result in ("plus k", "plus angle"):
        return encoding + (k if result == "plus k" else angles.repeat_interleave(2))
    halves = pairs == "halves"
    sine, cosine = encoding.chunk(2, -1) if halves else (encoding[..., 0::2], encoding[..., 1::2])
    ahead, beside = sign * angles.sin(), angles.cos()
    new_sine = sine * beside + cosine * ahead
    new_cosine = cosine * beside - (new_sine if result == "too early" else sine) * ahead
    both = (new_cosine, new_sine) if result == "swapped" else (new_sine, new_cosine)
    return torch.cat(both, -1) if halves else torch.stack(both, -1).flatten(-2)


def _not_undone(arguments: Arguments, value: Tensor, answer: Function) -> bool:
    encoding, frequencies, k = arguments
    return not close(answer(value, frequencies, -k), encoding)


SHIFT = Exercise(
    shift,
    _shift_cases,
    _wrong_shift,
    {
        "turned-back": [{"sign": -1}],
        "one-angle-for-all": [{"angle": angle} for angle in ("first", "mean", "k")],
        "k-not-multiplied": [{"angle": angle} for angle in ("frequency", "sum")],
        "k-divided": [{"angle": "quotient"}],
        "pairs-of-halves": [{"pairs": "halves"}],
        "used-too-early": [{"result": "too early"}],
        "swapped": [{"result": "swapped"}],
        "added": [{"result": "plus k"}, {"result": "plus angle"}],
    },
    (
        Symptom("off-circle", lambda arguments, value, answer: _off_circle(value)),
        Symptom("not-undone", _not_undone),
    ),
)

# ---- add-positions: the rows of the table where the tokens stand


def add_positions(
    x: Float[Tensor, "B T D"], table: Float[Tensor, "N D"], start: int
) -> Float[Tensor, "B T D"]:
    """x plus rows start … start + T − 1 of the table, the same ones in every sentence."""
    placed = torch.zeros_like(x)
    for step in range(x.shape[1]):
        placed[:, step] = x[:, step] + table[start + step]
    return placed


def _position_cases(generator: torch.Generator) -> Iterator[Arguments]:
    """Whole sentences and single tokens; as many sentences as tokens, and other numbers."""
    sizes = [
        (1, 2, 2, 4, 0), (1, 1, 3, 5, 2), (2, 2, 3, 6, 1), (3, 2, 4, 8, 0), (2, 1, 4, 9, 5),
        (3, 3, 2, 12, 4), (2, 5, 9, 20, 7),
    ]  # fmt: skip
    for batch, steps, width, rows, start in sizes:
        draw = partial(tenths, generator, 20)
        yield draw(batch, steps, width), draw(rows, width), start


def _wrong_position(
    x: Tensor, table: Tensor, start: int, rows: str = "right", how: str = "added"
) -> Tensor:
    """Other rows of the table, or the right ones used otherwise."""
    batch, steps, width = x.shape
    places = {
        "right": table[start : start + steps],
        "from 0": table[:steps],
        "start alone": table[start],
        "sentences": table[start : start + batch, None],
        "as many as sentences": table[start : start + batch],
        "one later": table[start + 1 : start + 1 + steps],
    }[rows]
    if how == "joined":
        return torch.cat([x, places.expand_as(x)], -1)
    return {
        "added": x + places,
        "twice": x + 2 * places,
        "root": x * width**0.5 + places,
        "table root": x + width**0.5 * places,
        "sum root": width**0.5 * (x + places),
        "multiplied": x * places,
        "instead": 0 * x + places,
    }[how]


def _other_rows_changed(x: Tensor, table: Tensor, start: int) -> Arguments:
    other = table + 1
    other[start : start + x.shape[1]] -= 1
    return x, other, start


ADD_POSITIONS = Exercise(
    add_positions,
    _position_cases,
    _wrong_position,
    {
        "start-ignored": [{"rows": "from 0"}],
        "one-row-for-all": [{"rows": "start alone"}],
        "along-sentences": [{"rows": "sentences"}, {"rows": "as many as sentences"}],
        "one-too-far": [{"rows": "one later"}],
        "scaled": [{"how": how} for how in ("twice", "root", "table root", "sum root")],
        "multiplied": [{"how": "multiplied"}],
        "joined": [{"how": "joined"}],
        "token-lost": [{"how": "instead"}],
    },
    (
        batch_mixing(1),
        changes_with("reads-other-rows", _other_rows_changed),
        Symptom(
            "token-not-kept",
            lambda arguments, value, answer: (
                not close(answer(arguments[0] + 1, *arguments[1:]), value + 1)
            ),
        ),
    ),
)

EXERCISES = (SINUSOIDAL_TABLE, SHIFT, ADD_POSITIONS)
