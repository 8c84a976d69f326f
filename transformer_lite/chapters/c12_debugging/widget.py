"""Chapter 12: the table of planted bugs and checks; a cell shows bug, check and output."""

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from textwrap import wrap
from typing import Any

import pandas as pd
import traitlets

from transformer_lite.chapters.c12_debugging.bugs import BUGS, RIGHT
from transformer_lite.diagnosis import Check, Diagnosis
from transformer_lite.palette import NEUTRAL
from transformer_lite.reading import read_toml
from transformer_lite.widgets.base import StillWidget, check_trait, front_end
from transformer_lite.widgets.drawing import CARD, INK, QUIET, card, dot, line, text
from transformer_lite.widgets.frames import WIDTH, Choice, Question

ASKED = ("positions-restart", "mask-in-training-only", "cache-late", "beams-mixed")
STORIES = {name: bug.story for name, bug in BUGS.items()} | {RIGHT: "none: the right model"}
ANSWERS = tuple(STORIES[name] for name in ASKED)
LEGEND = "Which of these four writes not one sentence right?"
ONLY = ("all", "lower loss", "copies right", "seen by no check")
KEY = (
    "Loss: ▼\u00a0lower than the right model's in every seed, ▲\u00a0higher, ≈\u00a0mixed, "
    "=\u00a0the same. Free: sentences right; copied: strings. ✗\u00a0sees the bug."
)
ROWS = "“Rows” are the logits of a word each; 1 is a standard deviation of them."
COPIES = 0.9  # of the strings, where a bug passes the classic task
_TOLD = read_toml(Path(__file__).with_name("told.toml"))
_MARGIN, _LINE, _LETTERS = 20, 20, 38  # of the still picture; as many letters fit one of its lines
_LEFT, _TOP, _BOTTOM, _HEIGHT = 58, 34, 124, 168  # of the plot, and the height of the picture
_TICKS = (0.001, 0.01, 0.1, 1)


