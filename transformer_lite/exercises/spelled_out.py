"""Exercises with one function for each wrong answer, and their messages in Python.

Chapters 02 and 03 still have such; chapter 01 shows how an exercise is written now. When they
follow, this module goes.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch

from transformer_lite.exercises import exercise as new
from transformer_lite.exercises.exercise import Arguments, Function


@dataclass(frozen=True)
class Mistake:
    """A wrong idea: its id, its message, and functions that somebody with this idea writes."""

    misconception: str
    message: str
    answers: tuple[Function, ...]


@dataclass(frozen=True)
class Symptom:
    """A symptom with its message."""

    misconception: str
    message: str
    shows: Callable[[Arguments, Any, Function], bool]


def spelled_out(
    task: str,
    reference: Function,
    cases: Callable[[torch.Generator], Iterator[Arguments]],
    mistakes: tuple[Mistake, ...],
    symptoms: tuple[Symptom | new.Symptom, ...] = (),
) -> new.Exercise:
    """The exercise with these mistakes; those of the symptoms without a message share theirs."""
    own: list[Mistake | Symptom] = [*mistakes]
    own += [symptom for symptom in symptoms if isinstance(symptom, Symptom)]
    return new.Exercise(
        reference=reference,
        cases=cases,
        wrong=lambda *arguments, answer: answer(*arguments),
        rows={m.misconception: [{"answer": answer} for answer in m.answers] for m in mistakes},
        symptoms=tuple(new.Symptom(s.misconception, s.shows) for s in symptoms),
        texts=new.Texts(task, mistakes={m.misconception: m.message for m in own}),
    )
