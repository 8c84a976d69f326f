"""The references of the exercises of chapter 13 are right: as the package and sacreBLEU have it."""

import pytest
import sacrebleu
import torch

from transformer_lite.chapters.c13_decoding.exercises import BEAM_STEP, BLEU, SHARPEN
from transformer_lite.decoding import _Beam


def test_a_step_keeps_what_the_beam_of_the_package_keeps() -> None:
    for totals, log_probs in BEAM_STEP.draw():
        width, words = log_probs.shape
        search = _Beam(1, width, bos=0, eos=words, alpha=0.0, device=totals.device)
        search.totals = totals[None]
        never = torch.full((width, 1), -torch.inf)  # eos
        prefixes = search.extend(torch.cat([log_probs, never], 1))
        kept = BEAM_STEP.reference(totals, log_probs)
        assert prefixes is not None
        assert torch.equal(kept, torch.stack([prefixes, search.last], 1))


def test_no_two_extensions_are_nearly_equal_where_it_matters() -> None:
    for totals, log_probs in BEAM_STEP.draw():
        scores = (totals[:, None] + log_probs).flatten().sort(descending=True).values
        assert scores[: len(totals) + 1].diff().max() < -1e-3


def test_bleu_is_that_of_sacrebleu_on_corpora_short_and_long() -> None:
    metric = sacrebleu.BLEU(tokenize="none", smooth_method="none")
    penalties, scores = [], []
    for corpora in BLEU.draw():
        ours, theirs = ([" ".join(map(str, words)) for words in corpus] for corpus in corpora)
        found = metric.corpus_score(ours, [theirs])
        assert BLEU.reference(*corpora) == pytest.approx(found.score)
        penalties.append(found.bp)
        scores.append(found.score)
    assert min(penalties) < 1 and scores.count(0) == 1


def test_a_long_candidate_is_not_rewarded() -> None:
    assert BLEU.reference([[1, 2, 3, 4]], [[1, 2, 3, 4]]) == pytest.approx(100)
    assert BLEU.reference([[1, 2, 3, 4, 5]], [[1, 2, 3, 4]]) == pytest.approx(
        100 * (4 / 5 * 3 / 4 * 2 / 3 * 1 / 2) ** 0.25
    )


def test_one_wrong_word_of_eight_costs_half() -> None:
    assert BLEU.reference([[1, 2, 3, 4, 4, 6, 7, 8]], [[1, 2, 3, 4, 5, 6, 7, 8]]) == pytest.approx(
        50
    )


def test_drawn_words_have_the_odds_of_their_logits() -> None:
    for logits, temperature, most in SHARPEN.draw():
        probabilities = SHARPEN.reference(logits, temperature, most)
        best = logits.topk(most).indices
        assert probabilities.count_nonzero() <= most and probabilities.sum() == pytest.approx(1)
        differences = (logits[best] - logits.max()) / temperature
        odds = probabilities[best] / probabilities.max()
        torch.testing.assert_close(odds, differences.exp())