class BugTable(StillWidget):
    """Which check sees which bug? First a question, then the table, free to explore.

    What the reader chose can be read back and set: `bug` and `check` (the cell, by their names),
    `only` (which bugs are listed below the right model, one of `ONLY`; as long as `bug` is none of
    them, the first one is chosen), `prediction` (one of `ANSWERS`; None before there is one), and
    `ask`: as long as it is True, the page asks and shows no table.

    Args:
        diagnoses: what `diagnose_bug` gives, for each name of `BUGS`.
        stored: the runs, `results.load("bugs")`.
        state: initial values of the names above, such as `ask=False`.

    Raises:
        ValueError: a bug without a diagnosis, or a diagnosis without a bug.
        traitlets.TraitError: a value of `state` is none of those.
    """

    _esm, _css = front_end(__file__)

    heading = "Bugs and checks: which check sees which bug?"
    bug = traitlets.Unicode("no-mask", help="the row").tag(sync=True)
    check = traitlets.Unicode("prefix", help="the column").tag(sync=True)
    only = Choice("Show", ONLY, "lower loss")
    prediction = Question(LEGEND, ANSWERS)
    ask = traitlets.Bool(True, help="whether the answer waits for a prediction").tag(sync=True)
    shown = traitlets.Dict(help="texts and numbers for the page").tag(sync=True)

    def __init__(
        self, diagnoses: Mapping[str, Diagnosis], stored: pd.DataFrame, **state: Any
    ) -> None:
        if set(diagnoses) != set(BUGS):
            wrong = ", ".join(sorted(set(diagnoses) ^ set(BUGS)))
            raise ValueError(f"diagnoses must be one for each of BUGS, but they differ in {wrong}")
        self._checks = {
            name: {check.name: check for check in diagnoses[name].checks} for name in BUGS
        }
        stored = stored[stored.steps == 400]  # the others are there for one comparison
        runs = stored.set_index(["task", "bug"]).sort_index()
        self._means = runs.groupby(level=[0, 1]).mean(numeric_only=True)
        losses = stored[stored.task == "pocket"].pivot(
            index="seed", columns="bug", values="training_loss"
        )
        self._trends = {name: _trend(losses[name], losses[RIGHT]) for name in BUGS}
        lower = [name for name in BUGS if self._trends[name] == "lower"]
        copies = [n for n in BUGS if n != RIGHT and self._means.free["copy", n] >= COPIES]
        unseen = [n for n in BUGS if n != RIGHT and not diagnoses[n].failed]
        some = [[RIGHT, *names] for names in (lower, copies, unseen)]
        self._listed = dict(zip(ONLY, (list(BUGS), *some), strict=True))
        worst = _percent(max(self._means.free["pocket"][lower]))
        told = (
            f"{len(BUGS) - 1} bugs, and the right model above them.",
            f"{len(lower)} bugs: a lower loss in each of {len(losses)} seeds, {worst} of sentences "
            "right.",
            f"{len(copies)} bugs: trained on copying, they get 9 of 10 strings right.",
            f"{len(unseen)} bugs: only a right model with the same weights shows them.",
        )
        super().__init__(**state, shown=self._texts(told))

    @traitlets.validate("bug", "check")
    def _check_place(self, proposal: Any) -> str:
        name, value = proposal["trait"].name, str(proposal["value"])
        check_trait(name, value, BUGS if name == "bug" else self._checks[RIGHT])
        return value

    def words(self) -> str:
        """Each bug with its loss, what it writes and who sees it; and the chosen cell."""
        lines = []
        for name, checks in self._checks.items():
            # The first: what a broken model writes, the last, depends on its training.
            seen = next((check.name for check in checks.values() if not check.passed), "no check")
            lines.append(
                f"{STORIES[name]}: loss {self._loss(name)}, sentences right "
                f"{_percent(self._means.free['pocket', name])}, first seen by: {seen}"
            )
        return "\n".join([*lines, self.finding()])

    def finding(self) -> str:
        """The chosen cell in words."""
        check = self._checks[self._chosen()][self.check]
        return f"{STORIES[self._chosen()]}; {_mark(check)} {check.name}: {check.found}"

    def still(self) -> str:
        """Losses and sentences of all models, and the chosen cell."""
        dots = [dot(*self._place(name), 5, NEUTRAL) for name in BUGS]
        x, y = self._place(self._chosen())
        parts = [
            f"<g transform='translate({_MARGIN} {_MARGIN})'>",
            *(self._axes(), *dots, dot(x, y, 8, CARD), dot(x, y, 6, INK)),
            "</g>",
        ]
        lines, y = wrap(self.finding(), _LETTERS), 2 * _MARGIN + _HEIGHT
        parts += [text(_MARGIN, y + _LINE * n, line, weight=600) for n, line in enumerate(lines)]
        return card(WIDTH + 2 * _MARGIN, y + _LINE * len(lines), parts)

    def __repr__(self) -> str:
        return f"BugTable(bug={self.bug!r}, check={self.check!r}, only={self.only!r})"

    def _chosen(self) -> str:
        """The bug, or the first one that is listed where it is not."""
        listed = self._listed[self.only]
        return self.bug if self.bug in listed else listed[:2][-1]

    def _texts(self, told: Sequence[str]) -> dict[str, Any]:
        """All that the page shows, but for the choices."""
        free = self._means.free["pocket"]
        worst, *others = sorted(ASKED, key=lambda name: free[name])
        shares = ", ".join(_percent(free[name]) for name in others)
        return {
            "heading": self.heading,
            "question": {
                "legend": LEGEND,
                "values": ANSWERS,
                "right": STORIES[worst],
                "names": ASKED,
            },
            "headline": f"{STORIES[worst].capitalize()} writes {_percent(free[worst])} of the "
            f"sentences right; the others {shares}.",
            "because": "Training never takes a step: the loss cannot see what is wrong there.",
            "before": f"{len(BUGS)} models, one right, {len(BUGS) - 1} with a bug each. "
            "Four bugs leave exactly the loss of the right model in every seed, "
            f"{self._loss(RIGHT)} on average: the large dots.",
            "key": KEY,
            "unit": ROWS,
            "lists": [*zip(ONLY, told, self._listed.values(), strict=True)],
            "checks": [(name, _TOLD["checks"][name]) for name in self._checks[RIGHT]],
            "bugs": [self._row(name) for name in BUGS],
            "picture": (f"0 0 {WIDTH} {_HEIGHT}", self._axes()),
        }

    def _row(self, name: str) -> dict[str, Any]:
        """What the page shows of one bug; its checks as one string, a line for each."""
        pocket, right = self._means.loc["pocket", name], self._means.loc["pocket", RIGHT]
        copied = self._means.free["copy"]
        beside = "" if name == RIGHT else " (right model: {})"
        told = "; ".join(
            f"{what} {ours}{beside.format(theirs)}"
            for what, ours, theirs in (
                ("Loss on new sentences", f"{pocket.test_loss:.4f}", f"{right.test_loss:.4f}"),
                ("strings copied", _percent(copied[name]), _percent(copied[RIGHT])),
            )
        )
        return {
            "name": name,
            "story": STORIES[name],
            **_TOLD["bugs"].get(name, {}),
            "loss": self._loss(name),
            "trend": self._trends[name],
            "free": _percent(pocket.free),
            "copied": _percent(copied[name]),
            "told": f"{told}.",
            "place": self._place(name),
            "cells": "\n".join(map(_cell, self._checks[name].values())),
        }

    def _loss(self, name: str) -> str:
        return f"{self._means.training_loss['pocket', name]:.4f}"

    def _place(self, name: str) -> tuple[float, float]:
        """Where the dot of a model lies."""
        loss, free = self._means.loc[("pocket", name), ["training_loss", "free"]]
        return round(_across(loss), 1), round(_BOTTOM - (_BOTTOM - _TOP) * free, 1)

    def _axes(self) -> str:
        x = _across(self._means.training_loss["pocket", RIGHT])
        grey = "var(--line, #d0d7de)"
        parts = [
            line([(x, 20), (x, _BOTTOM + 4)], QUIET, 1, "4 4"),
            text(x + 6, 13, "right model", colour=QUIET),
            text(0, 13, "sentences right", weight=600),
            text(WIDTH, _HEIGHT - 4, "training loss", anchor="end", weight=600),
        ]
        for y, words in ((_TOP, "100 %"), (_BOTTOM, "0 %")):
            parts.append(line([(_LEFT, y), (WIDTH, y)], grey, 1))
            parts.append(text(_LEFT - 10, y + 5, words, anchor="end", colour=QUIET))
        for loss in _TICKS:
            parts.append(text(_across(loss), _BOTTOM + 20, f"{loss:g}", "middle", colour=QUIET))
        return "".join(parts)


def _across(loss: float) -> float:
    return _LEFT + 70 * (math.log10(loss) + 3.1)


def _trend(losses: Iterable[float], right: Iterable[float]) -> str:
    """Whether the losses of all seeds are lower, higher or the same; some this, some that: ""."""
    signs = {(one > other) - (one < other) for one, other in zip(losses, right, strict=True)}
    return {-1: "lower", 0: "same", 1: "higher"}[signs.pop()] if len(signs) == 1 else ""


def _percent(share: float) -> str:
    return f"{100 * share:.{1 if 0 < share < 0.01 else 0}f}\u00a0%"


def _mark(check: Check) -> str:
    return "✓" if check.passed else "✗"


def _cell(check: Check) -> str:
    parts = [_mark(check), check.found, "" if check.passed else check.suspects]
    return "\t".join(" ".join(part.split()) for part in parts)
