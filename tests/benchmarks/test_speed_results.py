"""What benchmarks/README.md says of speed is what speed.py measured and stored."""

import json
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
FILES = sorted((ROOT / "benchmarks").glob("speed*.json"))
MEASURES = ("training step, float32", "greedy decoding, batch 64", "greedy decoding, batch 1")
OWN = ("ours", "ours, own recipe", "Marian")


def stored(file: Path) -> dict[str, Any]:
    """One run of the benchmark."""
    found: dict[str, Any] = json.loads(file.read_text())
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_readme_has_the_ratios(file: Path) -> None:
    run = stored(file)
    ratios = {(row["measure"], row["name"]): row.get("ratio_of_medians") for row in run["rows"]}
    peer = file.stem.removeprefix("speed").lstrip("-")
    for name in [peer] if peer else OWN:
        (line,) = [line for line in README.splitlines() if line.startswith(f"| {name} |")]
        speeds = [ratios.get((measure, name)) for measure in MEASURES]
        figures = ["–" if ratio is None else f"{ratio:.2f}" for ratio in speeds]
        figures.append(f"{run['memory'][name]['ratio']:.2f}")
        assert [cell.strip() for cell in line.split("|")[2:-1]] == figures


def test_the_readme_says_what_a_beam_costs() -> None:
    rows = {row["measure"]: row for row in stored(ROOT / "benchmarks" / "speed.json")["rows"]}
    many, one = (rows[f"beam of 5, batch {batch}"]["times_greedy"] for batch in (64, 1))
    text = f"A beam of five costs {many:.1f} times greedy decoding of 64 sentences, {one:.1f} times"
    assert text in README


def test_the_readme_says_how_busy_the_products_keep_the_machine() -> None:
    rows = stored(ROOT / "benchmarks" / "speed.json")["rows"]
    (share,) = [
        row["share_of_peak"]
        for row in rows
        if (row["measure"], row["name"]) == (MEASURES[0], "ours, own recipe")
    ]
    assert f"they run at {share:.0%} of the rate of a large product" in README
