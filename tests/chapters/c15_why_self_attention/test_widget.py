"""Who wins: it counts what layers do, and self-attention is overtaken where the page says so."""

import json
import math
from itertools import product
from xml.etree import ElementTree

import pytest
import torch
from ipywidgets import Widget
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from transformer_lite.attention import MultiHeadAttention
from transformer_lite.chapters.c15_why_self_attention.widget import (
    AXES,
    KEPT,
    LENGTHS,
    MULTIPLY_ADDS,
    PATH,
    STEPS,
    WIDTHS,
    WhoWins,
    _written,
    counts,
    parts,
)
from transformer_lite.scope import AttentionRecord, Scope

SETTINGS = list(product(LENGTHS, WIDTHS))
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def wins() -> WhoWins:
    return WhoWins()


def multiply_adds(layer: nn.Module, *inputs: Tensor | Scope) -> int:
    """Of its matrix products, counted by torch, which takes each for two operations."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        layer(*inputs)
    return counter.get_total_flops() // 2


@pytest.mark.parametrize(("length", "width"), [(16, 64), (64, 64), (128, 64)])
def test_multiply_adds_are_those_of_torch(length: int, width: int) -> None:
    x, expected = torch.zeros(1, length, width), counts(length, width)[MULTIPLY_ADDS]
    written_out = Scope(
        record=AttentionRecord()
    )  # torch does not count what its fused form multiplies
    assert multiply_adds(MultiHeadAttention(width, 4), x, x, x, written_out) == expected.attention
    assert multiply_adds(nn.GRU(width, width, batch_first=True), x) == expected.gru
    padded = torch.zeros(1, width, length + 2)  # in front, as a causal layer has it
    assert multiply_adds(nn.Conv1d(width, width, 3), padded) == expected.convolution


def test_a_window_costs_as_attention_to_64_words_does() -> None:
    for length, width in SETTINGS:
        whole, few = counts(length, width), counts(min(length, 64), width)
        # As many texts of 64 words hold as many words and as many pairs.
        texts = length // min(length, 64)
        assert whole[MULTIPLY_ADDS].window == texts * few[MULTIPLY_ADDS].attention
        assert whole[KEPT].window == texts * few[KEPT].attention


@pytest.mark.parametrize(("kind", "further"), [("convolution", 2), ("window", 63)])
def test_a_path_ends_as_soon_as_the_first_word_is_seen(kind: str, further: int) -> None:
    for length in LENGTHS:
        layers, farthest = 0, length - 1
        while farthest > 0:
            layers, farthest = layers + 1, farthest - further
        assert getattr(counts(length, 64)[PATH], kind) == layers


@pytest.mark.parametrize("length", [16, 16384])
def test_attention_alone_needs_one_step_and_one_layer(length: int) -> None:
    found = counts(length, 512)
    assert found[STEPS] == (1, length, 1, 1)
    assert found[PATH][:2] == (1, length)
    assert found[KEPT][:3] == (length**2, 512, 0)


def test_the_gru_is_overtaken_at_n_equal_to_d(wins: WhoWins) -> None:
    for length, width in SETTINGS:
        answer = wins.finding(length, width, MULTIPLY_ADDS).answer
        assert answer == ("fewer" if length < width else "more" if length > width else "as many")


def test_pairs_of_words_overtake_projections_at_n_equal_to_2d() -> None:
    for length, width in SETTINGS:
        projections, pairs = parts(length, width)
        assert projections + pairs == counts(length, width)[MULTIPLY_ADDS].attention
        assert (pairs > projections, pairs == projections) == (
            length > 2 * width,
            length == 2 * width,
        )


def test_the_answer_compares_the_numbers_that_are_shown(wins: WhoWins) -> None:
    for length, width in SETTINGS:
        for compared, found in counts(length, width).items():
            answer = wins.finding(length, width, compared).answer
            assert (answer == "fewer") == (found.attention < found.gru)
            assert (answer == "as many") == (_written(found.attention) == _written(found.gru))


@pytest.mark.parametrize(
    ("count", "written"),
    [
        (0, "0"),
        (786_432, "786,432"),
        (1_048_576, "1.05 million"),
        (618_475_290_624, "618 billion"),
    ],
)
def test_large_numbers_have_three_digits(count: int, written: str) -> None:
    assert _written(count) == written


@pytest.mark.parametrize(
    ("length", "said"),
    [
        (128, ["n = D/4:", " 0.75 times ", " 11 % "]),
        (512, ["n = D:", " 1.00 times ", " 33 % "]),
        (1024, ["n = 2D:", " 1.33 times ", " 50 % "]),
    ],
)
def test_the_sentence_says_where_it_stands(wins: WhoWins, length: int, said: list[str]) -> None:
    sentence = wins.finding(length, 512, MULTIPLY_ADDS).sentence
    assert all(part in sentence for part in said)


@pytest.mark.parametrize(
    ("compared", "marked"),
    [
        (MULTIPLY_ADDS, ["convolution of 3"]),
        (STEPS, ["self-attention", "convolution of 3", "window of 64"]),
        (PATH, ["self-attention"]),
        (KEPT, ["convolution of 3"]),
    ],
)
def test_all_that_need_the_fewest_are_marked(compared: str, marked: list[str]) -> None:
    widget = WhoWins(compared=compared)
    lines = [one for one in widget.words().splitlines() if one.endswith(", fewest")]
    assert [line.split(":")[0] for line in lines] == marked
    assert widget.still().count("fewest: ") == len(marked)


def test_every_number_is_on_its_axis() -> None:
    for length, width in SETTINGS:
        for compared, found in counts(length, width).items():
            low, *_, high = AXES[compared]
            assert all(10**low <= count <= 10**high for count in found if count)


def test_bars_are_as_long_as_the_logarithms_of_their_numbers() -> None:
    length, width = 2048, 256
    still = WhoWins(length=length, width=width).still()
    bars = [bar for bar in ElementTree.fromstring(still).iter(f"{SVG}rect") if "x" in bar.attrib]
    expected = [*counts(length, width)[MULTIPLY_ADDS], *parts(length, width)]
    lengths = [340 / 7 * (math.log10(count) - 5) for count in expected]
    assert [float(bar.attrib["width"]) for bar in bars] == pytest.approx(lengths, abs=0.51)


def test_what_would_tell_the_answer_is_covered_until_then(wins: WhoWins) -> None:
    (picture,) = wins.pictures()
    asked = " ".join(wins._now(one.draw).words for one in picture.layers if one.ask is not False)
    assert "self-attention and window of 64: covered" in asked
    assert "GRU: 201 million" in asked
    assert "self-attention: " not in asked and "pairs of words" not in asked


def test_a_page_can_carry_it(wins: WhoWins) -> None:
    assert len(json.dumps(Widget.get_manager_state(widgets=[wins]))) < 100_000
