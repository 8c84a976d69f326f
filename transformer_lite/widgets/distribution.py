"""What a softmax makes of a few energies, in plain numbers; the front ends compute the same."""

import math
from collections.abc import Sequence


def softmax(energies: Sequence[float]) -> list[float]:
    """Positive weights that sum to 1, in the order of the energies."""
    largest = max(energies)  # exp of a difference cannot overflow
    powers = [math.exp(energy - largest) for energy in energies]
    total = sum(powers)
    return [power / total for power in powers]
