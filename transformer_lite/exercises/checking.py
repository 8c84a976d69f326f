"""Runs an answer against the reference and looks for the wrong idea behind what differs."""

import contextlib
import inspect
from dataclasses import dataclass, replace
from types import CoroutineType
from typing import Any

import torch

from transformer_lite.exercises.catalogue import find
from transformer_lite.exercises.comparing import describe_case, difference
from transformer_lite.exercises.exercise import Arguments, Exercise, Function, Mistake, Symptom
from transformer_lite.exercises.running import Runner
from transformer_lite.exercises.verdict import Verdict
from transformer_lite.exercises.worker import Outcome, Raised, Returned, Unfinished, shorten

SECONDS = 5.0  # for all cases of one check; right answers need a small part of one second
ANY_VALUE = 1e30  # a tolerance that leaves only kind and shape to differ


def check(name: str, answer: object = ...) -> Verdict:
    """Try the reader's function on random cases, and name what is wrong with it.

    Args:
        name: of the exercise, as the chapter gives it.
        answer: the function itself, not a result of it. One that is still as the chapter gives it
            (it returns nothing, or raises NotImplementedError) is "not attempted".

    Returns:
        The verdict, whatever the function does: raise, return nonsense, change its arguments,
        print, or run for ever (it is stopped after `SECONDS`).

    Raises:
        ValueError: there is no exercise of this name; the message lists all names.
    """
    return examine(find(name), answer, SECONDS)


def examine(exercise: Exercise, answer: object, seconds: float) -> Verdict:
    """`check` for an exercise in hand, with a time limit for all cases together."""
    if answer is None or answer is ...:
        return _not_attempted(exercise)
    # A notebook may have set another default device; cases and answers stay on one.
    with torch.device("cpu"):
        cases = exercise.draw()
        complaint = _unusable(exercise, answer, cases[0])
        if complaint or not callable(answer):
            return Verdict(exercise.name, "failed", complaint)
        runner = Runner(answer, seconds)
        trials = _try_all(exercise, cases, runner)
        verdict = _judge(exercise, trials, runner)
    return _mention_prints(verdict, runner.lines_printed)


@dataclass(frozen=True)
class _Trial:
    """One case: its arguments, the right value, and what the answer did."""

    arguments: Arguments
    expected: Any
    outcome: Outcome
    complaint: str | None  # what is wrong with the outcome

    @property
    def is_nonsense(self) -> bool:
        """Whether this is not even a value of the right kind and shape."""
        if not isinstance(self.outcome, Returned):
            return True
        return difference(self.expected, self.outcome.value, ANY_VALUE) is not None

    def explain(self, exercise: Exercise) -> str:
        case = describe_case(exercise.parameters, self.arguments)
        finding = self.complaint or "right"
        return f"In this case:\n{case}\n{finding[0].upper()}{finding[1:]}."


def _unusable(exercise: Exercise, answer: object, arguments: Arguments) -> str:
    """Why `answer` cannot even be called with the arguments of a case; empty where it can."""
    if not callable(answer):
        return (
            f"expected your function, got an object of type {type(answer).__name__}. Hand over "
            "the function's name without brackets behind it, so that the check can call it."
        )
    if inspect.isclass(answer):
        return "expected your function, got a class."
    try:
        signature = inspect.signature(answer)
    except (TypeError, ValueError):  # compiled functions need not tell theirs
        return ""
    try:
        signature.bind(*arguments)
    except TypeError:
        wanted = ", ".join(exercise.parameters)
        return f"your function must take ({wanted}), in this order, but it takes {signature}."
    return ""


def _try_all(exercise: Exercise, cases: list[Arguments], runner: Runner) -> list[_Trial]:
    """Run every case, up to the first that does not end."""
    trials = []
    for arguments, outcome in zip(cases, runner(cases), strict=False):
        expected = exercise.reference(*arguments)
        complaint = _complaint(expected, outcome, exercise.tolerance)
        trials.append(_Trial(arguments, expected, outcome, complaint))
    return trials


def _complaint(expected: Any, outcome: Outcome, tolerance: float) -> str | None:
    if isinstance(outcome, Unfinished):
        return f"it had not finished when time was up; it was at {outcome.line}"
    if isinstance(outcome, Raised):
        where = f" at {outcome.line}" if outcome.line else ""
        return f"it raised {_error_text(outcome.error)}{where}"
    if type(outcome.value) is CoroutineType:
        outcome.value.close()  # or Python complains later, out of place
    return difference(expected, outcome.value, tolerance)


