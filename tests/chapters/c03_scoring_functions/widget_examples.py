"""The softmax explorer: it shows no text that others wrote."""

from transformer_lite.chapters.c03_scoring_functions.widget import SoftmaxExplorer


def examples() -> dict[str, SoftmaxExplorer]:
    """As a reader meets it first, and as full as it gets."""
    answered = {"width": 512, "temperature": 0.1, "prediction": 1, "revealed": True}
    return {"asking": SoftmaxExplorer(), "answered": SoftmaxExplorer(**answered)}
