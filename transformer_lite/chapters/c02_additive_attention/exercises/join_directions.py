"""Exercise "join-directions": both final states of a bidirectional encoder, side by side."""

from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from transformer_lite.exercises.exercise import Arguments, Function
from transformer_lite.exercises.families import close
from transformer_lite.exercises.spelled_out import Mistake, Symptom, spelled_out


def join_directions(last: Float[Tensor, "C B D"]) -> Float[Tensor, "L B E"]:
    """For every layer the forward state and behind it the backward state (C = 2L, E = 2D)."""
    layers = []
    for layer in range(len(last) // 2):
        forward, backward = last[2 * layer], last[2 * layer + 1]
        layers.append(torch.cat([forward, backward], dim=-1))
    return torch.stack(layers)


def cases(generator: torch.Generator) -> Iterator[Arguments]:
    """One layer and several, one sentence and several; no number twice in one case."""
    for layers, rows, width in [(1, 2, 2), (2, 1, 2), (2, 2, 3), (1, 1, 3), (3, 2, 2), (2, 4, 4)]:
        shape = (2 * layers, rows, width)
        numbers = torch.randperm(199, generator=generator)[: 2 * layers * rows * width] - 99
        yield (numbers.reshape(shape) / 10,)


def _forward(last: Tensor) -> Tensor:
    return last[::2]


def _backward(last: Tensor) -> Tensor:
    return last[1::2]


def _paired(left: Tensor, right: Tensor) -> Tensor:
    return torch.cat([left, right], dim=-1)


def _joined(last: Tensor) -> Tensor:
    return _paired(_forward(last), _backward(last))


def _halves(last: Tensor) -> tuple[Tensor, ...]:
    return last.chunk(2)


def _reshaped(last: Tensor) -> Tensor:
    layers, rows, width = len(last) // 2, *last.shape[1:]
    return last.reshape(layers, rows, 2 * width)


def _batch_first_reshaped(last: Tensor) -> Tensor:
    return last.transpose(0, 1).reshape(len(last) // 2, last.shape[1], -1)


def _numbers_lost(arguments: Arguments, value: Any, answer: Function) -> bool:
    (last,) = arguments
    return not close(value.flatten().sort().values, last.flatten().sort().values)


def _sentences_mixed(arguments: Arguments, value: Any, answer: Function) -> bool:
    (last,) = arguments
    other = torch.cat([last[:, :1] + 1, last[:, 1:]], dim=1)
    return not close(answer(other)[:, 1:], value[:, 1:])


def _layers_mixed(arguments: Arguments, value: Any, answer: Function) -> bool:
    (last,) = arguments
    other = torch.cat([last[:2] + 1, last[2:]])
    return not close(answer(other)[1:], value[1:])


MISTAKES = (
    Mistake(
        "one-direction",
        "You keep the states of one direction only. A forward state has read the sentence up to "
        "its last word, a backward state up to its first; each knows best what the other has "
        "nearly forgotten. (The last state of the list is the BACKWARD one of the top layer.)",
        (
            lambda last: last[-1],
            lambda last: last[-1:],
            lambda last: last[0],
            lambda last: last[:1],
            _forward,
            _backward,
        ),
    ),
    Mistake(
        "one-layer",
        "You join the two directions of one layer. The decoder has a state for each of its layers, "
        "and every one wants to be told.",
        (
            lambda last: _paired(last[-2], last[-1]),
            lambda last: _joined(last)[-1:],
            lambda last: _paired(last[0], last[1]),
            lambda last: _joined(last)[:1],
        ),
    ),
    Mistake(
        "one-direction-twice",
        "You put the same direction twice side by side: the right shape, with half of what the "
        "encoder found out.",
        (
            lambda last: _paired(_forward(last), _forward(last)),
            lambda last: _paired(_backward(last), _backward(last)),
        ),
    ),
    Mistake(
        "reshaped",
        "You only give the numbers another shape. That keeps their order in memory, where all "
        "sentences of one direction stand together: states of different sentences end up side by "
        "side. With one sentence in the batch it looks right.",
        (_reshaped, _batch_first_reshaped),
    ),
    Mistake(
        "halves",
        "You take the first half of the states for the forward ones and the second half for the "
        "backward ones. PyTorch goes layer by layer: forward and backward of the first, then of "
        "the second. With one layer it looks right.",
        (
            lambda last: _paired(*_halves(last)),
            lambda last: _paired(*_halves(last)[::-1]),
        ),
    ),
    Mistake(
        "backward-first",
        "You put the backward state in front. Weights that were trained on the other order read "
        "one direction for the other.",
        (lambda last: _paired(_backward(last), _forward(last)),),
    ),
    Mistake(
        "added-not-joined",
        "You add the directions, or average them: a number no longer says which side of the "
        "sentence it comes from. They were to stand side by side, twice as wide.",
        (
            lambda last: _forward(last) + _backward(last),
            lambda last: (_forward(last) + _backward(last)) / 2,
        ),
    ),
    Mistake(
        "joined-on-wrong-axis",
        "You join along the layers or along the sentences of the batch. The states are to become "
        "twice as WIDE; there are not more sentences than before.",
        (
            lambda last: torch.cat([_forward(last), _backward(last)]),
            lambda last: torch.cat([_forward(last), _backward(last)], dim=1),
        ),
    ),
    Mistake(
        "stacked-not-joined",
        "Your directions still stand apart, on an axis of their own. The decoder takes one vector "
        "for each layer.",
        (
            lambda last: torch.stack([_forward(last), _backward(last)]),
            lambda last: torch.stack([_forward(last), _backward(last)], dim=1),
            lambda last: torch.stack([_forward(last), _backward(last)], dim=2),
            lambda last: torch.stack([_forward(last), _backward(last)], dim=3),
        ),
    ),
    Mistake(
        "interleaved",
        "In your vectors numbers of the two directions alternate. The whole forward state comes "
        "first, then the whole backward state.",
        (lambda last: torch.stack([_forward(last), _backward(last)], dim=3).flatten(2),),
    ),
    Mistake(
        "layers-reversed",
        "Your layers stand in the opposite order. The one that read the words comes first.",
        (lambda last: _joined(last).flip(0),),
    ),
    Mistake(
        "batch-first",
        "The sentences stand on your first axis. A GRU's states have the layers first, even when "
        "it was built with `batch_first=True`.",
        (lambda last: _joined(last).transpose(0, 1),),
    ),
    Mistake(
        "layers-joined",
        "You join all layers into one vector. Each layer keeps its own, made of two directions.",
        (lambda last: last.transpose(0, 1).flatten(1),),
    ),
)

JOIN_DIRECTIONS = spelled_out(
    task="write join_directions(last): from the final states, Float[2L, B, D], as a bidirectional "
    "torch.nn.GRU returns them (forward and backward of the first layer, then of the second, and "
    "so on), one state for each layer, Float[L, B, 2D], with the forward direction first.",
    reference=join_directions,
    cases=cases,
    mistakes=MISTAKES,
    symptoms=(
        Symptom(
            "numbers-lost",
            "Your result is no rearrangement of `last`: some numbers are missing, changed or there "
            "twice. Joining keeps every number once.",
            _numbers_lost,
        ),
        Symptom(
            "sentences-mixed",
            "One sentence's states end up in the result of another sentence of the batch.",
            _sentences_mixed,
        ),
        Symptom(
            "layers-mixed",
            "States of one layer end up in the result of another layer.",
            _layers_mixed,
        ),
    ),
)
