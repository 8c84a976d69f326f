"""Exercise "masked-loss": cross-entropy over the real tokens of a padded batch."""

import math
from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from transformer_lite.exercises.exercise import Arguments, Exercise, Function, Mistake, Symptom


def masked_loss(
    logits: Float[Tensor, "B T V"], target: Int[Tensor, "B T"], pad: int
) -> Float[Tensor, ""]:
    """Mean of −log p(target) over the positions where target is not `pad`, in nats."""
    total, tokens = torch.zeros(()), 0
    for row, column in (target != pad).nonzero().tolist():
        scores = logits[row, column]
        shifted = scores - scores.max()
        total = total + shifted.exp().sum().log() - shifted[target[row, column]]
        tokens += 1
    return total / tokens


def cases(generator: torch.Generator) -> Iterator[Arguments]:
    """Rows of unequal lengths, and a `pad` that is not always 0."""
    batches = [([2, 1], 2, 3, 0), ([3], 3, 4, 0), ([4, 1], 5, 5, 0), ([2, 5, 3], 5, 4, 3)]
    batches += [([1, 6, 2, 4], 7, 9, 0), ([3, 1], 4, 6, 2)]
    for lengths, size, vocabulary, pad in batches:
        shape = (len(lengths), size)
        logits = torch.randint(-40, 41, (*shape, vocabulary), generator=generator) / 10
        # Any id but `pad`.
        target = torch.randint(vocabulary - 1, shape, generator=generator)
        target = target + (target >= pad)
        is_padding = torch.arange(size) >= torch.tensor(lengths)[:, None]
        yield logits, target.masked_fill(is_padding, pad), pad


def _losses(logits: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy at every position, padding too."""
    return F.cross_entropy(logits.transpose(1, 2), target, reduction="none")


def _masked(logits: Tensor, target: Tensor, pad: int) -> Tensor:
    return _losses(logits, target) * (target != pad)


def _mean_of_rows(logits: Tensor, target: Tensor, pad: int) -> Tensor:
    return (_masked(logits, target, pad).sum(1) / (target != pad).sum(1)).mean()


def _of_scores(scores: Tensor, target: Tensor, pad: int) -> Tensor:
    """Minus the mean score of the right tokens."""
    right = scores.gather(2, target[:, :, None])[:, :, 0]
    return -right[target != pad].mean()


def _reads_padding(arguments: Arguments, value: Any, answer: Function) -> bool:
    logits, target, pad = arguments
    other = torch.where((target == pad)[:, :, None], logits.flip(2), logits)
    return not torch.allclose(answer(other, target, pad), answer(logits, target, pad))


MISTAKES = (
    Mistake(
        "pads-counted",
        "You average over every position, padding too. A model soon learns to predict padding, so "
        "the loss looks too good, and it changes with the amount of padding in the batch.",
        (lambda logits, target, pad: _losses(logits, target).mean(),),
    ),
    Mistake(
        "mean-of-row-means",
        "You average each sentence, and then the averages: a token of a short sentence counts more "
        "than a token of a long one. Every real token of the batch has to weigh the same.",
        (_mean_of_rows,),
    ),
    Mistake(
        "softmax-first",
        "You apply a softmax before a function that applies one itself. Two in a row flatten the "
        "distribution, and the loss can no longer come near 0, however sure the model is.",
        (lambda logits, target, pad: masked_loss(logits.softmax(-1), target, pad),),
    ),
    Mistake(
        "sum-not-mean",
        "You add up the losses of the real tokens and do not divide: a batch with twice the tokens "
        "has twice the loss.",
        (lambda logits, target, pad: _masked(logits, target, pad).sum(),),
    ),
    Mistake(
        "divided-by-all",
        "You leave padding out of the sum, but not out of the count that you divide by: the loss "
        "shrinks as padding grows.",
        (lambda logits, target, pad: _masked(logits, target, pad).mean(),),
    ),
    Mistake(
        "divided-by-rows",
        "You divide by the number of sentences. The mean is over tokens: long sentences have more "
        "of them.",
        (lambda logits, target, pad: _masked(logits, target, pad).sum() / len(target),),
    ),
    Mistake(
        "softmax-over-positions",
        "Your softmax runs over the positions of the sentence. At each position the tokens of the "
        "vocabulary compete with each other: their probabilities sum to 1.",
        (lambda logits, target, pad: _of_scores(logits.log_softmax(1), target, pad),),
    ),
    Mistake(
        "no-softmax",
        "You take the logits themselves for log probabilities. Logits have no fixed sum: first "
        "they have to be normalised over the vocabulary.",
        (lambda logits, target, pad: _of_scores(logits, target, pad),),
    ),
    Mistake(
        "no-logarithm",
        "You average the probabilities of the right tokens. Cross-entropy averages their "
        "logarithms, which punishes a confident error far more than a hesitant one.",
        (
            lambda logits, target, pad: _of_scores(logits.softmax(-1), target, pad),
            lambda logits, target, pad: -_of_scores(logits.softmax(-1), target, pad),
            lambda logits, target, pad: 1 + _of_scores(logits.softmax(-1), target, pad),
        ),
    ),
    Mistake(
        "wrong-sign",
        "Your loss is negative: a logarithm of a probability is at most 0, and a loss is what "
        "should become small.",
        (lambda logits, target, pad: -masked_loss(logits, target, pad),),
    ),
    Mistake(
        "bits-not-nats",
        "Your loss is in bits (logarithm to base 2). Nats were asked for, the natural logarithm.",
        (lambda logits, target, pad: masked_loss(logits, target, pad) / math.log(2),),
    ),
    Mistake(
        "perplexity-not-loss",
        "You return the perplexity, the exponential of the loss.",
        (lambda logits, target, pad: masked_loss(logits, target, pad).exp(),),
    ),
    Mistake(
        "pad-fixed",
        "You take 0 for padding whatever `pad` is, so that in some vocabularies a real word is "
        "left out and padding is counted. Use the argument.",
        (lambda logits, target, pad: masked_loss(logits, target, 0),),
    ),
)

MASKED_LOSS = Exercise(
    name="masked-loss",
    task="write masked_loss(logits, target, pad): the mean cross-entropy, in nats, of the real "
    "tokens in target, Int[B, T] (those that are not pad), under logits, Float[B, T, V].",
    reference=masked_loss,
    cases=cases,
    mistakes=MISTAKES,
    symptoms=(
        Symptom(
            "reads-padding",
            "Your loss changes when only the logits at padding change. No answer was expected "
            "there.",
            _reads_padding,
        ),
    ),
)
