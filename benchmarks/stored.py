"""What benchmarks with stored results share: run what is missing, keep the file after each run."""

import argparse
import json
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import torch

from transformer_lite import results


def run_missing(
    name: str, about: str, settings: Sequence[Any], run: Callable[[Any], dict[str, Any]]
) -> None:
    """The command line of `benchmarks/<name>.py`; settings are dataclasses, one a run.

    Results go to transformer_lite/results/<name>.json after each run, so that the script can be
    stopped and started again.
    """
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--list", action="store_true", help="list the runs and stop")
    if parser.parse_args().list:
        print("\n".join(map(str, settings)))
        return
    path = results.FOLDER / f"{name}.json"
    stored = json.loads(path.read_text()) if path.exists() else {"runs": []}
    stored["command"] = f"python benchmarks/{name}.py"
    stored["versions"] = {"torch": torch.__version__, "python": platform.python_version()}
    for setting in settings:
        wanted = asdict(setting)
        if not any(wanted.items() <= done.items() for done in stored["runs"]):
            print(setting, flush=True)
            stored["runs"].append(wanted | run(setting))
            path.write_text(json.dumps(stored, indent=1) + "\n")
