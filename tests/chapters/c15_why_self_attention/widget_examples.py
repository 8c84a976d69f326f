"""Who wins: it shows no text that others wrote."""

from transformer_lite.chapters.c15_why_self_attention.widget import WhoWins


def examples() -> dict[str, WhoWins]:
    """As a reader meets it first, and as full as it gets."""
    answered = {"length": 16384, "width": 512, "prediction": "fewer", "ask": False}
    return {"asking": WhoWins(), "answered": WhoWins(**answered)}
