"""Greedy and beam search, written once for every model of the contract."""

from itertools import chain, product
from typing import Any

import pytest
import torch
from every_model import BOS, EOS, FAMILIES, TARGET_VOCAB, Model, build, random_inputs
from hypothesis import given, settings
from hypothesis import strategies as st

from transformer_lite.decoding import (
    Hypothesis,
    beam,
    evaluation_mode,
    greedy,
    length_penalty,
)

# A search knows no model by name, and test_contract holds that all kinds answer alike.
every_kind = pytest.mark.parametrize("kind", FAMILIES)
few = settings(max_examples=4)
OPPOSITES = ["rnn, context each_step", "rnn, general, luong, input feeding",
            "transformer, pre, sinusoidal", "transformer, post, learned"]  # fmt: skip


def opinionated(kind: str, seed: int, sharpness: float = 3.0, **fields: Any) -> Model:
    """An untrained model that says `<eos>` now and then; a new one would hardly prefer a token."""
    model = build(kind, seed, **fields)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" not in name:
                parameter.mul_(sharpness)
    return model


def log_probability(model: Model, source: Any, hypothesis: Hypothesis) -> float:
    """That of a hypothesis for one source row, by teacher forcing."""
    written = [*hypothesis.tokens, *([EOS] if hypothesis.finished else [])]
    target_in = torch.tensor([[BOS, *written[:-1]]])
    with torch.no_grad():
        scores = model(*source, target_in).log_softmax(-1)[0]
    return float(sum(scores[t, token] for t, token in enumerate(written)))


def row(batch: Any, index: int) -> tuple[torch.Tensor, torch.Tensor]:
    length = int(batch.lengths[index])
    return batch.source[index : index + 1, :length], batch.source_mask[index : index + 1, :length]


@every_kind
@given(seed=st.integers(0, 999), alpha=st.sampled_from([0.0, 0.6, 1.0, 2.0]))
@few
def test_a_beam_of_one_is_greedy_decoding(kind: str, seed: int, alpha: float) -> None:
    model, batch = opinionated(kind, seed), random_inputs(4, 5, 1, seed)
    options = {"bos": BOS, "eos": EOS, "max_length": 7}
    straight = greedy(model, batch.source, batch.source_mask, **options)
    nbest = beam(model, batch.source, batch.source_mask, **options, beam_size=1, alpha=alpha)
    for ours, theirs in zip(straight, nbest, strict=True):
        assert len(theirs) == 1
        assert (ours.tokens, ours.finished) == (theirs[0].tokens, theirs[0].finished)
        assert ours.log_probability == pytest.approx(theirs[0].log_probability, abs=1e-5)


def greedy_by_hand(model: Model, source: Any, max_length: int) -> list[int]:
    """Without a cache, a state or a batch: the whole prefix again for every token."""
    written: list[int] = []
    while len(written) < max_length:
        with torch.no_grad():
            logits = model(*source, torch.tensor([[BOS, *written]]))
        written.append(int(logits[0, -1].argmax()))
        if written[-1] == EOS:
            break
    return written


@every_kind
def test_greedy_writes_the_most_probable_token_until_eos(kind: str) -> None:
    for seed in range(2):
        model, batch = opinionated(kind, seed), random_inputs(4, 5, 1, seed)
        results = greedy(model, batch.source, batch.source_mask, bos=BOS, eos=EOS, max_length=6)
        for index, hypothesis in enumerate(results):
            written = greedy_by_hand(model, row(batch, index), 6)
            assert hypothesis.finished == (written[-1] == EOS)
            assert list(hypothesis.tokens) == [one for one in written if one != EOS]
            assert len(written) <= 6
            expected = log_probability(model, row(batch, index), hypothesis)
            assert hypothesis.log_probability == pytest.approx(expected, abs=1e-4)
            assert hypothesis.score == hypothesis.log_probability


def test_the_models_of_these_tests_end_sometimes_and_are_cut_off_sometimes() -> None:
    """Otherwise the tests around would show less than they say."""
    lengths, finished = set(), set()
    for kind in OPPOSITES:
        for seed in range(6):
            model, batch = opinionated(kind, seed), random_inputs(4, 5, 1, seed)
            results = greedy(model, batch.source, batch.source_mask, bos=BOS, eos=EOS, max_length=7)
            lengths |= {len(one.tokens) for one in results}
            finished |= {one.finished for one in results}
    assert finished == {True, False} and len(lengths) > 3


