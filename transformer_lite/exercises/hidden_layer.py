"""Wrong ideas about the hidden layer of an additive score, however its two parts are written.

"concat" is the same score in another notation, so the same ideas go wrong there.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from transformer_lite.exercises.exercise import Arguments, Function
from transformer_lite.exercises.spelled_out import Mistake, Symptom

Parts = Callable[..., tuple[Tensor, Tensor, Tensor]]
Pair = Callable[[Tensor, Tensor], Tensor]


def through(parts: Parts, pair: Pair) -> Callable[..., Tensor]:
    """Energies from another function of both parts than the tanh of their sum.

    Args:
        parts: from the arguments of an exercise what comes from the query and what comes from the
            key, of one shape, A last, and v.
        pair: the hidden layer, from both parts.
    """

    def energies(*arguments: Any) -> Tensor:
        ours, theirs, v = parts(*arguments)
        return pair(ours, theirs) @ v

    return energies


def added(ours: Tensor, theirs: Tensor) -> Tensor:
    """The right hidden layer: tanh of the sum."""
    return torch.tanh(ours + theirs)


def hidden_layer_mistakes(parts: Parts) -> tuple[Mistake, ...]:
    """Mistakes of an exercise whose first arguments are the query and the keys; see `through`."""

    def hidden(*arguments: Any) -> Tensor:
        ours, theirs, _ = parts(*arguments)
        return added(ours, theirs)

    right = through(parts, added)
    linear = through(parts, torch.add)
    query_alone = through(parts, lambda ours, theirs: ours.tanh())
    return (
        Mistake(
            "tanh-missing",
            "The tanh is missing. Without it an energy is a sum of two parts, one from the query "
            "and one from the key. The query's part is the same at every position, the softmax "
            "does not see it, and every step of the decoder looks at the same words.",
            (linear,),
        ),
        Mistake(
            "tanh-before-sum",
            "Your query and your key go through tanh apart from each other, and then you add. So "
            "the query adds the same number at every position, which the softmax does not see. "
            "They have to meet before the tanh does.",
            (
                through(parts, lambda ours, theirs: ours.tanh() + theirs.tanh()),
                lambda query, keys, *rest: linear(query.tanh(), keys.tanh(), *rest),
            ),
        ),
        Mistake(
            "tanh-on-the-energy",
            "Your energies themselves go through tanh and stay between −1 and 1: after the softmax "
            "no word can have more than e² ≈ 7.4 times the weight of another. The tanh belongs to "
            "the hidden layer.",
            (
                lambda *arguments: right(*arguments).tanh(),
                lambda *arguments: linear(*arguments).tanh(),
            ),
        ),
        Mistake(
            "not-tanh",
            "Your hidden layer goes through another function than tanh. With a sigmoid or a ReLU "
            "no hidden unit can be negative. That would be an attention, too, but not the one "
            "asked for.",
            (
                through(parts, lambda ours, theirs: (ours + theirs).sigmoid()),
                through(parts, lambda ours, theirs: (ours + theirs).relu()),
            ),
        ),
        Mistake(
            "v-missing",
            "You take the hidden layer for the energy, all of it, or its sum or mean. The hidden "
            "units are not equally important: the vector v says how much each one counts, and it "
            "is learned.",
            (
                hidden,
                lambda *arguments: hidden(*arguments).sum(-1),
                lambda *arguments: hidden(*arguments).mean(-1),
            ),
        ),
        Mistake(
            "not-summed",
            "You weight the hidden units by v, but do not add them up. An energy is one number for "
            "each position.",
            (lambda *arguments: hidden(*arguments) * parts(*arguments)[2],),
        ),
        Mistake(
            "query-ignored",
            "Your energies come from the keys alone. Then they are the same at every step of the "
            "decoder: all rows of the map are equal.",
            (through(parts, lambda ours, theirs: theirs.tanh()),),
        ),
        Mistake(
            "keys-ignored",
            "Your energies come from the decoder alone. All positions of a sentence get the same "
            "one, so that the weights are uniform, and the map does not depend on the source.",
            (query_alone, lambda *arguments: query_alone(*arguments)[..., :1]),
        ),
        Mistake(
            "difference-not-sum",
            "You subtract one part from the other. The two are added; whether a key should be like "
            "the query or unlike it is for the weights to learn.",
            (
                through(parts, lambda ours, theirs: (ours - theirs).tanh()),
                through(parts, lambda ours, theirs: (theirs - ours).tanh()),
            ),
        ),
        Mistake(
            "product-not-sum",
            "You multiply the query's part by the key's, unit by unit. The additive score adds "
            "them; the scores that multiply are another family.",
            (
                through(parts, lambda ours, theirs: (ours * theirs).tanh()),
                through(parts, torch.mul),
                lambda *arguments: torch.mul(*parts(*arguments)[:2]).sum(-1),
            ),
        ),
        Mistake(
            "softmax-applied",
            "You went one step too far: these are weights already. An energy can be any number. "
            "The softmax comes after the mask, which this function does not know.",
            (
                lambda *arguments: right(*arguments).softmax(-1),
                lambda *arguments: right(*arguments).softmax(-2),
                lambda *arguments: right(*arguments).log_softmax(-1),
            ),
        ),
    )


def v_ignored(shows: Callable[[Arguments, Any, Function], bool]) -> Symptom:
    """The symptom of energies that stay the same when v changes, however v is handed over."""
    return Symptom(
        "v-ignored",
        "Your energies stay the same when v changes. It turns the hidden layer into one number.",
        shows,
    )
