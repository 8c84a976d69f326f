"""Chapter 03: what width, divisor and temperature make of a softmax over dot products."""

import math
from typing import Any

import torch
import traitlets

from transformer_lite.chapters.c03_scoring_functions.measures import entropy, gradient_size
from transformer_lite.chapters.c03_scoring_functions.still import picture
from transformer_lite.widgets.base import StillWidget, check_trait, front_end
from transformer_lite.widgets.distribution import softmax
from transformer_lite.widgets.drawing import decimal

KEYS = 8
WIDTHS = (4, 8, 16, 32, 64, 128, 256, 512)
DIVISORS = ("none", "√d", "d")
COLDEST, HOTTEST = 0.1, 10.0
DRAWS = 5
_SEED = 3
# Bands of the largest weight; the last one ends at 1.
BANDS = (0.25, 0.5, 0.9)
BAND_WORDS = ("below 0.25", "from 0.25 to 0.5", "from 0.5 to 0.9", "above 0.9")
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


class SoftmaxExplorer(StillWidget):
    """Predict, then see, how a softmax over eight dot products shares its weight.

    Query and keys are drawn once, with independent standard normal components; a width d takes the
    first d components. What the reader chose can be read back and set: `width` (d), `divisor`
    ("none", "√d" or "d"), `temperature`, `draw` (1 to 5), `prediction` (the band that the largest
    weight will lie in: 1 below 0.25, 2 below 0.5, 3 below 0.9, 4 above; None before there is one),
    `revealed`, and `ask` (hide the answer again after each change).

    Args:
        state: initial values of the names above, such as `width=512`.

    Raises:
        traitlets.TraitError: a value of `state` is outside its range.
    """

    _esm, _css = front_end(__file__)

    draws: traitlets.List[Any] = traitlets.List(
        help="by draw: a query and eight keys, in hundredths"
    ).tag(sync=True)
    width = traitlets.Int(64, help="d, the number of components used").tag(sync=True)
    divisor = traitlets.Unicode("none", help="of the dot products: none, √d or d").tag(sync=True)
    temperature = traitlets.Float(1.0, help="the energies are divided by it too").tag(sync=True)
    draw = traitlets.Int(1, help="which of the five draws").tag(sync=True)
    prediction = traitlets.Int(None, allow_none=True, help="band of the largest weight").tag(
        sync=True
    )
    revealed = traitlets.Bool(False, help="whether the answer is shown").tag(sync=True)
    ask = traitlets.Bool(True, help="whether a change hides the answer").tag(sync=True)

    def __init__(self, **state: Any) -> None:
        super().__init__(draws=_draws(), **state)

    @traitlets.validate("width", "divisor", "draw", "prediction")
    def _check(self, proposal: Any) -> Any:
        name: str = proposal["trait"].name
        allowed = {
            "width": WIDTHS,
            "divisor": DIVISORS,
            "draw": range(1, DRAWS + 1),
            "prediction": range(1, len(BANDS) + 2),
        }
        if proposal["value"] is not None:
            check_trait(name, proposal["value"], allowed[name])
        return proposal["value"]

    @traitlets.validate("temperature")
    def _check_temperature(self, proposal: Any) -> float:
        value: float = proposal["value"]
        if not COLDEST <= value <= HOTTEST:
            raise traitlets.TraitError(
                f"temperature must be a number from {COLDEST} to {HOTTEST:g}, but it is {value}"
            )
        return value

    @property
    def energies(self) -> list[float]:
        """The eight dot products after both divisions: what the softmax gets."""
        query, *keys = self.draws[self.draw - 1]
        products = (
            sum(a * b for a, b in zip(query[: self.width], key[: self.width], strict=True)) / 10_000
            for key in keys
        )
        by = {"none": 1.0, "√d": math.sqrt(self.width), "d": float(self.width)}[self.divisor]
        return [product / by / self.temperature for product in products]

    @property
    def weights(self) -> list[float]:
        """The softmax of the energies."""
        return softmax(self.energies)

    @property
    def entropy(self) -> float:
        """Of the weights, in nats: 0 when one key has all of it, log 8 when all have the same."""
        return entropy(self.weights)

    @property
    def gradient(self) -> float:
        """How much gradient gets through: Frobenius norm of the softmax's Jacobian, at most 1/2."""
        return gradient_size(self.weights)

    def sentence(self) -> str:
        """The outcome in one sentence; the front end forms the same one."""
        largest = max(self.weights)
        band = sum(largest >= bound for bound in BANDS)
        return (
            f"The largest weight is {largest:.3f}, that of key {self.weights.index(largest) + 1}: "
            f"{BAND_WORDS[band]}."
        )

    def still(self) -> str:
        """Energies, weights and what they mean for entropy and gradient, as an SVG picture."""
        return picture(self._title(), self.energies, self.weights, self._sentences())

    def words(self) -> str:
        """Energies, weights, entropy and gradient, as text."""
        rows = enumerate(zip(self.energies, self.weights, strict=True), 1)
        return "\n".join(
            (
                self._title(),
                "key   energy  weight",
                *(f"{key:3}  {energy:7.2f}  {weight:6.3f}" for key, (energy, weight) in rows),
                *self._sentences(),
            )
        )

    def _title(self) -> str:
        return (
            f"Width d = {self.width}, divisor {self.divisor}, temperature {self.temperature:g}, "
            f"draw {self.draw}"
        )

    def _sentences(self) -> tuple[str, ...]:
        return (
            self.sentence(),
            f"Entropy {decimal(self.entropy, 3)} nats; the most is log {KEYS} = "
            f"{math.log(KEYS):.3f}.",
            f"Gradient that gets through (norm of the softmax's Jacobian): "
            f"{power(self.gradient)}; the most is 0.5.",
        )

    def __repr__(self) -> str:
        return (
            f"SoftmaxExplorer(width={self.width}, divisor={self.divisor!r}, "
            f"temperature={self.temperature:g}, draw={self.draw})"
        )


def power(number: float) -> str:
    """A small number with three digits after the point, a very small one as a power of ten."""
    if number >= 0.001 or number == 0:
        return decimal(number, 3)
    digit, exponent = f"{number:.0e}".split("e")
    return f"{digit} × 10{str(int(exponent)).translate(_RAISED)}"


def _draws() -> list[list[list[int]]]:
    """Query and keys of each draw in hundredths: whole numbers add up alike everywhere."""
    generator = torch.Generator().manual_seed(_SEED)
    drawn = torch.randn(DRAWS, 1 + KEYS, WIDTHS[-1], generator=generator)
    hundredths: list[list[list[int]]] = (100 * drawn).round().int().tolist()
    return hundredths
