"""Exercise "temperature": one number that makes a softmax sharp or flat."""

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from transformer_lite.exercises.exercise import Arguments, Function
from transformer_lite.exercises.families import close
from transformer_lite.exercises.spelled_out import Mistake, Symptom, spelled_out


def temperature(energies: Float[Tensor, "*rows S"], tau: float) -> Float[Tensor, "*rows S"]:
    """Softmax of energies / tau over the last axis."""
    rows = []
    for row in energies.reshape(-1, energies.shape[-1]):
        powers = torch.exp((row - row.max()) / tau)
        rows.append(powers / powers.sum())
    return torch.stack(rows).reshape(energies.shape)


def cases(generator: torch.Generator) -> Iterator[Arguments]:
    """Hot and cold; one row, several, several matrices; energies near 1000."""
    for shape, tau in [((3,), 0.5), ((2, 4), 2.0), ((3, 3), 0.25), ((2, 2, 5), 4.0)]:
        yield torch.randint(-40, 41, shape, generator=generator) / 10, tau
    # Whole numbers, ties among them: energies this large have few digits left for a fraction.
    yield torch.tensor([[1000.0, 990.0, 1000.0], [3.0, 3.0, -1000.0]]), 0.01
    yield torch.tensor([[1000.0, 992.0, 984.0], [-1000.0, -1000.0, -992.0]]), 8.0


def _power(share: Tensor, exponent: float) -> Tensor:
    return share.pow(exponent)


def _shares(energies: Tensor) -> Tensor:
    return energies.softmax(-1)


def _normalised(powers: Tensor) -> Tensor:
    return powers / powers.sum(-1, keepdim=True)


def _over_everything(energies: Tensor, tau: float) -> Tensor:
    return _shares((energies / tau).flatten()).reshape(energies.shape)


def _hard_choice(energies: Tensor, tau: float) -> Tensor:
    return F.one_hot(energies.argmax(-1), energies.shape[-1]).float()


def _sums_differ_from_one(arguments: Arguments, value: Any, answer: Function) -> bool:
    sums = value.sum(-1)
    return not close(sums, torch.ones_like(sums))


def _order_lost(arguments: Arguments, value: Any, answer: Function) -> bool:
    energies = arguments[0]
    ordered = value.gather(-1, energies.sort(-1).indices)
    return bool((ordered.diff(dim=-1) < -1e-4).any())


def _cool_and_hot(answer: Function) -> tuple[Tensor, Tensor]:
    """Weights of one row at two temperatures; in some cases no temperature makes a difference."""
    energies = torch.tensor([0.0, 1.0, 3.0])
    return answer(energies, 1.0), answer(energies, 3.0)


def _ignores_tau(arguments: Arguments, value: Any, answer: Function) -> bool:
    return close(*_cool_and_hot(answer))


def _sharper_when_hot(arguments: Arguments, value: Any, answer: Function) -> bool:
    cool, hot = _cool_and_hot(answer)
    return bool(hot.max() > cool.max() + 1e-4)


