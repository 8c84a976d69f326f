"""All exercises by name; a chapter adds its own by standing in `CHAPTERS`."""

from transformer_lite.exercises import additive, bottleneck, scoring
from transformer_lite.exercises.exercise import Exercise

CHAPTERS: tuple[tuple[Exercise, ...], ...] = (
    bottleneck.EXERCISES,
    additive.EXERCISES,
    scoring.EXERCISES,
)

EXERCISES = {exercise.name: exercise for chapter in CHAPTERS for exercise in chapter}


def find(name: object) -> Exercise:
    """The exercise of this name.

    Raises:
        ValueError: there is none; the message lists those there are.
    """
    exercise = EXERCISES.get(name) if isinstance(name, str) else None
    if exercise is None:
        names = ", ".join(f'"{known}"' for known in EXERCISES)
        came = f'"{name}"' if isinstance(name, str) else f"an object of type {type(name).__name__}"
        raise ValueError(f"name: expected the name of an exercise, got {came}; there are {names}")
    return exercise
