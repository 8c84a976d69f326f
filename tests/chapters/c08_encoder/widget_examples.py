"""The stack: it shows no text that others wrote."""

from transformer_lite.chapters.c08_encoder.widget import DepthExplorer


def examples() -> dict[str, DepthExplorer]:
    """As a reader meets it first, and as full as it gets."""
    answered = {"residual": "with", "prediction": "< 0.1", "ask": False}
    return {"asking": DepthExplorer(), "answered": DepthExplorer(**answered)}
