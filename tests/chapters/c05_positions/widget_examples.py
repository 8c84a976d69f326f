"""The dials: they show no text that others wrote."""

from transformer_lite.chapters.c05_positions.widget import PositionDials


def examples() -> dict[str, PositionDials]:
    """As a reader meets it first, and as full as it gets."""
    answered = {"position": 31, "shift": 16, "prediction": "ω = 1", "ask": False}
    return {"asking": PositionDials(), "answered": PositionDials(**answered)}
