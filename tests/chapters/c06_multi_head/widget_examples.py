"""The explorer with maps that no model made."""

from collections.abc import Sequence

import torch
from widget_fixtures import HOSTILE

from transformer_lite.chapters.c06_multi_head.ablation import SHOWN, HeadView, Word
from transformer_lite.chapters.c06_multi_head.widget import HeadExplorer

HAT = "she wears a white hat"
HAT_TOKENS = [*HAT.split(), "<eos>"]
PICTURE = "they give my picture to my friend"
PICTURE_TOKENS = [*PICTURE.split(), "<eos>"]
THEY, TOPIC, MY = Word("그들", "they"), Word("은", "topic"), Word("제", "my")
TO_FRIEND = [MY, Word("친구", "friend"), Word("에게", "to")]
PICTURE_GIVEN = [MY, Word("그림", "picture"), Word("을", "object"), Word("줘요", "give")]
KOREAN = [THEY, TOPIC, *TO_FRIEND, *PICTURE_GIVEN]
SHORT = [THEY, TOPIC, *PICTURE_GIVEN]


def drawn(
    answering: Sequence[str], written: Sequence[Word], without: Sequence[Sequence[Word]]
) -> dict[str, HeadView]:
    """Random maps of each attention, sharp ones, one fewer than translations without a head."""
    views, generator = {}, torch.Generator().manual_seed(0)
    for name in SHOWN:
        asking = answering if name.startswith("encoder") else [*map(" ".join, written), "<eos>"]
        energies = torch.randn(len(without) - 1, len(asking), len(answering), generator=generator)
        views[name] = HeadView(asking, answering, (3 * energies).softmax(-1), written, without)
    return views


def examples() -> dict[str, HeadExplorer]:
    """As a reader meets it first, as full as it gets, and with markup and long words for tokens."""
    views = {
        HAT: drawn(HAT_TOKENS, KOREAN[:6], [KOREAN[:6]] * 5),
        PICTURE: drawn(PICTURE_TOKENS, KOREAN, [KOREAN, SHORT, KOREAN, KOREAN, 2 * TO_FRIEND]),
    }
    words = [HOSTILE, 60 * "w", HOSTILE, 60 * "w"]
    long = [Word(one, "wears") for one in words]
    return {
        "asking": HeadExplorer(views),
        "answered": HeadExplorer(views, head="all", prediction="same", ask=False),
        "hostile": HeadExplorer({HOSTILE: drawn(words, long, [5 * long] * 5)}, ask=False),
    }
