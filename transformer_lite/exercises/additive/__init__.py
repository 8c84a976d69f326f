"""Exercises of chapter 02, additive attention."""

from transformer_lite.exercises.additive.additive_energies import ADDITIVE_ENERGIES
from transformer_lite.exercises.additive.context_vectors import CONTEXT_VECTORS
from transformer_lite.exercises.additive.join_directions import JOIN_DIRECTIONS
from transformer_lite.exercises.additive.masked_weights import MASKED_WEIGHTS

EXERCISES = (ADDITIVE_ENERGIES, MASKED_WEIGHTS, CONTEXT_VECTORS, JOIN_DIRECTIONS)
