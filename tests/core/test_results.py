"""Stored results: each file is read whole, and runs are found by what they vary."""

import pytest

from transformer_lite import results

NAMES = sorted(path.stem for path in results.CHAPTERS.glob("c*/*.json"))


def test_there_are_results() -> None:
    assert {"bottleneck", "scores"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_file_says_what_made_it(name: str) -> None:
    stored = results.load(name)
    assert stored["command"] == f"python benchmarks/{name}.py"
    assert set(stored["versions"]) == {"torch", "python"}
    assert all(run["seed"] >= 0 and run["seconds"] > 0 for run in stored["runs"])


def test_select_takes_every_run_that_fits() -> None:
    stored = results.load("bottleneck")
    wanted = {"task": "reverse", "hidden": 64, "attention": "additive"}
    found = results.select(stored, **wanted)
    assert [run["seed"] for run in found] == [1, 2]
    assert all(wanted.items() <= run.items() for run in found)
    without = results.select(stored, hidden=64, attention=None, context="start", steps=3000)
    assert {run["attention"] for run in without} == {None}


def test_a_run_that_is_not_there_is_named() -> None:
    words = (
        "stored run, but it is hidden=65, seed=1; `python benchmarks/bottleneck.py --list` lists"
    )
    with pytest.raises(ValueError, match=words):
        results.select(results.load("bottleneck"), hidden=65, seed=1)


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(
        ValueError, match=r"name must be one of 'bottleneck', .*, but it is 'nothing'"
    ):
        results.load("nothing")
    with pytest.raises(ValueError, match="name must be one of"):
        results.load("../c01_bottleneck/bottleneck")
