"""The exercises of chapter 08, the encoder; what they say is in `mistakes.toml`."""

# ruff: noqa: N803  W is what the field calls a matrix.

from collections.abc import Iterator
from itertools import product

import torch
from jaxtyping import Float
from torch import Tensor

from transformer_lite.exercises.exercise import Arguments, Exercise, Function, Symptom
from transformer_lite.exercises.families import (
    batch_mixing,
    changes_with,
    close,
    tenths,
)

# ---- layer-norm: every word by itself


def layer_norm(
    x: Float[Tensor, "B T D"], gain: Float[Tensor, " D"], bias: Float[Tensor, " D"], epsilon: float
) -> Float[Tensor, "B T D"]:
    """The numbers of each word with mean 0 and variance 1, times the gain, plus the bias.

    Source: Ba et al. 2016, section 3.
    """
    normalised = torch.zeros_like(x)
    for place in product(*map(range, x.shape[:-1])):
        word = x[place]
        mean = word.sum() / len(word)
        variance = ((word - mean) ** 2).sum() / len(word)
        normalised[place] = (word - mean) / (variance + epsilon) ** 0.5 * gain + bias
    return normalised


def _norm_cases(generator: torch.Generator) -> Iterator[Arguments]:
    """Axes of one size and of several; an epsilon that matters; words of one number D times."""
    sizes = [(1, 2, 2, 0.5), (1, 2, 4, 0.01), (2, 3, 4, 1e-5), (3, 3, 3, 1e-5), (2, 4, 3, 0.2)]
    for batch, steps, width, epsilon in sizes:
        x = 1 + tenths(generator, 20, batch, steps, width)
        if steps > 2:
            x[:, 1] = 2.0
        yield x, tenths(generator, 20, width), tenths(generator, 20, width), epsilon


def _wrong_norm(
    x: Tensor,
    gain: Tensor,
    bias: Tensor,
    epsilon: float,
    axes: tuple[int, ...] = (-1,),
    fewer: int = 0,
    outside: bool = False,
    affine: str = "behind",
) -> Tensor:
    """Over other axes, with other divisors; gain and bias elsewhere, or not both."""
    x = gain * x + bias if affine == "in front" else x
    centred = x - x.mean(axes, keepdim=True)
    squares = centred.square().sum(axes, keepdim=True)
    variance = squares / (x.numel() / squares.numel() - fewer)
    root = variance.sqrt() + epsilon if outside else (variance + epsilon).sqrt()
    normalised = centred / root
    return {
        "behind": normalised * gain + bias,
        "in front": normalised,
        "gain alone": normalised * gain,
        "bias alone": normalised + bias,
        "neither": normalised,
        "exchanged": normalised * bias + gain,
    }[affine]


def _only_as_many_as_numbers(arguments: Arguments, value: Tensor, answer: Function) -> bool:
    x, *rest = arguments
    try:
        answer(torch.cat([x, x], 1), *rest)
    except RuntimeError:
        return True
    return False


def _without_first(arguments: Arguments, value: Tensor, answer: Function) -> bool:
    x, *rest = arguments
    return not close(answer(x[:, 1:], *rest), value[:, 1:])


LAYER_NORM = Exercise(
    layer_norm,
    _norm_cases,
    _wrong_norm,
    {
        "along-columns": [{"axes": axes} for axes in ((0,), (1,), (0, 1))],
        "words-together": [{"axes": axes} for axes in ((1, 2), (0, 1, 2))],
        "divided-by-one-less": [{"fewer": 1}, {"fewer": 1, "outside": True}],
        "epsilon-misplaced": [{"outside": True}],
        "gain-in-front": [{"affine": "in front"}],
        "gain-or-bias": [
            {"affine": how} for how in ("gain alone", "bias alone", "neither", "exchanged")
        ],
    },
    (
        Symptom("axis-lost", _only_as_many_as_numbers),
        batch_mixing(1),
        Symptom("reads-other-words", _without_first),
        changes_with("mean-kept", lambda x, *rest: (x + 1, *rest)),
        changes_with("size-kept", lambda x, *rest: (2 * x, *rest[:2], 4 * rest[2])),
    ),
)

# ---- residual: what is added, and where the normalisation stands


def residual(
    x: Float[Tensor, "B T D"], W: Float[Tensor, "D D"], order: str
) -> Float[Tensor, "B T D"]:
    """A small sublayer, tanh(y W), in its residual connection with a layer normalisation.

    Source: Vaswani et al. 2017, section 3.1 ("post"); Xiong et al. 2020, figure 1 ("pre").
    """
    if order == "pre":
        return x + torch.tanh(_plainly_normalised(x) @ W)
    return _plainly_normalised(x + torch.tanh(x @ W))


