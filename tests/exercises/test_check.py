"""`check` survives whatever a reader hands it, and says what was wrong in plain words."""

import _thread
import contextlib
import functools
import inspect
import os
import random
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from loading import load
from torch import Tensor

from transformer_lite.exercises import Verdict, check, hint, hints
from transformer_lite.exercises.catalogue import discover, find
from transformer_lite.exercises.checking import examine
from transformer_lite.exercises.comparing import difference
from transformer_lite.exercises.verdict import WIDTH

EXERCISES = discover()
SHIFT = EXERCISES["shift-right"]


def right(target: Tensor, bos: int) -> Tensor:
    return torch.cat([torch.full_like(target[:, :1], bos), target[:, :-1]], dim=1)


# ---- Names


def test_an_unknown_name_lists_those_there_are() -> None:
    with pytest.raises(ValueError, match='"unknown"; there are "shift-right", "exact-match"'):
        check("unknown")


def test_swapped_arguments_are_an_unknown_name() -> None:
    with pytest.raises(ValueError, match=r"it is an object of type function; there are"):
        find(right)  # `check(right, "shift-right")` asks for this name


def test_the_name_of_the_function_is_understood() -> None:
    assert find("shift_right") is find("shift-right")


# ---- Not attempted


def left_as_dots(target: Tensor, bos: int) -> Any: ...


def left_as_pass(target: Tensor, bos: int) -> Any:
    pass


def left_unimplemented(target: Tensor, bos: int) -> Any:
    raise NotImplementedError


def left_with_a_blank(target: Tensor, bos: int) -> Any:
    decoder_input = ...  # your code
    return decoder_input


def left_with_its_docstring(target: Tensor, bos: int) -> Any:
    """What the decoder reads."""


def without_return(target: Tensor, bos: int) -> Any:
    target.roll(1, 1)


UNTOUCHED = [left_as_dots, left_as_pass, left_with_its_docstring, left_with_a_blank]


@pytest.mark.parametrize("answer", [*UNTOUCHED, left_unimplemented])
def test_a_function_that_nobody_filled_in_gets_one_line(answer: object) -> None:
    verdict = check("shift-right", answer)
    assert verdict.outcome == "not attempted"
    assert not verdict.passed and verdict.misconception is None
    assert str(verdict) == '○ shift-right, not attempted: try hint("shift-right")'


def test_that_line_is_one_line_for_every_exercise() -> None:
    for name in EXERCISES:
        lines = str(check(name, lambda *_: ...)).split("\n")
        assert len(lines) == 1 and len(lines[0]) <= WIDTH and f'hint("{name}")' in lines[0]


@pytest.mark.parametrize("answer", [without_return, None, ...])
def test_where_nothing_came_back_the_task_is_shown(answer: object) -> None:
    for exercise in (SHIFT, EXERCISES["last-state"]):
        verdict = check(exercise.name, answer)
        assert verdict.outcome == "not attempted"
        assert exercise.texts.task in verdict.message and "`return`" in verdict.message


def test_none_in_some_cases_only_is_an_attempt() -> None:
    verdict = check("shift-right", lambda target, bos: right(target, bos) if bos == 1 else None)
    assert verdict.outcome == "failed"
    assert "got nothing (None)" in verdict.message


# ---- Nonsense


class Escape(BaseException):
    """Passes every `except Exception`, like SystemExit, but leaves pytest its report."""


class Hostile:
    """Ends the program of whoever looks at it."""

    def __getattribute__(self, name: str) -> Any:
        raise Escape("do not look")  # not even at `__class__`

    def __repr__(self) -> str:
        raise Escape("do not print")

    def __eq__(self, other: object) -> bool:
        raise Escape("do not compare")

    __hash__ = None  # type: ignore[assignment]


class HostileNumber(float):
    def __float__(self) -> float:
        raise Escape("do not compute")

    def __format__(self, form: str) -> str:
        raise Escape("do not print")


class SilentError(Exception):
    def __str__(self) -> str:
        raise Escape("no text either")


