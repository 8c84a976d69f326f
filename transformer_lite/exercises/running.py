"""Runs a function on many cases: bounded in time, on copies, with its prints kept off the page."""

import contextlib
import copy
import io
import time
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from transformer_lite.exercises.exercise import Arguments, Function
from transformer_lite.exercises.worker import Outcome, Returned, Unfinished, Worker

POLL = 0.02  # seconds between looks at a running function: not every wait can be interrupted


class Runner:
    """Calls one function on many cases, within one budget of time.

    The calls run in a thread, which works alike in a script, in Jupyter and in Colab. When time is
    up the thread is told to stop; one that cannot listen, because it waits inside compiled code,
    is left behind as a daemon. Only compiled code that never releases Python's global lock can
    still block the caller.

    Args:
        function: anything callable.
        seconds: for all calls together.

    Attributes:
        lines_printed: how much the function has printed so far; it is not shown.
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
        worker = Worker(self.function, copy.deepcopy(list(cases)))
        printed = _LineCounter()
        started = time.monotonic()
        line = ""
        with contextlib.redirect_stdout(printed):
            try:
                worker.start()
                while not worker.ended.wait(POLL):
                    if time.monotonic() > started + self.seconds_left:
                        break
            finally:  # also when the reader interrupts the cell
                if not worker.ended.is_set():
                    line = worker.line_now()
                    worker.stop()
        self.seconds_left -= time.monotonic() - started
        self.lines_printed += printed.lines
        outcomes = [
            replace(outcome, changed=_changes(before, after))
            if isinstance(outcome, Returned)
            else outcome
            for before, after, outcome in zip(cases, worker.cases, worker.outcomes, strict=False)
        ]
        return outcomes if len(outcomes) == len(cases) else [*outcomes, Unfinished(line)]


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


def _changes(before: Arguments, after: Arguments) -> tuple[int, ...]:
    """Positions of the arguments that are not what they were."""
    pairs = enumerate(zip(before, after, strict=True))
    return tuple(position for position, pair in pairs if not same(*pair))


class _LineCounter(io.TextIOBase):
    """Takes what is printed and keeps only the number of lines."""

    def __init__(self) -> None:
        self.lines = 0

    def write(self, text: str) -> int:
        """Count the line ends."""
        self.lines += text.count("\n")
        return len(text)
