"""Every exercise: what passes, and which diagnosis each catalogued wrong answer gets."""

import ast
import copy
import inspect
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from loading import load_all

from transformer_lite.exercises import check
from transformer_lite.exercises.catalogue import discover, find
from transformer_lite.exercises.checking import TOLERANCE, examine
from transformer_lite.exercises.comparing import describe_case, difference, same
from transformer_lite.exercises.exercise import Arguments, Exercise, shared_messages
from transformer_lite.exercises.verdict import WIDTH

EXERCISES = discover()

ANSWERS = load_all("answers").values()
RIGHT = {name: right for answers in ANSWERS for name, right in answers.RIGHT.items()}
NAMED = [row for answers in ANSWERS for row in answers.NAMED]

WRONG = [
    pytest.param(exercise, misconception, answer, id=f"{name}-{misconception}-{number}")
    for name, exercise in EXERCISES.items()
    for number, (misconception, answer) in enumerate(exercise.wrong_answers())
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
    assert exercise.texts.task.startswith(f"write {call}")


@every_exercise
def test_cases_are_the_same_in_every_run_and_nobody_edits_them(exercise: Exercise) -> None:
    torch.manual_seed(1)
    first = exercise.draw()
    torch.manual_seed(2)
    assert same(first, exercise.draw())
    for arguments in first:
        before = copy.deepcopy(arguments)
        exercise.reference(*arguments)
        for _, answer in exercise.wrong_answers():
            try_out(answer, arguments)
        assert same(before, arguments)


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
    for misconception, answer in exercise.wrong_answers():
        assert any(try_out(answer, case) is not None for case in cases), misconception


@pytest.mark.parametrize(("exercise", "misconception", "answer"), WRONG)
def test_each_wrong_answer_has_its_own_diagnosis(
    exercise: Exercise, misconception: str, answer: Callable[..., Any]
) -> None:
    verdict = examine(exercise, answer, 5.0)
    assert not verdict.passed
    # So no two ideas compute the same: the later of the two would be taken for the earlier.
    assert verdict.misconception == misconception, verdict
    assert exercise.message(misconception) in verdict.message
    assert max(map(len, str(verdict).split("\n"))) <= WIDTH
    assert verdict.case is not None
    got = try_out(answer, verdict.case)
    assert got is None or difference(exercise.reference(*verdict.case), got, TOLERANCE)


@pytest.mark.parametrize(("name", "answer", "misconception"), NAMED)
def test_each_wrong_answer_of_a_reader_is_named(
    name: str, answer: Callable[..., Any], misconception: str | None
) -> None:
    verdict = check(name, answer)
    assert not verdict.passed
    assert verdict.misconception == misconception, verdict
    exercise, case = find(name), verdict.case
    assert case is not None
    assert describe_case(exercise.parameters, case) in verdict.message
    for symptom in exercise.symptoms:
        if symptom.misconception == misconception:
            assert symptom.shows(case, answer(*case), answer), verdict


@every_exercise
def test_every_symptom_has_an_answer_that_shows_it(exercise: Exercise) -> None:
    shown = {misconception for name, _, misconception in NAMED if name == exercise.name}
    assert {symptom.misconception for symptom in exercise.symptoms} <= shown


@every_exercise
def test_every_misconception_has_its_text_and_every_text_its_misconception(
    exercise: Exercise,
) -> None:
    ids = [*exercise.rows, *(symptom.misconception for symptom in exercise.symptoms)]
    assert len(set(ids)) == len(ids)
    assert all(exercise.message(misconception) for misconception in ids)
    assert set(exercise.texts.mistakes) <= set(ids)


@every_exercise
def test_there_are_hints_in_steps_and_at_most_eight_rows(exercise: Exercise) -> None:
    assert len(exercise.texts.hints) >= 3 and len(exercise.rows) <= 8


def test_two_exercises_of_one_name_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    other = sys.modules["transformer_lite.chapters.c02_additive_attention.exercises"]
    monkeypatch.setattr(other, "EXERCISES", (EXERCISES["gru-step"],))
    with pytest.raises(ValueError, match='must have different names, but two are "gru-step"'):
        discover.__wrapped__()


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
    texts = exercise.texts
    messages = [*texts.mistakes.values(), *shared_messages().values(), *texts.hints, texts.task]
    messages += [
        str(check(exercise.name, wrong))
        for wrong in (lambda *_: torch.zeros(7), lambda *_: 3.5, lambda *_: [1])
    ]
    messages += [str(check(exercise.name))]
    pieces = set().union(*map(fragments, [exercise.reference, *RIGHT[exercise.name]]))
    assert len(pieces) >= 10
    for message in messages:
        plain = " ".join(message.split())
        assert [piece for piece in pieces if piece in plain] == []
