"""Calls the reader's function: on a copy, with a time limit, its prints kept off the page."""

import contextlib
import copy
import dis
import inspect
import io
import linecache
import signal
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from types import CodeType, TracebackType
from typing import Any, TypeVar, cast, no_type_check

from transformer_lite.exercises.exercise import Arguments
from transformer_lite.exercises.plain import Foreign, name_of_class, plain

T = TypeVar("T")
GLANCE = 0.5  # seconds for looking at a value or an error once the time for all calls is up
AGAIN = 5e-5  # seconds between alarms once time is up
LONGEST_TEXT = 160  # characters of a line of code or an error message worth repeating
# What a function without a statement is compiled to: it returns a constant.
IDLE = {"RESUME", "NOP", "LOAD_CONST", "RETURN_CONST", "RETURN_VALUE"}
KEPT = 1000  # characters of what was printed that are kept
SHOWN = 3  # lines of it that are shown


class TimeUp(BaseException):
    """Raised in a function that has to stop; no `except Exception` of an answer catches it."""


@dataclass(frozen=True)
class Outcome:
    """What one call did; all values are `plain`.

    Attributes:
        after: the arguments as the call left them.
        printed: the first lines it printed, in words for the reader; empty where there are none.
        value: what it returned.
        error: the class of what it raised instead, `TimeUp` once there is no time left.
        failure: the error in words, with the line of the reader's code; empty where there is none.
    """

    after: Arguments
    printed: str
    value: Any
    error: type[BaseException] | None
    failure: str


class Runner:
    """The boundary around one function of the reader's: whatever of it runs, runs in here.

    Args:
        function: anything callable.
        seconds: for all calls together.
    """

    def __init__(self, function: Any, seconds: float) -> None:
        self.function = function
        self.seconds_left = seconds

    def __call__(self, arguments: Arguments) -> Outcome:
        """Call the function with copies of the arguments.

        Raises:
            KeyboardInterrupt: the reader interrupts the cell.
        """
        after, printed = copy.deepcopy(arguments), _Head()
        with contextlib.redirect_stdout(printed):
            value, error = self._run(lambda: plain(self.function(*after)), self.seconds_left)
            failure = "" if error is None else self._describe(error)
            unknown = tuple(Foreign("object that cannot be read") for _ in after)
            after = self.look(lambda: plain(after), unknown)
        kind = TimeUp if self.seconds_left <= 0 else None if error is None else type(error)
        return Outcome(after, printed.describe(), value, kind, failure)

    def look(self, action: Callable[[], T], otherwise: T) -> T:
        """What comes of looking at something of the reader's; `otherwise` where that fails."""
        seen, error = self._run(action, max(self.seconds_left, GLANCE))
        return otherwise if error is not None else cast(T, seen)

    def does_nothing(self) -> bool:
        """Whether the body of the function is `...`, `pass` or a docstring, and no more."""
        code = self.look(lambda: _code_of(self.function), None)
        return code is not None and {step.opname for step in dis.get_instructions(code)} <= IDLE

    def _run(
        self, action: Callable[[], T], seconds: float
    ) -> tuple[T | None, BaseException | None]:
        """What comes of an action, or what it raises; its time is taken off the budget."""
        started = time.monotonic()
        try:
            return _timed(action, seconds), None
        except KeyboardInterrupt:
            raise
        except BaseException as raised:  # sys.exit() in an answer ends the answer only
            return None, raised
        finally:
            self.seconds_left -= time.monotonic() - started

    def _describe(self, error: BaseException) -> str:
        """An error in words, ready for a full stop."""
        line = self.look(lambda: _line(self.function, error.__traceback__), "")
        if type(error) is TimeUp:
            where = line or "a line inside compiled code"
            return f"it had not finished when time was up; it was at {where}"
        said = self.look(lambda: shorten(f": {error}"), "").removesuffix(".").removesuffix(":")
        return f"it raised {name_of_class(error)}{f' at {line}' if line else ''}{said}"


def _timed(action: Callable[[], T], seconds: float) -> T:
    """What comes of an action, or TimeUp when it takes longer than `seconds`.

    Python gives alarms to the main thread only, and Windows has none: elsewhere it is the reader
    who interrupts a function that does not end.
    """
    in_main_thread = threading.current_thread() is threading.main_thread()
    if not in_main_thread or not hasattr(signal, "setitimer"):
        return action()
    over = False

    @no_type_check  # with a check around it, it would take longer than alarms are apart
    def stop(*_: object) -> None:
        if not over:
            raise TimeUp

    handler = signal.signal(signal.SIGALRM, stop)
    # Again and again: only a later alarm reaches `while True: try: ... except: pass` while it is
    # outside its `try`.
    timer = signal.setitimer(signal.ITIMER_REAL, max(seconds, AGAIN), AGAIN)
    try:
        return action()
    finally:
        over = True  # first, and by no call: it is in calls that Python looks for alarms
        signal.setitimer(signal.ITIMER_REAL, *timer)
        signal.signal(signal.SIGALRM, handler)


def shorten(text: str) -> str:
    """One line of at most `LONGEST_TEXT` characters."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_TEXT else line[: LONGEST_TEXT - 1] + "…"


def _line(function: Any, trace: TracebackType | None) -> str:
    """Words for the innermost line of the reader's own code in a traceback."""
    code = _code_of(function)
    home = code.co_filename if code else ""
    own = [place for place in traceback.walk_tb(trace) if place[0].f_code.co_filename == home]
    if not own:
        return ""
    frame, number = own[-1]
    text = linecache.getline(home, number, frame.f_globals).strip()
    return f"line {number}" + (f", `{shorten(text)}`" if text else "")


def _code_of(function: Any) -> CodeType | None:
    """The code of a callable; None for what is compiled by others than Python."""
    inner: Any = inspect.unwrap(getattr(function, "func", function))  # `func` of a partial
    for candidate in (inner, type(inner).__call__):
        code = getattr(candidate, "__code__", None)
        if isinstance(code, CodeType):
            return code
    return None


class _Head(io.TextIOBase):
    """Takes what is printed, keeps the beginning, and counts the lines."""

    def __init__(self) -> None:
        self.text = ""
        self.ends = 0

    def write(self, text: str) -> int:
        """Keep what there is room for."""
        self.text += text[: max(0, KEPT - len(self.text))]
        self.ends += text.count("\n")
        return len(text)

    def describe(self) -> str:
        """The first lines, in words for the reader."""
        lines = self.text.splitlines()
        if not lines:
            return ""
        more = max(self.ends, len(lines)) - SHOWN
        shown = [*map(shorten, lines[:SHOWN]), *([f"(and {more} more)"] if more > 0 else [])]
        return "Your function printed:\n" + "\n".join(f"    {line}" for line in shown)
