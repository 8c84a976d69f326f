"""Equality with MarianMT of Hugging Face, on random weights: nothing is downloaded."""

import sys
from typing import Any

import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from transformers import MarianConfig, MarianMTModel

from transformer_lite.decoding import greedy
from transformer_lite.interop import from_marian, load_marian
from transformer_lite.masks import padding_mask

EOS, PAD = 0, 12
OPUS: dict[str, Any] = {"activation_function": "swish", "scale_embedding": True}


def marian(seed: int = 0, **fields: Any) -> MarianMTModel:
    """A small one in float64, every number drawn: new norms and biases hide mistakes."""
    torch.manual_seed(seed)
    small: dict[str, Any] = {
        "vocab_size": 13, "d_model": 8, "encoder_layers": 2, "decoder_layers": 1,
        "encoder_attention_heads": 2, "decoder_attention_heads": 2, "encoder_ffn_dim": 12,
        "decoder_ffn_dim": 12, "max_position_embeddings": 32, "pad_token_id": PAD,
        "decoder_start_token_id": PAD, "eos_token_id": EOS, "forced_eos_token_id": None,
    }  # fmt: skip
    model = MarianMTModel(MarianConfig(**(small | fields))).double()
    for parameter in model.parameters():
        if parameter.requires_grad:  # the sinusoidal tables are parameters, too
            nn.init.normal_(parameter, std=0.5)
    nn.init.normal_(model.final_logits_bias)
    return model.eval()


def forward(model: MarianMTModel, source: Tensor, mask: Tensor, target: Tensor) -> Tensor:
    with torch.no_grad():
        outputs = model(input_ids=source, attention_mask=mask.long(), decoder_input_ids=target)
    logits: Tensor = outputs.logits
    return logits


def assert_equal_logits(model: MarianMTModel, seed: int = 0, longest: int = 6) -> None:
    generator = torch.Generator().manual_seed(seed)
    source = torch.randint(model.config.vocab_size, (3, longest), generator=generator)
    target = torch.randint(model.lm_head.out_features, (3, longest + 1), generator=generator)
    mask = padding_mask(torch.tensor([longest, 1, longest - 2]), longest)
    # Both tables of sines were rounded to float32, each in its own way.
    expected = forward(model, source, mask, target)
    logits = from_marian(model)(source, mask, target)
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("activation", ["relu", "gelu", "silu", "swish"])
@pytest.mark.parametrize(("width", "heads"), [(8, 1), (8, 2), (8, 4), (7, 1), (6, 3)])
@given(
    scaled=st.booleans(),
    shared=st.booleans(),
    tied=st.booleans(),
    target_vocab=st.integers(13, 20),
    depths=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    d_ff=st.integers(1, 20),
    seed=st.integers(0, 999),
)
@settings(phases=[Phase.generate], max_examples=4)
def test_logits_are_marians(
    activation: str, width: int, heads: int, scaled: bool, shared: bool, tied: bool,
    target_vocab: int, depths: tuple[int, int], d_ff: int, seed: int,
) -> None:  # fmt: skip
    model = marian(
        seed, activation_function=activation, scale_embedding=scaled, tie_word_embeddings=tied,
        share_encoder_decoder_embeddings=shared, decoder_vocab_size=13 if shared else target_vocab,
        d_model=width, encoder_attention_heads=heads, decoder_attention_heads=heads,
        encoder_layers=depths[0], decoder_layers=depths[1], encoder_ffn_dim=d_ff,
        decoder_ffn_dim=d_ff,
    )  # fmt: skip
    assert_equal_logits(model, seed)


def test_logits_are_marians_as_far_as_its_positions_go() -> None:
    assert_equal_logits(marian(max_position_embeddings=513, **OPUS), longest=512)


def test_logits_are_marians_in_the_precision_it_is_used_in() -> None:
    model = marian(d_model=64, encoder_ffn_dim=128, decoder_ffn_dim=128, **OPUS).float()
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data *= 0.3
    ours = from_marian(model)
    assert {parameter.dtype for parameter in ours.parameters()} == {torch.float32}
    source, target = torch.randint(13, (4, 9)), torch.randint(13, (4, 7))
    mask = padding_mask(torch.tensor([9, 1, 5, 8]), 9)
    expected = forward(model, source, mask, target)
    torch.testing.assert_close(ours(source, mask, target), expected, rtol=0, atol=1e-4)


def lively(seed: int, **fields: Any) -> MarianMTModel:
    """One whose output depends on text and position: most random models repeat one token."""
    model = marian(seed, d_model=16, **fields)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm.weight" in name:
                parameter.mul_(0.4).add_(1)
            elif parameter.requires_grad:
                parameter.mul_(0.1 if "bias" in name else 0.6)
        model.final_logits_bias.mul_(0.03)
    return model


def up_to_eos(model: MarianMTModel, row: list[int]) -> list[int]:
    eos = model.config.eos_token_id
    return row[: row.index(eos) + 1] if eos in row else row


def generated(model: MarianMTModel, source: Tensor, mask: Tensor, **options: Any) -> list[Any]:
    """What `generate` writes after the start token, up to and with <eos>."""
    options = {"num_beams": 1, "do_sample": False, "max_new_tokens": 12} | options
    rows = model.generate(input_ids=source, attention_mask=mask.long(), **options)
    return [up_to_eos(model, row) for row in rows[:, 1:].tolist()]


def written(model: MarianMTModel, source: Tensor, mask: Tensor) -> list[Any]:
    bos, eos = model.config.decoder_start_token_id, model.config.eos_token_id
    found = greedy(from_marian(model), source, mask, bos=bos, eos=eos, max_length=12)
    return [[*one.tokens, *([eos] if one.finished else [])] for one in found]


