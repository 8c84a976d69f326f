from typing import Any

import pytest
import torch
from every_model import ATTENTIONS, assert_same, build, random_inputs

from transformer_lite import AttentionRecord, Seq2Seq, Seq2SeqConfig
from transformer_lite.scores import AdditiveScore


def made(kind: str, **fields: Any) -> Seq2Seq:
    model = build(kind, **fields)
    assert isinstance(model, Seq2Seq)
    return model


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("layers", [1, 2])
def test_the_last_state_is_that_of_the_last_real_token(bidirectional: bool, layers: int) -> None:
    model = made("rnn, context start", bidirectional=bidirectional, layers=layers)
    batch = random_inputs(4, 6, 1, seed=0)
    memory = model.encode(batch.source, batch.source_mask)
    assert memory.outputs.shape == (4, 6, 6) and memory.last.shape == (layers, 4, 6)
    for row, length in enumerate(batch.lengths.tolist()):
        top = memory.outputs[row]
        if bidirectional:  # left-to-right ends at the last token, right-to-left at the first
            assert_same(memory.last[-1, row], torch.cat([top[length - 1, :3], top[0, 3:]]))
        else:
            assert_same(memory.last[-1, row], top[length - 1])
        assert not top[length:].any()


def test_without_attention_only_the_last_state_is_read() -> None:
    """The bottleneck: other outputs may be anything."""
    for kind in ("rnn, context start", "rnn, context each_step"):
        model, batch = made(kind), random_inputs(2, 5, 1, seed=0)
        memory = model.encode(batch.source, batch.source_mask)
        token = batch.target_in[:, 0]
        expected, _ = model.step(model.start(memory), token)
        memory.outputs.mul_(-3)
        assert_same(model.step(model.start(memory), token)[0], expected)


@pytest.mark.parametrize("attention", ATTENTIONS)
@pytest.mark.parametrize(
    ("decoder", "calls"), [("luong", 1), ("luong, input feeding", 7), ("bahdanau", 7)]
)
def test_training_loops_over_positions_only_where_a_step_needs_the_one_before(
    decoder: str, calls: int, attention: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, batch = made(f"rnn, {attention}, {decoder}"), random_inputs(2, 5, 7, seed=0)
    run, widths = model.decoder.forward, []

    def counted(words: torch.Tensor, *others: Any) -> Any:
        widths.append(words.shape[1])
        return run(words, *others)

    monkeypatch.setattr(model.decoder, "forward", counted)
    model.features(batch.source, batch.source_mask, batch.target_in)
    assert widths == [7 // calls] * calls


def test_context_at_each_step_enters_each_step() -> None:
    model, batch = made("rnn, context each_step"), random_inputs(2, 5, 1, seed=0)
    state = model.start(model.encode(batch.source, batch.source_mask))
    token = batch.target_in[:, 0]
    expected, _ = model.step(state, token)
    state.memory.last[-1].add_(1.0)  # the decoder's own state was made from it before
    assert not torch.allclose(model.step(state, token)[0], expected)
    plain = made("rnn, context start")
    state = plain.start(plain.encode(batch.source, batch.source_mask))
    expected, _ = plain.step(state, token)
    state.memory.last[-1].add_(1.0)
    assert_same(plain.step(state, token)[0], expected)


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_bahdanau_asks_with_the_state_before_and_luong_with_the_state_after(attention: str) -> None:
    """The token of this step can change the weights of this step in Luong's decoder only."""
    for decoder, depends in (("bahdanau", False), ("luong", True)):
        model, batch = made(f"rnn, {attention}, {decoder}"), random_inputs(1, 5, 1, seed=3)
        real = torch.ones_like(batch.source_mask)
        maps = []
        for token in (3, 4):
            state = model.start(model.encode(batch.source, real))
            record = AttentionRecord()
            model.step(state, torch.tensor([token]), record)
            maps.append(record["decoder.0.cross"])
        assert torch.equal(*maps) != depends


def test_input_feeding_hands_the_attentional_vector_to_the_next_step() -> None:
    for feeding in (False, True):
        kind = "rnn, dot, luong, input feeding" if feeding else "rnn, dot, luong"
        model, batch = made(kind), random_inputs(1, 3, 2, seed=0)
        state = model.start(model.encode(batch.source, batch.source_mask))
        assert not state.attentional_vector.any()
        features, state = model.advance(state, batch.target_in[:, 0], None)
        assert_same(state.attentional_vector, features)
        expected, _ = model.step(state, batch.target_in[:, 1])
        state.attentional_vector.add_(1.0)
        changed, _ = model.step(state, batch.target_in[:, 1])
        assert torch.allclose(changed, expected) != feeding


def test_luong_follows_the_paper_step_by_step() -> None:
    """h̃ = tanh(W[context; state]), with weights from softmax(state · output)."""
    model, batch = made("rnn, dot, luong"), random_inputs(1, 4, 1, seed=0)
    real = torch.ones_like(batch.source_mask)
    memory = model.encode(batch.source, real)
    state = model.start(memory)
    words = model.target_embedding(batch.target_in)
    after, _ = model.decoder.cell(words, state.hidden)
    weights = (memory.outputs[0] @ after[0, 0]).softmax(0)
    context = weights @ memory.outputs[0]
    expected = torch.tanh(model.decoder.combine(torch.cat([context, after[0, 0]])))
    features = model.features(batch.source, real, batch.target_in)
    assert_same(features[0, 0], expected)


def test_bahdanau_follows_the_paper_step_by_step() -> None:
    """e = v tanh(W s_before + U h); the context enters the cell at the same step."""
    model, batch = made("rnn, additive, bahdanau"), random_inputs(1, 4, 1, seed=0)
    real = torch.ones_like(batch.source_mask)
    memory = model.encode(batch.source, real)
    assert model.attention is not None
    before, score = model.start(memory).hidden, model.attention.score
    assert isinstance(score, AdditiveScore)
    energies = score.v((score.query(before[-1, 0]) + score.key(memory.outputs[0])).tanh())
    context = energies[:, 0].softmax(0) @ memory.outputs[0]
    word = model.target_embedding(batch.target_in)[0, 0]
    after, _ = model.decoder.cell(torch.cat([word, context])[None, None], before)
    joined = torch.cat([after[0, 0], context, word])
    expected = torch.tanh(model.decoder.combine(joined))
    assert_same(model.features(batch.source, real, batch.target_in)[0, 0], expected)


def test_the_location_score_bounds_the_source() -> None:
    model, batch = made("rnn, location, luong", longest_source=4), random_inputs(1, 5, 1, seed=0)
    with pytest.raises(ValueError, match=r"at most 4 tokens .* but it has 5"):
        model(*batch)


def test_the_width_of_the_additive_score_can_be_chosen() -> None:
    for asked, width in ((None, 6), (3, 3)):
        model = made("rnn, additive, luong", score_width=asked)
        assert model.attention is not None and isinstance(model.attention.score, AdditiveScore)
        assert model.attention.score.v.in_features == width


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"hidden": 0}, "hidden must be at least 1"),
        ({"hidden": 5, "bidirectional": True}, "hidden=5 is odd"),
        ({"input_feeding": True}, "input_feeding belongs to attention"),
        ({"input_feeding": True, "attention": "dot"}, 'with decoder="luong"'),
        ({"context": "each_step", "attention": "dot"}, "belongs to attention=None"),
    ],
)
def test_configurations_that_cannot_be_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Seq2SeqConfig(5, 5, **fields)
