"""The stack: it is the package's encoder, and what it shows is not an accident of its seed."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from typing import Any

import pytest
import torch
from ipywidgets import Widget
from torch import Tensor
from widget_fixtures import filled_shapes

from transformer_lite.chapters.c08_encoder import widget as module
from transformer_lite.chapters.c08_encoder.widget import (
    BETWEEN,
    BOUNDS,
    CONFIG,
    DEPTHS,
    LESS,
    MORE,
    DepthExplorer,
    Norm,
    signals,
)
from transformer_lite.scope import Scope
from transformer_lite.transformer import Encoder, Residual

Sublayer = Callable[[Tensor], Tensor]
KINDS: dict[tuple[Norm, module.Residual], Callable[[Residual, Tensor, Sublayer], Tensor]] = {
    ("none", "with"): lambda self, x, sublayer: x + sublayer(x),
    ("none", "without"): lambda self, x, sublayer: sublayer(x),
    ("post", "with"): lambda self, x, sublayer: self.norm(x + sublayer(x)),
    ("post", "without"): lambda self, x, sublayer: self.norm(sublayer(x)),
    ("pre", "with"): lambda self, x, sublayer: x + sublayer(self.norm(x)),
    ("pre", "without"): lambda self, x, sublayer: sublayer(self.norm(x)),
}


@pytest.fixture(scope="module")
def explorer() -> DepthExplorer:
    return DepthExplorer()


def size(x: Tensor) -> float:
    return float(x.detach().norm() / math.sqrt(x.numel()))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("layers", [1, 5])
def test_it_is_the_encoder_with_its_residual_exchanged(
    monkeypatch: pytest.MonkeyPatch, kind: tuple[Norm, module.Residual], layers: int
) -> None:
    stack, tokens, read_out = module._drawn()
    encoder = Encoder(replace(CONFIG, layers=layers, final_norm=False)).double()
    for own, drawn in zip(encoder.layers, stack, strict=False):
        own.load_state_dict(drawn.state_dict())
    monkeypatch.setattr(Residual, "forward", KINDS[kind])
    states = [tokens]
    for layer in encoder.layers:
        layer.register_forward_hook(lambda _, given, got: states.append(got))
    loss = (encoder(tokens, Scope()) * read_out).sum()
    gradients = torch.autograd.grad(loss, states[:-1])
    found = signals(*kind, layers)
    assert found.signal == pytest.approx([size(one) for one in states[1:]])
    assert found.gradient == pytest.approx([size(one) for one in gradients])
    one, other = torch.combinations(torch.arange(10)).T
    cosines = [torch.cosine_similarity(x[0, one], x[0, other]) for x in states[1:]]
    assert found.alike == pytest.approx([pairs.mean().item() for pairs in cosines])


def test_both_ways_begin_at_size_1() -> None:
    _, tokens, read_out = module._drawn()
    assert [size(tokens), size(read_out)] == pytest.approx([1, 1], rel=1e-4)


def test_only_without_a_norm_does_the_gradient_leave_the_middle(explorer: DepthExplorer) -> None:
    found = {
        (kind, layers): explorer.finding(*kind, layers).answer
        for kind, layers in product(KINDS, DEPTHS)
    }
    assert {key for key, answer in found.items() if answer == MORE} == {
        (("none", "with"), layers) for layers in DEPTHS[3:]
    }
    assert {key for key, answer in found.items() if answer == LESS} == {
        (("none", "without"), layers) for layers in DEPTHS[2:]
    }


def test_words_become_one_without_residual_connections_whatever_their_size() -> None:
    found = {kind: signals(*kind, 12).alike for kind in KINDS}
    assert min(found[norm, "without"][1] for norm in ("none", "post", "pre")) > 0.99
    assert max(found[norm, "with"][1] for norm in ("none", "post", "pre")) < 0.3
    assert found["pre", "with"][-1] < 0.75 < 0.95 < found["none", "with"][-1]
    assert found["post", "with"][-1] > 0.99


def test_no_gradient_is_written_as_a_bound() -> None:
    for kind, layers in product(KINDS, DEPTHS):
        reached = signals(*kind, layers).gradient[0]
        assert all(abs(math.log(reached / bound)) > 0.05 for bound in BOUNDS)


@pytest.fixture
def reseed(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Draws everything anew from another seed; afterwards, the old one is back."""

    def forget() -> None:
        module._drawn.cache_clear()
        signals.cache_clear()

    def again(seed: int) -> None:
        monkeypatch.setattr(module, "SEED", seed)
        forget()

    yield again
    forget()


@pytest.mark.parametrize("seed", range(3))
def test_other_seeds_answer_alike(explorer: DepthExplorer, reseed: Any, seed: int) -> None:
    reseed(seed)
    answers = [explorer.finding(*kind, 12).answer for kind in KINDS if kind != ("pre", "without")]
    assert answers == [MORE, LESS, BETWEEN, BETWEEN, BETWEEN]


def test_drawing_leaves_the_random_numbers_of_others_alone(reseed: Any) -> None:
    before = torch.get_rng_state()
    reseed(0)
    signals("none", "with", 1)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("kind", KINDS)
def test_bars_are_as_long_as_their_numbers(kind: tuple[Norm, module.Residual]) -> None:
    norm, residual = kind
    shapes = filled_shapes(DepthExplorer(norm=norm, residual=residual, layers=7).still())
    signal, gradient, alike = signals(norm, residual, 7)
    powers = [[11 * math.log10(one) for one in sizes] for sizes in (signal, gradient)]
    for points, wanted in zip(shapes, [*powers, [44 * one for one in alike]], strict=True):
        bars = [points[start : start + 4] for start in range(0, len(points), 4)]
        for (foot, tip, _, _), one in zip(bars, wanted, strict=True):
            length = tip[0] - foot[0]
            assert length == pytest.approx(one, abs=0.51) or abs(one) < abs(length) == 2
        bottoms = [bar[0][1] for bar in bars]
        assert bottoms == sorted(bottoms, reverse=True)


@pytest.mark.parametrize(
    ("value", "written"),
    [(0.00214, "0.0021"), (0.2, "0.20"), (1, "1.0"), (9.96, "10"), (118_000, "120,000")],
)
def test_sizes_have_two_digits(value: float, written: str) -> None:
    assert module._written(value) == written


def test_the_sentence_has_the_numbers_of_the_picture(explorer: DepthExplorer) -> None:
    widget = DepthExplorer(residual="with", prediction=MORE, ask=False)
    _, signal, gradient, alike, sentence = widget.words().splitlines()
    assert f"layer 12 at size {signal.split(', ')[-1]}, " in sentence
    assert f"alike by {alike.split(', ')[-1]};" in sentence
    assert f"is {gradient.split(': ')[1].split(', ')[0]} at layer 1's input" in sentence


def test_the_gradient_is_covered_until_then(explorer: DepthExplorer) -> None:
    (picture,) = explorer.pictures()
    asked = [explorer._now(one.draw).words for one in picture.layers if one.ask is not False]
    assert [words.split(":")[0] for words in asked[1:]] == [
        "signal behind layers 1 to 12",
        "gradient",
        "alike behind layers 1 to 12",
    ]
    assert asked[2] == "gradient: covered"


def test_a_page_can_carry_it(explorer: DepthExplorer) -> None:
    assert len(json.dumps(Widget.get_manager_state(widgets=[explorer]))) < 100_000
