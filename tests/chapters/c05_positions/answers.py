"""Answers to the exercises of chapter 05, right and wrong, as readers would write them."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from transformer_lite.positions import LearnedPositions, SinusoidalPositions, sinusoidal


def table_by_slices(length: int, d_model: int) -> Tensor:
    position = torch.arange(length).unsqueeze(1)
    div_term = torch.exp(torch.arange(0, d_model, 2) * (-math.log(10000.0) / d_model))
    table = torch.zeros(length, d_model)
    table[:, 0::2] = torch.sin(position * div_term)
    table[:, 1::2] = torch.cos(position * div_term)
    return table


def table_by_stacking(length: int, d_model: int) -> Tensor:
    frequencies = 10000.0 ** (-2 * torch.arange(d_model // 2) / d_model)
    angles = torch.outer(torch.arange(length).float(), frequencies)
    return torch.stack([angles.sin(), angles.cos()], dim=2).reshape(length, d_model)


def table_by_package(length: int, d_model: int) -> Tensor:
    return SinusoidalPositions(d_model, 2)(torch.zeros(1, length, d_model))[0]


def shift_by_formula(encoding: Tensor, frequencies: Tensor, k: int) -> Tensor:
    sine, cosine = encoding[..., ::2], encoding[..., 1::2]
    theta = k * frequencies
    shifted = torch.empty_like(encoding)
    shifted[..., ::2] = sine * torch.cos(theta) + cosine * torch.sin(theta)
    shifted[..., 1::2] = cosine * torch.cos(theta) - sine * torch.sin(theta)
    return shifted


def shift_by_matrices(encoding: Tensor, frequencies: Tensor, k: int) -> Tensor:
    rotations = []
    for omega in frequencies:
        c, s = torch.cos(omega * k), torch.sin(omega * k)
        rotations.append(torch.stack([torch.stack([c, s]), torch.stack([-s, c])]))
    return encoding @ torch.block_diag(*rotations).T


def shift_by_complex_numbers(encoding: Tensor, frequencies: Tensor, k: int) -> Tensor:
    hands = torch.view_as_complex(encoding.unflatten(-1, (-1, 2)))
    turned = hands * torch.polar(torch.ones_like(frequencies), -frequencies * k)
    return torch.view_as_real(turned).flatten(-2)


def shift_by_angles(encoding: Tensor, frequencies: Tensor, k: int) -> Tensor:
    angles = torch.atan2(encoding[..., 0::2], encoding[..., 1::2]) + frequencies * k
    return torch.stack((torch.sin(angles), torch.cos(angles)), dim=-1).view(encoding.shape)


def positions_by_slice(x: Tensor, table: Tensor, start: int) -> Tensor:
    return x + table[start : start + x.shape[1]]


def positions_by_index(x: Tensor, table: Tensor, start: int) -> Tensor:
    steps = torch.arange(x.size(1)) + start
    return x + table[steps].unsqueeze(0)


def positions_by_embedding(x: Tensor, table: Tensor, start: int) -> Tensor:
    steps = torch.arange(start, start + x.size(1))
    return x + nn.functional.embedding(steps, table).expand(len(x), -1, -1)


def positions_by_package(x: Tensor, table: Tensor, start: int) -> Tensor:
    learned = LearnedPositions(table.shape[1], len(table))
    learned.load_state_dict({"table": table})
    placed: Tensor = learned(x, start).detach()
    return placed


RIGHT: dict[str, list[Callable[..., Any]]] = {
    "sinusoidal-table": [table_by_slices, table_by_stacking, table_by_package],
    "shift": [shift_by_formula, shift_by_matrices, shift_by_complex_numbers, shift_by_angles],
    "add-positions": [
        positions_by_slice,
        positions_by_index,
        positions_by_embedding,
        positions_by_package,
    ],
}

# ---- Mistakes as readers write them


def table_by(exponent: Callable[[Tensor, int], Tensor]) -> Callable[..., Tensor]:
    """With the frequencies 10000 to the power of `exponent`, from the numbers of the pairs."""

    def table(length: int, d_model: int) -> Tensor:
        frequencies = 10000.0 ** exponent(torch.arange(d_model // 2), d_model)
        angles = torch.arange(length)[:, None] * frequencies
        return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)

    return table


def table_divided(length: int, d_model: int) -> Tensor:
    """As many write it who know `div_term` by name."""
    position = torch.arange(length).unsqueeze(1)
    div_term = torch.exp(torch.arange(0, d_model, 2) * (-math.log(10000.0) / d_model))
    table = torch.zeros(length, d_model)
    table[:, 0::2] = torch.sin(position / div_term)
    table[:, 1::2] = torch.cos(position / div_term)
    return table


def table_of_columns(length: int, d_model: int) -> Tensor:
    table = torch.zeros(length, d_model)
    for t in range(length):
        for i in range(d_model):
            angle = t / 10000 ** (2 * i / d_model)
            table[t, i] = math.cos(angle) if i % 2 else math.sin(angle)
    return table


def shift_in_place(encoding: Tensor, frequencies: Tensor, k: int) -> Tensor:
    shifted, theta = encoding.clone(), frequencies * k
    shifted[..., 0::2] = shifted[..., 0::2] * theta.cos() + shifted[..., 1::2] * theta.sin()
    shifted[..., 1::2] = shifted[..., 1::2] * theta.cos() - shifted[..., 0::2] * theta.sin()
    return shifted


def shift_as_points(encoding: Tensor, frequencies: Tensor, k: int) -> Tensor:
    """Turns (x, y) counterclockwise, as rotary positions do."""
    x, y = encoding[..., 0::2], encoding[..., 1::2]
    c, s = (frequencies * k).cos(), (frequencies * k).sin()
    return torch.stack([x * c - y * s, x * s + y * c], dim=-1).flatten(-2)


def shift_by_halves(encoding: Tensor, frequencies: Tensor, k: int) -> Tensor:
    theta = torch.cat([frequencies, frequencies]) * k
    first, second = encoding.chunk(2, dim=-1)
    return encoding * theta.cos() + torch.cat([second, -first], dim=-1) * theta.sin()


def positions_of_batch(x: Tensor, table: Tensor, start: int) -> Tensor:
    return x + table[start : start + len(x)].unsqueeze(1)


def positions_joined(x: Tensor, table: Tensor, start: int) -> Tensor:
    rows = table[start : start + x.shape[1]]
    return torch.cat([x, rows.repeat(len(x), 1, 1)], dim=2)


# ---- Symptoms: wrong in a way that no row computes


def table_halved(length: int, d_model: int) -> Tensor:
    return sinusoidal(length, d_model) / 2


def shift_and_shrink(encoding: Tensor, frequencies: Tensor, k: int) -> Tensor:
    return 0.9 * shift_by_formula(encoding, frequencies, k)


def shift_by_steps_without_sign(encoding: Tensor, frequencies: Tensor, k: int) -> Tensor:
    return shift_by_formula(encoding, frequencies, abs(k))


def positions_centred(x: Tensor, table: Tensor, start: int) -> Tensor:
    return positions_by_slice(x - x.mean(0), table, start)


def positions_without_mean(x: Tensor, table: Tensor, start: int) -> Tensor:
    return positions_by_slice(x, table - table.mean(0), start)


def positions_times_three(x: Tensor, table: Tensor, start: int) -> Tensor:
    return positions_by_slice(3 * x, table, start)


NAMED: list[tuple[str, Callable[..., Any], str | None]] = [
    ("sinusoidal-table", table_divided, "divided-by-frequency"),
    ("sinusoidal-table", table_by(lambda i, d: 2 * i / d), "divided-by-frequency"),
    ("sinusoidal-table", table_by(lambda i, d: -i / d), "exponent-too-small"),
    ("sinusoidal-table", table_by(lambda i, d: -2 * i / (d // 2)), "exponent-too-large"),
    ("sinusoidal-table", table_of_columns, "frequency-for-each-column"),
    ("sinusoidal-table", lambda length, d: sinusoidal(length + 1, d)[1:], "counts-from-one"),
    ("shift", shift_in_place, "used-too-early"),
    ("shift", shift_as_points, "turned-back"),
    ("shift", shift_by_halves, "pairs-of-halves"),
    ("shift", lambda encoding, frequencies, k: encoding + k, "added"),
    ("add-positions", lambda x, table, start: x + table[: x.shape[1]], "start-ignored"),
    ("add-positions", lambda x, table, start: x + table[start], "one-row-for-all"),
    ("add-positions", positions_of_batch, "along-sentences"),
    ("add-positions", lambda x, table, start: x + table[start:][: len(x)], "along-sentences"),
    ("add-positions", positions_joined, "joined"),
    ("sinusoidal-table", table_halved, "off-circle"),
    ("sinusoidal-table", table_by(lambda i, d: -2.5 * i / d), None),
    ("shift", shift_and_shrink, "off-circle"),
    ("shift", shift_by_steps_without_sign, "not-undone"),
    (
        "shift",
        lambda encoding, frequencies, k: shift_by_formula(encoding, frequencies, 2 * k),
        None,
    ),
    ("add-positions", positions_centred, "depends-on-batch-mates"),
    ("add-positions", positions_without_mean, "reads-other-rows"),
    ("add-positions", positions_times_three, "token-not-kept"),
    ("add-positions", lambda *case: positions_by_slice(*case) + 1, None),
]

# ---- Mutants of the references: which names take each other's place, what changes nothing

NAMES = {
    "sin": "cos",
    "cos": "sin",
    "column": "position",
    "position": "column",
    "sine": "cosine",
    "cosine": "sine",
    "ahead": "beside",
    "beside": "ahead",
    "frequency": "k",
    "start": "step",
    "step": "start",
    "x": "table",
}

EQUIVALENT: list[tuple[str, str]] = []
