"""Exercise "local-window": a Gaussian window around the place where a query looks."""

import math
from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from transformer_lite.exercises.exercise import Arguments, Function
from transformer_lite.exercises.families import batch_mixing, close
from transformer_lite.exercises.spelled_out import Mistake, Symptom, spelled_out


def local_window(
    weights: Float[Tensor, "B S"], centre: Float[Tensor, " B"], radius: int
) -> Float[Tensor, "B S"]:
    """Weights times exp(−(s − p)² / 2σ²) with σ = D / 2, and 0 where |s − p| > D.

    p is the row's centre and D the radius; positions s count from 0.

    Source: Luong et al. 2015, section 3.2.
    """
    deviation = radius / 2
    local = torch.zeros_like(weights)
    for row, middle in enumerate(centre.tolist()):
        for position, weight in enumerate(weights[row]):
            distance = position - middle
            if -radius <= distance <= radius:
                local[row, position] = weight * math.exp(-(distance**2) / (2 * deviation**2))
    return local


def cases(generator: torch.Generator) -> Iterator[Arguments]:
    """Centres on a position, between two, and near both ends; windows that reach over an end."""
    windows = [
        ([2.0], 5, 1), ([1.3, 3.6], 6, 2), ([0.2, 6.7, 3.0], 8, 3), ([4.0, 2.5], 7, 2),
        ([0.4, 1.8, 3.3, 2.0], 4, 1), ([5.5], 12, 4),
    ]  # fmt: skip
    for centres, size, radius in windows:
        # Each row in hundredths, with something for every position.
        drawn = torch.randint(size, (len(centres), 100 - size), generator=generator)
        counts = torch.stack([torch.bincount(row, minlength=size) for row in drawn]) + 1
        yield counts / 100, torch.tensor(centres), radius


def _distance(weights: Tensor, centre: Tensor) -> Tensor:
    return torch.arange(weights.shape[1]) - centre[:, None]


def _inside(weights: Tensor, centre: Tensor, radius: int) -> Tensor:
    return _distance(weights, centre).abs() <= radius


def _gaussian(weights: Tensor, centre: Tensor, radius: int) -> Tensor:
    return torch.exp(-2 * (_distance(weights, centre) / radius) ** 2)


def _uncut(weights: Tensor, centre: Tensor, radius: int) -> Tensor:
    return weights * _gaussian(weights, centre, radius)


def _window(weights: Tensor, centre: Tensor, radius: int) -> Tensor:
    return _uncut(weights, centre, radius) * _inside(weights, centre, radius)


def _with_exponent(exponent: Function) -> Function:
    """The window with another function of the distance and σ inside the exponential."""

    def local(weights: Tensor, centre: Tensor, radius: int) -> Tensor:
        factor = torch.exp(exponent(_distance(weights, centre), radius / 2))
        return weights * factor * _inside(weights, centre, radius)

    return local


def _with_centre(change: Function) -> Function:
    return lambda weights, centre, radius: _window(weights, change(centre), radius)


def _one_for_all(pick: Function) -> Function:
    return _with_centre(lambda centre: pick(centre).expand_as(centre))


def _cut_around(change: Function) -> Function:
    """The Gaussian around the centre itself, the window's edges around another one."""
    return lambda weights, centre, radius: (
        _uncut(weights, centre, radius) * _inside(weights, change(centre), radius)
    )


def _cut_where(is_seen: Function) -> Function:
    """The Gaussian with the window's edges at another distance."""
    return lambda weights, centre, radius: (
        _uncut(weights, centre, radius) * is_seen(_distance(weights, centre).abs(), radius)
    )


def _along_positions(weights: Tensor, centre: Tensor, radius: int) -> Tensor:
    return weights * torch.exp(-2 * ((torch.arange(weights.shape[1]) - centre) / radius) ** 2)


def _normalised(weights: Tensor) -> Tensor:
    return weights / weights.sum(-1, keepdim=True)


def _outside(arguments: Arguments, value: Any, answer: Function) -> bool:
    weights, centre, radius = arguments
    return bool(value[~_inside(weights, centre, radius)].any())


def _grows(arguments: Arguments, value: Any, answer: Function) -> bool:
    return bool((value > arguments[0] + 1e-4).any())


def _positions_mixed(arguments: Arguments, value: Any, answer: Function) -> bool:
    weights, centre, radius = arguments
    other = torch.cat([weights[:, :1] + 1, weights[:, 1:]], dim=1)
    return not close(answer(other, centre, radius)[:, 1:], value[:, 1:])


