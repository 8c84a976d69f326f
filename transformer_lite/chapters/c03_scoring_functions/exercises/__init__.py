"""Exercises of chapter 03, scoring functions."""

from transformer_lite.chapters.c03_scoring_functions.exercises.concat_energies import (
    CONCAT_ENERGIES,
)
from transformer_lite.chapters.c03_scoring_functions.exercises.local_window import LOCAL_WINDOW
from transformer_lite.chapters.c03_scoring_functions.exercises.scaled_dot_energies import (
    SCALED_DOT_ENERGIES,
)
from transformer_lite.chapters.c03_scoring_functions.exercises.temperature import TEMPERATURE

EXERCISES = (SCALED_DOT_ENERGIES, CONCAT_ENERGIES, TEMPERATURE, LOCAL_WINDOW)