def raises_silent(target: Tensor, bos: int) -> Tensor:
    raise SilentError


def recurses(target: Tensor, bos: int) -> Tensor:
    return recurses(target, bos)


def exits(target: Tensor, bos: int) -> Tensor:
    sys.exit(3)


async def waits(target: Tensor, bos: int) -> Tensor:
    return right(target, bos)


def yields(target: Tensor, bos: int) -> Any:
    yield right(target, bos)


def sometimes_wrong_name(target: Tensor, bos: int) -> Tensor:
    if bos == 5:
        return tokens  # type: ignore[name-defined]
    return right(target, bos)


def with_nan(target: Tensor, bos: int) -> Tensor:
    return right(target, bos).float() * float("nan")


class CallableObject:
    def __call__(self, target: Tensor, bos: int) -> Tensor:
        return target.no_such_method()  # type: ignore[no-any-return, operator]


NASTY: list[tuple[str, Any, str]] = [
    ("a result", torch.zeros(2, 3), "got an object of type Tensor. Hand over the function's name"),
    ("a number", 3, "got an object of type int"),
    ("a string", "shift_right", "got an object of type str"),
    ("a class", Hostile, "got a class"),
    ("a hostile object", Hostile(), "got an object of type Hostile"),
    ("no parameters", lambda: 1, "must take (target, bos), in this order, but it takes ()"),
    ("one parameter", lambda target: target, "but it takes (target)"),
    ("three parameters", lambda target, bos, eos: target, "but it takes (target, bos, eos)"),
    ("by keyword only", lambda *, target, bos: target, "but it takes (*, target, bos)"),
    ("returns a list", lambda target, bos: right(target, bos).tolist(), "[1, 3], got [["),
    ("returns an array", lambda target, bos: right(target, bos).numpy(), "got a ndarray"),
    ("returns a string", lambda target, bos: "x", "got a str"),
    ("returns a number", lambda target, bos: 3.5, "got 3.5"),
    ("returns the function", lambda target, bos: right, "got a function"),
    (
        "returns a tuple",
        lambda target, bos: (right(target, bos),),
        "You return several tensors, in a list",
    ),
    ("returns hostility", lambda target, bos: Hostile(), "got a Hostile."),
    ("returns a list of it", lambda target, bos: [[Hostile()]], "got [[<Hostile>]]."),
    ("returns a number of it", lambda target, bos: HostileNumber(), "raised Escape at line"),
    ("returns a coroutine", waits, "got a coroutine"),
    ("returns a generator", yields, "got a generator"),
    ("wrong shape", lambda target, bos: right(target, bos).T, "[1, 3], got shape [3, 1]"),
    ("no shape", lambda target, bos: torch.tensor(1), "[1, 3], got shape []"),
    ("empty", lambda target, bos: torch.empty(0), "got shape [0]"),
    ("floats", lambda t, bos: right(t, bos).float(), "whole numbers, got floating-point numbers"),
    ("truth values", lambda t, bos: right(t, bos).bool(), "whole numbers, got truth values"),
    ("complex", lambda t, bos: right(t, bos).cfloat(), "whole numbers, got complex numbers"),
    ("NaN", with_nan, "got floating-point numbers"),
    ("sparse", lambda t, bos: right(t, bos).to_sparse(), "cannot be read"),
    ("meta", lambda t, bos: right(t, bos).to("meta"), "cannot be read"),
    ("raises", lambda target, bos: 1 / 0, "it raised ZeroDivisionError at line"),
    ("raises without text", raises_silent, "raised SilentError at line"),
    ("recurses", recurses, "raised RecursionError"),
    ("exits", exits, "raised SystemExit at line"),
    ("needs too much memory", lambda t, bos: torch.zeros(2**50), "raised RuntimeError"),
    ("compiled", len, "must take (target, bos)"),
    ("compiled, no signature", max, "raised"),
    ("an object's error", CallableObject(), "`return target.no_such_method()"),
]


