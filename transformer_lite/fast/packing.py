"""Packing: only the real tokens of a padded batch, one after the other.

Everything in a Transformer but attention works position by position, so it need not run on padding.
In a batch whose lengths differ a lot, padding is a third of all positions.
"""

from jaxtyping import Bool, Float
from torch import Tensor

from transformer_lite.scope import Layout


class Packing(Layout):
    """Where the N real tokens of a batch stand.

    Args:
        mask: True = real token, False = padding.
    """

    def __init__(self, mask: Bool[Tensor, "B T"]) -> None:
        self.shape = mask.shape
        self.places = mask.flatten().nonzero()[:, 0]

    def pack(self, x: Float[Tensor, "B T D"]) -> Float[Tensor, "N D"]:
        """The real tokens of a padded batch."""
        return x.flatten(0, 1).index_select(0, self.places)

    def unpack(self, x: Float[Tensor, "N D"]) -> Float[Tensor, "B T D"]:
        """The padded batch again, with zeros as padding."""
        padded = x.new_zeros(self.shape.numel(), x.shape[1])
        return padded.index_copy_(0, self.places, x).view(*self.shape, -1)