@every_kind
@given(seed=st.integers(0, 999), size=st.integers(2, 4), alpha=st.sampled_from([0.0, 1.0]))
@few
def test_the_n_best_list_says_what_forward_says(
    kind: str, seed: int, size: int, alpha: float
) -> None:
    model, batch = opinionated(kind, seed), random_inputs(3, 4, 1, seed)
    nbest = beam(model, batch.source, batch.source_mask, bos=BOS, eos=EOS, max_length=4,
                 beam_size=size, alpha=alpha)  # fmt: skip
    assert len(nbest) == 3
    for index, hypotheses in enumerate(nbest):
        assert len(hypotheses) == size
        assert len({(one.tokens, one.finished) for one in hypotheses}) == size, "all alike"
        order = [(one.finished, one.score) for one in hypotheses]
        assert order == sorted(order, reverse=True)
        for one in hypotheses:
            length = len(one.tokens) + one.finished
            assert length <= 4 and EOS not in one.tokens
            assert one.finished or length == 4
            expected = log_probability(model, row(batch, index), one)
            assert one.log_probability == pytest.approx(expected, abs=1e-4)
            assert one.score == pytest.approx(expected / ((5 + length) / 6) ** alpha, abs=1e-4)


@every_kind
def test_a_batch_decodes_as_its_sentences_do_alone(kind: str) -> None:
    model, batch = opinionated(kind, 5), random_inputs(4, 5, 1, 5)
    options = {"bos": BOS, "eos": EOS, "max_length": 6}
    together = beam(model, batch.source, batch.source_mask, **options, beam_size=3)
    straight = greedy(model, batch.source, batch.source_mask, **options)
    for index in range(4):
        (alone,) = beam(model, *row(batch, index), **options, beam_size=3)
        assert [one.tokens for one in alone] == [one.tokens for one in together[index]]
        (single,) = greedy(model, *row(batch, index), **options)
        assert single.tokens == straight[index].tokens


@pytest.mark.parametrize("kind", OPPOSITES)
@pytest.mark.parametrize("alpha", [0.0, 1.0])
def test_a_beam_as_wide_as_the_space_finds_the_best(kind: str, alpha: float) -> None:
    """Against every target there is: 4 ids, at most 3 tokens."""
    longest, vocab = 3, 4
    for seed in range(2):
        model = opinionated(kind, seed, target_vocab=vocab)
        batch = random_inputs(2, 4, 1, seed)
        everything = [
            Hypothesis(tokens, 0.0, 0.0, finished=True)
            for length in range(longest)
            for tokens in product([one for one in range(vocab) if one != EOS], repeat=length)
        ]
        nbest = beam(model, batch.source, batch.source_mask, bos=BOS, eos=EOS, max_length=longest,
                     beam_size=vocab**longest, alpha=alpha)  # fmt: skip
        for index in range(2):
            scores = {
                one.tokens: log_probability(model, row(batch, index), one)
                / length_penalty(len(one.tokens) + 1, alpha)
                for one in everything
            }
            found = {one.tokens: one.score for one in nbest[index] if one.finished}
            assert found == pytest.approx(scores, abs=1e-4)
            assert nbest[index][0].tokens == max(scores, key=lambda tokens: scores[tokens])


def beam_by_hand(model: Model, source: Any, max_length: int, width: int) -> set[tuple[int, ...]]:
    """What beam search finds, with lists: no cache, no batch, the whole prefix every time."""
    live, ended = [(0.0, ())], []
    while len(ended) < width and len(live[0][1]) < max_length:
        longer = []
        for total, tokens in live:
            with torch.no_grad():
                scores = model(*source, torch.tensor([[BOS, *tokens]])).log_softmax(-1)[0, -1]
            longer += [(total + float(s), (*tokens, token)) for token, s in enumerate(scores)]
        longer.sort(reverse=True)
        ended += [tokens for _, tokens in longer[:width] if tokens[-1] == EOS]
        live = [one for one in longer if one[1][-1] != EOS][:width]
    cut_off = [tokens for _, tokens in live if len(tokens) == max_length]
    return set([*ended, *cut_off][:width])


@pytest.mark.parametrize("kind", OPPOSITES)
def test_beam_search_keeps_its_width_when_hypotheses_end(kind: str) -> None:
    for seed in range(4):
        model, batch = opinionated(kind, seed), random_inputs(2, 4, 1, seed)
        nbest = beam(model, batch.source, batch.source_mask, bos=BOS, eos=EOS, max_length=5,
                     beam_size=3)  # fmt: skip
        for index, hypotheses in enumerate(nbest):
            found = {(*one.tokens, EOS) if one.finished else one.tokens for one in hypotheses}
            assert found == beam_by_hand(model, row(batch, index), 5, 3)


def test_a_narrow_beam_can_end_below_greedy_decoding() -> None:
    """No bug: a prefix that looks better at first pushes the greedy path out of the beam."""
    model, batch = opinionated("rnn, context start", 19), random_inputs(24, 6, 1, 19)
    options = {"bos": BOS, "eos": EOS, "max_length": 12}
    straight = greedy(model, batch.source, batch.source_mask, **options)
    nbest = beam(model, batch.source, batch.source_mask, **options, beam_size=2, alpha=0.0)
    worse = 0
    for ours, (theirs, *_) in zip(straight, nbest, strict=True):
        both = ours.finished and theirs.finished
        worse += both and theirs.log_probability < ours.log_probability - 0.5
    assert worse


