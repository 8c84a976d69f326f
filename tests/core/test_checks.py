"""What others wrote, as messages and terminals show it; and what JSON and TOML may hold."""

from typing import Any, Literal

import pytest

from transformer_lite.checks import check_types, printable, shown


def test_long_values_are_shown_without_their_middle() -> None:
    assert shown("Hund") == "'Hund'" and shown(3) == "3"
    long = shown("a" * 10**6 + "z")
    assert long.startswith("'aaa") and long.endswith("z' (1,000,003 characters)")
    assert len(long) < 110


def test_control_characters_become_escapes_and_letters_stay() -> None:
    assert printable("\x1b]0;x\x07\x9b1m\x7f\r\udcff") == r"\x1b]0;x\x07\x9b1m\x7f\r\udcff"
    for text in ("고양이 는", "Schnee\nund\tEis", "می‌خواهم", "👩‍👧"):  # joiners belong to words
        assert printable(text) == text


FITTING: list[tuple[Any, list[Any], list[Any]]] = [
    (int, [0, -3, 2**63 - 1], [True, 1.0, "1", None, 2**63, 10**400]),
    (float, [0, 1.5], [True, "1", float("nan"), float("inf"), 10**400]),
    (bool, [True], [1, "true"]),
    (int | None, [None, 1], ["", 1.5]),
    (Literal["pre", "post"], ["pre", "soup"], [1, None]),  # the owner knows the choices
    (tuple[float, float], [[1, 2.0], (1, 2)], [[1], [1, 2, 3], ["a", "b"], 1, "ab"]),
    (dict[str, float], [{}, {"a": 1}], [{"a": "b"}, [], None]),
    (Any, [None, [1], "a"], []),
]


@pytest.mark.parametrize(("hint", "good", "bad"), FITTING)
def test_values_are_of_the_type_that_an_annotation_says(
    hint: Any, good: list[Any], bad: list[Any]
) -> None:
    for value in good:
        check_types("", {"key": value}, {"key": hint})
    for value in bad:
        with pytest.raises(ValueError, match=r"^\[here\] key must be .*, but it is "):
            check_types("[here] ", {"key": value}, {"key": hint})
