"""Every exercise: what passes, and which diagnosis each catalogued wrong answer gets."""

import ast
import copy
import inspect
from collections.abc import Callable
from typing import Any

import answers_additive
import answers_bottleneck
import answers_scoring
import pytest
import torch

from transformer_lite.exercises import check
from transformer_lite.exercises.catalogue import discover
from transformer_lite.exercises.checking import examine
from transformer_lite.exercises.exercise import Arguments, Exercise
from transformer_lite.exercises.running import same
from transformer_lite.exercises.verdict import WIDTH

EXERCISES = discover()

RIGHT: dict[str, list[Callable[..., Any]]] = {
    **answers_bottleneck.RIGHT,
    **answers_additive.RIGHT,
    **answers_scoring.RIGHT,
}

WRONG = [
    pytest.param(
        exercise, mistake.misconception, answer, id=f"{name}-{mistake.misconception}-{number}"
    )
    for name, exercise in EXERCISES.items()
    for mistake in exercise.mistakes
    for number, answer in enumerate(mistake.answers)
]

every_exercise = pytest.mark.parametrize("exercise", EXERCISES.values(), ids=lambda e: e.name)


def test_the_names_are_stable() -> None:
    assert list(EXERCISES) == list(RIGHT)


@every_exercise
def test_right_answers_pass(exercise: Exercise) -> None:
    for answer in [exercise.reference, *RIGHT[exercise.name]]:
        verdict = check(exercise.name, answer)
        assert verdict.passed and verdict.misconception is None, verdict


@every_exercise
def test_the_task_fits_the_reference(exercise: Exercise) -> None:
    call = f"{exercise.reference.__name__}({', '.join(exercise.parameters)})"
    assert exercise.task.startswith(f"write {call}")
    assert exercise.reference.__name__ == exercise.name.replace("-", "_")


@every_exercise
def test_cases_are_the_same_in_every_run_and_nobody_edits_them(exercise: Exercise) -> None:
    torch.manual_seed(1)
    first = exercise.draw()
    torch.manual_seed(2)
    assert same(list(map(list, first)), list(map(list, exercise.draw())))
    for arguments in first:
        before = copy.deepcopy(arguments)
        exercise.reference(*arguments)
        for mistake in exercise.mistakes:
            for answer in mistake.answers:
                try_out(answer, arguments)
        assert same(list(before), list(arguments))


def try_out(answer: Callable[..., Any], arguments: Arguments) -> Any:
    """What an answer gives; None where sizes do not fit, as happens to readers, too."""
    try:
        return answer(*arguments)
    except (IndexError, RuntimeError):
        return None


@every_exercise
def test_no_wrong_answer_only_raises(exercise: Exercise) -> None:
    """Every other answer that raises such an error in all cases would be taken for it."""
    cases = exercise.draw()
    for mistake in exercise.mistakes:
        for answer in mistake.answers:
            assert any(try_out(answer, case) is not None for case in cases), mistake.misconception


@pytest.mark.parametrize(("exercise", "misconception", "answer"), WRONG)
def test_each_wrong_answer_has_its_own_diagnosis(
    exercise: Exercise, misconception: str, answer: Callable[..., Any]
) -> None:
    verdict = examine(exercise, answer, 5.0)
    assert not verdict.passed
    assert verdict.misconception == misconception, verdict
    message = next(m.message for m in exercise.mistakes if m.misconception == misconception)
    assert message in verdict.message
    assert max(map(len, str(verdict).split("\n"))) <= WIDTH


@every_exercise
def test_the_order_of_the_catalogue_decides_nothing(exercise: Exercise) -> None:
    """No two ideas compute the same, so that reversing the list changes no diagnosis."""
    turned = copy.copy(exercise)
    object.__setattr__(turned, "mistakes", exercise.mistakes[::-1])
    for mistake in exercise.mistakes:
        for answer in mistake.answers:
            assert examine(turned, answer, 5.0).misconception == mistake.misconception


@every_exercise
def test_ids_are_unique_within_an_exercise_and_well_formed(exercise: Exercise) -> None:
    ids = [m.misconception for m in (*exercise.mistakes, *exercise.symptoms)]
    assert len(set(ids)) == len(ids)
    assert all(one == one.lower() and " " not in one for one in ids)


@every_exercise
def test_no_right_answer_shows_a_symptom(exercise: Exercise) -> None:
    """A property that right results have would be named beside every error."""
    for arguments in exercise.draw():
        value = exercise.reference(*arguments)
        for symptom in exercise.symptoms:
            shown = symptom.shows(arguments, value, exercise.reference)
            assert not shown, symptom.misconception


# ---- No message gives the solution away


def fragments(answer: Callable[..., Any]) -> set[str]:
    """Every expression of a right answer that is code rather than a word or a name."""
    tree = ast.parse(inspect.getsource(answer))
    code = (ast.Call, ast.Subscript, ast.BinOp, ast.Compare, ast.Slice, ast.keyword)
    found = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, code)}
    return {text for text in found if len(text) > 4}


@every_exercise
def test_no_message_holds_a_piece_of_a_solution(exercise: Exercise) -> None:
    messages = [m.message for m in (*exercise.mistakes, *exercise.symptoms)]
    messages += [
        str(check(exercise.name, wrong))
        for wrong in (lambda *_: torch.zeros(7), lambda *_: 3.5, lambda *_: [1])
    ]
    messages += [str(check(exercise.name)), exercise.task]
    pieces = set().union(*map(fragments, [exercise.reference, *RIGHT[exercise.name]]))
    assert len(pieces) >= 10
    for message in messages:
        plain = " ".join(message.split())
        # The dictionary's keys are part of the task.
        assert [piece for piece in pieces if piece in plain] == []
