"""Chapter 08: how large and how alike words climb a stack, and the gradient that comes back."""

import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from transformer_lite.palette import ENCODER, NEUTRAL
from transformer_lite.transformer import EncoderLayer, TransformerConfig, initialise
from transformer_lite.widgets.drawing import INK, QUIET, Number, area, halo, line, text
from transformer_lite.widgets.frames import (
    WIDTH,
    Choice,
    Finding,
    Frame,
    FrameWidget,
    Layer,
    Picture,
    Question,
    Slider,
)

Norm = Literal["none", "post", "pre"]
Residual = Literal["with", "without"]
DEPTHS = range(1, 13)
TOKENS, WIDTH_OF_TOKEN = 10, 64
CONFIG = TransformerConfig(1, 1, d_model=WIDTH_OF_TOKEN, heads=4, d_ff=128, dropout=0.0)
# Near the median of 60 seeds at every setting, and nowhere close to a bound.
SEED, BOUNDS = 59, (0.1, 10)
LESS, BETWEEN, MORE = ANSWERS = ("< 0.1", "0.1 to 10", "> 10")
# In pixels: a power of ten, from row to row, the height of a bar, the ground of layer 1.
_DECADE, _ROW, _THICK, _GROUND = 11, 20, 12, 284
# Where bars begin: at size 1, and at cosine 0; cosine 1 is `_WHOLE` pixels further.
_SIGNAL, _GRADIENT, _ALIKE, _WHOLE = 60, 164, 256, 44


class Signals(NamedTuple):
    """What is measured at layers 1, 2, … of one stack.

    `signal` is the size of what leaves a layer, `alike` the mean cosine of two different words of
    it; `gradient` is the size of the loss's gradient with respect to what enters the layer. A size
    is the root mean square of all components.
    """

    signal: tuple[float, ...]
    gradient: tuple[float, ...]
    alike: tuple[float, ...]


class DepthExplorer(FrameWidget):
    """Predict, then see, what depth does to words and gradient, by norm and residual connection.

    What the reader chose can be read back and set: `norm` ("none", "post", "pre"), `residual`
    ("with", "without"), `layers`, `prediction` (one of `ANSWERS`; None before there is one), and
    `ask` (hide the answer).

    Args:
        state: initial values of the names above, such as `norm="pre"`.

    Raises:
        traitlets.TraitError: a value of `state` is outside its range.
    """

    heading = "Signal and gradient in an untrained stack"
    norm = Choice("Normalisation", ("none", "post", "pre"), "none")
    residual = Choice("Residual connections", ("with", "without"), "without")
    layers = Slider("Layers", DEPTHS, DEPTHS[-1])
    prediction = Question(
        "Predict: a gradient of 1 enters at the top. How large at layer 1?",
        ANSWERS,
    )

    def pictures(self) -> list[Picture]:
        """A row for each layer, the first at the bottom; how large and how alike words leave it."""
        layers = [Layer(_signal), Layer(_gradient, False), Layer(_covered, True), Layer(_alike)]
        return [Picture(_GROUND + 20, [Layer(_axes), *layers])]

    def finding(self, norm: Norm, residual: Residual, layers: int) -> Finding:
        """What came out at the top, and at the bottom on the way back."""
        signal, gradient, alike = signals(norm, residual, layers)
        return Finding(
            f"The signal leaves layer {layers} at size {_written(signal[-1])}, its words alike by "
            f"{alike[-1]:.2f}; the gradient is {_written(gradient[0])} at layer 1's input.",
            ANSWERS[sum(gradient[0] >= bound for bound in BOUNDS)],
        )


@cache
def signals(norm: Norm, residual: Residual, layers: int) -> Signals:
    """What climbs the first `layers` of the twelve, and the gradient that comes back.

    The layers are those of `Encoder`, as they are before training: Xavier-uniform matrices, biases
    0, gains 1, no final norm. The ten tokens are random, each with mean 0 and variance 1. The loss
    is a weighted sum of what leaves the last layer, its weights drawn likewise: the gradient that
    enters at the top has size 1.

    Args:
        norm: "none"; "post" normalises behind each sublayer (behind the sum, where there is one),
            "pre" in front of it.
        residual: "with" adds what entered the sublayer to what leaves it, "without" does not.
        layers: how many, from 1 to 12.
    """
    stack, tokens, read_out = _drawn()
    states = [tokens]
    for layer in stack[:layers]:
        states.append(_through(layer, states[-1], norm, residual))
    gradients = torch.autograd.grad((read_out * states[-1]).sum(), states[:-1])
    alike = tuple(_mean_cosine(state[0]) for state in states[1:])
    return Signals(_sizes(states[1:]), _sizes(gradients), alike)


def _through(layer: EncoderLayer, x: Tensor, norm: Norm, residual: Residual) -> Tensor:
    sublayers: list[Callable[[Tensor], Tensor]] = [
        lambda y: layer.self_attention(y, y, y),
        layer.feed_forward,
    ]
    for sublayer in sublayers:
        y = sublayer(_normalised(x) if norm == "pre" else x)  # 1 S D
        y = x + y if residual == "with" else y  # 1 S D
        x = _normalised(y) if norm == "post" else y  # 1 S D
    return x


