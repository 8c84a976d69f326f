"""Runs an answer against the reference and looks for the wrong idea behind what differs."""

import contextlib
import inspect
from dataclasses import dataclass
from typing import Any

from transformer_lite.exercises.catalogue import find
from transformer_lite.exercises.comparing import (
    describe,
    describe_case,
    difference,
    general_mistake,
    same,
)
from transformer_lite.exercises.exercise import Arguments, Exercise, Function
from transformer_lite.exercises.plain import name_of_class
from transformer_lite.exercises.running import Outcome, Runner, TimeUp
from transformer_lite.exercises.surroundings import undisturbed
from transformer_lite.exercises.verdict import Verdict

SECONDS = 5.0  # for all cases of one check; right answers need a small part of one second
TOLERANCE = 1e-5  # largest difference between right values, absolute and relative
ANY_VALUE = 1e30  # a tolerance that leaves only kind and shape to differ
TOO_LONG = (
    "your function takes too long, and was stopped. Is there a loop whose condition never becomes "
    "false?"
)


def check(name: str, answer: object = ...) -> Verdict:
    """Try the reader's function on random cases, and name what is wrong with it.

    Args:
        name: of the exercise, as the chapter gives it.
        answer: the function itself, not a result of it. One that is still as the chapter gives it
            (it returns nothing, or raises NotImplementedError) is "not attempted".

    Returns:
        The verdict, whatever the function does: raise, return nonsense, change its arguments or
        the notebook's settings, print, or run for ever. (It is stopped after `SECONDS`; on Windows
        and outside the main thread there is no alarm, and the reader has to interrupt it.)

    Raises:
        ValueError: there is no exercise of this name; the message lists all names.
        KeyboardInterrupt: the reader interrupts the check.
    """
    return examine(find(name), answer, SECONDS)


def examine(exercise: Exercise, answer: object, seconds: float) -> Verdict:
    """`check` for an exercise in hand, with a time limit for all cases together."""
    if answer is None or answer is ...:
        return Verdict(exercise.name, "not attempted", _nothing_yet(exercise))
    if not callable(answer) or issubclass(type(answer), type):
        return Verdict(exercise.name, "failed", _no_function(answer))
    with undisturbed():
        cases, runner = exercise.draw(), Runner(answer, seconds)
        if complaint := runner.look(lambda: _wrong_parameters(exercise, answer, cases[0]), ""):
            return Verdict(exercise.name, "failed", complaint, case=cases[0])
        return _judge(exercise, _try_all(exercise, cases, runner), runner)


@dataclass(frozen=True)
class _Trial:
    """One case: its arguments, the right value, and what the answer did."""

    arguments: Arguments
    expected: Any
    outcome: Outcome

    @property
    def complaint(self) -> str | None:
        """What is wrong with the outcome."""
        outcome = self.outcome
        return outcome.failure or difference(self.expected, outcome.value, TOLERANCE)

    @property
    def changed(self) -> list[int]:
        """Positions of the arguments that are not what they were."""
        pairs = enumerate(zip(self.arguments, self.outcome.after, strict=True))
        return [position for position, pair in pairs if not same(*pair)]

    @property
    def is_blank(self) -> bool:
        """Whether this is what an exercise does that nobody has worked on."""
        if self.outcome.error is not None:
            # Exactly this class: a notebook without a keyboard answers input() with a subclass.
            return self.outcome.error is NotImplementedError
        return (self.outcome.value is None or self.outcome.value is ...) and not self.changed

    @property
    def has_right_shape(self) -> bool:
        """Whether a value of the right kind and shape came back."""
        value = self.outcome.value
        return self.outcome.error is None and not difference(self.expected, value, ANY_VALUE)


def _no_function(answer: object) -> str:
    if callable(answer):
        return "expected your function, got a class."
    return (
        f"expected your function, got an object of type {name_of_class(answer)}. Hand over the "
        "function's name without brackets behind it, so that the check can call it."
    )


def _wrong_parameters(exercise: Exercise, answer: Any, arguments: Arguments) -> str:
    """Why `answer` cannot be called with the arguments of a case; empty where it can."""
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
    # First what is right: an answer may change settings that the reference needs.
    expected = [exercise.reference(*arguments) for arguments in cases]
    trials: list[_Trial] = []
    for arguments, right in zip(cases, expected, strict=True):
        trials.append(_Trial(arguments, right, runner(arguments)))
        if trials[-1].outcome.error is TimeUp:
            break
    return trials


