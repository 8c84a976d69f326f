import math
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from every_model import (
    SOURCE_VOCAB,
    TARGET_VOCAB,
    TRANSFORMERS,
    assert_same,
    build,
    random_inputs,
)
from torch import nn

from transformer_lite import Transformer, TransformerConfig
from transformer_lite.positions import sinusoidal
from transformer_lite.scope import KeyValueCache, Scope


def parameter_counts(model: Transformer) -> dict[str, int]:
    """The number of parameters of each component, and "total"; a shared matrix counts once."""
    parts: dict[str, Sequence[nn.Module]] = {
        "embeddings": [model.source_embedding, model.target_embedding, model.output],
        "positions": [model.positions],
    }
    for name, stack in (("encoder", model.encoder), ("decoder", model.decoder)):
        for kind in ("self_attention", "cross_attention", "feed_forward"):
            if hasattr(stack.layers[0], kind):
                parts[f"{name} {kind}"] = [getattr(layer, kind) for layer in stack.layers]
    parts["normalisation"] = [m for m in model.modules() if isinstance(m, nn.LayerNorm)]
    counts = {}
    for name, modules in parts.items():
        shared = {id(p): p.numel() for module in modules for p in module.parameters()}
        counts[name] = sum(shared.values())
    counts["total"] = sum(p.numel() for p in model.parameters())
    return counts


PAPER = {
    "base": (TransformerConfig.base(37_000), 512, 2048, 63_082_496),
    "big": (TransformerConfig.big(37_000), 1024, 4096, 214_245_376),
}


@pytest.mark.parametrize("name", PAPER)
def test_the_papers_models_have_exactly_these_parameters(name: str) -> None:
    config, width, wide, total = PAPER[name]
    with torch.device("meta"):  # shapes without numbers
        counts = parameter_counts(Transformer(config))
    attention = 4 * (width * width + width)  # query, key, value, output, each with a bias
    feed_forward = (width * wide + wide) + (wide * width + width)
    norm = 2 * width
    by_formula = {
        "embeddings": 37_000 * width,  # one matrix for source, target and output
        "positions": 0,
        "encoder self_attention": 6 * attention,
        "encoder feed_forward": 6 * feed_forward,
        "decoder self_attention": 6 * attention,
        "decoder cross_attention": 6 * attention,
        "decoder feed_forward": 6 * feed_forward,
        "normalisation": 6 * 2 * norm + 6 * 3 * norm,
    }
    assert counts == by_formula | {"total": total}
    assert sum(by_formula.values()) == total


@pytest.mark.parametrize("tie", ["none", "target", "all"])
@pytest.mark.parametrize("positions", ["sinusoidal", "learned"])
def test_the_breakdown_leaves_nothing_out(tie: Any, positions: Any) -> None:
    config = TransformerConfig(
        9, 9, d_model=8, heads=2, layers=2, d_ff=12, tie=tie, positions=positions, max_length=20
    )
    counts = parameter_counts(Transformer(config))
    total = counts.pop("total")
    assert sum(counts.values()) == total
    assert counts["embeddings"] == {"none": 3, "target": 2, "all": 1}[tie] * 9 * 8
    assert counts["positions"] == (20 * 8 if positions == "learned" else 0)


def test_every_layer_has_parameters_of_its_own() -> None:
    model = Transformer(TransformerConfig(5, 5, d_model=4, heads=2, layers=3, d_ff=8))
    for stack in (model.encoder, model.decoder):
        weights = [layer.feed_forward.expand.weight for layer in stack.layers]
        assert len({id(weight) for weight in weights}) == 3
        assert not torch.equal(weights[0], weights[1])


@pytest.mark.parametrize("tie", ["none", "target", "all"])
def test_tied_matrices_stay_one_in_training(tie: Any) -> None:
    model = build("transformer, pre, sinusoidal", tie=tie, source_vocab=TARGET_VOCAB)
    assert isinstance(model, Transformer)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model(*random_inputs(2, 3, 3, seed=0)).square().sum().backward()
    optimizer.step()
    target, output = model.target_embedding.weight, model.output.weight
    assert torch.equal(target, output) == (tie != "none")
    assert torch.equal(model.source_embedding.weight, target) == (tie == "all")


def test_embeddings_are_scaled_and_positions_added() -> None:
    model = build("transformer, pre, sinusoidal")
    assert isinstance(model, Transformer)
    ids = torch.tensor([[3, 1, 4]])
    embedded = model.embed(model.target_embedding, ids, "ids", start=2)
    words = model.target_embedding.weight[ids] * math.sqrt(8)
    assert_same(embedded, words + sinusoidal(5, 8)[2:].double())


def test_embeddings_start_at_the_size_of_positions() -> None:
    """Embeddings from N(0, 1), times √D, would drown the positions."""
    torch.manual_seed(0)
    model = Transformer(TransformerConfig(500, 500, d_model=64, layers=1))
    for table in (model.source_embedding, model.target_embedding):
        assert (table.weight * math.sqrt(64)).std().item() == pytest.approx(1.0, rel=0.03)


