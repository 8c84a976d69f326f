"""Every fast form beside its plain one: same values, same gradients."""

import copy
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from every_model import BOS, TARGET_VOCAB, build, random_inputs
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_model
from torch import Tensor, nn

from transformer_lite import Transformer, TransformerConfig
from transformer_lite.attention import MultiHeadAttention
from transformer_lite.data.batching import Example, collate
from transformer_lite.data.vocabulary import PAD
from transformer_lite.decoding import greedy
from transformer_lite.fast import FastTransformer, batch_loss, loss
from transformer_lite.fast.dropout import Dropout, cheapen_dropout, keep_mask
from transformer_lite.fast.loss import projected_loss
from transformer_lite.fast.packing import Packing
from transformer_lite.masks import padding_mask
from transformer_lite.scope import AttentionRecord, Scope
from transformer_lite.training import batch_loss as plain_batch_loss
from transformer_lite.training import label_smoothed_loss
from transformer_lite.transformer import ACTIVATIONS, Activation, FeedForward

LENGTHS = st.lists(st.integers(1, 5), min_size=1, max_size=4)


# Packing


@given(lengths=LENGTHS, seed=st.integers(0, 99))
def test_packing_and_unpacking_keep_every_real_token(lengths: list[int], seed: int) -> None:
    torch.manual_seed(seed)
    mask = padding_mask(torch.tensor(lengths), 6)
    padded = torch.randn(len(lengths), 6, 3)
    packing = Packing(mask)
    packed = packing.pack(padded)
    assert torch.equal(packed, torch.cat([row[:n] for row, n in zip(padded, lengths, strict=True)]))
    assert torch.equal(packing.unpack(packed), padded * mask[:, :, None])


FAST = "transformer, pre, sinusoidal, fast"


@pytest.mark.parametrize("norm", ["pre", "post"])
@given(data=st.data(), seed=st.integers(0, 99))
def test_features_of_real_tokens_are_those_of_all_positions(
    norm: Any, data: st.DataObject, seed: int
) -> None:
    """With the gradient of every parameter; the padding holds ids that must not matter."""
    model = build(FAST, norm=norm)
    assert isinstance(model, FastTransformer)
    lengths = torch.tensor(data.draw(LENGTHS))
    inputs = random_inputs(len(lengths), 4, 6, seed)
    target_mask = padding_mask(lengths, 6)
    plain = model.features(*inputs)[target_mask]
    packed = model.token_features(*inputs, target_mask)
    torch.testing.assert_close(packed, plain)
    direction = torch.randn_like(plain)
    parameters = list(model.parameters())
    for ours, theirs in zip(
        torch.autograd.grad(packed, parameters, direction, allow_unused=True),
        torch.autograd.grad(plain, parameters, direction, allow_unused=True),
        strict=True,
    ):
        assert (ours is None) == (theirs is None)
        if ours is not None:
            torch.testing.assert_close(ours, theirs)


def test_a_batch_without_a_real_target_token_has_no_features() -> None:
    model = build(FAST)
    assert isinstance(model, FastTransformer)
    inputs = random_inputs(2, 4, 3, seed=0)
    mask = torch.zeros(2, 3, dtype=torch.bool)
    assert model.token_features(*inputs, mask).shape == (0, 8)


# The loss in pieces


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("piece", [1, 3, 20])
def test_the_loss_in_pieces_is_the_plain_one(
    monkeypatch: pytest.MonkeyPatch, smoothing: float, piece: int
) -> None:
    """`piece` rows at a time, which need not divide their number."""
    torch.manual_seed(0)
    monkeypatch.setattr(loss, "PIECE", piece * TARGET_VOCAB)
    output = nn.Linear(5, TARGET_VOCAB, bias=False).double()
    features = torch.randn(7, 5, dtype=torch.float64, requires_grad=True)
    target = torch.randint(PAD + 1, TARGET_VOCAB, (7,))
    pieces = projected_loss(features, output.weight, target, smoothing)
    assert ("InPieces" in str(pieces.grad_fn)) == (piece < 7)
    plain = label_smoothed_loss(output(features), target, smoothing)
    torch.testing.assert_close(pieces, plain)
    inputs = [features, *output.parameters()]
    for ours, theirs in zip(
        torch.autograd.grad(3 * pieces, inputs), torch.autograd.grad(3 * plain, inputs), strict=True
    ):
        torch.testing.assert_close(ours, theirs)


