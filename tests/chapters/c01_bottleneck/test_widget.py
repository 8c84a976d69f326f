"""The bottleneck explorer: what it says of a string, what it needs, what it shows."""

import json
import xml.etree.ElementTree as ElementTree
from typing import Any

import pandas as pd
import pytest
from ipywidgets import Widget
from loading import load

from transformer_lite import results
from transformer_lite.chapters.c01_bottleneck.widget import (
    HIDDEN,
    RUN,
    Attempt,
    BottleneckExplorer,
    percent,
)

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def made_up() -> pd.DataFrame:
    stored: pd.DataFrame = load("c01_bottleneck", "widget_examples").make_results()
    return stored


@pytest.mark.parametrize(
    ("target", "output", "right_letters", "wrong", "sentence"),
    [
        ("abc", "abc", 3, [], "All 3 letters are right."),
        ("a", "a", 1, [], "The one letter is right."),
        ("abc", "axc", 1, [1], "First mistake at letter 2 of 3."),
        ("abc", "ab", 2, [2], "First mistake at letter 3 of 3: the model stopped there."),
        ("abc", "", 0, [0, 1, 2], "First mistake at letter 1 of 3: the model stopped there."),
        ("abc", "abcde", 3, [3, 4], "All 3 letters are right, but the model went on: 2 too many."),
        ("a", "aa", 1, [1], "The one letter is right, but the model went on: 1 too many."),
        ("aa", "ba", 0, [0], "First mistake at letter 1 of 2."),
    ],
)
def test_an_attempt_is_judged(
    target: str, output: str, right_letters: int, wrong: list[int], sentence: str
) -> None:
    attempt = Attempt(target[::-1], target, output)
    assert attempt.right_letters == right_letters
    assert attempt.wrong == wrong
    assert attempt.sentence() == sentence


@pytest.mark.parametrize(
    ("target", "output", "near"),
    [
        ("abcd", "abdc", [2, 3]),
        ("abcd", "dbca", []),  # three places off
        ("abcde", "acdbe", [1, 2, 3]),
        ("abc", "abca", []),  # the a was written already
        ("abc", "abxb", []),
        ("abc", "ac", [1]),  # b is missing: nothing stands there to be near
    ],
)
def test_a_wrong_letter_may_be_near_its_place(target: str, output: str, near: list[int]) -> None:
    assert Attempt(target[::-1], target, output).near == near


@pytest.mark.parametrize(
    ("length", "hidden", "answer"),
    [
        (4, 64, "none"),
        (5, 64, "1 to 5"),
        (6, 64, "1 to 5"),
        (10, 128, "6 to 10"),
        (10, 256, "none"),
        (15, 256, "11 to 15"),
    ],
)
def test_the_right_prediction(made_up: pd.DataFrame, length: int, hidden: int, answer: str) -> None:
    assert BottleneckExplorer(made_up).finding(hidden, length, 1).answer == answer


def test_the_stored_results_are_shown() -> None:
    stored = results.load("bottleneck")
    widget = BottleneckExplorer(stored, length=7, hidden=64, sample=3)
    runs = stored.query(RUN).set_index("hidden").loc[list(HIDDEN), "samples"].tolist()
    sample = runs[0][6 * 4 + 2]
    assert widget.attempt == Attempt(sample["source"], sample["target"], sample["output"])
    # The page stores the strings once for all hidden sizes.
    assert len({str([one["source"] for one in samples]) for samples in runs}) == 1
    state = json.dumps(Widget.get_manager_state(widgets=[widget]))
    assert len(state) < 100_000  # each page with the widget carries it


@pytest.mark.parametrize(("length", "sample"), [(1, 1), (10, 3), (12, 3), (20, 4)])
def test_the_picture_shows_the_data(made_up: pd.DataFrame, length: int, sample: int) -> None:
    widget = BottleneckExplorer(made_up, length=length, sample=sample)
    texts = list(ElementTree.fromstring(widget.still()).iter(f"{SVG}text"))
    start = next(i for i, one in enumerate(texts) if "near:" in one.text) + 1
    attempt = widget.attempt
    written = attempt.output.ljust(length, "-")
    assert [one.text for one in texts[start : start + 3]] == [
        attempt.source,
        attempt.target,
        written,
    ]
    places = texts[start + 2].attrib["x"].split()
    assert len(set(places)) == len(written)
    wrong = [i for i, letter in enumerate(written) if letter != attempt.target[i : i + 1]]
    marked = {
        x: mark
        for one in texts[start + 3 :]
        for x, mark in zip(one.attrib["x"].split(), one.text or "", strict=False)
        if mark in "↔✗"
    }
    assert marked == {places[i]: "↔" if i in attempt.near else "✗" for i in wrong}


def test_marks_are_explained_and_spoken() -> None:
    widget = BottleneckExplorer(results.load("bottleneck"), length=15, hidden=128)
    words = "".join(ElementTree.fromstring(widget.still()).itertext())
    assert "↔ near: within two places · ✗ not near" in words
    assert "\nnear: 2 3 4 5 6 7 10 12 16\nnot near: 9 11 14 15\n" in widget.words()


@pytest.mark.parametrize(
    ("share", "words"),
    [(0, "0 %"), (0.005, "0.5 %"), (0.4, "40 %"), (0.995, "99.5 %"), (1, "100 %")],
)
def test_half_a_percent_is_not_rounded_away(share: float, words: str) -> None:
    assert percent(share) == words


@pytest.mark.parametrize(
    ("name", "other"),
    [("seed", 2), ("context", "each_step"), ("steps", 12000), ("attention", "dot")],
)
def test_another_run_does_not_stand_in(made_up: pd.DataFrame, name: str, other: object) -> None:
    made_up.loc[1, name] = other
    with pytest.raises(ValueError, match=r"and hidden == 128, .* it has 0 runs"):
        BottleneckExplorer(made_up)


def test_an_incomplete_run_is_refused(made_up: pd.DataFrame) -> None:
    made_up["samples"][2].pop(40)
    with pytest.raises(ValueError, match=r"and hidden == 256, .* but it has 1 runs and 79 samples"):
        BottleneckExplorer(made_up)


@pytest.mark.parametrize("nonsense", [{}, [], None, "bottleneck"])
def test_something_else_than_results_is_refused(nonsense: Any) -> None:
    with pytest.raises(ValueError, match="results must be what"):
        BottleneckExplorer(nonsense)
