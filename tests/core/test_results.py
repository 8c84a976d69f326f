"""Stored results: each file is read whole, a row for each run."""

import pytest

from transformer_lite import results

NAMES = sorted(path.stem for path in results.CHAPTERS.glob("c*/*.json"))


@pytest.mark.parametrize("name", NAMES)
def test_a_file_says_what_made_it(name: str) -> None:
    stored = results.load(name)
    assert stored.attrs["command"] == f"python benchmarks/{name}.py"
    assert set(stored.attrs["versions"]) == {"torch", "python"}
    assert (stored.seed >= 0).all() and (stored.seconds > 0).all()


def test_what_was_measured_at_several_points_has_a_column_for_each() -> None:
    stored = results.load("bottleneck")
    found = stored.query("task == 'reverse' and hidden == 64 and attention == 'additive'")
    assert found.seed.tolist() == [1, 2]
    assert found[["exact_match.5", "exact_match.30"]].notna().all(axis=None)


def test_a_file_that_is_not_there_is_named() -> None:
    listed = f"name must be one of '{NAMES[0]}', .*, but it is 'nothing'"
    with pytest.raises(ValueError, match=listed):
        results.load("nothing")
    with pytest.raises(ValueError, match="name must be one of"):
        results.load("../c01_bottleneck/bottleneck")