@pytest.mark.parametrize(("answer", "words"), [pytest.param(a, w, id=name) for name, a, w in NASTY])
def test_nonsense_is_survived_and_named(answer: object, words: str) -> None:
    verdict = check("shift-right", answer)
    assert verdict.outcome == "failed"
    assert words.lower() in " ".join(verdict.message.split()).lower(), verdict


@pytest.mark.parametrize("name", EXERCISES)
def test_every_exercise_survives_nonsense(name: str) -> None:
    results = [0, -1.5, True, "x", [], {}, object(), Hostile(), torch.zeros(()), np.zeros((2, 2))]
    results += [torch.full((2, 3), float("nan")), float("nan"), float("inf"), 1j, [[1]]]
    results += [10**400, [[10**5000, "x" * 10**6]], {"x" * 10**6: 1}]
    for result in results:
        verdict = check(name, lambda *_, result=result: result)
        assert verdict.outcome == "failed" and 40 < len(str(verdict)) < 10**4


def test_nan_is_named_where_it_stands() -> None:
    def answer(outputs: Tensor, lengths: Tensor) -> Tensor:
        result = outputs[torch.arange(len(outputs)), lengths - 1]
        result[0, 1] = float("nan")
        return result

    assert "At position [0, 1] expected 1.9, got nan." in check("last-state", answer).message


def test_an_error_is_named_with_its_line() -> None:
    verdict = check("shift-right", sometimes_wrong_name)
    first = inspect.getsourcelines(sometimes_wrong_name)[1]
    assert "right on 6 of 7 cases." in verdict.message
    assert f"It raised NameError at line {first + 2}, `return tokens" in verdict.message
    assert verdict.message.endswith("`: name 'tokens' is not defined.")
    assert "bos = 5" in verdict.message


def test_the_line_is_the_readers_and_not_the_librarys() -> None:
    def answer(target: Tensor, bos: int) -> Tensor:
        return torch.nn.functional.cross_entropy(target, target)

    assert "`return torch.nn.functional.cross_entropy" in check("shift-right", answer).message


# ---- What surrounds a check


def settings() -> tuple[Any, ...]:
    """What a notebook has set, and what its next random numbers would be."""
    return (
        torch.get_default_device(),
        torch.get_default_dtype(),
        torch.is_grad_enabled(),
        torch.is_autocast_enabled("cpu"),
        torch.get_deterministic_debug_mode(),
        torch.get_num_threads(),
        Path.cwd(),
        torch.get_rng_state().tolist(),
        random.getstate(),
        np.random.get_state()[1].tolist(),
    )


@contextlib.contextmanager
def default_device(device: str | None) -> Iterator[None]:
    torch.set_default_device(device)
    try:
        yield
    finally:
        torch.set_default_device(None)


@contextlib.contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


def changes_settings(target: Tensor, bos: int) -> Tensor:
    torch.set_default_device("meta")
    torch.set_default_dtype(torch.float64)
    torch.set_grad_enabled(False)
    torch.set_deterministic_debug_mode("warn")
    torch.set_num_threads(torch.get_num_threads() + 1)
    os.chdir("/")
    torch.manual_seed(bos)
    random.seed(bos)
    np.random.seed(bos)
    return right(target, bos)


@pytest.mark.parametrize(
    "surroundings",
    [
        lambda: default_device("meta"),
        lambda: torch.device("meta"),
        lambda: default_dtype(torch.float16),
        lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    ],
    ids=["default device", "device", "default dtype", "autocast"],
)
def test_the_settings_of_a_notebook_do_not_matter(surroundings: Callable[[], Any]) -> None:
    outside = settings()
    with surroundings():
        before = settings()
        for name, answers in load("c01_bottleneck", "answers").RIGHT.items():
            assert all(check(name, answer) for answer in answers), name
        assert check("shift-right", changes_settings)
        assert settings() == before
    assert settings() == outside


class NoKeyboardError(NotImplementedError):
    """Stands for what a notebook without a keyboard answers to input()."""


def asks(target: Tensor, bos: int) -> Tensor:
    raise NoKeyboardError


