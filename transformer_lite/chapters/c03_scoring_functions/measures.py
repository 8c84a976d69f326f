"""What tells how sharp a softmax is, in plain numbers; the front end computes the same."""

import math
from collections.abc import Sequence


def entropy(weights: Sequence[float]) -> float:
    """In nats: 0 when one weight has everything, log of their number when all are equal."""
    return -sum(weight * math.log(weight) for weight in weights if weight > 0) + 0.0


def gradient_size(weights: Sequence[float]) -> float:
    """Frobenius norm of the softmax's Jacobian, diag(w) - w wᵀ: at most 1/2.

    It says how strongly all weights together answer to small changes of all energies.
    """
    total = 0.0
    for place, weight in enumerate(weights):
        # w (1 - w), with 1 - w as the sum of the others: exact where w is almost 1.
        others = sum(weights[:place]) + sum(weights[place + 1 :])
        total += (weight * others) ** 2
        total += sum((weight * other) ** 2 for other in weights[:place])
        total += sum((weight * other) ** 2 for other in weights[place + 1 :])
    return math.sqrt(total)
