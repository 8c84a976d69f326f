"""Equality with torch's own Transformer on copied weights."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from every_model import assert_same
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from torch import nn

from transformer_lite import AttentionRecord
from transformer_lite.interop import from_torch
from transformer_lite.masks import causal_mask, padding_mask
from transformer_lite.scope import Scope

# torch warns that it will not use nested tensors where it cannot, which is no concern of ours.
pytestmark = pytest.mark.filterwarnings("ignore:enable_nested_tensor:UserWarning")


def torch_transformer(**fields: Any) -> nn.Transformer:
    """A small one in float64, every parameter drawn: new norms and biases hide mistakes."""
    small: dict[str, Any] = {
        "d_model": 8, "nhead": 2, "num_encoder_layers": 2, "num_decoder_layers": 3,
        "dim_feedforward": 12, "dropout": 0.0, "batch_first": True, "dtype": torch.float64,
    }  # fmt: skip
    module = nn.Transformer(**(small | fields))
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.5)
    return module.eval()


@given(
    norm_first=st.booleans(),
    activation=st.sampled_from(["relu", "gelu", F.relu, F.gelu, F.silu, nn.ReLU()]),
    batch_first=st.booleans(),
    heads=st.sampled_from([1, 2, 4]),
    sizes=st.tuples(st.integers(1, 3), st.integers(1, 5), st.integers(1, 5)),
    seed=st.integers(0, 999),
)
@settings(phases=[Phase.generate])  # a hundred shrunken failures say no more than one
def test_the_stack_equals_torch(
    norm_first: bool, activation: Any, batch_first: bool, heads: int,
    sizes: tuple[int, int, int], seed: int,
) -> None:  # fmt: skip
    torch.manual_seed(seed)
    theirs = torch_transformer(
        norm_first=norm_first, activation=activation, batch_first=batch_first, nhead=heads
    )
    batch, source_length, target_length = sizes
    source = torch.randn(batch, source_length, 8, dtype=torch.float64)
    target = torch.randn(batch, target_length, 8, dtype=torch.float64)
    real = padding_mask(torch.randint(1, source_length + 1, (batch,)), source_length)
    turn = (lambda x: x) if batch_first else (lambda x: x.transpose(0, 1))
    expected = turn(
        theirs(
            turn(source),
            turn(target),
            tgt_mask=~causal_mask(target_length),  # torch: True = forbidden
            src_key_padding_mask=~real,
            memory_key_padding_mask=~real,
        )
    )
    stack = from_torch(theirs)
    assert_same(stack(source, target, real), expected)
    expected_memory = turn(theirs.encoder(turn(source), src_key_padding_mask=~real))
    # Real positions only: what torch leaves at padding is nobody's business.
    memory = stack.encoder(source, Scope(real[:, None, None]))
    assert_same(memory[real], expected_memory[real])


@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("activation", ["relu", "gelu", F.silu])
def test_single_layers_equal_torch(norm_first: bool, activation: Any) -> None:
    torch.manual_seed(0)
    theirs = torch_transformer(norm_first=norm_first, activation=activation)
    stack = from_torch(theirs)
    source, target = (torch.randn(2, n, 8, dtype=torch.float64) for n in (4, 3))
    real = padding_mask(torch.tensor([2, 4]), 4)
    encoder, expected_layer = stack.encoder.layers[1], theirs.encoder.layers[1]
    ours = encoder(source, Scope(real[:, None, None]))
    assert_same(ours[real], expected_layer(source, src_key_padding_mask=~real)[real])
    decoder = stack.decoder.layers[2]
    expected = theirs.decoder.layers[2](
        target, source, tgt_mask=~causal_mask(3), memory_key_padding_mask=~real
    )
    record = AttentionRecord()
    for asked in (None, record):
        output = decoder(
            target,
            source,
            Scope(causal_mask(3), asked, name="self"),
            Scope(real[:, None, None], asked, name="cross"),
        )
        assert_same(output, expected)
    assert set(record) == {"self", "cross"}


def test_weights_are_copies_and_everything_else_follows_the_module() -> None:
    torch.manual_seed(0)
    theirs = torch_transformer(dropout=0.3, layer_norm_eps=1e-3).train()
    stack = from_torch(theirs)
    assert stack.training and not from_torch(theirs.eval()).training
    assert next(stack.parameters()).dtype == torch.float64
    assert stack.encoder.layers[0].self_residual.norm.eps == 1e-3
    assert {m.p for m in stack.modules() if isinstance(m, nn.Dropout)} == {0.3}
    assert stack.encoder.layers[0].self_attention.dropout.p == 0.3
    ours, copied = (
        stack.encoder.layers[0].feed_forward.expand.weight,
        theirs.encoder.layers[0].linear1,
    )
    before = ours.clone()
    with torch.no_grad():
        copied.weight.add_(1)
    assert torch.equal(ours, before)
    assert sum(p.numel() for p in stack.parameters()) == sum(p.numel() for p in theirs.parameters())


def test_modules_that_cannot_be_copied_are_refused() -> None:
    with pytest.raises(ValueError, match="biases"):
        from_torch(torch_transformer(bias=False))
    with pytest.raises(ValueError, match="relu, gelu, silu"):
        from_torch(torch_transformer(activation=torch.tanh))
    with pytest.raises(ValueError, match="one and the same in all layers"):
        # torch keeps a module in the encoder only; its decoder falls back to ReLU.
        from_torch(torch_transformer(activation=nn.GELU()))
    with pytest.raises(ValueError, match="encoder and decoder, but it has Linear"):
        from_torch(torch_transformer(custom_encoder=nn.Linear(2, 2)))
    mixed = torch_transformer()
    mixed.decoder.layers[1].norm_first = True
    with pytest.raises(ValueError, match="in all layers or in none"):
        from_torch(mixed)
    layer = nn.TransformerEncoderLayer(8, 2, 12, batch_first=True, dtype=torch.float64)
    without = nn.TransformerEncoder(layer, 2, norm=None)
    with pytest.raises(ValueError, match="final norm"):
        from_torch(torch_transformer(custom_encoder=without))


def test_a_module_without_final_norms_is_the_papers() -> None:
    torch.manual_seed(0)
    common: dict[str, Any] = {"batch_first": True, "dropout": 0.0, "dtype": torch.float64}
    theirs = torch_transformer(
        custom_encoder=nn.TransformerEncoder(
            nn.TransformerEncoderLayer(8, 2, 12, **common), 2, norm=None
        ),
        custom_decoder=nn.TransformerDecoder(
            nn.TransformerDecoderLayer(8, 2, 12, **common), 2, norm=None
        ),
    )
    stack = from_torch(theirs)
    source, target = (torch.randn(2, n, 8, dtype=torch.float64) for n in (4, 3))
    real = torch.ones(2, 4, dtype=torch.bool)
    expected = theirs(source, target, tgt_mask=~causal_mask(3))
    assert_same(stack(source, target, real), expected)