def test_only_the_plain_error_means_not_attempted() -> None:
    assert "raised NoKeyboardError" in check("shift-right", asks).message


def test_callables_of_every_kind_pass() -> None:
    class Wrapped:
        def __call__(self, target: Tensor, bos: int) -> Tensor:
            return right(target, bos)

    class HostileFunction(Hostile):
        def __call__(self, target: Tensor, bos: int) -> Tensor:
            return right(target, bos)

    def with_more(offset: int, target: Tensor, bos: int) -> Tensor:
        return right(target, bos + offset)

    @functools.wraps(right)
    def decorated(*arguments: Any) -> Any:
        return right(*arguments)

    bound, partial = Wrapped().__call__, functools.partial(with_more, 0)
    for answer in (Wrapped(), HostileFunction(), bound, partial, decorated):
        assert check("shift-right", answer).passed


# ---- Edits in place


def edits_tensor(target: Tensor, bos: int) -> Tensor:
    target[:, 1:] = target[:, :-1].clone()
    target[:, 0] = bos
    return target


def edits_and_returns_nothing(target: Tensor, bos: int) -> None:
    target[:, 0] = bos


def edits_and_raises(target: Tensor, bos: int) -> Tensor:
    target[:, 0] = bos
    raise RuntimeError("too late")


def edits_shape(target: Tensor, bos: int) -> Tensor:
    result = right(target, bos)
    target.t_()
    return result


def edits_list(predicted: list[list[int]], reference: list[list[int]], eos: int) -> float:
    for row in predicted:
        if eos in row:
            del row[row.index(eos) :]
    return sum(p == r for p, r in zip(predicted, reference, strict=True)) / len(reference)


def edits_one_row(predicted: list[list[int]], reference: list[list[int]], eos: int) -> float:
    predicted[0].append(eos)
    return float(EXERCISES["exact-match"].reference(predicted, reference, eos))


def edits_with_hostility(predicted: Any, reference: list[list[int]], eos: int) -> float:
    predicted[0].append(Hostile())
    return 1.0


def edits_dictionary(x: Tensor, h: Tensor, weights: dict[str, Tensor]) -> Tensor:
    weights["bias_hh"] = weights.pop("bias_hh") + 1
    return h


@pytest.mark.parametrize(
    ("name", "answer", "parameter"),
    [
        ("shift-right", edits_tensor, "target"),
        ("shift-right", edits_and_returns_nothing, "target"),
        ("shift-right", edits_and_raises, "target"),
        ("shift-right", edits_shape, "target"),
        ("exact-match", edits_list, "predicted"),
        ("exact-match", edits_one_row, "predicted"),
        ("exact-match", edits_with_hostility, "predicted"),
        ("gru-step", edits_dictionary, "weights"),
    ],
)
def test_edits_of_the_arguments_are_named(
    name: str, answer: Callable[..., Any], parameter: str
) -> None:
    verdict = check(name, answer)
    assert verdict.misconception == "changes-input"
    assert f"your function changes its argument `{parameter}` in place" in verdict.message
    assert f"Afterwards {parameter} was " in verdict.message
    assert ("It raised RuntimeError at line" in verdict.message) == (answer is edits_and_raises)


# ---- Time


def loops(target: Tensor, bos: int) -> Tensor:
    position = 0
    while position < target.shape[1]:
        pass
    return target


def loops_and_swallows(target: Tensor, bos: int) -> Tensor:
    end = time.monotonic() + 10  # should nothing stop it, later tests are not slowed down for ever
    while time.monotonic() < end:
        with contextlib.suppress(BaseException):
            sum(range(1000))
    return target


def loops_and_prints(target: Tensor, bos: int) -> Tensor:
    while True:
        print("still here")


def sleeps(target: Tensor, bos: int) -> Tensor:
    time.sleep(10)
    return target


def slow_later(target: Tensor, bos: int) -> Tensor:
    while bos == 5:
        pass
    return right(target, bos)


