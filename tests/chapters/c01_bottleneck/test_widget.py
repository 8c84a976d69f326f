"""The bottleneck explorer as Python sees it: state, errors, picture and words."""

import re
import xml.etree.ElementTree as ElementTree
from typing import Any

import pytest
from traitlets import TraitError

from transformer_lite.chapters.c01_bottleneck.attempt import Attempt
from transformer_lite.chapters.c01_bottleneck.still import percent
from transformer_lite.chapters.c01_bottleneck.widget import BottleneckExplorer


@pytest.mark.parametrize(
    ("target", "output", "right", "wrong", "verdict"),
    [
        ("abc", "abc", 3, [], "All 3 letters are right."),
        ("a", "a", 1, [], "The one letter is right."),
        ("abc", "axc", 1, [2], "First mistake at letter 2 of 3."),
        ("abc", "ab", 2, [3], "First mistake at letter 3 of 3: the model stopped there."),
        ("abc", "", 0, [1, 2, 3], "First mistake at letter 1 of 3: the model stopped there."),
        ("abc", "abcde", 3, [4, 5], "All 3 letters are right, but the model went on: 2 too many."),
        ("a", "aa", 1, [2], "The one letter is right, but the model went on: 1 too many."),
        ("aa", "ba", 0, [1], "First mistake at letter 1 of 2."),
    ],
)
def test_an_attempt_is_judged(
    target: str, output: str, right: int, wrong: list[int], verdict: str
) -> None:
    attempt = Attempt(target[::-1], target, output)
    assert (attempt.right, attempt.wrong_places, attempt.verdict()) == (right, wrong, verdict)


def test_state_can_be_set_and_read_back(results: dict[str, Any]) -> None:
    widget = BottleneckExplorer(results, length=7, hidden=64, sample=3)
    stored = results["runs"][0]["samples"][6 * 4 + 2]
    assert widget.attempt == Attempt(stored["source"], stored["target"], stored["output"])
    assert widget.exact_match == {5: 0.9, 10: 0.1, 15: 0.0, 20: 0.0}
    widget.hidden = 256
    assert widget.attempt.output == results["runs"][2]["samples"][6 * 4 + 2]["output"]
    assert widget.exact_match[15] == 0.41
    assert repr(widget) == "BottleneckExplorer(length=7, hidden=256, sample=3)"
    assert (widget.prediction, widget.revealed, widget.ask) == (None, False, True)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("length", 0, "length: expected one of 1 to 20, got 0"),
        ("length", 21, "length: expected one of 1 to 20, got 21"),
        ("hidden", 100, "hidden: expected one of 64, 128, 256, got 100"),
        ("sample", 5, "sample: expected one of 1 to 4, got 5"),
        ("prediction", -1, "prediction: expected one of 0 to 20, got -1"),
    ],
)
def test_impossible_values_are_refused(
    explorer: BottleneckExplorer, results: dict[str, Any], name: str, value: int, message: str
) -> None:
    before = getattr(explorer, name)
    with pytest.raises(TraitError, match=re.escape(message)):
        setattr(explorer, name, value)
    assert getattr(explorer, name) == before
    with pytest.raises(TraitError, match=re.escape(message)):
        BottleneckExplorer(results, **{name: value})


def test_a_missing_run_is_named(results: dict[str, Any]) -> None:
    del results["runs"][1]
    message = (
        "results: the run task='reverse', attention=None, context='start', steps=3000, seed=1, "
        "hidden=128 is missing; `python benchmarks/bottleneck.py` adds it"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        BottleneckExplorer(results)


@pytest.mark.parametrize(
    ("name", "other"), [("seed", 2), ("context", "each_step"), ("steps", 12000)]
)
def test_another_run_does_not_stand_in(results: dict[str, Any], name: str, other: object) -> None:
    results["runs"][0][name] = other
    with pytest.raises(ValueError, match="hidden=64 is missing"):
        BottleneckExplorer(results)


def test_a_run_without_all_its_samples_is_refused(results: dict[str, Any]) -> None:
    results["runs"][2]["samples"].pop(40)
    with pytest.raises(ValueError, match=r"hidden=256 must hold .* it has 79 samples"):
        BottleneckExplorer(results)


def test_a_run_without_its_measurement_is_refused(results: dict[str, Any]) -> None:
    del results["runs"][0]["exact_match"]["15"]
    with pytest.raises(ValueError, match=re.escape("must hold exact_match at (5, 10, 15, 20)")):
        BottleneckExplorer(results)


@pytest.mark.parametrize("nonsense", [{}, [], None, "bottleneck"])
def test_something_else_than_results_is_refused(nonsense: Any) -> None:
    with pytest.raises(ValueError, match="results: expected what"):
        BottleneckExplorer(nonsense)


@pytest.mark.parametrize(
    ("share", "words"),
    [(0, "0 %"), (0.005, "0.5 %"), (0.4, "40 %"), (0.995, "99.5 %"), (1, "100 %")],
)
def test_half_a_percent_is_not_rounded_away(share: float, words: str) -> None:
    assert percent(share) == words


def letters(picture: ElementTree.Element) -> list[str]:
    return [text.text or "" for text in picture.iter("{http://www.w3.org/2000/svg}text")]


@pytest.mark.parametrize(("length", "hidden", "sample"), [(1, 64, 1), (10, 128, 4), (20, 256, 3)])
def test_the_picture_shows_the_data(
    results: dict[str, Any], length: int, hidden: int, sample: int
) -> None:
    widget = BottleneckExplorer(results, length=length, hidden=hidden, sample=sample)
    attempt = widget.attempt
    picture = ElementTree.fromstring(widget.still())
    words = letters(picture)
    start = words.index("source") + 1
    assert "".join(words[start : start + length]) == attempt.source
    start = words.index("answer") + 1
    assert "".join(words[start : start + length]) == attempt.target
    model = words[words.index("model") + 1 : words.index(attempt.verdict())]
    written = [word for word in model if word != "✗"]
    assert "".join(written) == attempt.output.ljust(length, "–")
    assert model.count("✗") == len(attempt.wrong_places) > 0 or attempt.output == attempt.target
    assert any(
        re.fullmatch(f"A string of {length} letters?, hidden size {hidden}", w) for w in words
    )
    for share in widget.exact_match.values():
        assert percent(share) in words


def test_the_picture_and_the_words_follow_the_state(explorer: BottleneckExplorer) -> None:
    before = (explorer.still(), explorer.words())
    explorer.hidden = 64
    after = (explorer.still(), explorer.words())
    assert before[0] != after[0]
    assert before[1] != after[1]
    assert explorer.attempt.verdict() in after[1]
    assert " ".join(explorer.attempt.output) in after[1]
