"""Results of runs too long for a page, as measured; each file names the command that made it."""

from pathlib import Path
from typing import Any

from transformer_lite.checks import check_one_of
from transformer_lite.reading import read_json

CHAPTERS = Path(__file__).parent / "chapters"


def load(name: str) -> dict[str, Any]:
    """The stored results of `benchmarks/<name>.py`, with command and versions.

    Raises:
        ValueError: there is no such results file.
    """
    files = {path.stem: path for path in CHAPTERS.glob("c*/*.json")}
    check_one_of("name", name, sorted(files))
    return read_json(files[name])


def select(stored: dict[str, Any], **setting: object) -> list[dict[str, Any]]:
    """All runs with this setting, such as every seed of it, in the order they were made.

    Raises:
        ValueError: no run has it.
    """
    runs = [run for run in stored["runs"] if setting.items() <= run.items()]
    if not runs:
        words = ", ".join(f"{name}={value!r}" for name, value in setting.items())
        raise ValueError(
            f"setting must be that of a stored run, but it is {words}; "
            f"`{stored['command']} --list` lists them"
        )
    return runs