def test_finished_before_unfinished_whatever_the_score() -> None:
    seen = False
    for seed in range(20):
        model, batch = opinionated("transformer, pre, sinusoidal", seed), random_inputs(4, 4, 1, 0)
        for hypotheses in beam(model, batch.source, batch.source_mask, bos=BOS, eos=EOS,
                               max_length=3, beam_size=4):  # fmt: skip
            states = [one.finished for one in hypotheses]
            assert states == sorted(states, reverse=True)
            done = [one.score for one in hypotheses if one.finished]
            cut = [one.score for one in hypotheses if not one.finished]
            seen |= bool(done and cut and max(cut) > min(done))
    assert seen, "no example in which the rule decided anything"


@pytest.mark.parametrize("max_length", [1, 2, 9])
def test_max_length_counts_eos_in(max_length: int) -> None:
    for kind in OPPOSITES:
        model, batch = opinionated(kind, 1), random_inputs(3, 4, 1, 1)
        options = {"bos": BOS, "eos": EOS, "max_length": max_length}
        found = greedy(model, batch.source, batch.source_mask, **options)
        nbest = beam(model, batch.source, batch.source_mask, **options)
        for one in [*found, *chain.from_iterable(nbest)]:
            assert len(one.tokens) + one.finished <= max_length


def test_length_penalty_follows_the_paper() -> None:
    assert length_penalty(1, 0.7) == 1.0
    assert length_penalty(7, 1.0) == 2.0
    assert length_penalty(19, 0.5) == 2.0
    assert length_penalty(100, 0.0) == 1.0


@pytest.mark.parametrize("mode", [True, False])
def test_the_mode_comes_back_even_after_an_error(mode: bool) -> None:
    model = build("transformer, pre, learned", max_length=4, dropout=0.5)
    batch = random_inputs(2, 3, 1, 0)
    model.train(mode)
    sources, options = (batch.source, batch.source_mask), {"bos": BOS, "eos": EOS}
    first = greedy(model, *sources, **options, max_length=3)
    assert first == greedy(model, *sources, **options, max_length=3), "dropout was on"
    assert model.training == mode
    written = {token for one in greedy(model, *sources, **options, max_length=4)
               for token in one.tokens}  # fmt: skip
    never = min(set(range(TARGET_VOCAB)) - written - {EOS})
    for search in (greedy, beam):
        with pytest.raises(ValueError, match="at most 4 tokens"):
            search(model, *sources, bos=BOS, eos=never, max_length=50)
        assert model.training == mode
    with pytest.raises(RuntimeError), evaluation_mode(model):
        assert not model.training
        raise RuntimeError
    assert model.training == mode


def test_the_mode_comes_back_module_by_module_when_the_last_of_several_blocks_ends() -> None:
    model = build("transformer, pre, learned").train()
    model.encoder.eval()
    before = {module: module.training for module in model.modules()}
    whole, part, late = (evaluation_mode(one) for one in (model, model.decoder, model))
    whole.__enter__()
    part.__enter__()
    late.__enter__()
    whole.__exit__(None, None, None)
    assert not any(module.training for module in model.modules())
    late.__exit__(None, None, None)
    assert model.training and not any(module.training for module in model.decoder.modules())
    part.__exit__(None, None, None)
    assert {module: module.training for module in model.modules()} == before


def test_arguments_that_do_not_fit_are_refused() -> None:
    model, batch = build("rnn, context start"), random_inputs(1, 3, 1, 0)
    sources = (batch.source, batch.source_mask)
    for search in (greedy, beam):
        with pytest.raises(ValueError, match="bos must be a whole number from 0 to 8, but it is 9"):
            search(model, *sources, bos=9, eos=EOS, max_length=3)
        with pytest.raises(ValueError, match=r"eos must be a whole number .* but it is -1"):
            search(model, *sources, bos=BOS, eos=-1, max_length=3)
        with pytest.raises(ValueError, match="max_length must be a whole number from 1 to"):
            search(model, *sources, bos=BOS, eos=EOS, max_length=0)
    with pytest.raises(ValueError, match=r"beam_size must be .* 1 to 1000, but it is 1000000000"):
        beam(model, *sources, bos=BOS, eos=EOS, max_length=3, beam_size=10**9)
    for alpha in (1e308, -1e308, 1e3, float("inf"), float("nan")):
        with pytest.raises(ValueError, match=r"alpha must lie in \[-10\.0, 10\.0\], but it is"):
            beam(model, *sources, bos=BOS, eos=EOS, max_length=3, alpha=alpha)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_model_without_probabilities_is_named(value: float) -> None:
    model, batch = build("transformer, pre, learned", max_length=8), random_inputs(2, 3, 1, 0)
    with torch.no_grad():
        next(model.parameters()).fill_(value)
    for search in (greedy, beam):
        with pytest.raises(FloatingPointError, match="must be numbers, but some are not"):
            search(model, batch.source, batch.source_mask, bos=BOS, eos=EOS, max_length=3)
