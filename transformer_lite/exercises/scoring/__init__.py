"""Exercises of chapter 03, scoring functions."""

from transformer_lite.exercises.scoring.concat_energies import CONCAT_ENERGIES
from transformer_lite.exercises.scoring.local_window import LOCAL_WINDOW
from transformer_lite.exercises.scoring.scaled_dot_energies import SCALED_DOT_ENERGIES
from transformer_lite.exercises.scoring.temperature import TEMPERATURE

EXERCISES = (SCALED_DOT_ENERGIES, CONCAT_ENERGIES, TEMPERATURE, LOCAL_WINDOW)
