"""The training loss without holding all logits at once, the largest tensor of a small model."""

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from transformer_lite.data.batching import Batch
from transformer_lite.data.vocabulary import PAD
from transformer_lite.fast.transformer import FastTransformer
from transformer_lite.training import (
    Precision,
    autocast,
    label_smoothed_loss,
    smoothed_cross_entropy,
)

PIECE = 2**21  # logits that are formed at once: 8 MiB, which allocators hand out again and again


def batch_loss(
    model: FastTransformer, batch: Batch, smoothing: float, precision: Precision = "float32"
) -> Float[Tensor, ""]:
    """What `training.batch_loss` gives, from packed tokens and in pieces."""
    with autocast(batch.source, precision):
        features = model.token_features(
            batch.source, batch.source_mask, batch.target_in, batch.target_mask
        )  # N D
    target = batch.target_out[batch.target_mask]  # N
    return projected_loss(features, model.output.weight, target, smoothing, precision)


def projected_loss(
    features: Float[Tensor, "N D"],
    weight: Float[Tensor, "V D"],
    target: Int[Tensor, " N"],
    smoothing: float,
    precision: Precision = "float32",
) -> Float[Tensor, ""]:
    """`label_smoothed_loss` of the logits, features · weightᵀ, a piece of the rows at a time.

    Each piece of logits becomes its own gradient in place, probability − target.

    Args:
        features: of real tokens only.
        weight: of the projection to the vocabulary.
        target: the right ids.
        smoothing: ε.
        precision: of the matrix products; sums over the vocabulary are made in float32 at least.
    """
    if torch.is_grad_enabled() and len(features) * len(weight) > PIECE:
        dtype = torch.bfloat16 if precision == "bfloat16" else features.dtype
        return _InPieces.apply(  # type: ignore[no-untyped-call]
            features, weight, target, smoothing, dtype
        )
    with autocast(features, precision):
        logits = F.linear(features, weight)  # N V
    return label_smoothed_loss(logits, target, smoothing)


class _InPieces(torch.autograd.Function):
    """Loss and gradient in one go: the logits of a piece live only as long as both need them."""

    @staticmethod
    def forward(
        ctx: Any,
        features: Tensor,
        weight: Tensor,
        target: Tensor,
        smoothing: float,
        dtype: torch.dtype,
    ) -> Tensor:
        vocabulary = len(weight)
        of_features, of_weight = torch.empty_like(features), torch.zeros_like(weight)
        if dtype == torch.bfloat16:
            features, weight = features.to(dtype), weight.to(dtype)
        total = of_weight.new_zeros(())
        at_once = max(1, PIECE // vocabulary)
        for start in range(0, len(features), at_once):
            rows = slice(start, start + at_once)
            logits = (features[rows] @ weight.t()).to(of_weight.dtype)
            log_probability = torch.log_softmax(logits, -1, out=logits)
            total += smoothed_cross_entropy(log_probability, target[rows], smoothing)
            gradient = log_probability.exp_()
            gradient -= smoothing / (vocabulary - 1)
            gradient[:, PAD] += smoothing / (vocabulary - 1)
            right = target[rows, None]
            gradient.scatter_add_(1, right, gradient.new_full(right.shape, smoothing - 1))
            gradient = gradient.to(weight.dtype)
            of_features[rows] = gradient @ weight
            if gradient.dtype == of_weight.dtype:
                of_weight.addmm_(gradient.t(), features[rows])  # the sum, without a second matrix
            else:
                of_weight += gradient.t() @ features[rows]
        ctx.save_for_backward(of_features, of_weight)
        return total

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        gradients = (upstream * one for one in ctx.saved_tensors)
        return (*gradients, None, None, None)
