"""What the tests of every chapter ask of the symptoms of its exercises."""

from collections.abc import Callable, Iterable
from typing import Any

from transformer_lite.exercises import check
from transformer_lite.exercises.catalogue import find
from transformer_lite.exercises.comparing import describe_case
from transformer_lite.exercises.exercise import Exercise

Shown = tuple[str, Callable[..., Any], str | None]  # exercise, wrong answer, misconception


def assert_named(name: str, answer: Callable[..., Any], misconception: str | None) -> None:
    """A wrong answer fails, with this misconception, in the case that the verdict shows."""
    verdict = check(name, answer)
    assert not verdict.passed
    assert verdict.misconception == misconception, verdict
    exercise, case = find(name), verdict.case
    assert case is not None
    assert describe_case(exercise.parameters, case) in verdict.message
    for symptom in exercise.symptoms:
        if symptom.misconception == misconception:
            assert symptom.shows(case, answer(*case), answer), verdict


def assert_all_shown(exercises: Iterable[Exercise], shown: Iterable[Shown]) -> None:
    """Every symptom of the exercises is shown by one of the answers."""
    wanted = {(e.name, symptom.misconception) for e in exercises for symptom in e.symptoms}
    assert wanted == {(name, found) for name, _, found in shown if found}
