"""An exercise as a description: what is asked, what is right, and what each wrong idea gives."""

import inspect
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from importlib import resources
from typing import Any

import torch

Arguments = tuple[Any, ...]
Function = Callable[..., Any]

SEED = 2017  # the same cases in every run, so that a stored page says what a live one says


@dataclass(frozen=True)
class Symptom:
    """A wrong idea, recognised by a property of a wrong result, when no row of `wrong` fits.

    Attributes:
        misconception: its stable id.
        shows: given the arguments of a case, the wrong result (of the right shape) and the
            reader's function to ask again, whether the property is there.
    """

    misconception: str
    shows: Callable[[Arguments, Any, Function], bool]


@dataclass(frozen=True)
class Texts:
    """What is said to the reader of one exercise.

    Attributes:
        task: one line that says what the function has to do.
        hints: from the first push to nearly everything.
        mistakes: for each misconception the idea named, with its symptom; never the way out in
            code.
    """

    task: str = ""
    hints: tuple[str, ...] = ()
    mistakes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Exercise:
    """A function for the reader to write.

    Attributes:
        reference: a right answer, written independently of the package. Its parameters are the
            ones the reader's function must take, its name is the exercise's.
        cases: draws the arguments of every case from a generator, small and readable ones first.
        wrong: the function with mistakes in it; it takes the arguments of a case and the settings
            of a row.
        rows: for each misconception, the settings with which `wrong` does what it leads to. An
            answer that does on every case what a row does has this misconception.
        symptoms: properties tried in this order when no row fits.
        texts: the words, from the chapter's `mistakes.toml`; none until it is read.
    """

    reference: Function
    cases: Callable[[torch.Generator], Iterator[Arguments]]
    wrong: Function
    rows: Mapping[str, Sequence[Mapping[str, Any]]]
    symptoms: tuple[Symptom, ...] = ()
    texts: Texts = Texts()

    @property
    def name(self) -> str:
        """What `check` calls the exercise; stable."""
        return self.reference.__name__.replace("_", "-")

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the arguments, in order."""
        return tuple(inspect.signature(self.reference).parameters)

    def draw(self) -> list[Arguments]:
        """All cases; the same ones at every call."""
        return list(self.cases(torch.Generator().manual_seed(SEED)))

    def wrong_answers(self) -> Iterator[tuple[str, Function]]:
        """Every misconception with each function that it leads to."""
        for misconception, rows in self.rows.items():
            for row in rows:
                yield misconception, partial(self.wrong, **row)

    def message(self, misconception: str) -> str:
        """What is said about a misconception, of this exercise or of all."""
        return self.texts.mistakes.get(misconception) or shared_messages()[misconception]


def read_texts(package: str) -> dict[str, Texts]:
    """The texts in the `mistakes.toml` of a chapter's package, by exercise."""
    file = resources.files(package) / "mistakes.toml"
    return {
        name: Texts(
            _plain(entry["task"]),
            tuple(map(_plain, entry["hints"])),
            {misconception: _plain(text) for misconception, text in entry["mistakes"].items()},
        )
        for name, entry in tomllib.loads(file.read_text("utf-8")).items()
    }


@cache
def shared_messages() -> dict[str, str]:
    """The messages about misconceptions that any exercise may meet."""
    file = resources.files(__package__) / "mistakes.toml"
    messages = tomllib.loads(file.read_text("utf-8"))
    return {misconception: _plain(text) for misconception, text in messages.items()}


def _plain(text: str) -> str:
    """A text without the line ends and margins that it has in its file."""
    return " ".join(text.split())