def _plainly_normalised(x: Tensor) -> Tensor:
    centred = x - x.mean(-1, keepdim=True)
    return centred / (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt()


def _residual_cases(generator: torch.Generator) -> Iterator[Arguments]:
    """Both orders: first what can be followed by hand, then axes of one size and of several."""
    exchange = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    for order in ("post", "pre"):
        yield torch.tensor([[[1.0, 3.0], [2.0, -2.0]]]), exchange, order
    for batch, steps, width in ((2, 3, 4), (3, 3, 3)):
        for order in ("post", "pre"):
            x = tenths(generator, 20, batch, steps, width)
            yield x, tenths(generator, 20, width, width), order


def _wrong_residual(
    x: Tensor, W: Tensor, order: str, transposed: bool = False, **at: str
) -> Tensor:
    """Something else normalised, or x forgotten; `at` says what, for one order or for both."""
    norm = _plainly_normalised

    def sublayer(y: Tensor) -> Tensor:
        return (y @ (W.T if transposed else W)).tanh()

    return {
        "the sum": lambda: norm(x + sublayer(x)),
        "what enters": lambda: x + sublayer(norm(x)),
        "the result": lambda: x + norm(sublayer(x)),
        "x": lambda: norm(x) + sublayer(norm(x)),
        "both": lambda: norm(x + sublayer(norm(x))),
        "the result alone": lambda: norm(sublayer(x)),
        "what enters alone": lambda: sublayer(norm(x)),
    }[at.get(order, {"post": "the sum", "pre": "what enters"}[order])]()


def _in_either_order(post: str, pre: str) -> list[dict[str, str]]:
    return [{"post": post, "pre": pre}, {"post": post}, {"pre": pre}]


def _post_with_a_mean(arguments: Arguments, value: Tensor, answer: Function) -> bool:
    return arguments[-1] == "post" and not close(value.mean(-1), torch.zeros(value.shape[:-1]))


RESIDUAL = Exercise(
    residual,
    _residual_cases,
    _wrong_residual,
    {
        "orders-exchanged": [{"post": "what enters", "pre": "the sum"}],
        "order-ignored": [{"post": "what enters"}, {"pre": "the sum"}],
        "result-normalised": _in_either_order("the result", "the result"),
        "x-normalised": _in_either_order("x", "x"),
        "residual-lost": _in_either_order("the result alone", "what enters alone"),
        "normalised-twice": _in_either_order("both", "both"),
        "matrix-transposed": [{"transposed": True}],
    },
    (
        batch_mixing(1),
        Symptom("reads-other-words", _without_first),
        Symptom("sum-not-normalised", _post_with_a_mean),
    ),
)

# ---- encoder-parameters: what a stack of layers has to learn


def encoder_parameters(d_model: int, d_ff: int, layers: int) -> int:
    """Parameters of a stack of post-norm encoder layers, whatever the number of heads.

    Source: Vaswani et al. 2017, sections 3.1 to 3.3, with a bias for each linear map.
    """
    attention = 4 * (d_model * d_model + d_model)
    feed_forward = (d_model * d_ff + d_ff) + (d_ff * d_model + d_model)
    normalisations = 2 * (d_model + d_model)
    return layers * (attention + feed_forward + normalisations)


def _count_cases(generator: torch.Generator) -> Iterator[Arguments]:
    """From sizes that can be counted by hand to those of the paper's base model."""
    yield from [(2, 3, 1), (4, 8, 1), (4, 8, 2), (6, 10, 3), (64, 128, 4), (512, 2048, 6)]


def _wrong_count(
    d_model: int,
    d_ff: int,
    layers: int,
    matrices: int = 4,
    biases: tuple[int, int] = (1, 1),
    contracts: bool = True,
    norms: int = 2,
    last: int = 0,
    stacked: bool = True,
) -> int:
    """Some parts forgotten, or one counted that is not there."""
    of_attention, of_feed_forward = biases
    attention = matrices * (d_model**2 + of_attention * d_model)
    feed_forward = d_model * d_ff + of_feed_forward * d_ff
    if contracts:
        feed_forward += d_ff * d_model + of_feed_forward * d_model
    layer = attention + feed_forward + norms * 2 * d_model
    return (layers if stacked else 1) * layer + last * 2 * d_model


def _not_in_step_with_d_ff(arguments: Arguments, value: int, answer: Function) -> bool:
    d_model, d_ff, layers = arguments
    return answer(d_model, d_ff + 1, layers) - value != layers * (2 * d_model + 1)


ENCODER_PARAMETERS = Exercise(
    encoder_parameters,
    _count_cases,
    _wrong_count,
    {
        "biases-forgotten": [{"biases": biases} for biases in ((0, 0), (0, 1), (1, 0))],
        "half-of-the-normalisations": [{"norms": 1}],
        "layers-not-counted": [{"stacked": False}],
        "output-matrix-forgotten": [{"matrices": 3}, {"matrices": 3, "biases": (0, 1)}],
        "one-matrix-of-feed-forward": [{"contracts": False}],
        "normalisation-behind-the-stack": [{"last": 1}],
    },
    (
        changes_with("not-in-proportion", lambda d, f, layers: (d, f, 2 * layers), factor=2.0),
        Symptom("feed-forward-miscounted", _not_in_step_with_d_ff),
    ),
)

EXERCISES = (LAYER_NORM, RESIDUAL, ENCODER_PARAMETERS)
