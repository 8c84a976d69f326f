"""Scoring functions: how well does a query fit a key?

Every score maps queries `B T Q` and keys `B S N` to energies `B T S`. The work that depends on the
keys alone is done once a sentence by `prepare`; `forward` then costs only what a new query costs.
"""

import math
from abc import ABC, abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor, nn


class Score(nn.Module, ABC):
    """Energies of queries against keys; calling it is `energies(query, prepare(keys))`."""

    def prepare(self, keys: Float[Tensor, "B S D"]) -> Float[Tensor, "B S A"]:
        """The part that depends on the keys only, computed once for a sentence."""
        return keys

    @abstractmethod
    def energies(
        self, query: Float[Tensor, "B T Q"], prepared: Float[Tensor, "B S A"]
    ) -> Float[Tensor, "B T S"]:
        """Energies of each query against keys that went through `prepare`."""

    def forward(
        self, query: Float[Tensor, "B T Q"], keys: Float[Tensor, "B S D"]
    ) -> Float[Tensor, "B T S"]:
        """Energies of each query against each key, before the softmax."""
        return self.energies(query, self.prepare(keys))


class AdditiveScore(Score):
    """e = vᵀ tanh(W₁ query + W₂ key): a one-layer network looks at query and key together.

    Luong's "concat" score vᵀ tanh(W[query; key]) is the same function, because
    W[query; key] = W₁ query + W₂ key when W = [W₁ W₂].

    Args:
        query_width: Q, width of a query.
        key_width: D, width of a key.
        width: A, width of the hidden layer.

    Source: Bahdanau et al. 2015, appendix A.1.2; Luong et al. 2015, section 3.1 (concat).
    """

    def __init__(self, query_width: int, key_width: int, width: int) -> None:
        super().__init__()
        self.query = nn.Linear(query_width, width, bias=False)
        self.key = nn.Linear(key_width, width, bias=False)
        self.v = nn.Linear(width, 1, bias=False)

    def prepare(self, keys: Float[Tensor, "B S D"]) -> Float[Tensor, "B S A"]:
        """W₂ key: Bahdanau's "pre-compute it in advance to minimize the computational cost"."""
        return self.key(keys)

    def energies(
        self, query: Float[Tensor, "B T Q"], prepared: Float[Tensor, "B S A"]
    ) -> Float[Tensor, "B T S"]:
        """vᵀ tanh(W₁ query + prepared key)."""
        both = self.query(query)[:, :, None] + prepared[:, None]  # B T S A
        energies: Tensor = self.v(both.tanh())
        return energies.squeeze(-1)


class DotScore(Score):
    """e = query · key: no parameters; query and key must have one width.

    Source: Luong et al. 2015, section 3.1 (dot).
    """

    def energies(
        self, query: Float[Tensor, "B T Q"], prepared: Float[Tensor, "B S A"]
    ) -> Float[Tensor, "B T S"]:
        """The dot product of every query with every key."""
        if query.shape[-1] != prepared.shape[-1]:
            raise ValueError(
                f"query and key must have one width, but they have {query.shape[-1]} and "
                f"{prepared.shape[-1]}; GeneralScore allows both"
            )
        return query @ prepared.transpose(1, 2)


class ScaledDotScore(DotScore):
    """e = query · key / √K, where K is the width of one query.

    Source: Vaswani et al. 2017, equation 1.
    """

    def energies(
        self, query: Float[Tensor, "B T Q"], prepared: Float[Tensor, "B S A"]
    ) -> Float[Tensor, "B T S"]:
        """The dot product, brought back to unit variance."""
        return super().energies(query, prepared) / math.sqrt(query.shape[-1])


class GeneralScore(DotScore):
    """e = queryᵀ W key: a learned bilinear form; widths may differ.

    Args:
        query_width: Q, width of a query.
        key_width: D, width of a key.

    Source: Luong et al. 2015, section 3.1 (general).
    """

    def __init__(self, query_width: int, key_width: int) -> None:
        super().__init__()
        self.key = nn.Linear(key_width, query_width, bias=False)

    def prepare(self, keys: Float[Tensor, "B S D"]) -> Float[Tensor, "B S A"]:
        """W key."""
        return self.key(keys)


class LocationScore(Score):
    """e_s = (W query)_s: the energy of position s, computed WITHOUT looking at the key there.

    Args:
        query_width: Q, width of a query.
        max_tokens: the largest number of source positions it can score, in tokens.

    Source: Luong et al. 2015, section 3.1 (location).
    """

    def __init__(self, query_width: int, max_tokens: int) -> None:
        super().__init__()
        self.position = nn.Linear(query_width, max_tokens, bias=False)

    def energies(
        self, query: Float[Tensor, "B T Q"], prepared: Float[Tensor, "B S A"]
    ) -> Float[Tensor, "B T S"]:
        """One energy a position; raises ValueError when the source is longer than `max_tokens`."""
        size = prepared.shape[1]
        if size > self.position.out_features:
            raise ValueError(
                f"source must have at most {self.position.out_features} tokens for this score, "
                f"but it has {size}; build the model with a larger longest_source"
            )
        energies: Tensor = self.position(query)
        return energies[..., :size]


class UniformScore(Score):
    """e = 0: every token gets the same weight, whatever asks, and the context never changes.

    The control for the other scores: the same decoder, the same values, and no look-up.
    """

    def energies(
        self, query: Float[Tensor, "B T Q"], prepared: Float[Tensor, "B S A"]
    ) -> Float[Tensor, "B T S"]:
        """Zeros."""
        return query.new_zeros(*query.shape[:2], prepared.shape[1])


def weighted_average(
    weights: Float[Tensor, "B T S"], values: Float[Tensor, "B S D"]
) -> Float[Tensor, "B T D"]:
    """The context vectors: for every query the average of the values, weighted by attention.

    Source: Bahdanau et al. 2015, equation 5.
    """
    return torch.bmm(weights, values)
