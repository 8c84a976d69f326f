"""The decoder stepper with a date and a caption that no model wrote."""

from widget_fixtures import HOSTILE

from transformer_lite.chapters.c02_additive_attention.recording import Recording
from transformer_lite.chapters.c02_additive_attention.widget import DecoderStepper

DATE = Recording(
    "2 May 21",
    [*"2 May 21", "<eos>"],
    [*"21-", "<eos>"],
    [
        [0.0, 0.0, 0.02, 0.0, 0.0, 0.0, 0.48, 0.5, 0.0],  # the year, though no place has most
        [0.25, 0.0, 0.25, 0.125, 0.0, 0.0, 0.125, 0.25, 0.0],
        [0.0, 0.875, 0.125, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],  # a space
        [0.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.25, 0.25, 0.0],
    ],
    {"day": range(0, 1), "month": range(2, 5), "year": range(6, 8)},
)
CAPTION = Recording(
    "Ein Hund rennt durch den verschneiten Wald.",
    ["▁ein", "▁hund", "▁rennt", "▁durch", "▁den", "▁verschneiten", "▁wald", ".", "<eos>"],
    ["▁a", "▁dog", "<eos>"],
    [[0.8, 0.2, *[0.0] * 7], [0.1, 0.875, 0.025, *[0.0] * 6], [*[0.0] * 7, 0.5, 0.5]],
)


def even(text: str, tokens: list[str], parts: dict[str, range]) -> Recording:
    """As many digits written as there are tokens, each of which has the same weight."""
    count = len(tokens)
    return Recording(text, tokens, ["9"] * count, [[1 / count] * count] * count, parts)


LONG = "Friday the 3rd of July 1998"


def examples() -> dict[str, DecoderStepper]:
    """As a reader meets it first, as full as it gets, and with markup and long words for a text."""
    long = even(LONG, [*LONG, "<eos>"], {"weekday": range(0, 6), "day": range(11, 14)})
    hostile = even(HOSTILE, [60 * "w", *HOSTILE, "<eos>"], {HOSTILE: range(2, 9)})
    return {
        "asking": DecoderStepper([DATE, CAPTION]),
        "answered": DecoderStepper([DATE, long], source=LONG, step=28, prediction="day", ask=False),
        "hostile": DecoderStepper([hostile, even("w", [*4 * [60 * "w"], "<eos>"], {})], ask=False),
    }
