"""Each planted bug is seen by the checks that should see it, and by no other."""

import math

import pytest

from transformer_lite import TransformerConfig
from transformer_lite.chapters.c12_debugging.bugs import (
    BUGS,
    RIGHT,
    diagnose_bug,
    distance_from_right,
    planted,
)

SMALL = TransformerConfig(30, 24, d_model=32, heads=4, layers=2, d_ff=64, dropout=0.0)
LEAKS = "prefix, future, steps, hypotheses, loss of padding"
SEEN = {
    RIGHT: "",
    "no-mask": LEAKS,
    "mask-inverted": f"{LEAKS}, past",
    "mask-too-wide": LEAKS,
    "mask-too-narrow": "steps, hypotheses",
    "mask-blocks-all": "past, gradient",
    "mask-after-softmax": f"{LEAKS}, padding",
    "mask-in-training-only": LEAKS,
    "padding-attended": "padding, loss of padding",
    "padding-mask-inverted": "source, order, padding, loss of padding",
    "softmax-over-queries": f"{LEAKS}, padding",
    "heads-merged-wrong": f"{LEAKS}, padding",
    "heads-split-wrong": "prefix, past, padding, steps, hypotheses, loss of padding",
    "not-scaled": "",
    "scaled-by-model": "",
    "norm-over-words": f"{LEAKS}, padding",
    "norm-over-batch": "past, batch mates, hypotheses",
    "layers-shared": "own layers",
    "layers-in-a-list": "gradient",
    "no-positions": "order",
    "positions-divided": "",
    "large-embeddings": "first loss",
    "positions-restart": "steps, hypotheses",
    "cache-late": "steps, hypotheses",
    "beams-mixed": "hypotheses",
    "not-shifted": "written",
    "padding-in-loss": "loss of padding",
    "softmax-twice": "one batch",
}
# Equal weights give equal logits in one call: the bug is in the start, in the steps or in the loss.
NOT_IN_A_CALL = {
    RIGHT, "layers-shared", "large-embeddings", "positions-restart", "cache-late", "beams-mixed",
    "not-shifted", "padding-in-loss",
}  # fmt: skip


@pytest.mark.parametrize("name", BUGS)
def test_it_is_seen_by_the_checks_that_should(name: str) -> None:
    diagnosis = diagnose_bug(name, SMALL)
    assert not any(math.isnan(check.measured) for check in diagnosis.checks), diagnosis  # all run
    failed = set(diagnosis.failed)
    seen = set(filter(None, SEEN[name].split(", ")))
    # What a model with a visible bug writes after its training depends on the training.
    assert failed >= seen and failed - seen <= ({"written"} if seen else set())


@pytest.mark.parametrize("name", BUGS)
def test_a_right_model_beside_it_shows_what_is_wrong_in_a_call(name: str) -> None:
    distance = distance_from_right(planted(name, SMALL))
    assert distance < 1e-4 if name in NOT_IN_A_CALL else distance > 0.1