@pytest.mark.parametrize("kind", TRANSFORMERS)
def test_positions_make_word_order_matter(kind: str) -> None:
    model = build(kind)
    assert isinstance(model, Transformer)
    source, real = torch.tensor([[3, 1, 4, 5]]), torch.ones(1, 4, dtype=torch.bool)
    order = torch.tensor([2, 0, 3, 1])
    here = model.encode(source, real).states[:, order]
    there = model.encode(source[:, order], real).states
    assert (here - there).abs().max() > 0.01
    vectors = torch.randn(1, 4, 8, dtype=torch.float64)  # no positions in the stack itself
    assert_same(
        model.encoder(vectors, Scope())[:, order], model.encoder(vectors[:, order], Scope())
    )


@pytest.mark.parametrize("norm", ["pre", "post"])
@pytest.mark.parametrize("final_norm", [None, True, False])
def test_final_norms_are_where_the_configuration_says(norm: Any, final_norm: Any) -> None:
    config = TransformerConfig(5, 5, d_model=8, heads=2, layers=1, norm=norm, final_norm=final_norm)
    model = Transformer(config)
    expected = norm == "pre" if final_norm is None else final_norm
    for stack in (model.encoder, model.decoder):
        assert isinstance(stack.norm, torch.nn.LayerNorm) == expected


def test_the_residual_sum_is_free_with_pre_norm_and_normalised_with_post_norm() -> None:
    torch.manual_seed(0)
    x = 5 * torch.randn(1, 3, 8, dtype=torch.float64) + 2
    for norm in ("pre", "post"):
        model = build(f"transformer, {norm}, sinusoidal", final_norm=False)
        assert isinstance(model, Transformer)
        for part in model.encoder.modules():
            if isinstance(part, torch.nn.Linear):  # sublayers that add nothing
                torch.nn.init.zeros_(part.weight)
        expected = x if norm == "pre" else torch.nn.functional.layer_norm(x, (8,))
        torch.testing.assert_close(model.encoder(x, Scope()), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", TRANSFORMERS)
def test_the_capacity_of_a_cache_is_honoured_and_not_exceeded(kind: str) -> None:
    model, batch = build(kind), random_inputs(2, 3, 4, seed=0)
    state = model.start(model.encode(batch.source, batch.source_mask), capacity=3)
    places = set()
    for token in batch.target_in.T[:3]:
        _, state = model.step(state, token)
        keys = state.caches["decoder.0.self"].keys
        assert keys is not None and keys.shape[2] == 3
        places.add(keys.data_ptr())
    assert len(places) == 1, "a preallocated cache never moves"
    with pytest.raises(ValueError, match="made for 3 target tokens and token 4 does not fit"):
        model.step(state, batch.target_in[:, 3])


def test_a_cache_without_capacity_doubles() -> None:
    torch.manual_seed(0)
    cache, whole = KeyValueCache(), torch.randn(2, 1, 40, 3)
    sizes = set()
    for t in range(40):
        keys, values = cache.append(whole[:, :, t : t + 1], -whole[:, :, t : t + 1])
        assert torch.equal(keys, whole[:, :, : t + 1])
        assert torch.equal(values, -whole[:, :, : t + 1])
        assert cache.keys is not None
        sizes.add(cache.keys.shape[2])
    assert sizes == {8, 18, 38, 78}


def test_selecting_an_empty_cache_and_a_copy_that_goes_its_own_way() -> None:
    empty = KeyValueCache().select(torch.tensor([0, 0]))
    assert empty.length == 0
    cache, new = KeyValueCache(4), torch.ones(2, 1, 1, 3)
    cache.append(new, new)
    copy = cache.select(torch.tensor([1]))
    copy.append(5 * new[:1], 5 * new[:1])
    keys, _ = cache.append(7 * new, 7 * new)
    assert keys[:, 0, :, 0].tolist() == [[1, 7], [1, 7]]
    assert copy.capacity == 4 and copy.length == 2


def test_learned_positions_bound_both_sides() -> None:
    model = build("transformer, pre, learned", max_length=4)
    batch = random_inputs(1, 4, 5, seed=0)
    with pytest.raises(ValueError, match="at most 4 tokens"):
        model(*batch)
    state = model.start(model.encode(batch.source, batch.source_mask))
    for token in batch.target_in.T[:4]:
        _, state = model.step(state, token)
    with pytest.raises(ValueError, match="but it has 5"):
        model.step(state, batch.target_in[:, 4])


@pytest.mark.parametrize("wrong", [-1, SOURCE_VOCAB])
def test_ids_outside_the_vocabulary_are_named(wrong: int) -> None:
    for kind in ("transformer, pre, sinusoidal", "rnn, additive, luong"):
        model, batch = build(kind), random_inputs(2, 3, 3, seed=0)
        bad = batch.source.clone()
        bad[1, 2] = wrong
        with pytest.raises(ValueError, match=f"source holds the id {wrong}.*0 to 10"):
            model(bad, batch.source_mask, batch.target_in)
        with pytest.raises(ValueError, match=f"target_in holds the id {wrong}.*0 to 8"):
            model(batch.source, batch.source_mask, bad)
        state = model.start(model.encode(batch.source, batch.source_mask))
        with pytest.raises(ValueError, match=f"token holds the id {wrong}.*0 to 8"):
            model.step(state, bad[:, 2])
        model.step(state, batch.target_in[:, 0])  # the refusal used nothing up


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"d_model": 10, "heads": 4}, "heads must divide d_model"),
        ({"layers": 0}, "layers must be at least 1"),
        ({"tie": "all"}, "must have one vocabulary for both sides"),
    ],
)
def test_configurations_that_cannot_be_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TransformerConfig(SOURCE_VOCAB, TARGET_VOCAB, **fields)
