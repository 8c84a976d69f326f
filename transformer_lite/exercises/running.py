"""Calls a function that may do anything: raise, edit its arguments, print, or never return."""

import contextlib
import copy
import ctypes
import inspect
import io
import linecache
import sys
import threading
import time
import traceback
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from types import FrameType
from typing import Any

import torch
from torch import Tensor

from transformer_lite.exercises.exercise import Arguments, Function

POLL = 0.02  # seconds between looks at a running function: a wait cannot be interrupted everywhere
GRACE = 1.5  # seconds that a function which was told to stop gets for it
LONGEST_TEXT = 160  # characters of a line of code or an error message worth repeating


@dataclass(frozen=True)
class Returned:
    """The function returned `value`; `changed` holds the positions of arguments it edited."""

    value: Any
    changed: tuple[int, ...] = ()


@dataclass(frozen=True)
class Raised:
    """The function raised `error` at `line` (words for the reader, or nothing)."""

    error: BaseException
    line: str = ""


@dataclass(frozen=True)
class Unfinished:
    """The function was still running, at `line`, when its time was up."""

    line: str


Outcome = Returned | Raised | Unfinished


class Runner:
    """Calls one function on many cases, within one budget of time.

    The calls run in a thread, which works alike in a script, in Jupyter and in Colab. When time is
    up the thread is told to stop; one that cannot listen, because it waits inside compiled code,
    is left behind as a daemon. Only compiled code that never releases Python's global lock can
    still block the caller.

    Args:
        function: anything callable.
        seconds: for all calls together.
    """

    def __init__(self, function: Function, seconds: float) -> None:
        self.function = function
        self.seconds_left = seconds
        self.lines_printed = 0

    def __call__(self, cases: Sequence[Arguments]) -> list[Outcome]:
        """Call the function with copies of each case's arguments.

        Returns:
            One outcome a case, up to the first that is `Unfinished`.
        """
        copies = copy.deepcopy(list(cases))  # the function may edit what it gets
        outcomes: list[Outcome] = []
        # Not Thread.join: interrupted, it takes a running thread for an ended one (Python 3.11).
        ended = threading.Event()
        thread = threading.Thread(target=self._work, args=(copies, outcomes, ended), daemon=True)
        printed = _LineCounter()
        started = time.monotonic()
        line = ""
        with contextlib.redirect_stdout(printed):
            try:
                thread.start()
                while not ended.wait(POLL) and time.monotonic() < started + self.seconds_left:
                    pass
            finally:  # also when the reader interrupts the cell
                if not ended.is_set():
                    line = self._line_now(thread)
                    _stop(thread)
        self.seconds_left -= time.monotonic() - started
        self.lines_printed += printed.lines
        done = [
            replace(outcome, changed=_changes(before, after))
            if isinstance(outcome, Returned)
            else outcome
            for before, after, outcome in zip(cases, copies, outcomes, strict=False)
        ]
        return done if len(done) == len(cases) else [*done, Unfinished(line)]

    def _work(
        self, cases: Sequence[Arguments], outcomes: list[Outcome], ended: threading.Event
    ) -> None:
        # A request to stop may still arrive when the last call is over.
        with contextlib.suppress(_TimeUp):
            self._call_all(cases, outcomes)
            ended.set()

    def _call_all(self, cases: Sequence[Arguments], outcomes: list[Outcome]) -> None:
        for arguments in cases:
            try:
                outcomes.append(Returned(self.function(*arguments)))
            except _TimeUp:
                return
            except BaseException as error:  # sys.exit() in an answer ends the answer only
                line = self._line(traceback.walk_tb(error.__traceback__))
                outcomes.append(Raised(error, line))

    def _line_now(self, thread: threading.Thread) -> str:
        frame = sys._current_frames().get(thread.ident or 0)
        stack = list(traceback.walk_stack(frame)) if frame else []
        return self._line(reversed(stack)) or "inside compiled code"

    def _line(self, frames: Iterable[tuple[FrameType, int]]) -> str:
        """Words for the innermost line of the reader's own code, frames going inwards."""
        home = _file_of(self.function)
        own = [(frame, number) for frame, number in frames if frame.f_code.co_filename == home]
        if not own:
            return ""
        frame, number = own[-1]
        code = linecache.getline(home, number, frame.f_globals).strip()
        return f"line {number}" + (f", `{shorten(code)}`" if code else "")


def same(before: object, after: object) -> bool:
    """Whether two arguments (tensors, numbers, lists and dictionaries of these) are identical."""
    if isinstance(before, Tensor):
        return (
            isinstance(after, Tensor)
            and after.shape == before.shape
            and after.dtype == before.dtype
            and torch.equal(before, after)
        )
    if isinstance(before, dict):
        return (
            isinstance(after, dict)
            and before.keys() == after.keys()
            and all(same(before[key], after[key]) for key in before)
        )
    if isinstance(before, list):
        return (
            isinstance(after, list)
            and len(before) == len(after)
            and all(same(*pair) for pair in zip(before, after, strict=True))
        )
    return type(before) is type(after) and before == after


def shorten(text: str) -> str:
    """One line of at most `LONGEST_TEXT` characters."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_TEXT else line[: LONGEST_TEXT - 1] + "…"


def _changes(before: Arguments, after: Arguments) -> tuple[int, ...]:
    """Positions of the arguments that are not what they were."""
    pairs = enumerate(zip(before, after, strict=True))
    return tuple(position for position, pair in pairs if not same(*pair))


class _TimeUp(BaseException):
    """Raised inside a thread that has to stop; no `except Exception` of an answer catches it."""


class _LineCounter(io.TextIOBase):
    """Takes what is printed and keeps only the number of lines."""

    def __init__(self) -> None:
        self.lines = 0

    def write(self, text: str) -> int:
        self.lines += text.count("\n")
        return len(text)


def _stop(thread: threading.Thread) -> None:
    """Raise `_TimeUp` in the thread, again and again in case its code swallows exceptions.

    Python's threads take turns. Only with short turns does a second request reach a loop of
    `try: ... except: pass` while it is outside its `try`.
    """
    identity = ctypes.c_ulong(thread.ident or 0)
    turn = sys.getswitchinterval()
    until = time.monotonic() + GRACE
    sys.setswitchinterval(1e-6)
    try:
        while thread.is_alive() and time.monotonic() < until:
            ctypes.pythonapi.PyThreadState_SetAsyncExc(identity, ctypes.py_object(_TimeUp))
            time.sleep(1e-5)
    finally:
        sys.setswitchinterval(turn)


def _file_of(function: Function) -> str:
    """Name of the file or cell that holds the code of a callable; empty for compiled code."""
    inner: Any = inspect.unwrap(getattr(function, "func", function))  # `func` of a partial
    for candidate in (inner, type(inner).__call__):
        code = getattr(candidate, "__code__", None)
        if code is not None:
            return str(code.co_filename)
    return ""