def test_the_loss_in_pieces_in_bfloat16_is_near(monkeypatch: pytest.MonkeyPatch) -> None:
    """8 significant bits: 1 % of the loss, 3 % of the largest gradient."""
    torch.manual_seed(0)
    output, features = nn.Linear(16, 50, bias=False), torch.randn(40, 16, requires_grad=True)
    target = torch.randint(PAD + 1, 50, (40,))
    plain = projected_loss(features, output.weight, target, 0.1)
    monkeypatch.setattr(loss, "PIECE", 400)
    pieces = projected_loss(features, output.weight, target, 0.1, "bfloat16")
    assert pieces.dtype == torch.float32
    torch.testing.assert_close(pieces, plain, rtol=0.01, atol=0.0)
    for ours, theirs in zip(
        torch.autograd.grad(pieces, [features, output.weight]),
        torch.autograd.grad(plain, [features, output.weight]),
        strict=True,
    ):
        assert ours.dtype == torch.float32
        assert (ours - theirs).abs().max() < 0.03 * theirs.abs().max()


# Dropout


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_dropout_drops_its_share(p: float) -> None:
    """250,000 independent draws: the share is within five standard deviations of p."""
    torch.manual_seed(0)
    mask = keep_mask(torch.empty(500, 501)[:, 1:], p)
    share = (~mask).float()
    spread = (p * (1 - p) / mask.numel()) ** 0.5
    assert abs(share.mean().item() - p) < 5 * spread
    # Four neighbours come from one draw: they must not know of each other.
    for distance in (1, 2, 3, 4):
        both = (share[:, distance:] * share[:, :-distance]).mean().item()
        assert abs(both - p * p) < 10 * spread


def test_dropping_nearly_everything_drops_it() -> None:
    torch.manual_seed(0)
    assert keep_mask(torch.empty(1000), 0.999999).float().mean() < 0.01


def test_dropout_keeps_one_byte_a_number_for_the_gradient() -> None:
    x, kept = torch.randn(40, 70, requires_grad=True), []

    def keep(tensor: Tensor) -> Tensor:
        kept.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        Dropout(0.3)(x)
    assert sum(one.nbytes for one in kept) == x.numel()


def test_dropout_is_drawn_from_the_seed_and_does_nothing_in_evaluation() -> None:
    layer, x = Dropout(0.3), torch.randn(5, 7, dtype=torch.float64, requires_grad=True)
    torch.manual_seed(1)
    first = layer(x)
    assert not torch.equal(layer(x), first)
    torch.manual_seed(1)
    assert torch.equal(layer(x), first)
    kept = first != 0
    torch.testing.assert_close(first[kept], (x / 0.7)[kept], rtol=1e-15, atol=0.0)
    (gradient,) = torch.autograd.grad(first.sum(), x)
    torch.testing.assert_close(gradient, kept.double() / 0.7)
    assert layer.eval()(x) is x and Dropout(0.0)(x) is x


@pytest.mark.parametrize("activation", ["relu", "gelu", "silu"])
def test_the_feed_forward_network_drops_what_stands_between_its_maps(
    activation: Activation,
) -> None:
    config = TransformerConfig(
        5, 5, d_model=6, heads=1, d_ff=40, dropout=0.5, activation=activation
    )
    network, x = FeedForward(config), torch.randn(3, 6)
    cheapen_dropout(network)
    torch.manual_seed(1)
    found = network(x)
    torch.manual_seed(1)
    inner = network.dropout(ACTIVATIONS[activation](network.expand(x)))
    torch.testing.assert_close(found, network.contract(inner))
    assert not torch.allclose(found, network.eval()(x))


# Decoding


