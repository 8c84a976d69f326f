"""Exercise "masked-weights": from energies to weights, with nothing for padding."""

from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from transformer_lite.exercises.exercise import Arguments, Function
from transformer_lite.exercises.families import batch_mixing, close
from transformer_lite.exercises.spelled_out import Mistake, Symptom, spelled_out

LOWEST = torch.finfo(torch.float32).min


def masked_weights(
    energies: Float[Tensor, "B T S"], mask: Bool[Tensor, "B S"]
) -> Float[Tensor, "B T S"]:
    """Softmax over the real positions (True in mask) of every row, exactly 0 at the others."""
    weights = torch.zeros_like(energies)
    for row, real in enumerate(mask):
        for step in range(energies.shape[1] if real.any() else 0):
            seen = energies[row, step, real]
            shares = torch.exp(seen - seen.max())
            weights[row, step, real] = shares / shares.sum()
    return weights


def cases(generator: torch.Generator) -> Iterator[Arguments]:
    """Sentences of unequal length, one with no word at all; energies far from 0 and far apart.

    Within a sentence the energies of padding are close to those of words. So a softmax over both,
    divided afterwards by the sum over the words, is right, too.
    """
    sizes = [
        ([2, 3], 1, 3, 0), ([3], 2, 5, 0), ([3, 1], 2, 4, 0), ([2, 0], 2, 3, 0),
        ([3, 5, 1], 5, 5, 0), ([2, 4, 3], 3, 4, -20000), ([4, 2], 3, 5, 300),
    ]  # fmt: skip
    for lengths, steps, size, level in sizes:
        shape = (len(lengths), steps, size)
        energies = torch.randint(-20, 21, shape, generator=generator) / 10
        yield energies + level, torch.arange(size) < torch.tensor(lengths)[:, None]
    far_apart = torch.randint(-200, 201, (2, 2, 4), generator=generator).float()
    yield far_apart, torch.ones(2, 4, dtype=torch.bool)


def _hide(energies: Tensor, hidden: Tensor, value: float) -> Tensor:
    return torch.where(hidden, value, energies)


def _padding(mask: Tensor) -> Tensor:
    return ~mask[:, None]  # B 1 S


def _hiding(hidden: Function, value: float, dim: int = -1) -> tuple[Function, Function]:
    """A softmax that gives `value` to the energies that are hidden; plain, and set to 0 there."""

    def plain(energies: Tensor, mask: Tensor) -> Tensor:
        return _hide(energies, hidden(mask), value).softmax(dim)

    return plain, lambda energies, mask: _hide(plain(energies, mask), hidden(mask), 0.0)


def _ways(hidden: Function, dim: int = -1) -> tuple[Function, ...]:
    """A softmax that hides what `hidden` says of a mask, in each of the ways people write it."""

    def multiplied(energies: Tensor, mask: Tensor) -> Tensor:
        visible: Tensor = ~hidden(mask)
        return energies.softmax(dim) * visible

    return (
        *_hiding(hidden, -torch.inf, dim),
        *_hiding(hidden, LOWEST, dim),
        _adding(hidden, -1e9, dim),
        multiplied,
    )


def _adding(hidden: Function, value: float, dim: int = -1) -> Function:
    return lambda energies, mask: (energies + value * hidden(mask)).softmax(dim)


def _powers(energies: Tensor, mask: Tensor) -> Tensor:
    return energies.exp() * mask[:, None]


def _powers_by_choice(energies: Tensor, mask: Tensor) -> Tensor:
    return torch.where(mask[:, None], energies.exp(), 0.0)


def _unshifted(floor: float, powers: Function = _powers) -> Function:
    """Exponentials over their sum, which is kept away from 0 by `floor`."""

    def weights(energies: Tensor, mask: Tensor) -> Tensor:
        shares: Tensor = powers(energies, mask)
        return shares / (shares.sum(-1, keepdim=True) + floor)

    return weights


def _no_exponential(energies: Tensor, mask: Tensor) -> Tensor:
    real = energies * mask[:, None]
    return real / real.sum(-1, keepdim=True)


def _over_all(dim: int) -> Function:
    """One softmax over all axes from `dim` on."""

    def weights(energies: Tensor, mask: Tensor) -> Tensor:
        visible = _hide(energies, _padding(mask), -torch.inf)
        return visible.flatten(dim).softmax(-1).reshape(energies.shape)

    return weights


def _hard_choice(energies: Tensor, mask: Tensor) -> Tensor:
    best = _hide(energies, _padding(mask), LOWEST).argmax(-1)
    chosen = torch.nn.functional.one_hot(best, energies.shape[-1]).float()
    return chosen * mask[:, None]


def _at_padding(arguments: Arguments, value: Any, answer: Function) -> bool:
    mask = arguments[1]
    return bool((value.masked_select(_padding(mask)).abs() > 1e-6).any())


def _sums_differ_from_one(arguments: Arguments, value: Any, answer: Function) -> bool:
    mask = arguments[1]
    sums = value.sum(-1)[mask.any(-1)]
    return not close(sums, torch.ones_like(sums))


def _reads_padding(arguments: Arguments, value: Any, answer: Function) -> bool:
    energies, mask = arguments
    return not close(answer(energies + _padding(mask), mask), value)


