"""Exercise "gru-step": one step of a gated recurrent unit, gate by gate."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations

import torch
from jaxtyping import Float
from torch import Tensor

from transformer_lite.exercises.exercise import Arguments, Exercise, Function, Mistake

Weights = dict[str, Tensor]


def gru_step(
    x: Float[Tensor, "B E"], h: Float[Tensor, "B D"], weights: Weights
) -> Float[Tensor, "B D"]:
    """The next state; weights in the layout of `torch.nn.GRUCell` (reset, update, new).

    Source: Cho et al. 2014, equations 5 to 8, with the reset gate where PyTorch has it, behind the
    linear map.
    """
    width = h.shape[1]
    rows = []
    for words, state in zip(x, h, strict=True):
        from_input = weights["weight_ih"] @ words + weights["bias_ih"]
        from_state = weights["weight_hh"] @ state + weights["bias_hh"]
        reset = 1 / (1 + torch.exp(-from_input[:width] - from_state[:width]))
        middle = slice(width, 2 * width)
        keep = 1 / (1 + torch.exp(-from_input[middle] - from_state[middle]))
        new = torch.tanh(from_input[2 * width :] + reset * from_state[2 * width :])
        rows.append(new + keep * (state - new))
    return torch.stack(rows)


def cases(generator: torch.Generator) -> Iterator[Arguments]:
    """Cells of several widths, with weights large enough for the gates to matter."""

    def draw(*shape: int) -> Tensor:
        return torch.randint(-15, 16, shape, generator=generator) / 10

    for rows, d_input, width in [(1, 2, 2), (2, 3, 2), (3, 2, 4), (2, 4, 4)]:
        weights = {
            "weight_ih": draw(3 * width, d_input),
            "weight_hh": draw(3 * width, width),
            "bias_ih": draw(3 * width),
            "bias_hh": draw(3 * width),
        }
        yield draw(rows, d_input), draw(rows, width), weights


@dataclass(frozen=True)
class _Parts:
    """A step taken apart: what the input and the state say to each gate, and both gates."""

    input_new: Tensor
    state_new: Tensor
    reset: Tensor
    update: Tensor

    @property
    def new(self) -> Tensor:
        return torch.tanh(self.input_new + self.reset * self.state_new)


def _parts(x: Tensor, h: Tensor, weights: Weights, order: tuple[int, ...] = (0, 1, 2)) -> _Parts:
    from_input = (x @ weights["weight_ih"].T + weights["bias_ih"]).chunk(3, dim=1)
    from_state = (h @ weights["weight_hh"].T + weights["bias_hh"]).chunk(3, dim=1)
    reset, update, new = order
    return _Parts(
        from_input[new],
        from_state[new],
        torch.sigmoid(from_input[reset] + from_state[reset]),
        torch.sigmoid(from_input[update] + from_state[update]),
    )


def _blend(update: Tensor, old: Tensor, new: Tensor) -> Tensor:
    return update * old + (1 - update) * new


def _in_order(order: tuple[int, ...]) -> Function:
    def step(x: Tensor, h: Tensor, weights: Weights) -> Tensor:
        parts = _parts(x, h, weights, order)
        return _blend(parts.update, h, parts.new)

    return step


def _reset_before(x: Tensor, h: Tensor, weights: Weights) -> Tensor:
    parts, width = _parts(x, h, weights), h.shape[1]
    kept = (parts.reset * h) @ weights["weight_hh"][2 * width :].T
    new = torch.tanh(parts.input_new + kept + weights["bias_hh"][2 * width :])
    return _blend(parts.update, h, new)


def _bias_outside(x: Tensor, h: Tensor, weights: Weights) -> Tensor:
    parts, width = _parts(x, h, weights), h.shape[1]
    bias = weights["bias_hh"][2 * width :]
    new = torch.tanh(parts.input_new + parts.reset * (parts.state_new - bias) + bias)
    return _blend(parts.update, h, new)


def _inverted(x: Tensor, h: Tensor, weights: Weights) -> Tensor:
    parts = _parts(x, h, weights)
    return _blend(1 - parts.update, h, parts.new)


def _sigmoid_candidate(x: Tensor, h: Tensor, weights: Weights) -> Tensor:
    parts = _parts(x, h, weights)
    return _blend(parts.update, h, torch.sigmoid(parts.input_new + parts.reset * parts.state_new))


def _linear_candidate(x: Tensor, h: Tensor, weights: Weights) -> Tensor:
    parts = _parts(x, h, weights)
    return _blend(parts.update, h, parts.input_new + parts.reset * parts.state_new)


def _tanh_gates(x: Tensor, h: Tensor, weights: Weights) -> Tensor:
    parts = _parts(x, h, weights)
    reset, update = (torch.tanh(torch.logit(gate)) for gate in (parts.reset, parts.update))
    return _blend(update, h, torch.tanh(parts.input_new + reset * parts.state_new))


def _without_bias(*names: str) -> Function:
    def step(x: Tensor, h: Tensor, weights: Weights) -> Tensor:
        empty = {name: torch.zeros_like(weights[name]) for name in names}
        return gru_step(x, h, weights | empty)

    return step


def _no_reset(x: Tensor, h: Tensor, weights: Weights) -> Tensor:
    parts = _parts(x, h, weights)
    return _blend(parts.update, h, torch.tanh(parts.input_new + parts.state_new))


def _reset_on_all(x: Tensor, h: Tensor, weights: Weights) -> Tensor:
    parts = _parts(x, h, weights)
    return _blend(parts.update, h, torch.tanh(parts.reset * (parts.input_new + parts.state_new)))


def _candidate_only(x: Tensor, h: Tensor, weights: Weights) -> Tensor:
    return _parts(x, h, weights).new


def _old_state_lost(x: Tensor, h: Tensor, weights: Weights) -> Tensor:
    parts = _parts(x, h, weights)
    return (1 - parts.update) * parts.new


MISTAKES = (
    Mistake(
        "gates-in-wrong-order",
        "You cut the weights into the right three blocks, but take them in another order. PyTorch "
        "stacks them as reset, update, new. Papers and other libraries order them differently, "
        "and no shape tells.",
        tuple(_in_order(order) for order in permutations(range(3)) if order != (0, 1, 2)),
    ),
    Mistake(
        "reset-before-linear",
        "You let the reset gate act on the state BEFORE the linear map of the candidate. That is "
        "the original form (Cho et al. 2014), a right GRU, but another one: PyTorch's gate acts on "
        "the RESULT of that map, its bias included.",
        (_reset_before,),
    ),
    Mistake(
        "bias-outside-reset",
        "In the candidate your reset gate leaves out the bias that belongs to the state "
        "(`bias_hh`). PyTorch's gate acts on the whole linear map, bias included.",
        (_bias_outside,),
    ),
    Mistake(
        "update-inverted",
        "Your update gate works the other way round: where it is 1 you take the candidate. In "
        "PyTorch 1 means KEEP the old state. (Cho et al. 2014 do as PyTorch does, Chung et al. "
        "2014 as you do; one formula with the weights of the other gives nonsense.)",
        (_inverted,),
    ),
    Mistake(
        "sigmoid-candidate",
        "Your candidate state goes through a sigmoid, so it can never be negative. Gates are "
        "shares between 0 and 1; the candidate is a state between −1 and 1.",
        (_sigmoid_candidate,),
    ),
    Mistake(
        "linear-candidate",
        "Your candidate state goes through no non-linear function: nothing keeps it between −1 "
        "and 1, and over many steps the state may grow without end.",
        (_linear_candidate,),
    ),
    Mistake(
        "tanh-gates",
        "Your gates go through tanh and can become negative. A gate is a share: how much passes, "
        "between 0 and 1.",
        (_tanh_gates,),
    ),
    Mistake(
        "bias-forgotten",
        "A bias is missing. PyTorch's cell has two, `bias_ih` beside the input's weights and "
        "`bias_hh` beside the state's.",
        (
            _without_bias("bias_ih"),
            _without_bias("bias_hh"),
            _without_bias("bias_ih", "bias_hh"),
        ),
    ),
    Mistake(
        "reset-missing",
        "Your candidate sees the whole old state: the reset gate is not used.",
        (_no_reset,),
    ),
    Mistake(
        "reset-on-input",
        "Your reset gate also weakens the input. It decides how much of the old STATE the "
        "candidate sees; the input always gets through.",
        (_reset_on_all,),
    ),
    Mistake(
        "old-state-lost",
        "The old state does not reach your result directly: what the update gate keeps has to be "
        "added. This direct way is what lets a GRU remember over many steps.",
        (_old_state_lost, _candidate_only),
    ),
)

GRU_STEP = Exercise(
    name="gru-step",
    task="write gru_step(x, h, weights): the next state, Float[B, D], of a GRU cell, from the "
    "input x, Float[B, E], and the state h, Float[B, D]. weights is a dictionary of weight_ih, "
    "weight_hh, bias_ih and bias_hh in the layout of torch.nn.GRUCell: reset, update, new.",
    reference=gru_step,
    cases=cases,
    mistakes=MISTAKES,
)
