"""Wrong ideas that several exercises share, as settings of a wrong answer and as symptoms.

Their messages are in `mistakes.toml`, beside this module.
"""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor

from transformer_lite.exercises.comparing import difference
from transformer_lite.exercises.exercise import Arguments, Function, Symptom

CLOSE = 1e-4  # larger than rounding, smaller than what a changed argument does

# ---- Arguments of cases


def tenths(generator: torch.Generator, most: int, *shape: int) -> Float[Tensor, "..."]:
    """Random numbers that a reader can follow: from -`most` to `most` tenths."""
    return torch.randint(-most, most + 1, shape, generator=generator) / 10


# ---- Settings


def turned(tensor: Shaped[Tensor, "B T V"], how: str) -> Shaped[Tensor, "B ..."]:
    """The last two axes exchanged ("transpose"), or what readers do instead ("view", "not")."""
    by_memory = (len(tensor), tensor.shape[2], tensor.shape[1])
    return {"transpose": tensor.mT, "view": tensor.reshape(by_memory), "not": tensor}[how]


def meet(
    ours: Float[Tensor, "..."],
    theirs: Float[Tensor, "..."],
    v: Float[Tensor, " A"],
    hidden: str = "tanh of the sum",
    energy: str = "weighted sum",
) -> Float[Tensor, "..."]:
    """Additive energies, from what comes from the queries and what comes from the keys, A last.

    Args:
        ours, theirs: two parts that broadcast.
        v: what each hidden unit counts.
        hidden: what the hidden layer makes of both parts.
        energy: what is made of the hidden layer.
    """
    units = {
        "tanh of the sum": torch.tanh(ours + theirs),
        "sum": ours + theirs,
        "sum of two tanhs": ours.tanh() + theirs.tanh(),
    }[hidden]
    energies = units @ v
    return {
        "weighted sum": energies,
        "units": units,
        "weighted units": units * v,
        "tanh": energies.tanh(),
        "softmax": energies.softmax(-1),
        "softmax over another axis": energies.softmax(-2),
    }[energy]


# The rows of an exercise whose wrong answer hands settings on to `meet`.
OF_HIDDEN_LAYER = {
    "tanh-missing": [{"hidden": "sum"}],
    "tanh-misplaced": [
        {"hidden": "sum of two tanhs"},
        {"hidden": "sum", "energy": "tanh"},
        {"energy": "tanh"},
    ],
    "not-summed": [{"energy": "units"}, {"energy": "weighted units"}],
    "softmax-applied": [{"energy": "softmax"}, {"energy": "softmax over another axis"}],
}


def altered(mask: Bool[Tensor, "..."], how: str) -> Bool[Tensor, "..."]:
    """A mask as it is ("right"), the other way round ("inverted") or open everywhere ("none")."""
    return {"right": mask, "inverted": ~mask, "none": torch.ones_like(mask)}[how]


# ---- Symptoms


def close(left: Any, right: Any) -> bool:
    """Whether two results are the same but for rounding."""
    return difference(left, right, CLOSE) is None


def changes_with(
    misconception: str, alter: Callable[..., Arguments], factor: float = 1.0
) -> Symptom:
    """The symptom of a result that changes with what it should not depend on.

    Args:
        misconception: its id.
        alter: from the arguments of a case other arguments that should give the same result.
        factor: how many times that result, where it should not be the same.
    """
    return Symptom(
        misconception,
        lambda arguments, value, answer: not close(factor * value, answer(*alter(*arguments))),
    )


def same_with(misconception: str, alter: Callable[..., Arguments]) -> Symptom:
    """The symptom of a result that stays the same; `alter` changes what it should depend on."""
    return Symptom(
        misconception,
        lambda arguments, value, answer: close(value, answer(*alter(*arguments))),
    )


def batch_mixing(batched: int, axis: int = 0) -> Symptom:
    """The symptom of sentences that come out differently when they are alone.

    Args:
        batched: how many of the arguments, the first ones, have the batch on one of their axes.
        axis: which one; the result has it there, too.
    """

    def shows(arguments: Arguments, value: Any, answer: Function) -> bool:
        split = (argument.split(1, axis) for argument in arguments[:batched])
        rest = arguments[batched:]
        alone = [answer(*sentence, *rest) for sentence in zip(*split, strict=True)]
        return not close(value, torch.cat(alone, axis))

    return Symptom("depends-on-batch-mates", shows)


def rows_not_one(counted: Callable[..., Any] | None = None) -> Symptom:
    """The symptom of weights whose rows, the last axis, do not sum to 1.

    Args:
        counted: from the arguments of a case an index of the rows that should; all by default.
    """

    def shows(arguments: Arguments, value: Any, answer: Function) -> bool:
        sums = value.sum(-1) if counted is None else value.sum(-1)[counted(*arguments)]
        return not close(sums, torch.ones_like(sums))

    return Symptom("rows-not-one", shows)


def position_mixing(misconception: str, argument: int) -> Symptom:
    """The symptom of a position whose result changes with what stands at another one.

    Args:
        misconception: its id.
        argument: which one has the positions, on its axis 1; the result has them on its last.
    """

    def shows(arguments: Arguments, value: Any, answer: Function) -> bool:
        changed = [*arguments]
        changed[argument] = arguments[argument].clone()
        changed[argument][:, 0] += 1
        return not close(answer(*changed)[..., 1:], value[..., 1:])

    return Symptom(misconception, shows)


# ---- Symptoms of energies: the first arguments are the queries and the keys, Float[B, S, N], and
# ---- the result ends with the axis S


def _same_weights_with_other_query(arguments: Arguments, value: Any, answer: Function) -> bool:
    """What is the same at all positions is lost in the softmax, so it is taken off here."""
    query, keys, *rest = arguments
    other = answer(query + 1, keys, *rest)
    return value.shape[-1] > 1 and close(
        other - other.mean(-1, keepdim=True), value - value.mean(-1, keepdim=True)
    )


# In this order: energies that ignore the source are one number for a whole sentence, so that they
# show the last symptom, too.
OF_ENERGIES = (
    batch_mixing(2),
    position_mixing("depends-on-other-keys", 1),
    same_with("source-ignored", lambda query, keys, *rest: (query, keys + 1, *rest)),
    Symptom("query-ignored-by-softmax", _same_weights_with_other_query),
)