MISTAKES = (
    Mistake(
        "sigma-is-radius",
        "Your Gaussian is too wide: you take the radius for its standard deviation. Luong et al. "
        "take half of it, so that at the window's edge, two deviations away, little is left.",
        (_with_exponent(lambda distance, sigma: -(distance**2) / (2 * (2 * sigma) ** 2)),),
    ),
    Mistake(
        "two-missing",
        "Your Gaussian is too narrow: the 2 in front of the squared deviation is missing.",
        (_with_exponent(lambda distance, sigma: -(distance**2) / sigma**2),),
    ),
    Mistake(
        "sigma-not-squared",
        "You divide by the standard deviation, not by its square. With a radius of 2 the two are "
        "the same number; with other radii your window has another width.",
        (_with_exponent(lambda distance, sigma: -(distance**2) / (2 * sigma)),),
    ),
    Mistake(
        "multiplied-by-sigma",
        "You multiply by the squared deviation instead of dividing. That happens where a product "
        "stands behind a division line without brackets: only its first factor is divided by.",
        (_with_exponent(lambda distance, sigma: -(distance**2) / 2 * sigma**2),),
    ),
    Mistake(
        "distance-not-squared",
        "You do not square the distance. With its sign kept one side of the centre is raised "
        "instead of lowered; without the sign the top is a sharp point, not a bell.",
        (
            _with_exponent(lambda distance, sigma: -distance / (2 * sigma**2)),
            _with_exponent(lambda distance, sigma: -distance.abs() / (2 * sigma**2)),
        ),
    ),
    Mistake(
        "wrong-sign",
        "The sign of your exponent is wrong: the factor GROWS with the distance from the centre.",
        (_with_exponent(lambda distance, sigma: distance**2 / (2 * sigma**2)),),
    ),
    Mistake(
        "density",
        "You multiply by the density of a normal distribution, with the factor that makes its area "
        "1. Here the factor is 1 at the centre: it lessens weights with distance, nothing else.",
        (
            lambda weights, centre, radius: (
                _window(weights, centre, radius) / (radius / 2 * math.sqrt(2 * math.pi))
            ),
        ),
    ),
    Mistake(
        "positions-from-one",
        "You count positions from 1: your window stands one place too far left.",
        (_with_centre(lambda centre: centre - 1),),
    ),
    Mistake(
        "window-not-cut",
        "Outside the window your weights are small, but not 0. A Gaussian never ends; the window "
        "does, one radius to each side.",
        (_uncut,),
    ),
    Mistake(
        "window-of-wrong-width",
        "Your window has the wrong width. It reaches one whole radius to EACH side, both edges "
        "included.",
        (
            _cut_where(lambda distance, radius: distance < radius),
            _cut_where(lambda distance, radius: distance <= radius / 2),
        ),
    ),
    Mistake(
        "renormalised",
        "You make the rows sum to 1 again. Luong et al. do not: what the Gaussian takes away is "
        "gone, so that a centre far from any good word gives a weak context.",
        (
            lambda *arguments: _normalised(_window(*arguments)),
            lambda *arguments: _normalised(_uncut(*arguments)),
        ),
    ),
    Mistake(
        "softmax-again",
        "You apply a softmax at the end. The weights come from one; a second one makes them almost "
        "even, and gives weight to what lies outside the window.",
        (
            lambda *arguments: _window(*arguments).softmax(-1),
            lambda *arguments: _uncut(*arguments).softmax(-1),
        ),
    ),
    Mistake(
        "gaussian-missing",
        "You cut the window out, but leave the weights in it as they are. Without the Gaussian "
        "the centre has no gradient: moved a little, it changes nothing, and no network learns to "
        "place it.",
        (lambda *arguments: arguments[0] * _inside(*arguments),),
    ),
    Mistake(
        "weights-ignored",
        "You return the Gaussian alone. It says where to look; what is there, and fits the query, "
        "the weights say.",
        (_gaussian, lambda *arguments: _gaussian(*arguments) * _inside(*arguments)),
    ),
    Mistake(
        "added-not-multiplied",
        "You add the Gaussian to the weights: a position gets weight for being near, however badly "
        "it fits. As a factor it can only take weight away.",
        (
            lambda *arguments: arguments[0] + _gaussian(*arguments),
            lambda *arguments: (arguments[0] + _gaussian(*arguments)) * _inside(*arguments),
        ),
    ),
    Mistake(
        "one-centre-for-all",
        "You use the centre of one sentence, or their mean, for the whole batch. Each row looks "
        "elsewhere.",
        (
            _one_for_all(lambda centre: centre[:1]),
            _one_for_all(lambda centre: centre[-1:]),
            _one_for_all(lambda centre: centre.mean(0, keepdim=True)),
        ),
    ),
    Mistake(
        "centre-along-positions",
        "Your centres lack the axis of the positions, and broadcasting takes the centre of "
        "sentence 0 for position 0, that of sentence 1 for position 1, and so on. One sentence "
        "alone is right; most batches raise an error.",
        (
            _along_positions,
            lambda weights, centre, radius: (
                _along_positions(weights, centre, radius)
                * ((torch.arange(weights.shape[1]) - centre).abs() <= radius)
            ),
        ),
    ),
    Mistake(
        "centre-rounded",
        "You round the centre to a position. It lies between two as well as on one: rounding has "
        "no gradient, and the network could not learn to move it.",
        (
            _with_centre(torch.round),
            _with_centre(torch.floor),
            _with_centre(torch.ceil),
            _cut_around(torch.round),
            _cut_around(torch.floor),
            _cut_around(torch.ceil),
        ),
    ),
)

LOCAL_WINDOW = spelled_out(
    task="write local_window(weights, centre, radius): the local attention weights, Float[B, S], "
    "of Luong et al. From weights, Float[B, S], as a softmax gave them, and the centre p of each "
    "row, Float[B]: each weight times a Gaussian around p whose standard deviation is half the "
    "radius, and 0 at positions further than radius from p. Positions count from 0; nothing is "
    "renormalised.",
    reference=local_window,
    cases=cases,
    mistakes=MISTAKES,
    symptoms=(
        batch_mixing(2),
        Symptom(
            "weight-outside-window",
            "A position outside the window has a weight. The window ends one radius to each side "
            "of its centre.",
            _outside,
        ),
        Symptom(
            "positions-mixed",
            "The weight of one position changes when only that of another does. Each is multiplied "
            "by its own factor, and nothing is renormalised.",
            _positions_mixed,
        ),
        Symptom(
            "weights-grow",
            "Some weights get larger. The Gaussian is 1 at its centre and smaller everywhere else: "
            "it can only take weight away.",
            _grows,
        ),
    ),
)
