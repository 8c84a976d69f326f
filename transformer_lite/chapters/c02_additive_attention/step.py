"""One step of a decoder with attention: energies, and what follows from them."""

from dataclasses import dataclass
from functools import cached_property

from transformer_lite.widgets.distribution import softmax
from transformer_lite.widgets.drawing import label


@dataclass(frozen=True)
class Step:
    """What one target token was written from.

    Attributes:
        source: S source tokens, `<eos>` included.
        energies: S numbers, how well each source token fits the decoder's state.
        values: S vectors, the first components of the encoder outputs.
        written: the token that was written at this step.
        likely: the likeliest tokens with their probabilities, the likeliest first.
    """

    source: list[str]
    energies: list[float]
    values: list[list[float]]
    written: str
    likely: list[tuple[str, float]]

    @cached_property
    def weights(self) -> list[float]:
        """The softmax of the energies."""
        return softmax(self.energies)

    @cached_property
    def context(self) -> list[float]:
        """The sum of all values, each times its weight."""
        columns = zip(*self.values, strict=True)
        return [
            sum(weight * number for weight, number in zip(self.weights, column, strict=True))
            for column in columns
        ]

    @property
    def heaviest(self) -> int:
        """Which source token weighs most, counted from 0; the first of equal ones."""
        return self.weights.index(max(self.weights))

    def name(self, place: int) -> str:
        """A source token and where it stands; the front end names it alike."""
        return f"{spell(self.source[place])}, token {place + 1} of {len(self.source)}"

    def sentence(self) -> str:
        """The outcome in one sentence; the front end forms the same one."""
        weight = self.weights[self.heaviest]
        return f"Most weight, {weight:.2f} of 1: {self.name(self.heaviest)}."


def spell(token: str) -> str:
    """A token as it is written in a sentence: in quotation marks, and a space by its name."""
    return "space" if token == " " else f"“{token}”"


def mark(token: str) -> str:
    """A token as it stands in a picture: a space leaves a mark."""
    return "␣" if token == " " else label(token)
