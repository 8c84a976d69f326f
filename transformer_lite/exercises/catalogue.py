"""All exercises by name; a chapter adds its own by having a module `exercises`."""

import importlib
import importlib.util
import pkgutil
from functools import cache

from transformer_lite.exercises.exercise import Exercise

CHAPTERS = "transformer_lite.chapters"


@cache
def discover() -> dict[str, Exercise]:
    """The exercises of every chapter, found by looking into the chapters' folders."""
    found: dict[str, Exercise] = {}
    package = importlib.import_module(CHAPTERS)
    for chapter in pkgutil.iter_modules(package.__path__, f"{CHAPTERS}."):
        name = f"{chapter.name}.exercises"
        if importlib.util.find_spec(name):
            module = importlib.import_module(name)
            found |= {exercise.name: exercise for exercise in module.EXERCISES}
    return found


def find(name: object) -> Exercise:
    """The exercise of this name.

    Raises:
        ValueError: there is none; the message lists those there are.
    """
    exercises = discover()
    exercise = exercises.get(name) if isinstance(name, str) else None
    if exercise is None:
        names = ", ".join(f'"{known}"' for known in exercises)
        came = f'"{name}"' if isinstance(name, str) else f"an object of type {type(name).__name__}"
        raise ValueError(f"name: expected the name of an exercise, got {came}; there are {names}")
    return exercise
