"""Checks for the reader's own code that name the misconception behind a wrong answer, and hints."""

from transformer_lite.exercises.checking import check
from transformer_lite.exercises.hints import hint
from transformer_lite.exercises.verdict import Verdict

__all__ = ["Verdict", "check", "hint"]
