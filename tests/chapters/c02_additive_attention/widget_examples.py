"""The decoder stepper with a model that nobody trained, and a caption that nobody recorded."""

from untrained import TEXTS, make_decoder
from widget_fixtures import HOSTILE

from transformer_lite.chapters.c02_additive_attention.recording import Recording
from transformer_lite.chapters.c02_additive_attention.widget import DecoderStepper
from transformer_lite.data import CharacterTokenizer

CAPTION = Recording(
    "Ein Hund rennt durch den verschneiten Wald.",
    ["▁ein", "▁hund", "▁rennt", "▁durch", "▁den", "▁verschneiten", "▁wald", ".", "<eos>"],
    ["▁a", "▁dog", "<eos>"],
    [[0.8, 0.2, *[0.0] * 7], [0.1, 0.875, 0.025, *[0.0] * 6], [*[0.0] * 7, 0.5, 0.5]],
)


class LongTokens(CharacterTokenizer):
    """Shows each character but the hostile ones sixty times, longer than any word."""

    def token(self, index: int) -> str:
        token = super().token(index)
        return token if token in HOSTILE else 60 * token


def examples() -> dict[str, DecoderStepper]:
    """As a reader meets it first, as full as it gets, and with markup and long words for a text."""
    hostile, _, target = make_decoder([HOSTILE, "w"])
    return {
        "asking": DecoderStepper(*make_decoder(), TEXTS, [CAPTION]),
        "answered": DecoderStepper(
            *make_decoder(), TEXTS, source=TEXTS[1], step=9, prediction="the end", ask=False
        ),
        "hostile": DecoderStepper(
            hostile, LongTokens.train([HOSTILE, "w"]), target, [HOSTILE, "wwww"], ask=False
        ),
    }
