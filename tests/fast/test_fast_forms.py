"""Every fast form beside its plain one: same values, same gradients."""

from typing import Any

import pytest
import torch
from every_model import BOS, KINDS, TARGET_VOCAB, build, models, random_inputs
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from transformer_lite import losses
from transformer_lite.attention import AttentionRecord, MultiHeadAttention
from transformer_lite.data.vocabulary import PAD
from transformer_lite.decoding import beam, greedy, output_by_columns
from transformer_lite.fast.dropout import Dropout, keep_mask, relu_dropout
from transformer_lite.fast.packing import Packing
from transformer_lite.layers import ACTIVATIONS, Activation, FeedForward
from transformer_lite.losses import label_smoothed_loss, projected_loss
from transformer_lite.masks import padding_mask
from transformer_lite.model import SequenceModel

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


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data(), seed=st.integers(0, 99))
def test_features_of_real_tokens_are_those_of_all_positions(
    kind: str, data: st.DataObject, seed: int
) -> None:
    """With the gradient of every parameter; the padding holds ids that must not matter."""
    model = data.draw(models(kind))
    lengths = torch.tensor(data.draw(LENGTHS))
    inputs = random_inputs(len(lengths), 4, 6, seed)
    target_mask = padding_mask(lengths, 6)
    plain = SequenceModel.token_features(model, *inputs, target_mask)
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
    model = build("transformer, pre, sinusoidal")
    inputs = random_inputs(2, 4, 3, seed=0)
    mask = torch.zeros(2, 3, dtype=torch.bool)
    assert model.token_features(*inputs, mask).shape == (0, 8)


# The loss in pieces


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("piece", [1, 3, 20])
def test_the_loss_in_pieces_is_the_plain_one(
    monkeypatch: pytest.MonkeyPatch, smoothing: float, bias: bool, piece: int
) -> None:
    """`piece` rows at a time, which need not divide their number."""
    torch.manual_seed(0)
    monkeypatch.setattr(losses, "PIECE", piece * TARGET_VOCAB)
    output = nn.Linear(5, TARGET_VOCAB, bias=bias).double()
    features = torch.randn(7, 5, dtype=torch.float64, requires_grad=True)
    target = torch.randint(PAD + 1, TARGET_VOCAB, (7,))
    pieces = projected_loss(features, output, target, smoothing)
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
    plain = projected_loss(features, output, target, 0.1)
    monkeypatch.setattr(losses, "PIECE", 400)
    pieces = projected_loss(features, output, target, 0.1, torch.bfloat16)
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


@pytest.mark.parametrize("p", [0.0, 0.3])
@pytest.mark.parametrize("training", [True, False])
def test_relu_and_dropout_in_one_are_the_two(p: float, training: bool) -> None:
    layer = Dropout(p).train(training)
    x = torch.randn(50, 70, dtype=torch.float64, requires_grad=True)
    direction = torch.randn_like(x)
    torch.manual_seed(1)
    together = relu_dropout(x, layer)
    torch.manual_seed(1)
    apart = layer(x.relu())
    torch.testing.assert_close(together, apart)
    ours, theirs = (
        torch.autograd.grad(one, x, direction, retain_graph=True)[0] for one in (together, apart)
    )
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("activation", ["relu", "gelu", "silu"])
def test_the_feed_forward_network_drops_what_stands_between_its_maps(
    activation: Activation,
) -> None:
    network, x = FeedForward(6, 40, 0.5, activation), torch.randn(3, 6)
    torch.manual_seed(1)
    found = network(x)
    torch.manual_seed(1)
    inner = network.dropout(ACTIVATIONS[activation](network.wide(x)))
    torch.testing.assert_close(found, network.narrow(inner))
    assert not torch.allclose(found, network.eval()(x))


# Decoding


def test_a_position_table_that_grew_in_decoding_serves_training_too() -> None:
    """Greedy decoding keeps nothing for gradients; what it leaves behind must still allow them."""
    model = build("transformer, pre, sinusoidal", max_length=4)
    inputs = random_inputs(2, 4, 12, seed=0)
    greedy(model, inputs.source, inputs.source_mask, bos=BOS, eos=TARGET_VOCAB - 1, max_length=12)
    assert len(model.get_buffer("positions.table")) > 4
    model(*inputs).sum().backward()
    assert all(one.grad is not None for one in model.stack.parameters())


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data(), seed=st.integers(0, 99))
def test_the_output_matrix_by_columns_gives_the_same_logits(
    kind: str, data: st.DataObject, seed: int
) -> None:
    model = data.draw(models(kind))
    inputs = random_inputs(3, 4, 5, seed)
    with torch.no_grad():
        plain = model(*inputs)
        with output_by_columns(model):
            torch.testing.assert_close(model(*inputs), plain)


@pytest.mark.parametrize("tie", ["none", "target"])
@pytest.mark.parametrize("search", [greedy, beam])
def test_decoding_reads_the_output_matrix_by_columns_and_leaves_it_as_it_was(
    monkeypatch: pytest.MonkeyPatch, search: Any, tie: str
) -> None:
    """The same memory with the same numbers after, so that training goes on as before."""
    model = build("transformer, pre, learned", max_length=4, tie=tie)
    inputs = random_inputs(2, 4, 3, seed=0)
    weight, strides = model.output.weight, []

    def watched(features: Tensor) -> Tensor:
        strides.append(weight.stride())
        return project(features)

    project = model.project
    monkeypatch.setattr(model, "project", watched)
    rows, numbers = weight.data_ptr(), weight.detach().clone()
    arguments = (model, inputs.source, inputs.source_mask)
    search(*arguments, bos=BOS, eos=TARGET_VOCAB - 1, max_length=2)
    with pytest.raises(ValueError, match="learned 4 positions"):  # an error on the way
        search(*arguments, bos=BOS, eos=TARGET_VOCAB - 1, max_length=9)
    assert len(strides) > 2
    assert set(strides) == {(1, TARGET_VOCAB)}
    assert weight.data_ptr() == rows
    assert weight.stride() == (8, 1)
    assert torch.equal(weight, numbers)
    model(*inputs).sum().backward()
    assert model.output.weight is weight
    assert weight.grad is not None


def test_two_searches_at_once_leave_the_output_matrix_as_it_was() -> None:
    """As in two threads: the second begins before the first ends, and ends after it."""
    model = build("transformer, pre, sinusoidal")
    rows = model.output.weight.data_ptr()
    first, second = output_by_columns(model), output_by_columns(model)
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    second.__exit__(None, None, None)
    assert model.output.weight.data_ptr() == rows
    assert model.output.weight.is_contiguous()


# Attention


def test_dropping_weights_leaves_the_record_alone() -> None:
    """Weights are dropped on the way to the output; the record holds them as they were."""
    torch.manual_seed(0)
    attention = MultiHeadAttention(8, 2, dropout=0.5).train()
    x, record = torch.randn(2, 5, 8), AttentionRecord()
    torch.manual_seed(1)
    recorded = attention(x, x, x, None, record, "map")
    torch.manual_seed(1)
    assert torch.equal(recorded, attention(x, x, x))
    torch.testing.assert_close(record["map"].sum(-1), torch.ones(2, 2, 5))
    assert not torch.allclose(recorded, attention.eval()(x, x, x))
