"""The table of bugs with made-up checks: no model is trained for it."""

from dataclasses import replace
from typing import Any

from widget_fixtures import HOSTILE

from transformer_lite import results
from transformer_lite.chapters.c12_debugging.bugs import BUGS, RIGHT
from transformer_lite.chapters.c12_debugging.widget import BugTable
from transformer_lite.diagnosis import RULES, Check, Diagnosis

PASSED = tuple(Check(name, 0.0, finds.format(0), True, so) for name, _, finds, so in RULES)


def diagnosed(**seen: str) -> dict[str, Diagnosis]:
    """A diagnosis of each bug: it is seen by the checks of its name, with _ for -, or by "past"."""
    names = {name: seen.get(name.replace("-", "_"), "past").split(", ") for name in BUGS}
    names[RIGHT] = []
    return {
        name: Diagnosis(
            tuple(
                replace(check, found=check.found.replace("0", "1.5"), passed=False)
                if check.name in failed
                else check
                for check in PASSED
            )
        )
        for name, failed in names.items()
    }


def made(diagnoses: dict[str, Diagnosis], **state: Any) -> BugTable:
    """Over the stored runs."""
    return BugTable(diagnoses, results.load("bugs"), **state)


def examples() -> dict[str, BugTable]:
    """As a reader meets it first, as full as it gets, and with an error of somebody's model."""
    raised = diagnosed()
    first, *others = raised["no-mask"].checks
    raised["no-mask"] = Diagnosis((replace(first, found=HOSTILE, passed=False), *others))
    return {
        "asking": made(diagnosed()),
        "answered": made(
            diagnosed(no_mask="prefix, future, loss of padding"),
            bug="no-mask",
            check="loss of padding",
            prediction="a causal mask in training only",
            ask=False,
        ),
        "hostile": made(raised, bug="no-mask", check="prefix", ask=False),
    }
