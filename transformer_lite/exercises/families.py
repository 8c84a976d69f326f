"""Wrong ideas that several exercises share, as settings of a wrong answer and as symptoms.

Their messages are in `mistakes.toml`, beside this module.
"""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Bool, Shaped
from torch import Tensor

from transformer_lite.exercises.comparing import difference
from transformer_lite.exercises.exercise import Arguments, Function, Symptom

CLOSE = 1e-4  # larger than rounding, smaller than what a changed argument does

# ---- Settings


def turned(tensor: Shaped[Tensor, "B T V"], how: str) -> Shaped[Tensor, "B ..."]:
    """The last two axes exchanged ("transpose"), or what readers do instead ("view", "not")."""
    by_memory = (len(tensor), tensor.shape[2], tensor.shape[1])
    return {"transpose": tensor.mT, "view": tensor.reshape(by_memory), "not": tensor}[how]


def altered(mask: Bool[Tensor, "..."], how: str) -> Bool[Tensor, "..."]:
    """A mask as it is ("right"), the other way round ("inverted") or open everywhere ("none")."""
    return {"right": mask, "inverted": ~mask, "none": torch.ones_like(mask)}[how]


# ---- Symptoms


def close(left: Any, right: Any) -> bool:
    """Whether two results are the same but for rounding."""
    return difference(left, right, CLOSE) is None


def changes_with(misconception: str, alter: Callable[..., Arguments]) -> Symptom:
    """The symptom of a result that changes with what it should not depend on.

    Args:
        misconception: its id.
        alter: from the arguments of a case other arguments that should give the same result.
    """
    return Symptom(
        misconception,
        lambda arguments, value, answer: not close(value, answer(*alter(*arguments))),
    )


def batch_mixing(batched: int) -> Symptom:
    """The symptom of sentences that come out differently when they are alone.

    Args:
        batched: how many of the arguments, the first ones, have the batch on their first axis.
    """

    def shows(arguments: Arguments, value: Any, answer: Function) -> bool:
        sentences = zip(*(argument.split(1) for argument in arguments[:batched]), strict=True)
        rest = arguments[batched:]
        return not close(value, torch.cat([answer(*sentence, *rest) for sentence in sentences]))

    return Symptom("depends-on-batch-mates", shows)


# ---- Symptoms of energies: the first arguments are the queries and the keys, Float[B, S, N], and
# ---- the result ends with the axis S


def _differs_with_other_keys(arguments: Arguments, value: Any, answer: Function) -> bool:
    query, keys, *rest = arguments
    other = torch.cat([keys[:, :1] + 1, keys[:, 1:]], dim=1)
    return not close(answer(query, other, *rest)[..., 1:], value[..., 1:])


def _same_with_other_keys(arguments: Arguments, value: Any, answer: Function) -> bool:
    query, keys, *rest = arguments
    return close(answer(query, keys + 1, *rest), value)


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
    Symptom("depends-on-other-keys", _differs_with_other_keys),
    Symptom("source-ignored", _same_with_other_keys),
    Symptom("query-ignored-by-softmax", _same_weights_with_other_query),
)
