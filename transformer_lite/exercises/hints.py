"""Hints, one step at a time."""

from collections import Counter

from transformer_lite.exercises.catalogue import find
from transformer_lite.exercises.verdict import wrap

_asked: Counter[str] = Counter()  # how often, by exercise


def hint(name: str) -> None:
    """Print the hints of an exercise: the first at the first call, one more at each further call.

    Args:
        name: of the exercise, as the chapter gives it.

    Raises:
        ValueError: there is no exercise of this name; the message lists all names.
    """
    exercise = find(name)
    hints = exercise.texts.hints
    _asked[exercise.name] += 1
    asked = _asked[exercise.name]
    for number, text in enumerate(hints[:asked], 1):
        print(wrap(f"Hint {number} of {len(hints)}: {text}"))
    if asked > len(hints):
        print(wrap("There are no more hints. Check what you have: the verdict says what is wrong."))
