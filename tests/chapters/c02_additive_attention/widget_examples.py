"""The decoder stepper with a model that nobody trained."""

from untrained import TEXTS, make_decoder
from widget_fixtures import HOSTILE

from transformer_lite.chapters.c02_additive_attention.widget import DecoderStepper


def examples() -> dict[str, DecoderStepper]:
    """As a reader meets it first, as full as it gets, and with markup for a text."""
    answered = {"text": 1, "step": 7, "prediction": 20, "revealed": True}
    return {
        "asking": DecoderStepper(*make_decoder(), TEXTS),
        "answered": DecoderStepper(*make_decoder(), TEXTS, **answered),
        "hostile": DecoderStepper(*make_decoder([HOSTILE]), [HOSTILE], ask=False),
    }
