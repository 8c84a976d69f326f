"""The live Transformer: as a reader meets it first, and with a map open and parts changed."""

from transformer_lite.chapters.c10_transformer.widget import LiveTransformer
from transformer_lite.translator import Translator


def examples() -> dict[str, LiveTransformer]:
    """As a reader meets it first, and as full as it gets: no text that others wrote is shown."""
    translator = Translator.load("pocket")
    return {
        "asking": LiveTransformer(translator),
        "answered": LiveTransformer(
            translator,
            text="we met an old man at the market yesterday",
            written=99,
            opened="decoder.1.cross.weights",
            off=["encoder.1", "decoder.0.cross.2"],
            positions=0.5,
            prediction="apple",
            ask=False,
        ),
    }
