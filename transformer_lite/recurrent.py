"""Recurrent decoders: the same cell, three places for the context.

`look(query)` gives every decoder its context, so that a decoder does not know where it comes from:
from attention over the source, or, in a model without attention, always the same last encoder
state. Shapes: words Float[N, T, E], recurrent state Float[L, N, D], features Float[N, T, D].
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

Look = Callable[[Float[Tensor, "N T D"]], Float[Tensor, "N T D"]]
Result = tuple[Float[Tensor, "N T D"], Float[Tensor, "L N D"]]


def recurrent_cell(width_in: int, hidden: int, layers: int, dropout: float) -> nn.GRU:
    """A GRU of `layers` layers; PyTorch wants no dropout where there is nothing between layers."""
    between = dropout if layers > 1 else 0.0
    return nn.GRU(width_in, hidden, layers, batch_first=True, dropout=between)


class PlainDecoder(nn.Module):
    """No context at all: what the source said is in the state at the start, or it is lost.

    Source: Sutskever et al. 2014.
    """

    def __init__(self, d_embedding: int, hidden: int, layers: int, dropout: float) -> None:
        super().__init__()
        self.cell = recurrent_cell(d_embedding, hidden, layers, dropout)

    def forward(
        self,
        words: Float[Tensor, "N T E"],
        hidden: Float[Tensor, "L N D"],
        fed: Float[Tensor, "N D"],
        look: Look,
    ) -> Result:
        """Features of each position, and the state after the last one."""
        outputs, hidden = self.cell(words, hidden)
        return outputs, hidden


class BahdanauDecoder(nn.Module):
    """The state BEFORE this step asks; the context enters the cell at this step.

    With a `look` that always answers with the last encoder state this is Cho's decoder.

    Source: Bahdanau et al. 2015, appendix A.2 (their maxout is a tanh layer here); Cho et al. 2014.
    """

    def __init__(self, d_embedding: int, hidden: int, layers: int, dropout: float) -> None:
        super().__init__()
        self.cell = recurrent_cell(d_embedding + hidden, hidden, layers, dropout)
        self.combine = nn.Linear(hidden + hidden + d_embedding, hidden)

    def forward(
        self,
        words: Float[Tensor, "N T E"],
        hidden: Float[Tensor, "L N D"],
        fed: Float[Tensor, "N D"],
        look: Look,
    ) -> Result:
        """One step (T = 1), or many where the context is the same at every step."""
        previous = hidden[-1][:, None]
        context = look(previous).expand(-1, words.shape[1], -1)
        outputs, hidden = self.cell(torch.cat([words, context], dim=-1), hidden)
        features = torch.tanh(self.combine(torch.cat([outputs, context, words], dim=-1)))
        return features, hidden


class LuongDecoder(nn.Module):
    """The state AFTER this step asks; the context joins behind the cell.

    Features are the attentional vectors h̃ = tanh(W[context; state]). With input feeding the last
    of them, `fed`, also enters the cell of the next step.

    Source: Luong et al. 2015, equation 5 and section 3.3 (input feeding).
    """

    def __init__(
        self, d_embedding: int, hidden: int, layers: int, dropout: float, input_feeding: bool
    ) -> None:
        super().__init__()
        self.input_feeding = input_feeding
        width_in = d_embedding + hidden if input_feeding else d_embedding
        self.cell = recurrent_cell(width_in, hidden, layers, dropout)
        self.combine = nn.Linear(hidden + hidden, hidden, bias=False)

    def forward(
        self,
        words: Float[Tensor, "N T E"],
        hidden: Float[Tensor, "L N D"],
        fed: Float[Tensor, "N D"],
        look: Look,
    ) -> Result:
        """Any number of steps at once; with input feeding one (T = 1)."""
        if self.input_feeding:
            words = torch.cat([words, fed[:, None]], dim=-1)
        outputs, hidden = self.cell(words, hidden)
        features = torch.tanh(self.combine(torch.cat([look(outputs), outputs], dim=-1)))
        return features, hidden
