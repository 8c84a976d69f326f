"""The decoder stepper with a model that nobody trained."""

from untrained import TEXTS, make_decoder
from widget_fixtures import HOSTILE

from transformer_lite.chapters.c02_additive_attention.widget import DecoderStepper
from transformer_lite.data import CharacterTokenizer


class LongTokens(CharacterTokenizer):
    """Shows each character sixty times, longer than any word."""

    def token(self, index: int) -> str:
        return 60 * super().token(index)


def examples() -> dict[str, DecoderStepper]:
    """As a reader meets it first, as full as it gets, and with markup and long words for a text."""
    answered = {"text": 1, "step": 7, "prediction": 20, "revealed": True}
    model, _, target = make_decoder([HOSTILE])
    hostile = model, LongTokens.train([HOSTILE]), target
    return {
        "asking": DecoderStepper(*make_decoder(), TEXTS),
        "answered": DecoderStepper(*make_decoder(), TEXTS, **answered),
        "hostile": DecoderStepper(*hostile, [HOSTILE], ask=False),
    }
