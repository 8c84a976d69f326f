"""The stored searches on real captions: what can be computed again from the file is as stored."""

from itertools import pairwise, product

import numpy as np
import pytest
import sacrebleu

from transformer_lite import data, results
from transformer_lite.data.multi30k import is_at_hand

STORED = results.load("beams")
RUNS = STORED.set_index(["seed", "width", "alpha"])
DETAILED = {"greedy": (1, 1, 0), "beam of 5": (1, 5, 1)}
DETAILED |= {f"{name}, seed 2": (2, *run[1:]) for name, run in DETAILED.items()}
TREES = [(n, width) for n, trees in STORED.attrs["trees"].items() for width in trees]


def counts(name: str) -> np.ndarray:
    """Six numbers for each caption: two lengths, four matches."""
    return np.array(STORED.attrs["counts"][name].split(), int).reshape(-1, 6)


def bleu(total: np.ndarray) -> np.ndarray:
    """BLEU of summed lengths, matches and numbers of n-grams (rows of ten)."""
    written, wanted, matched, possible = np.split(total, [1, 2, 6], axis=-1)
    brevity = np.minimum(1 - wanted / written, 0)
    return 100 * np.exp(np.log(matched / possible).mean(-1) + brevity[..., 0])


def test_every_width_was_searched_with_every_penalty() -> None:
    wanted = {(1, *one) for one in product((1, 2, 3, 5, 10, 20), (0, 0.6, 1))}
    assert set(RUNS.index) == wanted | {(2, 1, 0), (2, 5, 1)} and len(RUNS) == 20
    assert (RUNS.loc[1, 1].bleu == RUNS.bleu[1, 1, 0]).all(), "alpha says nothing of one hypothesis"


@pytest.mark.parametrize(("name", "run"), DETAILED.items())
def test_bleu_and_its_interval_follow_from_the_counts(name: str, run: tuple[int, ...]) -> None:
    stored, found = RUNS.loc[run], counts(name)
    assert len(found) == 1000
    ngrams = np.maximum(found[:, :1] - range(4), 0)  # a caption of n words has n − 1 pairs, …
    assert (found[:, 2:] <= ngrams).all()
    found = np.hstack([found, ngrams])
    assert bleu(found.sum(0)) == pytest.approx(stored.bleu, abs=1e-9)
    assert STORED.attrs["signatures"][name][
        stored.signature.replace("bs:1000|seed:12345|", "")
    ] == (pytest.approx(stored.bleu, abs=1e-9))
    picked = np.random.default_rng(12345).choice(1000, (1000, 1000))
    scores = np.sort(bleu(found[picked].sum(1)))
    assert scores.mean() == pytest.approx(stored["mean"], abs=1e-6)
    assert (scores[974] - scores[25]) / 2 == pytest.approx(stored.half_width, abs=1e-6)


@pytest.mark.parametrize("name", DETAILED)
def test_mistakes_and_other_signatures_give_other_scores(name: str) -> None:
    right = RUNS.bleu[DETAILED[name]]
    others = [*STORED.attrs["mistakes"][name].values(), *STORED.attrs["signatures"][name].values()]
    assert sorted(score == pytest.approx(right, abs=0.01) for score in others) == [False] * 6 + [
        True
    ]


def test_fewer_words_flatter_where_both_sides_lose_them() -> None:
    found = STORED.attrs["vocabularies"]
    right = RUNS.bleu[DETAILED["greedy"]]
    both = [one["both"] for one in found]
    assert right < both[0] and all(one < other for one, other in pairwise(both))
    assert all(one["reference"] <= right + 1e-9 for one in found)
    assert all(one["words"] > other["words"] for one, other in pairwise(found))


@pytest.mark.parametrize(("number", "width"), TREES)
def test_a_tree_grows_from_what_was_kept_and_ends_in_the_translation(
    number: str, width: str
) -> None:
    size, steps = int(width), STORED.attrs["trees"][number][width]
    parents, ended = {"": 0.0}, {}
    for step in steps:
        logs = [log for _, log, _ in step]
        assert len(step) == 2 * size and logs == sorted(logs, reverse=True)
        for prefix, log, fate in step:
            assert log <= parents[" ".join(prefix.split(" ")[:-1])]
            assert (fate == "kept") <= (not prefix.endswith("<eos>"))
            if fate == "ended":
                ended[prefix] = log
        parents = {prefix: log for prefix, log, fate in step if fate == "kept"}
        assert len(parents) == size
    assert len(ended) == size
    best = max(ended, key=ended.__getitem__).removesuffix(" <eos>")
    text = best.replace(" ", "").replace("▁", " ").strip()
    assert text == RUNS[f"shown.{number}"][1, size, 0]


def test_a_beam_of_two_ends_below_greedy_decoding_as_often_as_counted() -> None:
    cases = STORED.attrs["below_greedy"]
    assert len(cases) == RUNS.below_greedy[1, 2, 0]
    assert all(greedy > beam for _, _, greedy, _, beam, _ in cases)
    numbers = [case[0] for case in cases]
    assert all(a < b for a, b in pairwise(numbers))
    for number, left, _, one, _, other in cases:
        if f"shown.{number}" in RUNS:
            assert [one, other] == [RUNS[f"shown.{number}"][1, width, 0] for width in (1, 2)]
        if str(number) in STORED.attrs["trees"]:
            step = STORED.attrs["trees"][str(number)]["2"][left - 1]
            narrow = STORED.attrs["trees"][str(number)]["1"][left - 1][0][0]
            assert narrow not in [prefix for prefix, _, fate in step if fate != "dropped"]


@pytest.mark.skipif(not is_at_hand(), reason="the corpus is not at hand")
def test_captions_and_lengths_are_those_of_the_corpus() -> None:
    test = data.load("multi30k").test
    for number, quoted in STORED.attrs["captions"].items():
        assert [test[int(number)].source, test[int(number)].target] == quoted
    split = sacrebleu.BLEU().tokenizer
    lengths = [len(split(pair.target).split()) for pair in test]
    assert all((counts(name)[:, 1] == lengths).all() for name in DETAILED)