@cache
def _drawn() -> tuple[Sequence[EncoderLayer], Tensor, Tensor]:
    """The layers, the tokens and the weights of the loss, all of one seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        stack = nn.ModuleList(EncoderLayer(CONFIG) for _ in DEPTHS)
        initialise(stack)
        tokens, read_out = _normalised(torch.randn(2, 1, TOKENS, WIDTH_OF_TOKEN).double())
    return stack.double(), tokens.requires_grad_(), read_out  # type: ignore[return-value]


def _normalised(x: Tensor) -> Tensor:
    return F.layer_norm(x, (WIDTH_OF_TOKEN,))


def _sizes(tensors: Sequence[Tensor]) -> tuple[float, ...]:
    return tuple(one.square().mean().sqrt().item() for one in tensors)


def _mean_cosine(x: Tensor) -> float:
    """Of two different words of x, S D."""
    x = F.normalize(x.detach(), dim=-1)
    return ((x @ x.T).sum().item() - len(x)) / (len(x) * (len(x) - 1))


def _written(size: float) -> str:
    """With two digits that count: 0.0021, 1.0, 120,000."""
    return f"{size:#.2g}" if size < 9.95 else f"{float(f'{size:.2g}'):,.0f}"


def _axes() -> Frame:
    """Names of rows and columns, and what the axes count."""
    parts = [text(0, 32, "layer", colour=QUIET)]
    for layer in DEPTHS:
        parts.append(text(20, _baseline(layer), str(layer), "end", colour=QUIET))
    sizes = {-3: "10⁻³", 0: "1", 3: "10³", 6: "10⁶"}
    for (left, name, place), zero, unit, marks in (
        ((46, "signal ↑", "as it leaves"), _SIGNAL, _DECADE, [-3, 0, 3]),
        ((146, "gradient ↓", "at the input"), _GRADIENT, _DECADE, [-3, 0, 3, 6]),
        ((_ALIKE, "alike ↑", "cosine"), _ALIKE, _WHOLE, [0, 1]),
    ):
        parts += [text(left, 14, name, weight=600), text(left, 32, place, colour=QUIET)]
        for mark in marks:
            x = zero + unit * mark
            ends = [(x, _GROUND - _ROW * len(DEPTHS)), (x, _GROUND)]
            parts.append(line(ends, NEUTRAL, 0.5, "2 3") if mark else line(ends, NEUTRAL, 1))
            words = str(mark) if unit == _WHOLE else sizes[mark]
            parts.append(text(x, _GROUND + 16, words, "middle", colour=QUIET))
    return Frame("", "".join(parts))


def _signal(norm: Norm, residual: Residual, layers: int) -> Frame:
    sizes = signals(norm, residual, layers).signal
    return _on_axis("signal behind", sizes, _SIGNAL, ENCODER)


def _gradient(norm: Norm, residual: Residual, layers: int) -> Frame:
    sizes = signals(norm, residual, layers).gradient
    return _on_axis("gradient at", sizes, _GRADIENT, INK)


def _alike(norm: Norm, residual: Residual, layers: int) -> Frame:
    """A bar for each layer from cosine 0 to its own, and two numbers to the right of all bars."""
    cosines = signals(norm, residual, layers).alike
    numbers = [
        text(WIDTH, _baseline(layer), f"{cosines[layer - 1]:.2f}", "end")
        for layer in {1, len(cosines)}
    ]
    words = ", ".join(f"{one:.2f}" for one in cosines)
    svg = _bars([round(_WHOLE * one) for one in cosines], _ALIKE, ENCODER) + "".join(numbers)
    return Frame(f"alike behind layers 1 to {len(cosines)}: {words}", svg)


def _on_axis(name: str, sizes: Sequence[float], one: int, colour: str) -> Frame:
    """A bar for each layer from size 1 to its own, and two numbers beside them.

    A number stands on the other side of size 1, where its bar never is.
    """
    powers = map(math.log10, sizes)  # size 1 is seen, too
    lengths = [round(math.copysign(max(_DECADE * abs(power), 2), power)) for power in powers]
    numbers = [
        _beside(one, layer, size) for layer, size in {1: sizes[0], len(sizes): sizes[-1]}.items()
    ]
    words = ", ".join(map(_written, sizes))
    svg = _bars(lengths, one, colour) + "".join(numbers)
    return Frame(f"{name} layers 1 to {len(sizes)}: {words}", svg)


def _bars(lengths: Sequence[int], left: int, colour: str) -> str:
    """From layer 1 on upwards, as one shape."""
    points: list[tuple[Number, Number]] = []
    for row, length in enumerate(lengths):
        low = _GROUND - _ROW * row - (_ROW - _THICK) // 2
        points += [(left, low), (left + length, low), (left + length, low - _THICK)]
        points.append((left, low - _THICK))
    return area(points, colour)


def _beside(one: int, layer: int, size: float) -> str:
    if size > 1:
        return text(one - 5, _baseline(layer), _written(size), "end")
    return text(one + 5, _baseline(layer), _written(size))


def _baseline(layer: int) -> int:
    """Of the words in the row of a layer."""
    return _GROUND - _ROW * (layer - 1) - 5


def _covered() -> Frame:
    words = {7: "covered until", 6: "you predict"}
    rows = [text(134, _baseline(row), one, colour=QUIET) for row, one in words.items()]
    return Frame("gradient: covered", halo("".join(rows)))
