"""The references of the exercises of chapter 03 are right; the package is a right answer, too."""

import torch
import torch.nn.functional as F

from transformer_lite.chapters.c02_additive_attention.exercises import ADDITIVE_ENERGIES
from transformer_lite.chapters.c03_scoring_functions.exercises import (
    CONCAT_ENERGIES,
    MASKED_ATTENTION,
)


def test_masked_attention_is_the_one_of_torch() -> None:
    query, keys, values = torch.randn(2, 3, 5), torch.randn(2, 4, 5), torch.randn(2, 4, 6)
    mask = torch.tensor([[True, True, True, True], [True, True, False, False]])
    ours = MASKED_ATTENTION.reference(query, keys, values, mask)
    theirs = F.scaled_dot_product_attention(query, keys, values, mask[:, None])
    torch.testing.assert_close(ours, theirs)


def test_concat_is_the_additive_score_with_its_matrices_side_by_side() -> None:
    query, keys = torch.randn(2, 3), torch.randn(2, 5, 4)
    weights = {"W": torch.randn(6, 3), "U": torch.randn(6, 4), "v": torch.randn(6)}
    weight = torch.cat([weights["W"], weights["U"]], dim=1)
    concat = CONCAT_ENERGIES.reference(query[:, None], keys, weight, weights["v"])
    additive = ADDITIVE_ENERGIES.reference(query, keys, weights)
    torch.testing.assert_close(concat[:, 0], additive)
