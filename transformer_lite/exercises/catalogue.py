"""All exercises by name; a chapter adds its own by having a module `exercises`."""

import importlib
import importlib.util
import pkgutil
from dataclasses import replace
from functools import cache

from transformer_lite.exercises.exercise import Exercise, read_texts

CHAPTERS = "transformer_lite.chapters"


@cache
def discover() -> dict[str, Exercise]:
    """The exercises of every chapter, found by looking into the chapters' folders.

    Raises:
        ValueError: two exercises have one name.
    """
    found: dict[str, Exercise] = {}
    package = importlib.import_module(CHAPTERS)
    for chapter in pkgutil.iter_modules(package.__path__, f"{CHAPTERS}."):
        if not importlib.util.find_spec(f"{chapter.name}.exercises"):
            continue
        texts = read_texts(chapter.name)
        for exercise in importlib.import_module(f"{chapter.name}.exercises").EXERCISES:
            name = exercise.name
            if name in found:
                raise ValueError(f'exercises must have different names, but two are "{name}"')
            found[name] = replace(exercise, texts=texts[name])
    return found


def find(name: object) -> Exercise:
    """The exercise of this name, with hyphens or as its function is called.

    Raises:
        ValueError: there is none; the message lists those there are.
    """
    exercises = discover()
    exercise = exercises.get(name.replace("_", "-")) if isinstance(name, str) else None
    if exercise is None:
        names = ", ".join(f'"{known}"' for known in exercises)
        came = f'"{name}"' if isinstance(name, str) else f"an object of type {type(name).__name__}"
        raise ValueError(f"name must be that of an exercise, but it is {came}; there are {names}")
    return exercise
