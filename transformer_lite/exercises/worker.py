"""A thread that calls a function which may do anything, and that can be stopped."""

import ctypes
import inspect
import linecache
import sys
import threading
import time
import traceback
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import Any

from transformer_lite.exercises.exercise import Arguments, Function

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


class Worker(threading.Thread):
    """Calls a function on each case in turn.

    Python can raise an exception in another thread, but not say where in its code that happens.
    So `stop` must not raise one when the reader's function is over: whoever holds the gate knows
    that the other is not between asking and raising.

    Args:
        function: the reader's.
        cases: the arguments of each call; the function may edit them.

    Attributes:
        outcomes: one `Returned` or `Raised` for every call that has ended.
        ended: set when the last call is over. (Not `Thread.join`: interrupted by the reader, it
            takes a running thread for one that ended in Python 3.11.)
    """

    def __init__(self, function: Function, cases: Sequence[Arguments]) -> None:
        super().__init__(daemon=True)
        self.function = function
        self.cases = cases
        self.outcomes: list[Outcome] = []
        self.ended = threading.Event()
        self._gate = threading.RLock()

    def run(self) -> None:
        """Call the function on every case, then keep the gate for ever."""
        try:
            try:
                self._call_all()
                self._gate.acquire()
            except _TimeUp:
                # Python looks for exceptions from other threads after a call, not before it: a
                # second one comes when the gate is closed, and none comes after it.
                self._gate.acquire()
        except _TimeUp:
            pass
        self.ended.set()

    def stop(self) -> None:
        """Raise an exception in the function, again and again in case its code swallows it.

        Threads take turns. Only with short turns does a later request reach a loop of
        `try: ... except: pass` while it is outside its `try`.
        """
        identity = ctypes.c_ulong(self.ident or 0)
        turn = sys.getswitchinterval()
        until = time.monotonic() + GRACE
        sys.setswitchinterval(1e-6)
        try:
            while time.monotonic() < until and self._gate.acquire(blocking=False):
                try:
                    ctypes.pythonapi.PyThreadState_SetAsyncExc(identity, ctypes.py_object(_TimeUp))
                finally:
                    self._gate.release()
                time.sleep(1e-5)
        finally:
            sys.setswitchinterval(turn)

    def line_now(self) -> str:
        """Words for the line of the reader's code that is running."""
        frame = sys._current_frames().get(self.ident or 0)
        stack = list(traceback.walk_stack(frame)) if frame else []
        return _line(self.function, reversed(stack)) or "a line inside compiled code"

    def _call_all(self) -> None:
        for arguments in self.cases:
            try:
                self.outcomes.append(Returned(self.function(*arguments)))
            except _TimeUp:
                raise
            except BaseException as error:  # sys.exit() in an answer ends the answer only
                line = _line(self.function, traceback.walk_tb(error.__traceback__))
                self.outcomes.append(Raised(error, line))


class _TimeUp(BaseException):
    """Raised inside a thread that has to stop; no `except Exception` of an answer catches it."""


def shorten(text: str) -> str:
    """One line of at most `LONGEST_TEXT` characters."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_TEXT else line[: LONGEST_TEXT - 1] + "…"


def _line(function: Function, frames: Iterable[tuple[FrameType, int]]) -> str:
    """Words for the innermost line of the reader's own code, frames going inwards."""
    home = _file_of(function)
    own = [(frame, number) for frame, number in frames if frame.f_code.co_filename == home]
    if not own:
        return ""
    frame, number = own[-1]
    code = linecache.getline(home, number, frame.f_globals).strip()
    return f"line {number}" + (f", `{shorten(code)}`" if code else "")


def _file_of(function: Function) -> str:
    """Name of the file or cell that holds the code of a callable; empty for compiled code."""
    inner: Any = inspect.unwrap(getattr(function, "func", function))  # `func` of a partial
    for candidate in (inner, type(inner).__call__):
        code = getattr(candidate, "__code__", None)
        if code is not None:
            return str(code.co_filename)
    return ""
