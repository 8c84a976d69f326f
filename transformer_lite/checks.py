"""Checks of settings, with one form of message."""

from collections.abc import Iterable
from typing import Any, get_args


def check_choice(name: str, value: object, literal: Any) -> None:
    """Raise ValueError unless `value` is one of the choices of a `typing.Literal`."""
    check_one_of(name, value, get_args(literal))


def check_one_of(name: str, value: object, choices: Iterable[object]) -> None:
    """Raise ValueError unless `value` is one of the choices, such as the keys of a table."""
    known = list(choices)
    if value not in known:
        words = ", ".join(repr(one) for one in known)
        raise ValueError(f"{name} must be one of {words}, but it is {value!r}")


def check_at_least(least: int, settings: object, names: str) -> None:
    """Raise ValueError unless these attributes of `settings`, "a b c", are `least` or more."""
    for name in names.split():
        if not getattr(settings, name) >= least:
            raise ValueError(
                f"{name} must be at least {least}, but it is {getattr(settings, name)}"
            )


def check_share(name: str, value: float) -> None:
    """Raise ValueError unless 0 ≤ `value` < 1, as a probability of dropping something must."""
    if not 0.0 <= value < 1.0:
        raise ValueError(f"{name} must lie in [0, 1), but it is {value}")
