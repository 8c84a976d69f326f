"""Checks of settings and of fields read from files, with one form of message."""

import sys
import unicodedata
from collections.abc import Iterable, Mapping
from numbers import Integral
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

# Limits of configurations: far beyond what this package trains, far below what stops a machine.
MOST_SIZE = 2**20  # of a vocabulary and of a width
MOST_POSITIONS = 2**14
MOST_LAYERS = 200

MOST_SHOWN = 100  # characters of a value in a message
WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a text",
         dict: "a table", tuple: "a list", NoneType: "null"}  # fmt: skip


def shown(value: object, most: int = MOST_SHOWN) -> str:
    """A value in a message: as `repr` writes it, without the middle of what is long."""
    return shortened(repr(value), most)


def shortened(text: str, most: int) -> str:
    """Text without its middle where it has more than `most` characters."""
    if len(text) <= most:
        return text
    return f"{text[: most // 2]} … {text[-most // 4 :]} ({len(text):,} characters)"


def printable(text: str) -> str:
    """Text that commands no terminal: control characters, but line breaks and tabs, as escapes."""
    return "".join(
        character.encode("unicode_escape").decode()
        if unicodedata.category(character) in ("Cc", "Cs") and character not in "\n\t"
        else character
        for character in text
    )


def check_text(name: str, text: object) -> None:
    """Raise ValueError for what is no string, or not UTF-8 (Python hands on lone surrogates)."""
    if not isinstance(text, str):
        raise ValueError(
            f"{name} must be a string, but it is {shown(text)}; hand in one sentence at a time"
        )
    if any(unicodedata.category(character) == "Cs" for character in text):
        raise ValueError(f"{name} must be text in UTF-8, but it is {shown(text)}")


def check_choice(name: str, value: object, literal: Any) -> None:
    """Raise ValueError unless `value` is one of the choices of a `typing.Literal`."""
    check_one_of(name, value, get_args(literal))


def check_one_of(name: str, value: object, choices: Iterable[object]) -> None:
    """Raise ValueError unless `value` is one of the choices, such as the keys of a table."""
    known = list(choices)
    if value not in known:
        words = ", ".join(repr(one) for one in known)
        raise ValueError(f"{name} must be one of {words}, but it is {shown(value)}")


def check_at_least(least: int, settings: object, names: str) -> None:
    """Raise ValueError unless these attributes of `settings`, "a b c", are `least` or more."""
    for name in names.split():
        value = getattr(settings, name)
        if not value >= least:
            raise ValueError(f"{name} must be at least {least}, but it is {shown(value)}")


def check_at_most(most: int, settings: object, names: str) -> None:
    """Raise ValueError unless these attributes of `settings`, "a b c", are None or at most this."""
    for name in names.split():
        value = getattr(settings, name)
        if value is not None and not value <= most:
            raise ValueError(f"{name} must be at most {most}, but it is {shown(value)}")


def check_whole(name: str, value: object, least: int, most: int) -> None:
    """Raise ValueError unless `value` is a whole number from `least` to `most`."""
    if not isinstance(value, Integral) or not least <= int(value) <= most:
        raise ValueError(
            f"{name} must be a whole number from {least} to {most}, but it is {shown(value)}"
        )


def check_share(name: str, value: float) -> None:
    """Raise ValueError unless 0 ≤ `value` < 1, as a probability of dropping something must."""
    if not 0.0 <= value < 1.0:
        raise ValueError(f"{name} must lie in [0, 1), but it is {shown(value)}")


def check_keys(name: str, table: Mapping[str, object], known: Iterable[str]) -> None:
    """Raise ValueError for a key that is not known; `name` is what the keys are called."""
    names = list(known)
    unknown = sorted(set(table) - set(names))
    if unknown:
        raise ValueError(
            f"{name} must be among {', '.join(names)}, but they are "
            f"{shortened(', '.join(unknown), MOST_SHOWN)}"
        )


def check_types(where: str, table: Mapping[str, object], hints: Mapping[str, Any]) -> None:
    """Raise ValueError unless each value is of the type that `hints` has for its key.

    Args:
        where: stands before a key in the message.
        table: as read from JSON or TOML; keys without a hint may hold anything.
        hints: annotations, such as `typing.get_type_hints` gives.
    """
    for key, value in table.items():
        hint = hints.get(key, Any)
        if not _fits(value, hint):
            raise ValueError(f"{where}{key} must be {_words(hint)}, but it is {shown(value)}")


def _fits(value: object, hint: Any) -> bool:
    """Whether a value of JSON or TOML is what an annotation says; a list may stand for a tuple."""
    kind, parts = get_origin(hint) or hint, get_args(hint)
    if kind is Any:
        return True
    if kind in (Union, UnionType):
        return any(_fits(value, part) for part in parts)
    if kind is Literal:  # which of its choices it is, the owner of the field checks
        return type(value) is type(parts[0])
    if kind is int:
        return type(value) is int and abs(value) < 2**63  # what a tensor can hold
    if kind is float:  # neither infinite nor NaN
        number = isinstance(value, int | float) and abs(value) <= sys.float_info.max
        return number and not isinstance(value, bool)
    if kind is tuple:
        if not isinstance(value, list | tuple) or len(value) != len(parts):
            return False
        return all(map(_fits, value, parts))
    if kind is dict:
        return isinstance(value, dict) and all(_fits(one, parts[1]) for one in value.values())
    return type(value) is kind


def _words(hint: Any) -> str:
    """An annotation in words."""
    kind, parts = get_origin(hint) or hint, get_args(hint)
    if kind in (Union, UnionType):
        return " or ".join(_words(part) for part in parts)
    if kind is Literal:
        kind = type(parts[0])
    return WORDS[kind] + (f" ({', '.join(map(_words, parts))})" if kind is tuple else "")