@pytest.mark.parametrize("start", [PAD, 5])
@pytest.mark.parametrize("fields", [OPUS, {}, OPUS | {"share_encoder_decoder_embeddings": False}])
def test_greedy_output_is_that_of_generate(fields: dict[str, Any], start: int) -> None:
    lengths, different = set(), set()
    for seed in range(8):
        model = lively(seed, decoder_start_token_id=start, **fields)
        model.generation_config.bad_words_ids = [[PAD]]
        model.final_logits_bias[0, PAD] += 0.2  # it would be written, were it not forbidden
        source = torch.randint(13, (4, 6))
        mask = padding_mask(torch.tensor([6, 1, 4, 3]), 6)
        # A random model hardly ever ends a sentence: make an end of a token that it does write.
        eos = written(model, source, mask)[0][-1]
        model.config.eos_token_id = model.generation_config.eos_token_id = eos
        tokens = written(model, source, mask)
        assert tokens == generated(model, source, mask)
        assert not any(PAD in row for row in tokens)
        lengths |= {len(row) for row in tokens}
        different |= {tuple(row) for row in tokens}
    assert len(lengths) > 2 and len(different) > 8, "sentences should differ, also in length"


def test_padding_is_written_where_it_is_not_forbidden() -> None:
    """So that the test above is about more than models that would never write it."""
    model = marian(1, **OPUS)
    model.final_logits_bias[0, PAD] += 30
    source, mask = torch.randint(13, (2, 6)), torch.ones(2, 6, dtype=torch.bool)
    assert written(model, source, mask) == [[PAD] * 12] * 2
    model.generation_config.bad_words_ids = [[PAD], [3]]
    assert {PAD, 3}.isdisjoint({token for row in written(model, source, mask) for token in row})
    assert model.final_logits_bias.isfinite().all(), "the model itself stays as it was"


def test_generate_may_end_a_sentence_itself_where_ours_is_cut() -> None:
    model = marian(2, **OPUS)
    model.final_logits_bias[0, EOS] = -30  # no sentence ends by itself
    source, mask = torch.randint(13, (2, 6)), torch.ones(2, 6, dtype=torch.bool)
    cut = written(model, source, mask)
    forced = generated(model, source, mask, forced_eos_token_id=EOS)
    assert [row[:-1] for row in cut] == [row[:-1] for row in forced]
    assert {row[-1] for row in forced} == {EOS} and EOS not in {row[-1] for row in cut}


@pytest.mark.parametrize(
    ("fields", "tie"),
    [
        (OPUS, "all"),
        (OPUS | {"share_encoder_decoder_embeddings": False, "decoder_vocab_size": 17}, "target"),
        (OPUS | {"share_encoder_decoder_embeddings": False, "tie_word_embeddings": False}, "none"),
        ({"scale_embedding": False}, "none"),
    ],
)
def test_what_is_one_matrix_there_is_one_here(fields: dict[str, Any], tie: str) -> None:
    model = marian(**fields)
    ours = from_marian(model)
    assert ours.config.tie == tie
    if fields.get("scale_embedding"):
        tables = (model.model.encoder.embed_positions, model.model.decoder.embed_positions)
        expected = sum(p.numel() for p in model.parameters())
        expected -= sum(table.weight.numel() for table in tables)
        assert sum(p.numel() for p in ours.parameters() if p.requires_grad) == expected


def test_weights_are_copies_and_everything_else_follows_the_model() -> None:
    model = marian(dropout=0.3, attention_dropout=0.2, **OPUS).train()
    nn.init.constant_(model.model.encoder.layers[0].final_layer_norm.weight, 2.0)
    model.model.decoder.layers[0].encoder_attn_layer_norm.eps = 0.5
    ours = from_marian(model)
    assert ours.training and not from_marian(model.eval()).training
    assert (ours.config.dropout, ours.config.attention_dropout) == (0.3, 0.2)
    assert (ours.config.layers, ours.config.decoder_layers) == (2, 1)
    assert not ours.output.bias.requires_grad and ours.output.weight.requires_grad
    assert_equal_logits(model)
    before = [parameter.clone() for parameter in ours.parameters()]
    with torch.no_grad():
        for parameter in [*model.parameters(), model.final_logits_bias]:
            parameter.add_(1)
    assert all(torch.equal(*pair) for pair in zip(before, ours.parameters(), strict=True))


def test_models_that_cannot_be_copied_are_refused() -> None:
    with pytest.raises(ValueError, match=r"needs a MarianMTModel .* got a Linear"):
        from_marian(nn.Linear(2, 2))
    with pytest.raises(ValueError, match=r"one heads .* encoder_attention_heads=2 and .*heads=4"):
        from_marian(marian(decoder_attention_heads=4))
    with pytest.raises(ValueError, match=r"one d_ff .* encoder_ffn_dim=12 and decoder_ffn_dim=13"):
        from_marian(marian(decoder_ffn_dim=13))
    with pytest.raises(ValueError, match=r"relu, gelu, silu, swish, but .* 'tanh'"):
        from_marian(marian(activation_function="tanh"))
    model = marian()
    model.generation_config.bad_words_ids = [[3], [4, 5]]
    with pytest.raises(ValueError, match=r"single tokens only, but .* \[\[3\], \[4, 5\]\]"):
        from_marian(model)


@pytest.mark.parametrize("missing", ["transformers", "sentencepiece"])
def test_without_the_extra(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = marian()
    monkeypatch.setitem(sys.modules, missing, None)
    for call in (lambda: from_marian(model), lambda: load_marian("soup")):
        with pytest.raises(ImportError, match="pip install transformers sentencepiece"):
            call()
