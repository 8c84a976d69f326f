"""Exercises of chapter 01, the bottleneck."""

from transformer_lite.chapters.c01_bottleneck.exercises.exact_match import EXACT_MATCH
from transformer_lite.chapters.c01_bottleneck.exercises.gru_step import GRU_STEP
from transformer_lite.chapters.c01_bottleneck.exercises.last_state import LAST_STATE
from transformer_lite.chapters.c01_bottleneck.exercises.masked_loss import MASKED_LOSS
from transformer_lite.chapters.c01_bottleneck.exercises.shift_right import SHIFT_RIGHT

EXERCISES = (SHIFT_RIGHT, EXACT_MATCH, LAST_STATE, GRU_STEP, MASKED_LOSS)
