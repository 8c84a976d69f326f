"""What the benchmarks share: run what is missing in a results file, and say on which machine."""

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock

# pandas looks for an optional package of the name of bottleneck.py.
sys.path[:] = [one for one in sys.path if Path(one) != Path(__file__).parent]


def run_missing(
    path: Path, about: str, settings: Sequence[Any], run: Callable[[Any], dict[str, Any]]
) -> None:
    """The command line of `benchmarks/<name>.py`; settings are dataclasses, one a run.

    Results go to `path`, <name>.json in the folder of a chapter, after each run, so that the script
    can be stopped and started again, and several may work side by side on different runs.
    """
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--list", action="store_true", help="list the runs and stop")
    parser.add_argument("--only", default="", help="only runs whose line in --list has this text")
    arguments = parser.parse_args()
    chosen = [setting for setting in settings if arguments.only in str(setting)]
    if arguments.list:
        print("\n".join(map(str, chosen)))
        raise SystemExit
    for setting in chosen:
        wanted = asdict(setting)
        stored = json.loads(path.read_text()) if path.exists() else {"runs": []}
        if any(wanted.items() <= done.items() for done in stored["runs"]):
            continue
        print(setting, flush=True)
        done = wanted | run(setting)
        with FileLock(Path(tempfile.gettempdir()) / f"{path.stem}.lock"):
            stored = json.loads(path.read_text()) if path.exists() else {"runs": []}
            stored["command"] = f"python benchmarks/{path.stem}.py"
            stored["versions"] = {"torch": torch.__version__, "python": platform.python_version()}
            stored["runs"].append(done)
            path.write_text(written(stored), encoding="utf-8")


def written(stored: dict[str, Any]) -> str:
    """JSON with a line for each run, and for each part of what stands beside them."""

    def spread(value: Any, depth: int = 2) -> str:
        if not depth or not isinstance(value, dict | list):
            return json.dumps(value, ensure_ascii=False)
        if isinstance(value, list):
            return "[\n" + ",\n".join(spread(one, depth - 1) for one in value) + "\n]"
        lines = [f'"{name}": {spread(one, depth - 1)}' for name, one in value.items()]
        return "{\n" + ",\n".join(lines) + "\n}"

    return spread(stored) + "\n"


def has_amx() -> bool:
    """Whether this processor multiplies matrices of bfloat16 in hardware."""
    path = Path("/proc/cpuinfo")
    return path.exists() and "amx_bf16" in path.read_text()


def machine() -> dict[str, Any]:
    """What the numbers depend on."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    model = next((line.split(":")[1].strip() for line in lines if "model name" in line), "")
    return {
        "processor": model or platform.processor(),
        "cores": os.cpu_count(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "amx": has_amx(),
        "threads": torch.get_num_threads(),
        "wait_policy": os.environ.get("OMP_WAIT_POLICY", ""),
        "load": os.getloadavg()[0],
        "torch": torch.__version__,
        "python": platform.python_version(),
    }
