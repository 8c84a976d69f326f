"""The model contract, for every model: one property a test, over shapes, padding, batch mates."""

from typing import Any

import pytest
import torch
from every_model import (
    COVERING,
    KINDS,
    TARGET_VOCAB,
    TRANSFORMERS,
    Inputs,
    Model,
    assert_same,
    build,
    inputs,
    models,
    random_inputs,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from transformer_lite import AttentionRecord, Transformer
from transformer_lite.decoding import beam
from transformer_lite.masks import causal_mask
from transformer_lite.model import Uncached
from transformer_lite.scope import Scope
from transformer_lite.transformer import TransformerState

every_kind = pytest.mark.parametrize("kind", COVERING)
few = settings(max_examples=4)


def stepped(model: Model, batch: Inputs, capacity: int | None = None) -> list[tuple[Tensor, Any]]:
    """Logits and attention record of every step through the target."""
    state = model.start(model.encode(batch.source, batch.source_mask), capacity)
    results = []
    for token in batch.target_in.T:
        record = AttentionRecord()
        logits, state = model.step(state, token, record)
        results.append((logits, record))
    return results


@every_kind
@given(data=st.data())
@few
def test_stepping_equals_forward(kind: str, data: st.DataObject) -> None:
    model, batch = data.draw(models(kind)), data.draw(inputs(most=10))
    with torch.no_grad():
        record = AttentionRecord()
        logits = model(*batch, record)
        length = batch.target_in.shape[1]
        capacity = data.draw(st.sampled_from([None, length, length + 3]))
        for t, (step_logits, step_record) in enumerate(stepped(model, batch, capacity)):
            assert_same(step_logits, logits[:, t])
            assert set(step_record) == {name for name in record if name.startswith("decoder")}
            for name, weights in step_record.items():
                seen = weights.shape[3]  # a decoder may not have seen the whole target yet
                assert_same(weights[:, :, 0], record[name][:, :, t, :seen])


@every_kind
@given(data=st.data())
@few
def test_every_prefix_is_consistent(kind: str, data: st.DataObject) -> None:
    model, batch = data.draw(models(kind)), data.draw(inputs())
    source, mask, target_in = batch
    with torch.no_grad():
        whole = model.features(source, mask, target_in)
        for length in range(1, target_in.shape[1] + 1):
            assert_same(model.features(source, mask, target_in[:, :length]), whole[:, :length])


@every_kind
@given(data=st.data())
@few
def test_padding_and_batch_mates_change_nothing(kind: str, data: st.DataObject) -> None:
    model, batch = data.draw(models(kind)), data.draw(inputs())
    with torch.no_grad():
        together = model.features(*batch)
        for row, length in enumerate(batch.lengths.tolist()):
            alone = Inputs(
                batch.source[row : row + 1, :length],
                batch.lengths[row : row + 1],
                batch.target_in[row : row + 1],
            )
            assert_same(model.features(*alone)[0], together[row])


@every_kind
@given(data=st.data())
@few
def test_records_are_distributions_over_real_tokens(kind: str, data: st.DataObject) -> None:
    model, batch = data.draw(models(kind)), data.draw(inputs())
    rows, source_length = batch.source.shape
    target_length = batch.target_in.shape[1]
    with torch.no_grad():
        record = AttentionRecord()
        logits = model(*batch, record)
        assert_same(model(*batch), logits)  # the fused path gives what the explicit one gives
    heads, sizes = 1, {"decoder.0.cross": (target_length, source_length)}
    if isinstance(model, Transformer):
        heads, sizes = model.config.heads, {}
        for layer in range(model.config.layers):
            sizes[f"encoder.{layer}.self"] = (source_length, source_length)
        for layer in range(model.config.decoder_layers or model.config.layers):
            sizes[f"decoder.{layer}.self"] = (target_length, target_length)
            sizes[f"decoder.{layer}.cross"] = (target_length, source_length)
    elif model.config.attention is None:
        sizes = {}
    assert {name: tuple(map_.shape) for name, map_ in record.items()} == {
        name: (rows, heads, *size) for name, size in sizes.items()
    }
    for name, weights in record.items():
        assert_rows_are_whole(kind, weights)
        assert (weights >= 0).all()
        if name.startswith("decoder") and name.endswith("self"):
            assert not weights.triu(1).any(), "attends to the future"
        else:
            padding = ~batch.source_mask[:, None, None].expand_as(weights)
            assert not weights[padding].any(), "attends to padding"


@every_kind
@given(data=st.data())
@few
def test_selected_rows_go_on_as_if_they_had_been_alone(kind: str, data: st.DataObject) -> None:
    """Rows repeated, dropped and re-ordered in mid-sentence, more than once, under a cache."""
    model, batch = data.draw(models(kind)), data.draw(inputs(most=4))
    capacity = data.draw(st.sampled_from([None, 6]))
    with torch.no_grad():
        state = model.start(model.encode(batch.source, batch.source_mask), capacity)
        owner = torch.arange(len(batch.source))
        prefix = torch.empty(len(owner), 0, dtype=torch.long)
        for _ in range(3):
            choice = st.lists(st.integers(0, len(owner) - 1), min_size=1, max_size=5)
            rows = torch.tensor(data.draw(choice))
            state, owner, prefix = state.select(rows), owner[rows], prefix[rows]
            for _ in range(2):
                token = torch.tensor(
                    data.draw(
                        st.lists(
                            st.integers(0, TARGET_VOCAB - 1),
                            min_size=len(owner),
                            max_size=len(owner),
                        )
                    )
                )
                record, full = AttentionRecord(), AttentionRecord()
                logits, state = model.step(state, token, record)
                prefix = torch.cat([prefix, token[:, None]], dim=1)
                expected = model(batch.source[owner], batch.source_mask[owner], prefix, full)
                assert_same(logits, expected[:, -1])
                for name, weights in record.items():
                    assert_same(weights[:, :, 0], full[name][:, :, -1])


@every_kind
@given(repeats=st.integers(1, 3), seed=st.integers(0, 99))
@few
def test_beams_of_one_sentence_share_its_data(kind: str, repeats: int, seed: int) -> None:
    """Selecting as beam search does copies nothing that belongs to the sentence."""
    model, batch = build(kind), random_inputs(3, 4, 1, seed)
    with torch.no_grad():
        state = model.start(model.encode(batch.source, batch.source_mask))
        before = sentence_data(state)
        state = state.select(torch.arange(3).repeat_interleave(repeats))
        _, state = model.step(state, batch.target_in[:, 0].repeat_interleave(repeats))
        within = torch.arange(3 * repeats).view(3, repeats).flip(1).flatten()
        state = state.select(within)
        assert sentence_data(state) == before
        assert state.per_sentence == repeats
        dropped = state.select(torch.arange(repeats))
        assert len(dropped.memory.mask) == 1


def sentence_data(state: Any) -> list[int]:
    """Where the tensors of the sentences lie in memory."""
    if isinstance(state, TransformerState):
        known = [one for pair in state.known.values() for one in pair]
        tensors = [state.memory.states, state.memory.mask, *known]
    else:
        memory = state.memory
        tensors = [memory.outputs, memory.mask, memory.last, state.prepared]
    return [tensor.data_ptr() for tensor in tensors]


@every_kind
def test_unequal_groups_get_copies_of_their_own(kind: str) -> None:
    model, batch = build(kind), random_inputs(2, 4, 1, seed=0)
    state = model.start(model.encode(batch.source, batch.source_mask))
    assert state.select(torch.tensor([0, 0, 1])).per_sentence == 1
    assert sentence_data(state.select(torch.tensor([0, 0, 1]))) != sentence_data(state)


@every_kind
def test_the_past_alone_has_a_gradient(kind: str) -> None:
    """d features_t / d input_u is 0 for u > t, and not 0 for u ≤ t."""
    model, length = build(kind, dropout=0.3), 5
    batch = random_inputs(2, 4, length, seed=1)
    target_in = torch.arange(length).expand(2, length)  # a token id a position
    for mode in (True, False):
        model.train(mode)
        for t in range(length):
            torch.manual_seed(t)
            table = model.target_embedding.weight
            features = model.features(batch.source, batch.source_mask, target_in)[:, t]
            # A random direction: the sum of a normalised vector is constant and has no gradient.
            (gradient,) = torch.autograd.grad((features * torch.randn_like(features)).sum(), table)
            touched = gradient.abs().sum(1)[:length]
            assert not touched[t + 1 :].any()
            assert mode or touched[: t + 1].all()  # dropout may cut a road in training


def assert_rows_are_whole(kind: str, weights: Tensor) -> None:
    """Rows sum to one. A window may stand outside its source; a Gaussian takes some."""
    sums = weights.sum(-1)
    if "monotonic window" in kind:
        assert_same(sums, sums.round())
    elif "predictive window" in kind:
        assert (sums > 0).all() and (sums <= 1).all()
    else:
        assert_same(sums, torch.ones_like(sums))


@every_kind
def test_training_and_evaluation_use_the_same_masks(kind: str) -> None:
    batch = random_inputs(3, 5, 5, seed=2)
    plain = build(kind)
    assert_same(plain.train()(*batch), plain.eval()(*batch))
    dropped = build(kind, dropout=0.4)
    dropped.eval()
    expected, record = AttentionRecord(), AttentionRecord()
    dropped(*batch, expected)
    dropped.train()
    dropped(*batch, record)
    for name, weights in record.items():
        assert ((weights > 0) == (expected[name] > 0)).all()
        assert_rows_are_whole(kind, weights)  # recorded before dropout


@every_kind
def test_single_precision_keeps_the_promises_to_five_digits(kind: str) -> None:
    model = build(kind).float()
    batch = random_inputs(3, 6, 12, seed=3)
    with torch.no_grad():
        logits = model(*batch)
        for t, (step_logits, _) in enumerate(stepped(model, batch)):
            torch.testing.assert_close(step_logits, logits[:, t], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", TRANSFORMERS)
def test_a_used_state_refuses(kind: str) -> None:
    """The cache behind it has grown; silently going on would mix two futures."""
    model, batch = build(kind), random_inputs(2, 3, 1, seed=0)
    first = model.start(model.encode(batch.source, batch.source_mask))
    kept = first.select(torch.arange(2))
    token = batch.target_in[:, 0]
    logits, _ = model.step(first, token)
    with pytest.raises(ValueError, match="used already"):
        model.step(first, token)
    assert_same(model.step(kept, token)[0], logits)  # a selected copy is a state of its own


@pytest.mark.parametrize("kind", TRANSFORMERS)
def test_a_step_with_a_cache_has_no_gradient(kind: str) -> None:
    model, batch = build(kind), random_inputs(2, 3, 1, seed=0)
    state = model.start(model.encode(batch.source, batch.source_mask))
    assert not model.step(state, batch.target_in[:, 0])[0].requires_grad


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in TRANSFORMERS])
def test_a_recurrent_state_keeps_its_size(kind: str) -> None:
    model, batch = build(kind), random_inputs(2, 3, 6, seed=0)
    state = model.start(model.encode(batch.source, batch.source_mask))
    sizes = set()
    for token in batch.target_in.T:
        _, state = model.step(state, token)
        sizes.add((state.hidden.shape, state.attentional_vector.shape, state.memory.outputs.shape))
    assert len(sizes) == 1


