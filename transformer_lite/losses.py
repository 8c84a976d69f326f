"""The loss: cross-entropy with smoothed labels, of the real target tokens of a batch."""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from transformer_lite.data.batching import Batch
from transformer_lite.data.vocabulary import PAD
from transformer_lite.model import SequenceModel

Model = SequenceModel[Any, Any]
PIECE = 2**21  # logits that are formed at once: 8 MiB, which allocators hand out again and again


def label_smoothed_loss(
    logits: Float[Tensor, "N V"], target: Int[Tensor, " N"], smoothing: float
) -> Float[Tensor, ""]:
    """Cross-entropy against (1 − ε) · one-hot + ε · uniform, summed over tokens, in nats.

    The uniform part leaves `<pad>` out: a model should never learn to write it. Hand in real
    tokens only. With smoothing the loss cannot reach 0: its floor is the entropy of the target.

    Source: Szegedy et al. 2016, section 7; Vaswani et al. 2017, section 5.4.
    """
    return _against_smoothed(logits.log_softmax(-1), target, smoothing)


def _against_smoothed(log_probability: Tensor, target: Tensor, smoothing: float) -> Tensor:
    right = log_probability.gather(1, target[:, None]).sum()
    if smoothing == 0.0:
        return -right
    others = (log_probability.sum() - log_probability[:, PAD].sum()) / (
        log_probability.shape[1] - 1
    )
    return -((1 - smoothing) * right + smoothing * others)


def projected_loss(
    features: Float[Tensor, "N D"],
    output: nn.Linear,
    target: Int[Tensor, " N"],
    smoothing: float,
    dtype: torch.dtype = torch.float32,
) -> Float[Tensor, ""]:
    """`label_smoothed_loss` of `output(features)`, without ever holding all logits.

    The logits are by far the largest tensor of a small model: rows × vocabulary. They are formed
    piece by piece, and each piece becomes its own gradient in place, probability − target.

    Args:
        features: of real tokens only.
        output: the projection to the vocabulary.
        target: the right ids.
        smoothing: ε.
        dtype: of the matrix products; sums over the vocabulary are made in float32 at least.
    """
    if torch.is_grad_enabled() and features.shape[0] * output.out_features > PIECE:
        loss: Tensor = _InPieces.apply(  # type: ignore[no-untyped-call]
            features, output.weight, output.bias, target, smoothing, dtype
        )
        return loss
    with torch.autocast(features.device.type, dtype, enabled=dtype == torch.bfloat16):
        logits = output(features)
    if dtype == torch.bfloat16:
        logits = logits.float()
    return label_smoothed_loss(logits, target, smoothing)


class _InPieces(torch.autograd.Function):
    """Loss and gradient in one go: the logits of a piece live only as long as both need them."""

    @staticmethod
    def forward(
        ctx: Any,
        features: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        target: Tensor,
        smoothing: float,
        dtype: torch.dtype,
    ) -> Tensor:
        vocabulary = len(weight)
        of_features, of_weight = torch.empty_like(features), torch.zeros_like(weight)
        of_bias = None if bias is None else torch.zeros_like(bias)
        if dtype == torch.bfloat16:
            features, weight = features.to(dtype), weight.to(dtype)
        total = of_weight.new_zeros(())
        at_once = max(1, PIECE // vocabulary)
        for start in range(0, len(features), at_once):
            rows = slice(start, start + at_once)
            logits = (features[rows] @ weight.t()).to(of_weight.dtype)
            if bias is not None:
                logits += bias
            log_probability = torch.log_softmax(logits, -1, out=logits)
            total += _against_smoothed(log_probability, target[rows], smoothing)
            gradient = log_probability.exp_()
            gradient -= smoothing / (vocabulary - 1)
            gradient[:, PAD] += smoothing / (vocabulary - 1)
            right = target[rows, None]
            gradient.scatter_add_(1, right, gradient.new_full(right.shape, smoothing - 1))
            if of_bias is not None:
                of_bias += gradient.sum(0)
            gradient = gradient.to(weight.dtype)
            of_features[rows] = gradient @ weight
            if gradient.dtype == of_weight.dtype:
                of_weight.addmm_(gradient.t(), features[rows])  # the sum, without a second matrix
            else:
                of_weight += gradient.t() @ features[rows]
        ctx.save_for_backward(of_features, of_weight, of_bias)
        return total

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        gradients = (None if one is None else upstream * one for one in ctx.saved_tensors)
        return (*gradients, None, None, None)


def batch_loss(
    model: Model, batch: Batch, smoothing: float, precision: str = "float32"
) -> Float[Tensor, ""]:
    """Summed loss of the real target tokens of a batch, in nats; padding is never projected.

    With precision "bfloat16" matrix products round to 8 significant bits (`torch.autocast`); the
    sum over the vocabulary would lose too much by that and is made in float32.
    """
    dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
    with torch.autocast(batch.source.device.type, dtype, enabled=dtype == torch.bfloat16):
        features = model.token_features(
            batch.source, batch.source_mask, batch.target_in, batch.target_mask
        )
    target = batch.target_out[batch.target_mask]
    return projected_loss(features, model.output, target, smoothing, dtype)


class BatchLoss(nn.Module):
    """`batch_loss` as a module: what DistributedDataParallel wraps and `torch.compile` compiles.

    Both see only what happens inside a `forward`, so the loss belongs in there with the model.
    """

    def __init__(self, model: Model, smoothing: float, precision: str) -> None:
        super().__init__()
        self.model = model
        self.smoothing = smoothing
        self.precision = precision

    def forward(self, batch: Batch) -> Float[Tensor, ""]:
        """See `batch_loss`."""
        return batch_loss(self.model, batch, self.smoothing, self.precision)
