"""The references of the exercises of chapter 13 are right: as the package and sacreBLEU have it."""

import pytest
import torch
from loading import load

from transformer_lite.chapters.c13_decoding.exercises import BEAM_STEP, BLEU_MANY, SHARPEN
from transformer_lite.decoding import _Beam


def test_a_step_keeps_what_the_beam_of_the_package_keeps_if_stutters_are_impossible() -> None:
    for totals, log_probs, last in BEAM_STEP.draw():
        width, words = log_probs.shape
        search = _Beam(1, width, bos=0, eos=words, alpha=0.0, device=totals.device)
        search.totals = totals[None]
        never = torch.full((width, 1), -torch.inf)  # eos
        possible = log_probs.scatter(1, last[:, None], -torch.inf)
        prefixes = search.extend(torch.cat([possible, never], 1))
        kept = BEAM_STEP.reference(totals, log_probs, last)
        assert prefixes is not None
        assert torch.equal(kept, torch.stack([prefixes, search.last], 1))


def test_no_two_extensions_are_nearly_equal_where_it_matters() -> None:
    for totals, log_probs, last in BEAM_STEP.draw():
        scores = (totals[:, None] + log_probs).scatter(1, last[:, None], -torch.inf)
        best = scores.flatten().sort(descending=True).values
        assert best[: len(totals) + 1].diff().max() < -1e-3


def test_bleu_is_that_of_sacrebleu_with_one_two_and_three_references() -> None:
    answers, penalties, scores, numbers = load("c13_decoding", "answers"), [], [], set()
    for corpora in BLEU_MANY.draw():
        found = answers.score_of_sacrebleu(*corpora, smooth_method="none")
        assert BLEU_MANY.reference(*corpora) == pytest.approx(found.score)
        penalties.append(found.bp)
        scores.append(found.score)
        numbers |= set(map(len, corpora[1]))
    assert min(penalties) < 1 and scores.count(0) == 1 and numbers == {1, 2, 3}


def test_of_two_lengths_equally_near_the_shorter_counts() -> None:
    longer, shorter = [1, 2, 3, 4, 5, 6, 7], [1, 2, 3, 4, 5]
    for several in ([longer, shorter], [shorter, longer]):
        assert BLEU_MANY.reference([[1, 2, 3, 4, 5, 6]], [several]) == pytest.approx(100)


def test_each_word_may_have_its_own_reference_but_no_more_than_the_best_has() -> None:
    """5 of 6 words count: 1 and 2 twice, as in different references, and 3; then 3, 2 and 1."""
    candidate, several = [1, 1, 3, 2, 2, 2], [[1, 1, 3, 2, 9, 9], [1, 8, 2, 2, 7, 7]]
    assert BLEU_MANY.reference([candidate], [several]) == pytest.approx(
        100 * (5 / 6 * 4 / 5 * 2 / 4 * 1 / 3) ** 0.25
    )


def test_one_wrong_word_of_eight_costs_half() -> None:
    stutter = [[1, 2, 3, 4, 4, 6, 7, 8]]
    assert BLEU_MANY.reference(stutter, [[[1, 2, 3, 4, 5, 6, 7, 8]]]) == pytest.approx(50)


def test_drawn_words_have_the_odds_of_their_logits() -> None:
    for logits, temperature, most in SHARPEN.draw():
        probabilities = SHARPEN.reference(logits, temperature, most)
        best = logits.topk(most).indices
        assert probabilities.count_nonzero() <= most and probabilities.sum() == pytest.approx(1)
        differences = (logits[best] - logits.max()) / temperature
        odds = probabilities[best] / probabilities.max()
        torch.testing.assert_close(odds, differences.exp())