@every_kind
@pytest.mark.parametrize("tokens", [1, 3, 4])
def test_a_step_takes_one_token_a_row(kind: str, tokens: int) -> None:
    model, batch = build(kind), random_inputs(2, 3, 1, seed=0)
    state = model.start(model.encode(batch.source, batch.source_mask))
    with pytest.raises(ValueError, match=r"token .* 2 rows"):
        model.step(state, torch.zeros(tokens, dtype=torch.long))


@every_kind
def test_empty_batches_and_sentences_are_refused(kind: str) -> None:
    model = build(kind)
    ids, real = torch.zeros(2, 3, dtype=torch.long), torch.ones(2, 3, dtype=torch.bool)
    with pytest.raises(ValueError, match=r"source .*at least one"):
        model(ids[:, :0], real[:, :0], ids)
    with pytest.raises(ValueError, match=r"target_in .*at least one"):
        model(ids, real, ids[:, :0])
    with pytest.raises(ValueError, match=r"source .*at least one"):
        model.encode(ids[:0], real[:0])


class WithoutCache(Uncached):
    """A Transformer that forgets its keys and values."""

    def __init__(self, inner: Transformer) -> None:
        super().__init__(inner.source_vocab, inner.target_vocab)
        self.inner = inner

    def encode(self, source: Tensor, source_mask: Tensor) -> tuple[Tensor, ...]:
        return tuple(vars(self.inner.encode(source, source_mask)).values())

    def decode(self, target_in: Tensor, memory: tuple[Tensor, ...]) -> Tensor:
        states, real = memory
        x = self.inner.embed(self.inner.target_embedding, target_in, "target_in")
        past = Scope(causal_mask(target_in.shape[1]))
        return self.inner.output(self.inner.decoder(x, states, past, Scope(real[:, None, None])))


def test_a_model_without_a_cache_does_what_its_twin_with_one_does() -> None:
    twin = build("transformer, pre, sinusoidal")
    model = WithoutCache(twin).eval()
    batch = random_inputs(batch=4, source=5, target=6, seed=3)
    assert_same(model(*batch), twin(*batch))
    for (ours, _), (theirs, _) in zip(stepped(model, batch), stepped(twin, batch), strict=True):
        assert_same(ours, theirs)
    searches = [
        beam(one, batch.source, batch.source_mask, bos=1, eos=2, max_length=7, beam_size=4)
        for one in (model, twin)
    ]
    ours, theirs = ([[one.tokens for one in best] for best in found] for found in searches)
    assert ours == theirs and len({len(tokens) for best in ours for tokens in best}) > 1
