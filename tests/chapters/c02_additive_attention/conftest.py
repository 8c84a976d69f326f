"""A decoder stepper in a state of choice."""

from collections.abc import Callable
from typing import Any

import pytest
from untrained import TEXTS, make_decoder

from transformer_lite.chapters.c02_additive_attention.widget import DecoderStepper


@pytest.fixture
def make_stepper() -> Callable[..., DecoderStepper]:
    """Makes the widget for the first `texts` of the texts."""
    decoder = make_decoder()

    def make(texts: int = len(TEXTS), **state: Any) -> DecoderStepper:
        return DecoderStepper(*decoder, TEXTS[:texts], **state)

    return make
