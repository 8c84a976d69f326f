"""Exercise "context-vectors": the weighted sums of the encoder's states."""

from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from transformer_lite.exercises.exercise import Arguments, Function
from transformer_lite.exercises.families import batch_mixing, close
from transformer_lite.exercises.spelled_out import Mistake, Symptom, spelled_out

TENTHS = 10


def context_vectors(
    weights: Float[Tensor, "B T S"], values: Float[Tensor, "B S N"]
) -> Float[Tensor, "B T N"]:
    """For every step the sum of the values, each times its weight.

    Source: Bahdanau et al. 2015, equation 5.
    """
    contexts = torch.zeros(*weights.shape[:2], values.shape[2])
    for row, vectors in enumerate(values):
        for step, shares in enumerate(weights[row]):
            for share, vector in zip(shares, vectors, strict=True):
                contexts[row, step] += share * vector
    return contexts


def cases(generator: torch.Generator) -> Iterator[Arguments]:
    """Weights in tenths; sizes that differ and that agree; padding, and a row that sees nothing."""
    sizes = [
        (1, 2, 3, 2), (2, 2, 2, 3), (1, 3, 3, 3), (3, 4, 5, 2), (2, 3, 4, 3), (3, 3, 3, 3),
    ]  # fmt: skip
    for rows, steps, length, width in sizes:
        weights = torch.empty(rows, steps, length)
        for row, sentence in enumerate(weights):
            real = max(length - row, 1)
            for step in range(steps):
                drawn = torch.randint(real, (TENTHS,), generator=generator)
                sentence[step] = torch.bincount(drawn, minlength=length) / TENTHS
        if rows == 2:
            weights[1, -1] = 0.0
        values = torch.randint(-90, 91, (rows, length, width), generator=generator) / 10
        yield weights, values


def _products(weights: Tensor, values: Tensor) -> Tensor:
    return weights[:, :, :, None] * values[:, None]  # B T S N


def _spread(vector: Tensor, weights: Tensor) -> Tensor:
    """One vector of each sentence, Float[B, N], at all of its steps."""
    return vector[:, None].expand(-1, weights.shape[1], -1)


def _one_step(pick: Function) -> Function:
    return lambda weights, values: pick(weights).expand_as(weights) @ values


def _chosen(weights: Tensor, values: Tensor) -> Tensor:
    rows = torch.arange(len(values))[:, None]
    return values[rows, weights.argmax(-1)]


def _without_zeros(weights: Tensor, values: Tensor) -> Tensor:
    counts = (weights > 0).float()
    return counts @ values / counts.sum(-1, keepdim=True).clamp(min=1)


def _not_proportional(arguments: Arguments, value: Any, answer: Function) -> bool:
    weights, values = arguments
    return not close(answer(weights, 2 * values), 2 * value)


def _reads_weight_zero(arguments: Arguments, value: Any, answer: Function) -> bool:
    weights, values = arguments
    unseen = (weights == 0).all(1)[:, :, None]
    return not close(answer(weights, values + unseen), value)


def _leaves_the_range(arguments: Arguments, value: Any, answer: Function) -> bool:
    weights, values = arguments
    seen = weights.sum(-1, keepdim=True) > 0
    low, high = values.amin(1, keepdim=True) - 1e-4, values.amax(1, keepdim=True) + 1e-4
    return bool((seen & ((value < low) | (value > high))).any())


