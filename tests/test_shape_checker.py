"""The suite runs with checked shapes, in every worker; only tests/messages turns that off."""

import pytest
import torch
from jaxtyping import TypeCheckError

from transformer_lite.masks import padding_mask


def test_a_wrong_shape_is_caught() -> None:
    with pytest.raises(TypeCheckError, match="lengths"):
        padding_mask(torch.ones(2, 3, dtype=torch.long), 4)