def test_a_position_table_that_grew_in_decoding_serves_training_too() -> None:
    """Greedy decoding keeps nothing for gradients; what it leaves behind must still allow them."""
    model = build("transformer, pre, sinusoidal", max_length=4)
    inputs = random_inputs(2, 4, 12, seed=0)
    greedy(model, inputs.source, inputs.source_mask, bos=BOS, eos=TARGET_VOCAB - 1, max_length=12)
    assert len(model.get_buffer("positions.table")) > 4
    model(*inputs).sum().backward()
    assert all(one.grad is not None for one in model.parameters())


def test_a_search_leaves_the_weights_alone_and_reads_them_by_columns(tmp_path: Path) -> None:
    """Whatever is done with the model meanwhile sees one right matrix: tied, in rows, its own."""
    model = build(FAST, tie="target")
    inputs = random_inputs(2, 4, 3, seed=0)
    weight = model.output.weight
    state = model.start(model.encode(inputs.source, inputs.source_mask))
    assert state.columns.stride() == (TARGET_VOCAB, 1) and torch.equal(state.columns.T, weight)
    _, state = model.step(state, inputs.target_in[:, 0])
    assert weight is model.target_embedding.weight and weight.is_contiguous()
    assert torch.equal(copy.deepcopy(model).output.weight, weight)
    assert torch.equal(pickle.loads(pickle.dumps(model)).output.weight, weight)
    save_model(model, tmp_path / "tied")  # refuses tied matrices that differ
    with torch.no_grad():
        weight.mul_(2)
    assert torch.equal(model.output.weight, model.target_embedding.weight)
    other = build(FAST, seed=1, tie="target")
    model.load_state_dict(other.state_dict())
    model.step(state, inputs.target_in[:, 1])
    assert torch.equal(model.output.weight, other.output.weight)
    with torch.inference_mode():
        greedy(model, inputs.source, inputs.source_mask, bos=BOS, eos=2, max_length=3)
    model(*inputs).sum().backward()
    assert model.output.weight.grad is not None


def test_a_fast_model_steps_from_its_own_states_only() -> None:
    plain, fast = build("transformer, pre, sinusoidal"), build(FAST)
    inputs = random_inputs(2, 4, 1, seed=0)
    state = plain.start(plain.encode(inputs.source, inputs.source_mask))
    with pytest.raises(ValueError, match=r"state must come from .* but it is a TransformerState"):
        fast.step(state, inputs.target_in[:, 0])


def test_the_fast_loss_is_the_plain_one_with_its_gradient() -> None:
    """Without dropout, on the same weights: packed and in pieces, or on padded rows at once."""
    plain = build("transformer, pre, sinusoidal")
    fast = build(FAST)
    assert type(plain) is Transformer and isinstance(fast, FastTransformer)
    fast.load_state_dict(plain.state_dict())
    pairs = [Example([5, 6, 2], [4, 5]), Example([7, 2], [6, 7, 8, 4])]
    ours, theirs = (
        batch_loss(fast, collate(pairs), 0.1),
        plain_batch_loss(plain, collate(pairs), 0.1),
    )
    torch.testing.assert_close(ours, theirs)
    for one, other in zip(
        torch.autograd.grad(ours, list(fast.parameters())),
        torch.autograd.grad(theirs, list(plain.parameters())),
        strict=True,
    ):
        torch.testing.assert_close(one, other)


# Attention


def test_dropping_weights_leaves_the_record_alone() -> None:
    """Weights are dropped on the way to the output; the record holds them as they were."""
    torch.manual_seed(0)
    attention = MultiHeadAttention(8, 2, dropout=0.5).train()
    x, record = torch.randn(2, 5, 8), AttentionRecord()
    torch.manual_seed(1)
    recorded = attention(x, x, x, Scope(record=record, name="map"))
    torch.manual_seed(1)
    assert torch.equal(recorded, attention(x, x, x))
    torch.testing.assert_close(record["map"].sum(-1), torch.ones(2, 2, 5))
    assert not torch.allclose(recorded, attention.eval()(x, x, x))
