"""The softmax explorer: it shows no text that others wrote."""

from transformer_lite.chapters.c03_scoring_functions.widget import SoftmaxExplorer


def examples() -> dict[str, SoftmaxExplorer]:
    """As a reader meets it first, and as full as it gets."""
    answered = {"width": 512, "temperature": 22.63, "prediction": "above 0.9", "ask": False}
    return {"asking": SoftmaxExplorer(), "answered": SoftmaxExplorer(**answered)}