class SlowNumber(float):
    def __float__(self) -> float:
        time.sleep(10)
        return 0.0

    __format__ = __float__  # type: ignore[assignment]


class SlowError(Exception):
    def __str__(self) -> str:
        time.sleep(10)
        return ""


def is_slow_to_read(target: Tensor, bos: int) -> Any:
    return SlowNumber()


def raises_slowly(target: Tensor, bos: int) -> Tensor:
    raise SlowError


@pytest.mark.parametrize(
    "answer", [loops, loops_and_swallows, loops_and_prints, sleeps, slow_later]
)
def test_time_is_bounded(answer: Callable[..., Any], capsys: pytest.CaptureFixture[str]) -> None:
    started = time.monotonic()
    verdict = examine(SHIFT, answer, 0.3)
    assert time.monotonic() - started < 5.0
    assert verdict.outcome == "failed"
    assert "takes too long" in verdict.message and "it was at line" in verdict.message
    assert ("bos = 5" in verdict.message) == (answer is slow_later)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("answer", [is_slow_to_read, raises_slowly])
def test_time_is_bounded_when_it_is_the_result_that_takes_long(answer: Callable[..., Any]) -> None:
    started = time.monotonic()
    assert "takes too long" in examine(SHIFT, answer, 0.1).message
    assert time.monotonic() - started < 5.0


def test_a_loop_is_named_by_its_line() -> None:
    def answer(target: Tensor, bos: int) -> Tensor:
        while True:
            pass

    message = examine(SHIFT, answer, 0.1).message
    assert "`while True:`" in message or "`pass`" in message


@pytest.mark.parametrize("answer", [right, loops, exits])
def test_alarms_are_left_as_they_were(answer: Callable[..., Any]) -> None:
    rung = []
    before = signal.signal(signal.SIGALRM, lambda *_: rung.append(1))
    signal.setitimer(signal.ITIMER_REAL, 60.0)
    try:
        examine(SHIFT, answer, 0.1)
        assert 0 < signal.setitimer(signal.ITIMER_REAL, 0)[0] <= 60.0
        assert rung == []
        signal.raise_signal(signal.SIGALRM)
        assert rung == [1]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        time.sleep(0.01)  # an alarm that is on its way finds its handler still there
        signal.signal(signal.SIGALRM, before)


def test_time_is_shared_by_all_cases() -> None:
    def answer(target: Tensor, bos: int) -> Tensor:
        time.sleep(0.1)
        return right(target, bos)

    started = time.monotonic()
    assert not examine(SHIFT, answer, 0.25).passed
    assert time.monotonic() - started < 0.7
    assert examine(SHIFT, answer, 5.0).passed


def test_it_works_outside_the_main_thread() -> None:
    verdicts: list[Verdict] = []
    thread = threading.Thread(target=lambda: verdicts.append(check("shift-right", right)))
    thread.start()
    thread.join(10)
    assert [verdict.passed for verdict in verdicts] == [True]


def test_the_reader_can_interrupt_a_check() -> None:
    timer = threading.Timer(0.2, _thread.interrupt_main)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        examine(SHIFT, loops, 5.0)


# ---- Prints


def test_prints_are_cut_and_kept_off_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    def answer(target: Tensor, bos: int) -> Tensor:
        for number in range(2000):
            print(f"line {number}")
        return right(target, bos)

    verdict = check("shift-right", answer)
    assert verdict.passed
    shown = "printed:\n    line 0\n    line 1\n    line 2\n    (and 1997 more)"
    assert verdict.message.endswith(shown)
    assert capsys.readouterr().out == ""


def test_the_prints_are_those_of_the_case_that_is_shown() -> None:
    def answer(target: Tensor, bos: int) -> Tensor:
        print("bos is", bos, end="")
        return right(target, 1)

    verdict = check("shift-right", answer)
    assert verdict.misconception == "bos-fixed"
    assert verdict.message.endswith("Your function printed:\n    bos is 5")


