"""The explorer with maps that no model made."""

from collections.abc import Sequence

import torch
from widget_fixtures import HOSTILE

from transformer_lite.chapters.c06_multi_head.widget import ATTENTIONS, HeadExplorer, HeadView

HAT = "she wears a white hat"
HAT_TOKENS = [*HAT.split(), "<eos>"]
PICTURE = "they give my picture to my friend"
PICTURE_TOKENS = [*PICTURE.split(), "<eos>"]
THEY, TOPIC, MY, SEND = "그들 geudeul “they”", "은 eun “topic”", "제 je “my”", "줘요 jwoyo “give”"
FRIEND, TO, OBJECT = "친구 chingu “friend”", "에게 ege “to”", "을 eul “object”"
DRAWING = "그림 geurim “picture”"
KOREAN = [THEY, TOPIC, MY, FRIEND, TO, MY, DRAWING, OBJECT, SEND]
SHORT = [THEY, TOPIC, MY, DRAWING, OBJECT, SEND]


def drawn(
    answering: Sequence[str], written: Sequence[str], without: Sequence[Sequence[str]]
) -> dict[str, HeadView]:
    """Four random maps of each attention, sharp ones; without a head all of them write the same."""
    views, generator = {}, torch.Generator().manual_seed(0)
    for name in ATTENTIONS:
        asking = answering if name.startswith("encoder") else [*written, "<eos>"]
        energies = torch.randn(4, len(asking), len(answering), generator=generator)
        views[name] = HeadView(asking, answering, (3 * energies).softmax(-1), written, without)
    return views


def examples() -> dict[str, HeadExplorer]:
    """As a reader meets it first, as full as it gets, and with markup and long words for tokens."""
    twice = [*KOREAN[:3], *KOREAN[2:8], SEND]
    views = {
        HAT: drawn(HAT_TOKENS, KOREAN[:6], [KOREAN[:6]] * 4),
        PICTURE: drawn(PICTURE_TOKENS, KOREAN, [KOREAN, KOREAN, SHORT, twice]),
    }
    full = {"sentence": PICTURE, "head": 3, "prediction": "same", "ask": False}
    words = [HOSTILE, 60 * "w", HOSTILE, 60 * "w"]
    return {
        "asking": HeadExplorer(views),
        "answered": HeadExplorer(views, **full),
        "hostile": HeadExplorer({HOSTILE: drawn(words, words, [5 * words] * 4)}, ask=False),
    }
