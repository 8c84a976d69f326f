"""The references of the exercises of chapter 08 are right.

Those of `layer-norm` and `encoder-parameters` meet torch's as right answers.
"""

import pytest
import torch
from torch import nn

from transformer_lite.chapters.c08_encoder.exercises import RESIDUAL
from transformer_lite.exercises import check


@pytest.mark.parametrize("order", ["post", "pre"])
def test_two_residuals_are_the_encoder_layer_of_torch(order: str) -> None:
    layer = nn.TransformerEncoderLayer(
        8, 2, 16, dropout=0.0, batch_first=True, norm_first=order == "pre"
    )
    x = torch.randn(2, 5, 8)
    attended = RESIDUAL.reference(x, lambda y: layer.self_attn(y, y, y)[0], layer.norm1, order)
    result = RESIDUAL.reference(
        attended, lambda y: layer.linear2(layer.linear1(y).relu()), layer.norm2, order
    )
    torch.testing.assert_close(result, layer(x))


def test_a_case_shows_which_functions_and_which_order() -> None:
    message = check("residual", lambda x, sublayer, norm, order: x).message
    assert "sublayer = the function square\n    norm = the function centred\n" in message
    assert 'order = "post"\n' in message
