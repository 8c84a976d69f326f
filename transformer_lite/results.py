"""Results of runs too long for a page, as measured; each file names the command that made it."""

from pathlib import Path

import pandas as pd

from transformer_lite.checks import check_one_of
from transformer_lite.reading import read_json

CHAPTERS = Path(__file__).parent / "chapters"


def load(name: str) -> pd.DataFrame:
    """The stored results of `benchmarks/<name>.py`, a row for each run.

    The first columns say what was varied, the others what was measured. What was measured at
    several points has a column for each, such as `exact_match.5` and `exact_match.10`. The
    frame's `attrs` hold the command that makes the file again, and versions.

    Raises:
        ValueError: there is no such results file.
    """
    files = {path.stem: path for path in CHAPTERS.glob("c*/*.json")}
    check_one_of("name", name, sorted(files))
    stored = read_json(files[name])
    frame = pd.json_normalize(stored.pop("runs"))
    frame.attrs = stored
    return frame