MISTAKES = (
    Mistake(
        "hard-choice",
        "You take the value with the largest weight and forget the others. A choice has no "
        "gradient: the network could not learn where to look. A context blends all values.",
        (_chosen,),
    ),
    Mistake(
        "weights-ignored",
        "Your context is the plain mean or sum of the values, the same at every step: one fixed "
        "summary of the sentence, the bottleneck again.",
        (
            lambda weights, values: _spread(values.mean(1), weights),
            lambda weights, values: _spread(values.sum(1), weights),
        ),
    ),
    Mistake(
        "weights-as-on-or-off",
        "You average the values whose weight is not 0, all alike. How large a weight is has to "
        "count.",
        (_without_zeros,),
    ),
    Mistake(
        "weights-transposed",
        "You read the weights by column: position s of the source gets what step s of the decoder "
        "should get. Where a sentence has as many steps as positions no error says so.",
        (lambda weights, values: weights.mT @ values,),
    ),
    Mistake(
        "values-along-steps",
        "Your values lack the axis of the steps, and broadcasting lays position s of the source "
        "beside step s of the decoder. Where a sentence has as many steps as positions no error "
        "says so. Every step weighs ALL positions.",
        (lambda weights, values: (weights[..., None] * values[:, :, None]).sum(2),),
    ),
    Mistake(
        "values-transposed",
        "You turn the values, so that the sum runs over their width. It has to run over the source "
        "positions. Where there are as many positions as the values are wide no error says so.",
        (lambda weights, values: weights @ values.mT,),
    ),
    Mistake(
        "not-summed",
        "You weight the values, but do not add them up: one vector for each step AND position came "
        "back. A context is one vector a step.",
        (_products,),
    ),
    Mistake(
        "wrong-axis-summed",
        "You add over the wrong axis. At each step the sum runs over the source positions; steps "
        "stay apart, and so do the components of a vector.",
        (
            lambda weights, values: _products(weights, values).sum(1),
            lambda weights, values: _products(weights, values).sum(3),
        ),
    ),
    Mistake(
        "divided-by-length",
        "You divide by the number of positions, as for a mean. The weights are the shares already: "
        "your contexts shrink as the sentence grows.",
        (lambda weights, values: weights @ values / weights.shape[-1],),
    ),
    Mistake(
        "softmax-again",
        "You apply a softmax to the weights. They come from one; a second one makes them almost "
        "even, and padding gets its share again.",
        (lambda weights, values: weights.softmax(-1) @ values,),
    ),
    Mistake(
        "largest-not-sum",
        "You take the largest of the weighted values, component by component. They have to be "
        "added.",
        (lambda weights, values: _products(weights, values).amax(2),),
    ),
    Mistake(
        "elementwise",
        "You multiply weights and values number by number, as far as broadcasting allows it. A "
        "context is a sum over all positions.",
        (lambda weights, values: weights * values,),
    ),
    Mistake(
        "operands-swapped",
        "You multiply in the wrong order. The weights come first: their last axis, the source "
        "positions, is the one to be summed over.",
        (lambda weights, values: values @ weights,),
    ),
    Mistake(
        "one-sentence-for-all",
        "You use the weights or the values of one sentence for all of the batch, or add those of "
        "all. Each sentence has its own.",
        (
            lambda weights, values: weights @ values[0],
            lambda weights, values: weights @ values[-1],
            lambda weights, values: weights @ values.sum(0),
            lambda weights, values: weights @ values.mean(0),
            lambda weights, values: weights[0] @ values,
            lambda weights, values: weights[-1] @ values,
        ),
    ),
    Mistake(
        "one-step-for-all",
        "You use the weights of one step, or their mean or sum, for all steps. Each step of the "
        "decoder looks elsewhere: that is what its context is fresh for.",
        (
            _one_step(lambda weights: weights[:, :1]),
            _one_step(lambda weights: weights[:, -1:]),
            _one_step(lambda weights: weights.mean(1, keepdim=True)),
            _one_step(lambda weights: weights.sum(1, keepdim=True)),
            lambda weights, values: weights.sum(1, keepdim=True) @ values,
            lambda weights, values: (weights.sum(1, keepdim=True) @ values)[:, 0],
        ),
    ),
)

CONTEXT_VECTORS = spelled_out(
    task="write context_vectors(weights, values): the context of every step, Float[B, T, N], from "
    "the attention weights, Float[B, T, S], and the encoder's states, values, Float[B, S, N].",
    reference=context_vectors,
    cases=cases,
    mistakes=MISTAKES,
    symptoms=(
        batch_mixing(2),
        Symptom(
            "reads-weight-zero",
            "A position whose weight is 0 at every step still changes your contexts. Padding has "
            "weight 0, and must not get in.",
            _reads_weight_zero,
        ),
        Symptom(
            "not-proportional",
            "Values twice as large do not make your contexts twice as large. A weighted sum does "
            "that.",
            _not_proportional,
        ),
        Symptom(
            "leaves-the-range",
            "Your contexts leave the range of the values. The weights of a step are shares of 1, "
            "so each number of a context lies between the smallest and the largest it was made "
            "from.",
            _leaves_the_range,
        ),
    ),
)
