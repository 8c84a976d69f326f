"""The recurrent decoders: where attention enters, and which state asks.

Each decoder takes embedded words, its recurrent state and `attend`, which gives every query its
context. It returns features, what `project` turns into logits, and the state after the last word.
Its `cell` is a GRU of all its layers, over any number of steps.
Shapes: words `N T E`, recurrent state `L N D`, queries, contexts and features `N T D`.
"""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from transformer_lite.masks import masked_softmax
from transformer_lite.scores import Score, weighted_average
from transformer_lite.windows import MonotonicWindow, PredictiveWindow

Attend = Callable[[Float[Tensor, "N T D"]], Float[Tensor, "N T D"]]


class Attention(nn.Module):
    """Energies, weights, context: from a state of the decoder to what it reads of the source.

    Args:
        score: gives the energies.
        window: where to look; None looks at the whole source.

    Source: Bahdanau et al. 2015, equations 5 and 6; Luong et al. 2015, section 3.
    """

    def __init__(
        self, score: Score, window: MonotonicWindow | PredictiveWindow | None = None
    ) -> None:
        super().__init__()
        self.score = score
        self.window = window

    def forward(
        self,
        query: Float[Tensor, "B T D"],
        prepared: Float[Tensor, "B S A"],
        values: Float[Tensor, "B S D"],
        mask: Bool[Tensor, "B S"],
        position: Int[Tensor, "B T"],
    ) -> tuple[Float[Tensor, "B T D"], Float[Tensor, "B T S"]]:
        """The context of every query, and its weights.

        Args:
            query: the states that ask.
            prepared: the encoder outputs, as `score.prepare` left them.
            values: the encoder outputs.
            mask: True = real token.
            position: of the target token that each query is about to produce, from 0.
        """
        energies = self.score.energies(query, prepared)  # B T S
        real = mask[:, None]  # B 1 S
        if self.window is None:
            weights = masked_softmax(energies, real)
        elif isinstance(self.window, MonotonicWindow):
            weights = self.window(energies, real, position)
        else:
            weights = self.window(energies, real, query)
        return weighted_average(weights, values), weights


def gru(
    d_input: int, width: int, layers: int, dropout: float, bidirectional: bool = False
) -> nn.GRU:
    """A GRU of `layers` layers; PyTorch wants no dropout where there is nothing between layers."""
    between = dropout if layers > 1 else 0.0
    return nn.GRU(
        d_input, width, layers, batch_first=True, dropout=between, bidirectional=bidirectional
    )


class BahdanauDecoder(nn.Module):
    """The state BEFORE this step asks; the context enters the cell at this step.

    With an `attend` that always answers with the last encoder state this is Cho's decoder.

    Source: Bahdanau et al. 2015, appendix A.2 (their maxout is a tanh layer here); Cho et al. 2014.
    """

    def __init__(self, d_embedding: int, width: int, layers: int, dropout: float) -> None:
        super().__init__()
        self.cell = gru(d_embedding + width, width, layers, dropout)
        self.combine = nn.Linear(width + width + d_embedding, width)

    def forward(
        self, words: Float[Tensor, "N T E"], hidden: Float[Tensor, "L N D"], attend: Attend
    ) -> tuple[Float[Tensor, "N T D"], Float[Tensor, "L N D"]]:
        """One step (T = 1), or many where the context is the same at every step."""
        previous = hidden[-1][:, None]  # N 1 D
        context = attend(previous).expand(-1, words.shape[1], -1)  # N T D
        states, hidden = self.cell(torch.cat([words, context], dim=-1), hidden)  # N T D, L N D
        features = torch.tanh(self.combine(torch.cat([states, context, words], dim=-1)))  # N T D
        return features, hidden


class LuongDecoder(nn.Module):
    """The state AFTER this step asks; the context joins behind the cell.

    The features are the attentional vectors h̃ = tanh(W[context; state]). Since no state depends on
    a context, any number of steps can be taken in one call, unless input feeding puts the last
    attentional vector into the next word.

    Source: Luong et al. 2015, equation 5.
    """

    def __init__(self, d_input: int, width: int, layers: int, dropout: float) -> None:
        super().__init__()
        self.cell = gru(d_input, width, layers, dropout)
        self.combine = nn.Linear(width + width, width, bias=False)

    def forward(
        self, words: Float[Tensor, "N T E"], hidden: Float[Tensor, "L N D"], attend: Attend
    ) -> tuple[Float[Tensor, "N T D"], Float[Tensor, "L N D"]]:
        """Any number of steps; with input feeding one (T = 1)."""
        states, hidden = self.cell(words, hidden)  # N T D, L N D
        context = attend(states)  # N T D
        features = torch.tanh(self.combine(torch.cat([context, states], dim=-1)))  # N T D
        return features, hidden
