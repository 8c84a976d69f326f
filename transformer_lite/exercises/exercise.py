"""An exercise as a description: what is asked, what is right, and what each wrong idea gives."""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch

Arguments = tuple[Any, ...]
Function = Callable[..., Any]

SEED = 2017  # the same cases in every run, so that a stored page says what a live one says


@dataclass(frozen=True)
class Mistake:
    """A wrong idea, recognised by what it computes.

    Attributes:
        misconception: its stable id.
        message: the idea named, with its symptom; never the way out in code.
        answers: functions that somebody with this idea writes. An answer that gives what one of
            them gives, on every case, has it.
    """

    misconception: str
    message: str
    answers: tuple[Function, ...]


@dataclass(frozen=True)
class Symptom:
    """A wrong idea, recognised by a property of a wrong result, when no `Mistake` fits.

    Attributes:
        misconception: its stable id.
        message: as for `Mistake`.
        shows: given the arguments of a case, the wrong result (of the right shape) and the
            reader's function to ask again, whether the property is there.
    """

    misconception: str
    message: str
    shows: Callable[[Arguments, Any, Function], bool]


@dataclass(frozen=True)
class Exercise:
    """A function for the reader to write.

    Attributes:
        name: what `check` calls it; stable.
        task: one line that says what the function has to do.
        reference: a right answer, written independently of the package. Its parameters are the
            ones the reader's function must take.
        cases: draws the arguments of every case from a generator, small and readable ones first.
        mistakes: the catalogued wrong answers.
        symptoms: properties tried in this order when no mistake fits.
        tolerance: largest difference between right values, absolute and relative.
    """

    name: str
    task: str
    reference: Function
    cases: Callable[[torch.Generator], Iterator[Arguments]]
    mistakes: tuple[Mistake, ...]
    symptoms: tuple[Symptom, ...] = ()
    tolerance: float = 1e-5

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the arguments, in order."""
        return tuple(inspect.signature(self.reference).parameters)

    def draw(self) -> list[Arguments]:
        """All cases; the same ones at every call."""
        return list(self.cases(torch.Generator().manual_seed(SEED)))
