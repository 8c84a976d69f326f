"""Exercises of chapter 01, the bottleneck."""

from transformer_lite.exercises.bottleneck.exact_match import EXACT_MATCH
from transformer_lite.exercises.bottleneck.gru_step import GRU_STEP
from transformer_lite.exercises.bottleneck.last_state import LAST_STATE
from transformer_lite.exercises.bottleneck.masked_loss import MASKED_LOSS
from transformer_lite.exercises.bottleneck.shift_right import SHIFT_RIGHT

EXERCISES = (SHIFT_RIGHT, EXACT_MATCH, LAST_STATE, GRU_STEP, MASKED_LOSS)