def _judge(exercise: Exercise, trials: list[_Trial], runner: Runner) -> Verdict:
    name = exercise.name
    outcomes = [trial.outcome for trial in trials]
    if isinstance(outcomes[-1], Unfinished):
        return Verdict(name, "failed", _unfinished_text(exercise, trials[-1]))
    if all(_is_blank(outcome) for outcome in outcomes):
        return _not_attempted(exercise)
    for outcome in outcomes:
        if isinstance(outcome, Returned) and outcome.changed:
            parameter = exercise.parameters[outcome.changed[0]]
            return Verdict(name, "failed", _changed_text(parameter), "changes-input")
    wrong = [trial for trial in trials if trial.complaint]
    if not wrong:
        return Verdict(name, "passed", f"right on all {len(trials)} cases.")
    found = _mistake(exercise, trials) or _symptom(exercise, wrong, runner)
    if found:
        text = f"{found.message}\n{wrong[0].explain(exercise)}"
        return Verdict(name, "failed", text, found.misconception)
    # An error hides what the other cases would tell, so it is named first.
    first = next((trial for trial in wrong if isinstance(trial.outcome, Raised)), wrong[0])
    share = f"{len(wrong)} of {len(trials)} cases are not right."
    return Verdict(name, "failed", f"{share}\n{first.explain(exercise)}")


def _is_blank(outcome: Outcome) -> bool:
    """Whether this is what an exercise does that nobody has worked on."""
    if isinstance(outcome, Raised):
        # Exactly this class: a notebook without a keyboard answers input() with a subclass of it.
        return type(outcome.error) is NotImplementedError
    if isinstance(outcome, Returned):
        return (outcome.value is None or outcome.value is ...) and not outcome.changed
    return False


def _mistake(exercise: Exercise, trials: list[_Trial]) -> Mistake | None:
    """The catalogued wrong idea that does, on every case, what the answer did."""
    for mistake in exercise.mistakes:
        for wrong in mistake.answers:
            if all(_behaves_alike(wrong, trial, exercise.tolerance) for trial in trials):
                return mistake
    return None


def _behaves_alike(wrong: Function, trial: _Trial, tolerance: float) -> bool:
    try:
        value = wrong(*trial.arguments)
    except Exception as error:
        return isinstance(trial.outcome, Raised) and type(trial.outcome.error) is type(error)
    if not isinstance(trial.outcome, Returned):
        return False
    return difference(value, trial.outcome.value, tolerance) is None


def _symptom(exercise: Exercise, wrong: list[_Trial], runner: Runner) -> Symptom | None:
    """The first property of a wrong idea that a wrong result of the right shape shows."""

    def ask(*arguments: Any) -> Any:
        (outcome,) = runner([arguments])
        if not isinstance(outcome, Returned):
            raise RuntimeError("no result")
        return outcome.value

    for symptom in exercise.symptoms:
        for trial in wrong:
            if not isinstance(trial.outcome, Returned) or trial.is_nonsense:
                continue
            # Asked again, the function may raise or return nonsense: that shows nothing.
            with contextlib.suppress(Exception):
                if symptom.shows(trial.arguments, trial.outcome.value, ask):
                    return symptom
    return None


def _not_attempted(exercise: Exercise) -> Verdict:
    return Verdict(
        exercise.name,
        "not attempted",
        f"nothing comes back yet. Your task: {exercise.task}\n(If you did write it: does every "
        "path through your function end in a `return`?)",
    )


def _unfinished_text(exercise: Exercise, trial: _Trial) -> str:
    return (
        "your function takes too long, and was stopped. Is there a loop whose condition never "
        f"becomes false?\n{trial.explain(exercise)}"
    )


def _changed_text(parameter: str) -> str:
    return (
        f"your function changes its argument `{parameter}` in place. Whoever called it still needs "
        "the old values (a training loop uses the same tensors again). Build the result in a new "
        "object, or work on a copy."
    )


def _error_text(error: BaseException) -> str:
    try:
        return shorten(f"{type(error).__name__}: {error}".removesuffix(": "))
    except Exception:  # an error whose own text fails
        return type(error).__name__


def _mention_prints(verdict: Verdict, lines: int) -> Verdict:
    if not lines:
        return verdict
    noun = "line" if lines == 1 else "lines"
    note = f"(Your function printed {lines} {noun}, not shown here; call it yourself to see them.)"
    return replace(verdict, message=f"{verdict.message}\n{note}")
