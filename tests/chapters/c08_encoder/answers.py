"""Answers to the exercises of chapter 08, right and wrong, as readers would write them."""

# ruff: noqa: N803  W is what the field calls a matrix.

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from transformer_lite.transformer import Encoder, Residual, TransformerConfig


def layer_norm_by_var(x: Tensor, gain: Tensor, bias: Tensor, epsilon: float) -> Tensor:
    mean = x.mean(dim=-1, keepdim=True)
    variance = x.var(dim=-1, correction=0, keepdim=True)
    return gain * (x - mean) / torch.sqrt(variance + epsilon) + bias


def layer_norm_by_squares(x: Tensor, gain: Tensor, bias: Tensor, epsilon: float) -> Tensor:
    centred = x - x.mean(2)[..., None]
    spread = (centred.square().mean(-1, keepdim=True) + epsilon).rsqrt()
    return centred * spread * gain + bias


def layer_norm_by_einsum(x: Tensor, gain: Tensor, bias: Tensor, epsilon: float) -> Tensor:
    centred = x - torch.einsum("btd->bt", x).unsqueeze(-1) / x.shape[-1]
    variance = torch.einsum("btd,btd->bt", centred, centred) / x.shape[-1]
    return torch.einsum("btd,bt,d->btd", centred, (variance + epsilon) ** -0.5, gain) + bias


def layer_norm_by_torch(x: Tensor, gain: Tensor, bias: Tensor, epsilon: float) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], gain, bias, epsilon)


def norm(x: Tensor) -> Tensor:
    return F.layer_norm(x, x.shape[-1:])


def residual_by_expression(x: Tensor, W: Tensor, order: str) -> Tensor:
    if order == "post":
        return norm(x + torch.tanh(x @ W))
    return x + torch.tanh(norm(x) @ W)


def residual_by_steps(x: Tensor, W: Tensor, order: str) -> Tensor:
    y = layer_norm_by_squares(x, torch.ones(1), torch.zeros(1), 1e-5) if order == "pre" else x
    y = x + torch.einsum("btd,de->bte", y, W).tanh()
    return y if order == "pre" else norm(y)


def residual_by_package(x: Tensor, W: Tensor, order: str) -> Tensor:
    config = TransformerConfig(9, 9, d_model=len(W), heads=1, dropout=0.0, norm=order)  # type: ignore[arg-type]
    return Residual(config)(x, lambda y: (y @ W).tanh())


def parameters_by_formula(d_model: int, d_ff: int, layers: int) -> int:
    return layers * (4 * d_model**2 + 2 * d_model * d_ff + 9 * d_model + d_ff)


def parameters_by_list(d_model: int, d_ff: int, layers: int) -> int:
    maps = 4 * [(d_model, d_model)] + [(d_model, d_ff), (d_ff, d_model)]
    linear = sum(rows * columns + columns for rows, columns in maps)
    total = 0
    for _ in range(layers):
        total += linear + 4 * d_model
    return total