MISTAKES = (
    Mistake(
        "softmax-over-queries",
        "Your softmax runs over the steps of the decoder: columns sum to 1, rows do not. At each "
        "step the source positions compete with each other for the weight.",
        (
            *_ways(_padding, 1),
            lambda energies, mask: energies.softmax(1),
        ),
    ),
    Mistake(
        "softmax-over-batch",
        "Your softmax runs over the sentences of the batch, which have nothing to do with each "
        "other. At each step the source positions of ONE sentence compete.",
        (
            *_ways(_padding, 0),
            lambda energies, mask: energies.softmax(0),
        ),
    ),
    Mistake(
        "softmax-over-everything",
        "You share one weight of 1 among all steps of a sentence, or even among all sentences. "
        "Every step has a weight of 1 of its own to give away.",
        (_over_all(0), _over_all(1)),
    ),
    Mistake(
        "not-masked",
        "Padding gets weight: your result does not use the mask. The context of a short sentence "
        "then changes with the longest one of its batch.",
        (lambda energies, mask: energies.softmax(-1),),
    ),
    Mistake(
        "mask-after-softmax",
        "You take the weights at padding away AFTER the softmax, and what they had is lost: the "
        "rows of short sentences sum to less than 1, and what stands at padding still decides how "
        "much less.",
        (lambda energies, mask: energies.softmax(-1) * mask[:, None],),
    ),
    Mistake(
        "mask-inverted",
        "You hide the words and keep the padding. In this course True means real, may be attended "
        "to. (Other libraries mean the opposite: `torch.nn.MultiheadAttention` does.)",
        _ways(lambda mask: mask[:, None]),
    ),
    Mistake(
        "energy-zero-at-padding",
        "You set the energies of padding to 0. That is an energy like any other, in the middle "
        "between good and bad, and the softmax gives it weight. No weight needs an energy far "
        "below all others.",
        (lambda energies, mask: (energies * mask[:, None]).softmax(-1),),
    ),
    Mistake(
        "empty-row-nan",
        "A sentence without a single word comes out as NaN: its weights are 0 divided by 0. One "
        "such row makes the loss of the whole batch NaN. Nothing to see means weights of 0.",
        _hiding(_padding, -torch.inf)[:1],
    ),
    Mistake(
        "empty-row-uniform",
        "In a sentence without a single word you spread the weight evenly over padding. All its "
        "energies are equally low, and a softmax compares them only with each other. Nothing to "
        "see means weights of 0.",
        (_hiding(_padding, LOWEST)[0], _adding(_padding, -1e9)),
    ),
    Mistake(
        "constant-too-small",
        "The energy that you give to padding is not low enough. Where the words have energies of "
        "−20000, padding at −10000 wins and takes all of the weight.",
        _hiding(_padding, -1e4),
    ),
    Mistake(
        "mask-along-steps",
        "Your mask lies along the wrong axis: it hides STEPS of the decoder, or the positions that "
        "belong to another sentence. Where two sizes happen to agree no error says so. Each "
        "sentence hides the same source positions at all of its steps.",
        (*_ways(lambda mask: ~mask), *_ways(lambda mask: ~mask[:, :, None])),
    ),
    Mistake(
        "zero-times-infinity",
        "All you return is NaN: you multiply the mask by infinity, and 0 times infinity is no "
        "number. Choose between two values instead of multiplying.",
        (_adding(_padding, -torch.inf),),
    ),
    Mistake(
        "exponential-overflows",
        "Your exponentials leave the range of the numbers: at an energy of 300 they are infinite, "
        "at −20000 all of them are 0. A softmax depends only on the differences between energies; "
        "use that before the exponential.",
        (
            _unshifted(0.0),
            _unshifted(1e-9),
            _unshifted(0.0, _powers_by_choice),
            _unshifted(1e-9, _powers_by_choice),
            lambda energies, mask: _unshifted(0.0)(energies, mask).nan_to_num(0.0),
        ),
    ),
    Mistake(
        "not-divided",
        "You return the exponentials without dividing them by their sum: they do not sum to 1.",
        (
            _powers,
            _powers_by_choice,
            lambda energies, mask: _powers(energies - energies.amax(-1, keepdim=True), mask),
        ),
    ),
    Mistake(
        "no-exponential",
        "You divide the energies themselves by their sum. They can be negative, and so can your "
        "weights; where they sum to 0 nothing can be divided. The exponential makes all of them "
        "positive first.",
        (_no_exponential,),
    ),
    Mistake(
        "sigmoid-not-softmax",
        "Each position gets its weight by itself, through a sigmoid, so that a row can sum to any "
        "number. In a softmax the positions compete for one weight of 1.",
        (lambda energies, mask: energies.sigmoid() * mask[:, None],),
    ),
    Mistake(
        "hard-choice",
        "You give all of the weight to the best word. A choice has no gradient, so that the "
        "network could not learn which word to choose; a softmax is the choice made soft.",
        (_hard_choice,),
    ),
)

MASKED_WEIGHTS = spelled_out(
    task="write masked_weights(energies, mask): the attention weights, Float[B, T, S], from "
    "energies, Float[B, T, S], and mask, Bool[B, S], True = real token. A softmax over the real "
    "tokens, exactly 0 at padding, only zeros in a sentence without real tokens. Energies can be "
    "far from 0: in some cases they are near 300, in others near −20000.",
    reference=masked_weights,
    cases=cases,
    mistakes=MISTAKES,
    symptoms=(
        Symptom(
            "padding-gets-weight",
            "Positions of padding have a weight. It has to be exactly 0, or the network reads "
            "there.",
            _at_padding,
        ),
        Symptom(
            "rows-not-one",
            "Your rows do not sum to 1. Each step of the decoder has one weight of 1 to share "
            "among the words.",
            _sums_differ_from_one,
        ),
        batch_mixing(2),
        Symptom(
            "reads-padding",
            "Your weights change when only the energies of padding change. Nobody should see them.",
            _reads_padding,
        ),
    ),
)
