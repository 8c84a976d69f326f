"""Symptoms that several exercises on attention share: what a result must not depend on.

In all of them the first two arguments have the sentences of the batch on their first axis. For
energies these are the queries and the keys, Float[B, S, N], and the result ends with the axis S.
"""

from typing import Any

import torch
from torch import Tensor

from transformer_lite.exercises.exercise import Arguments, Function, Symptom

CLOSE = 1e-4  # larger than rounding, smaller than what a changed argument does


def close(left: Tensor, right: Tensor) -> bool:
    """Whether two results are the same but for rounding."""
    return left.shape == right.shape and torch.allclose(left, right, rtol=CLOSE, atol=CLOSE)


def _differs_alone(arguments: Arguments, value: Any, answer: Function) -> bool:
    first, second, *rest = arguments
    pairs = zip(first.split(1), second.split(1), strict=True)
    return not close(torch.cat([answer(*pair, *rest) for pair in pairs]), value)


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


DEPENDS_ON_BATCH_MATES = Symptom(
    "depends-on-batch-mates",
    "A sentence comes out differently when it is alone. Each sentence of the batch has to be "
    "worked out for itself; somewhere yours meet.",
    _differs_alone,
)

# In this order: energies that ignore the source are one number for a whole sentence, so that they
# show the last symptom, too.
OF_ENERGIES = (
    DEPENDS_ON_BATCH_MATES,
    Symptom(
        "depends-on-other-keys",
        "The energy of one position changes when the key of ANOTHER position changes. An energy "
        "compares the query with one key. It is the softmax, one step later, that lets the "
        "positions compete.",
        _differs_with_other_keys,
    ),
    Symptom(
        "source-ignored",
        "Your energies stay the same when all keys change. A map made from them shows nothing of "
        "the source, whatever sentence the encoder read.",
        _same_with_other_keys,
    ),
    Symptom(
        "query-ignored-by-softmax",
        "Another query raises or lowers the energies of a sentence only all together, or not at "
        "all. A softmax does not see what all positions share: every step of the decoder would "
        "look at the same words.",
        _same_weights_with_other_query,
    ),
)
