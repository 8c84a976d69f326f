"""The loss: cross-entropy with smoothed labels, of the real target tokens of a batch."""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from transformer_lite.data.batching import Batch
from transformer_lite.data.vocabulary import PAD
from transformer_lite.model import SequenceModel

Model = SequenceModel[Any, Any]


def label_smoothed_loss(
    logits: Float[Tensor, "N V"], target: Int[Tensor, " N"], smoothing: float
) -> Float[Tensor, ""]:
    """Cross-entropy against (1 − ε) · one-hot + ε · uniform, summed over tokens, in nats.

    The uniform part leaves `<pad>` out: a model should never learn to write it. Hand in real
    tokens only. With smoothing the loss cannot reach 0: its floor is the entropy of the target.

    Source: Szegedy et al. 2016, section 7; Vaswani et al. 2017, section 5.4.
    """
    log_probability = logits.log_softmax(-1)
    right = log_probability.gather(1, target[:, None]).sum()
    if smoothing == 0.0:
        return -right
    others = (log_probability.sum() - log_probability[:, PAD].sum()) / (logits.shape[1] - 1)
    return -((1 - smoothing) * right + smoothing * others)


def batch_loss(
    model: Model, batch: Batch, smoothing: float, precision: str = "float32"
) -> Float[Tensor, ""]:
    """Summed loss of the real target tokens of a batch, in nats; padding is never projected.

    With precision "bfloat16" matrix products round to 8 significant bits (`torch.autocast`); the
    sum over the vocabulary would lose too much by that and is made in float32.
    """
    mixed = precision == "bfloat16"
    with torch.autocast(batch.source.device.type, torch.bfloat16, enabled=mixed):
        features = model.features(batch.source, batch.source_mask, batch.target_in)
        logits = model.project(features[batch.target_mask])
    if mixed:
        logits = logits.float()
    return label_smoothed_loss(logits, batch.target_out[batch.target_mask], smoothing)


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