def test_a_function_that_prints_instead_of_returning_is_told_so() -> None:
    verdict = check("shift-right", lambda target, bos: print(right(target, bos).tolist()))
    assert verdict.outcome == "not attempted"
    assert verdict.message.endswith("in a `return`?)\nYour function printed:\n    [[1, 93, 77]]")


# ---- The verdict


def test_a_verdict_shows_itself() -> None:
    passed = check("shift-right", right)
    assert str(passed) == repr(passed) == "✓ shift-right, passed: right on all 7 cases."
    assert passed and passed.passed
    failed = check("shift-right", lambda target, bos: target)
    assert not failed and str(failed).startswith("✗ shift-right, failed: You hand the target back")
    assert "    bos = 1\nAt position [0, 0] expected 1, got 93 (2 more differ)." in str(failed)


def test_the_case_of_a_verdict_fails_again() -> None:
    for answer in (slow_later, sometimes_wrong_name, edits_tensor, lambda target: target):
        case = examine(SHIFT, answer, 0.1).case
        assert case is not None
        assert not examine(replace(SHIFT, cases=lambda _, case=case: iter([case])), answer, 0.1)
    assert check("shift-right", right).case is check("shift-right").case is None


def test_the_same_answer_gives_the_same_words() -> None:
    texts = {str(check("masked-loss", lambda logits, target, pad: logits.sum())) for _ in range(3)}
    assert len(texts) == 1


# ---- Comparing


def test_precision_and_width_of_a_type_do_not_count() -> None:
    for dtype in (torch.int32, torch.int16):
        assert check("shift-right", lambda t, bos, dtype=dtype: right(t, bos).to(dtype)).passed

    def double(outputs: Tensor, lengths: Tensor) -> Tensor:
        return outputs[torch.arange(len(outputs)), lengths - 1].double().requires_grad_()

    assert check("last-state", double).passed


def test_a_loss_must_stay_a_tensor() -> None:
    reference = EXERCISES["masked-loss"].reference
    verdict = check("masked-loss", lambda *arguments: reference(*arguments).item())
    assert "got a plain number: it no longer knows how it was computed" in verdict.message


@pytest.mark.parametrize(
    ("expected", "got", "found"),
    [
        (0.5, 0.5, None),
        (0.5, torch.tensor([0.5]), None),
        (0.5, np.float32(0.5), None),
        (1.0, 1, None),
        (0.5, 0.500004, None),
        (0.5, 0.5001, "expected 0.5, got 0.5001"),
        (0.5, float("nan"), "expected 0.5, got nan"),
        (0.5, [0.5], "expected a number, got a list"),
        (0.5, [3, 1], "expected a number, got [3, 1]"),
        (0.5, [3] * 17, "expected a number, got a list of 17 numbers"),
        (torch.tensor([1.0, 2.0]), torch.tensor([1.0, 2.00001]), None),
        (torch.tensor([1.0, 2.0]), torch.tensor([1.0, 2.001]),
         "at position [1] expected 2.0, got 2.001"),
        (torch.tensor(1.0), torch.tensor(2.0), "expected 1.0, got 2.0"),
        (torch.tensor([True]), torch.tensor([1]), "expected truth values, got whole numbers "
         "(torch.int64)"),
    ],
)  # fmt: skip
def test_differences_in_words(expected: Any, got: Any, found: str | None) -> None:
    assert difference(expected, got, 1e-5) == found


# ---- Hints


def test_hints_come_one_at_a_time(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(hints, "_asked", Counter())
    texts = SHIFT.texts.hints
    for number in range(1, len(texts) + 3):
        hint("shift-right" if number % 2 else "shift_right")
        said = " ".join(capsys.readouterr().out.split())
        assert [text in said for text in texts] == [k < number for k in range(len(texts))]
        assert f"Hint {min(number, len(texts))} of {len(texts)}: " in said
        assert ("There are no more hints." in said) == (number > len(texts))


def test_a_hint_for_an_unknown_name_lists_those_there_are() -> None:
    with pytest.raises(ValueError, match='"unknown"; there are "shift-right", "exact-match"'):
        hint("unknown")