def counted(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def parameters_by_torch(d_model: int, d_ff: int, layers: int) -> int:
    return layers * counted(nn.TransformerEncoderLayer(d_model, 2, d_ff))


def parameters_by_package(d_model: int, d_ff: int, layers: int) -> int:
    config = TransformerConfig(
        9, 9, d_model=d_model, heads=2, d_ff=d_ff, layers=layers, norm="post"
    )
    return counted(Encoder(config))


RIGHT: dict[str, list[Callable[..., Any]]] = {
    "layer-norm": [
        layer_norm_by_var,
        layer_norm_by_squares,
        layer_norm_by_einsum,
        layer_norm_by_torch,
    ],
    "residual": [residual_by_expression, residual_by_steps, residual_by_package],
    "encoder-parameters": [
        parameters_by_formula,
        parameters_by_list,
        parameters_by_torch,
        parameters_by_package,
    ],
}

# ---- Mistakes as readers write them


def layer_norm_by_std(x: Tensor, gain: Tensor, bias: Tensor, epsilon: float) -> Tensor:
    """As it stands in many programs."""
    mean, std = x.mean(-1, keepdim=True), x.std(-1, keepdim=True)
    return gain * (x - mean) / (std + epsilon) + bias


def column_norm_by_std(x: Tensor, gain: Tensor, bias: Tensor, epsilon: float) -> Tensor:
    return gain * (x - x.mean(1, keepdim=True)) / (x.std(1, keepdim=True) + epsilon) + bias


def layer_norm_of_sentence(x: Tensor, gain: Tensor, bias: Tensor, epsilon: float) -> Tensor:
    return F.layer_norm(x, x.shape[1:], None, None, epsilon) * gain + bias


def batch_norm(x: Tensor, gain: Tensor, bias: Tensor, epsilon: float) -> Tensor:
    running = None, None
    return F.batch_norm(x.mT, *running, gain, bias, training=True, eps=epsilon).mT


def layer_norm_of_stretched(x: Tensor, gain: Tensor, bias: Tensor, epsilon: float) -> Tensor:
    return F.layer_norm(x * gain + bias, gain.shape, eps=epsilon)


def root_mean_square(x: Tensor, gain: Tensor, bias: Tensor, epsilon: float) -> Tensor:
    return x / (x.square().mean(-1, keepdim=True) + epsilon).sqrt() * gain + bias


def layer_norm_without_root(x: Tensor, gain: Tensor, bias: Tensor, epsilon: float) -> Tensor:
    mean, variance = x.mean(-1, keepdim=True), x.var(-1, correction=0, keepdim=True)
    return (x - mean) / (variance + epsilon) * gain + bias


def layer_norm_without_epsilon(x: Tensor, gain: Tensor, bias: Tensor, epsilon: float) -> Tensor:
    return layer_norm_by_squares(x, gain, bias, 0.0)


def layer_norm_without_axis(x: Tensor, gain: Tensor, bias: Tensor, epsilon: float) -> Tensor:
    centred = x - x.mean(-1)
    return centred / (centred.square().mean(-1) + epsilon).sqrt() * gain + bias


def layer_norm_with_flat_std(x: Tensor, gain: Tensor, bias: Tensor, epsilon: float) -> Tensor:
    return gain * (x - x.mean(-1, keepdim=True)) / (x.std(-1) + epsilon) + bias


def residual_with_x_overwritten(x: Tensor, W: Tensor, order: str) -> Tensor:
    if order == "pre":
        x = norm(x)
    x = x + (x @ W).tanh()
    return x if order == "pre" else norm(x)


def residual_in_batch(x: Tensor, W: Tensor, order: str) -> Tensor:
    return residual_by_expression(x - x.mean(0), W, order)


def residual_along_words(x: Tensor, W: Tensor, order: str) -> Tensor:
    return residual_by_expression(x.mT, W.T, order).mT if x.shape[1] == len(W) else x


def parameters_of_one_list(d_model: int, d_ff: int, layers: int) -> int:
    layer = nn.TransformerEncoderLayer(d_model, 2, d_ff)
    return counted(nn.ModuleList([layer] * layers))


def parameters_of_pre_norm(d_model: int, d_ff: int, layers: int) -> int:
    config = TransformerConfig(9, 9, d_model=d_model, heads=2, d_ff=d_ff, layers=layers)
    return counted(Encoder(config))


# ---- Symptoms: wrong in a way that no row computes


def layer_norm_of_batch(x: Tensor, gain: Tensor, bias: Tensor, epsilon: float) -> Tensor:
    return layer_norm_by_squares(x, gain, bias, epsilon) - x.mean((0, 2), keepdim=True)


NAMED: list[tuple[str, Callable[..., Any], str | None]] = [
    ("layer-norm", layer_norm_by_std, "divided-by-one-less"),
    ("layer-norm", layer_norm_of_sentence, "words-together"),
    ("layer-norm", batch_norm, "along-columns"),
    ("layer-norm", layer_norm_without_epsilon, "not-finite"),
    ("layer-norm", layer_norm_of_stretched, "gain-in-front"),
    ("layer-norm", lambda x, g, b, e: F.layer_norm(x, g.shape, eps=e), "gain-or-bias"),
    ("layer-norm", layer_norm_without_axis, "axis-lost"),
    ("layer-norm", layer_norm_with_flat_std, "axis-lost"),
    ("residual", residual_with_x_overwritten, "x-normalised"),
    ("residual", lambda x, W, order: norm(x + (x @ W).tanh()), "order-ignored"),
    ("residual", lambda x, W, order: x + norm((x @ W).tanh()), "result-normalised"),
    ("residual", lambda x, W, order: x + (x @ W).tanh(), "sum-not-normalised"),
    ("residual", residual_in_batch, "depends-on-batch-mates"),
    ("residual", residual_along_words, "reads-other-words"),
    ("residual", lambda x, W, order: residual_by_expression(x, W.T, order), "matrix-transposed"),
    ("encoder-parameters", parameters_of_one_list, "layers-not-counted"),
    ("encoder-parameters", parameters_of_pre_norm, "normalisation-behind-the-stack"),
    (
        "encoder-parameters",
        lambda d, f, n: n * (4 * d * d + 2 * d * f + 4 * d),
        "biases-forgotten",
    ),
    (
        "encoder-parameters",
        lambda d, f, n: parameters_by_formula(d, f, n) - n * 4 * d,  # without normalisations
        "biases-forgotten",
    ),
    ("layer-norm", layer_norm_of_batch, "depends-on-batch-mates"),
    ("layer-norm", column_norm_by_std, "reads-other-words"),
    ("layer-norm", root_mean_square, "mean-kept"),
    ("layer-norm", layer_norm_without_root, "size-kept"),
    ("layer-norm", lambda *case: 2 * layer_norm_by_var(*case), None),
    (
        "encoder-parameters",
        lambda d, f, n: parameters_by_formula(d, f, n) + 100 * d,
        "not-in-proportion",
    ),
    (
        "encoder-parameters",
        lambda d, f, n: parameters_by_formula(d, f, n) + n * f,
        "feed-forward-miscounted",
    ),
    ("encoder-parameters", lambda d, f, n: parameters_by_formula(d, f, n) + n * d, None),
]

# ---- Mutants of the references: which names take each other's place, what changes nothing

NAMES = {
    "gain": "bias",
    "bias": "gain",
    "mean": "variance",
    "variance": "mean",
    "word": "mean",
    "post": "pre",
    "pre": "post",
    "d_model": "d_ff",
    "d_ff": "d_model",
}

EQUIVALENT: list[tuple[str, str]] = []
