"""The attention step with vectors that no model made."""

from collections.abc import Sequence

import torch
from widget_fixtures import HOSTILE

from transformer_lite.chapters.c04_queries_keys_values.widget import AttentionStep, LookUp

HAT = "she wears a white hat"
HAT_TOKENS = ["she", "wears", "a", "white", "hat", "<eos>"]
LONG = "the white rabbit wears a hat"
LONG_TOKENS = ["the", "white", "rabbit", "wears", "a", "hat", "<eos>"]
KOREAN = ["그녀 geunyeo “she”", "써요 sseoyo “write / wear”", "<eos>"]


def drawn(asking: Sequence[str], answering: Sequence[str], seed: int) -> LookUp:
    """Independent normal components; those of keys so long that energies have two digits."""
    generator = torch.Generator().manual_seed(seed)
    rows = (len(asking), len(answering), len(answering))
    query, key, value = (torch.randn(count, 16, generator=generator) for count in rows)
    return LookUp(asking, answering, query, 6 * key, value)


def both(source: Sequence[str], target: Sequence[str], seed: int) -> dict[str, LookUp]:
    """A sentence that asks itself, and one that is asked by another."""
    return {"self": drawn(source, source, seed), "cross": drawn(target, source, seed + 1)}


def examples() -> dict[str, AttentionStep]:
    """As a reader meets it first, as full as it gets, and with markup and long words for tokens."""
    sentences = {HAT: both(HAT_TOKENS, KOREAN, 0), LONG: both(LONG_TOKENS, KOREAN, 2)}
    full = {"sentence": LONG, "form": "cross", "query": 2, "prediction": "rabbit", "ask": False}
    words = [HOSTILE, 60 * "w", 60 * "w", HOSTILE]
    return {
        "asking": AttentionStep(sentences),
        "answered": AttentionStep(sentences, **full),
        "hostile": AttentionStep({HOSTILE: both(words, words, 4)}, ask=False),
    }