def _judge(exercise: Exercise, trials: list[_Trial], runner: Runner) -> Verdict:
    if trials[-1].outcome.error is TimeUp:
        return _failed(exercise, trials[-1], TOO_LONG)
    if all(trial.is_blank for trial in trials):
        return _not_attempted(exercise, trials[0], runner)
    for trial in trials:
        if trial.changed:
            argument = exercise.parameters[trial.changed[0]]
            message = exercise.message("changes-input").replace("{argument}", argument)
            return _failed(exercise, trial, message, "changes-input")
    wrong = [trial for trial in trials if trial.complaint]
    if not wrong:
        printing = next((trial for trial in trials if trial.outcome.printed), trials[0])
        message = _join(f"right on all {len(trials)} cases.", printing.outcome.printed)
        return Verdict(exercise.name, "passed", message)
    if found := _misconception(exercise, trials, wrong, runner):
        misconception, trial = found
        return _failed(exercise, trial, exercise.message(misconception), misconception)
    # An error hides what the other cases would tell, so it is named first.
    first = next((trial for trial in wrong if trial.outcome.error), wrong[0])
    return _failed(exercise, first, f"right on {len(trials) - len(wrong)} of {len(trials)} cases.")


def _misconception(
    exercise: Exercise, trials: list[_Trial], wrong: list[_Trial], runner: Runner
) -> tuple[str, _Trial] | None:
    """The wrong idea that the answer shows, and a trial in which it shows it."""
    for misconception, function in exercise.wrong_answers():
        if all(_behaves_alike(function, trial) for trial in trials):
            return misconception, wrong[0]
    for trial in wrong:
        with contextlib.suppress(Exception):  # not everything is a tensor
            if general := general_mistake(trial.expected, trial.outcome.value):
                return general, trial

    def ask(*arguments: Any) -> Any:
        outcome = runner(arguments)
        if outcome.error is not None:
            raise RuntimeError("no result")
        return outcome.value

    shaped = [trial for trial in wrong if trial.has_right_shape]
    # Asked again, the function may raise or return nonsense: that shows nothing.
    for trial in shaped:
        with contextlib.suppress(Exception):
            if difference(trial.outcome.value, ask(*trial.arguments), TOLERANCE):
                return "not-repeatable", trial
    for symptom in exercise.symptoms:
        for trial in shaped:
            with contextlib.suppress(Exception):
                if symptom.shows(trial.arguments, trial.outcome.value, ask):
                    return symptom.misconception, trial
    return None


def _behaves_alike(function: Function, trial: _Trial) -> bool:
    """Whether a wrong answer does in this case what the reader's does."""
    try:
        value = function(*trial.arguments)
    except Exception as error:
        return trial.outcome.error is type(error)
    return trial.outcome.error is None and not difference(value, trial.outcome.value, TOLERANCE)


def _failed(
    exercise: Exercise, trial: _Trial, message: str, misconception: str | None = None
) -> Verdict:
    """The verdict that shows this trial."""
    names, after = exercise.parameters, trial.outcome.after
    findings = [trial.complaint] if trial.complaint else []
    findings += [f"afterwards {names[i]} was {describe(after[i])}" for i in trial.changed]
    case = describe_case(names, trial.arguments)
    shown = "\n".join(f"{finding[0].upper()}{finding[1:]}." for finding in findings)
    text = _join(message, f"In this case:\n{case}\n{shown}", trial.outcome.printed)
    return Verdict(exercise.name, "failed", text, misconception, trial.arguments)


def _not_attempted(exercise: Exercise, trial: _Trial, runner: Runner) -> Verdict:
    """One line for a function that nobody has filled in; its task is above it on the page."""
    if trial.outcome.error or trial.outcome.value is ... or runner.does_nothing():
        text = f'try hint("{exercise.name}")'
    else:
        text = _nothing_yet(exercise)
    return Verdict(exercise.name, "not attempted", _join(text, trial.outcome.printed))


def _nothing_yet(exercise: Exercise) -> str:
    return (
        f"nothing comes back yet. Your task: {exercise.texts.task}\n(If you did write it: does "
        "every path through your function end in a `return`?)"
    )


def _join(*paragraphs: str) -> str:
    return "\n".join(filter(None, paragraphs))