MISTAKES = (
    Mistake(
        "multiplied",
        "You multiply by tau instead of dividing: yours gets sharper when it should get flatter. "
        "Hot means even, cold means one winner.",
        (lambda energies, tau: _shares(energies * tau),),
    ),
    Mistake(
        "scaled-after-softmax",
        "You bring tau in after the softmax: your rows no longer sum to 1, and the weights keep "
        "their proportions. Temperature has to act on the energies.",
        (
            lambda energies, tau: _shares(energies) / tau,
            lambda energies, tau: _shares(energies) * tau,
        ),
    ),
    Mistake(
        "tau-without-effect",
        "Your weights are those at temperature 1, whatever tau is. (Adding tau to all energies, or "
        "scaling all exponentials, leaves no trace: a softmax sees only differences between "
        "energies, and proportions between exponentials.)",
        (lambda energies, tau: _shares(energies),),
    ),
    Mistake(
        "other-function-of-tau",
        "You divide by the root or by the square of tau. Temperature divides by tau itself; the "
        "root belongs to the width of a query.",
        (
            lambda energies, tau: _shares(energies / tau**0.5),
            lambda energies, tau: _shares(energies / tau**2),
        ),
    ),
    Mistake(
        "wrong-axis",
        "Your softmax runs over another axis than the last: rows do not sum to 1. The last axis "
        "holds the positions that compete.",
        (
            lambda energies, tau: (energies / tau).softmax(0),
            lambda energies, tau: (energies / tau).softmax(1),
            lambda energies, tau: (energies / tau).softmax(-2),
        ),
    ),
    Mistake(
        "softmax-over-everything",
        "You share one weight of 1 among all rows. Each row has a weight of 1 of its own.",
        (_over_everything,),
    ),
    Mistake(
        "exponential-overflows",
        "Your exponentials leave the range of the numbers: e to the 100,000 is infinite for a "
        "computer, and infinity over infinity is NaN. A softmax depends only on the differences "
        "between energies; use that before the exponential.",
        (
            lambda energies, tau: _normalised((energies / tau).exp()),
            lambda energies, tau: _normalised((energies / tau).exp()).nan_to_num(0.0),
        ),
    ),
    Mistake(
        "one-maximum-for-all",
        "You take the maximum of ALL rows from every energy. In a row whose energies are far below "
        "it all exponentials are 0, and 0 over 0 is NaN. Each row has a maximum of its own.",
        (
            lambda energies, tau: _normalised(((energies - energies.max()) / tau).exp()),
            lambda energies, tau: _normalised((energies / tau - energies.max()).exp()),
        ),
    ),
    Mistake(
        "not-divided",
        "You return exponentials without dividing them by their sum: they do not sum to 1.",
        (
            lambda energies, tau: (energies / tau).exp(),
            lambda energies, tau: ((energies - energies.amax(-1, keepdim=True)) / tau).exp(),
        ),
    ),
    Mistake(
        "power-not-divided",
        "You raise the weights to a power. That is one way to change a temperature, but afterwards "
        "they no longer sum to 1 and have to be divided by their sum again.",
        (
            lambda energies, tau: _power(_shares(energies), 1 / tau),
            lambda energies, tau: _power(_shares(energies), tau),
        ),
    ),
    Mistake(
        "softmax-twice",
        "You apply two softmaxes. After the first no two values are further apart than 1, so that "
        "the second makes almost even weights of them.",
        (
            lambda energies, tau: _shares(_shares(energies) / tau),
            lambda energies, tau: _shares(_shares(energies / tau)),
        ),
    ),
    Mistake(
        "no-softmax",
        "You return energies, not weights: the softmax is missing.",
        (lambda energies, tau: energies / tau,),
    ),
    Mistake(
        "logarithms",
        "You return the logarithms of the weights: they are negative. A weight is a share between "
        "0 and 1.",
        (lambda energies, tau: (energies / tau).log_softmax(-1),),
    ),
    Mistake(
        "hard-choice",
        "You give all of the weight to the largest energy. That is where temperature leads when it "
        "falls to 0; at every other one all positions get a share.",
        (_hard_choice,),
    ),
)

TEMPERATURE = spelled_out(
    task="write temperature(energies, tau): the softmax over the last axis of energies, "
    "Float[..., S], at temperature tau > 0; a higher tau makes it flatter. Energies can be near "
    "1000, and tau as small as 0.01.",
    reference=temperature,
    cases=cases,
    mistakes=MISTAKES,
    symptoms=(
        Symptom(
            "rows-not-one",
            "Your rows do not sum to 1. Whatever the temperature, each row shares one weight of 1 "
            "among its positions.",
            _sums_differ_from_one,
        ),
        Symptom(
            "order-lost",
            "A position with a lower energy gets more weight than one with a higher energy. "
            "Temperature changes how large the differences are, never the order.",
            _order_lost,
        ),
        Symptom(
            "tau-ignored",
            "Your weights stay the same when tau changes.",
            _ignores_tau,
        ),
        Symptom(
            "sharper-when-hot",
            "The largest weight grows when tau grows. Hot means even, cold means one winner.",
            _sharper_when_hot,
        ),
    ),
)
