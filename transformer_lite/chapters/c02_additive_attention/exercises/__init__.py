"""Exercises of chapter 02, additive attention."""

from transformer_lite.chapters.c02_additive_attention.exercises.additive_energies import (
    ADDITIVE_ENERGIES,
)
from transformer_lite.chapters.c02_additive_attention.exercises.context_vectors import (
    CONTEXT_VECTORS,
)
from transformer_lite.chapters.c02_additive_attention.exercises.join_directions import (
    JOIN_DIRECTIONS,
)
from transformer_lite.chapters.c02_additive_attention.exercises.masked_weights import MASKED_WEIGHTS

EXERCISES = (ADDITIVE_ENERGIES, MASKED_WEIGHTS, CONTEXT_VECTORS, JOIN_DIRECTIONS)
