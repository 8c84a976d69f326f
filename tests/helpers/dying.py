"""Train in child processes that meet their end at chosen moments; `test_runs` looks at the remains.

    python dying.py RECIPE FOLDER MOMENT …

For every moment a child trains in FOLDER/MOMENT through the command line. What the children printed
and how they ended goes to standard output as JSON. (Forking here, where nothing but the imports has
happened, is cheap; starting a Python for every moment is not.)
"""

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from transformer_lite import cli, training
from transformer_lite.runs import checkpoint, log, preparation, training_run
from transformer_lite.runs import folder as run_folder


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def on_call(owner: Any, name: str, number: int, act: Callable[..., None]) -> None:
    """Let `act` run, with the same arguments, before call `number` of `owner.name`."""
    original, calls = getattr(owner, name), 0

    def replacement(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == number:
            act(*arguments, **options)
        return original(*arguments, **options)

    setattr(owner, name, replacement)


def half_a_file(content: Any, path: Any, *_: Any) -> None:
    Path(path).write_bytes(b"half")
    kill()


def half_a_recipe(path: Path, content: Any) -> None:
    path.with_name(f"{path.name}.new").write_text('{"task": {"na')
    kill()


def half_a_line(folder: Path) -> Callable[..., None]:
    def act(*_: Any) -> None:
        with (folder / "metrics.jsonl").open("a") as file:
            file.write('{"step": 7, "lo')
        kill()

    return act


def half_a_removal(folder: Path, **_: Any) -> None:
    (folder / "progress.json").unlink()
    kill()


def removals_only(shutil_rmtree: Callable[..., None]) -> None:
    """Let `checkpoint` clear away what does not exist without counting it as a removal."""

    class Shutil:
        def rmtree(self, folder: Path, **options: Any) -> None:
            if folder.exists():
                self.remove(folder, **options)

        def remove(self, folder: Path, **options: Any) -> None:
            shutil_rmtree(folder, **options)

    checkpoint.shutil = Shutil()
    on_call(checkpoint.shutil, "remove", 1, half_a_removal)


def ask(number: signal.Signals) -> Callable[..., None]:
    return lambda *_, **__: os.kill(os.getpid(), number)


# Checkpoints are written after steps 4, 8 and 12; each writes six files.
MOMENTS: dict[str, Callable[[Path], None]] = {
    "loading-data": lambda _: on_call(preparation, "build_tokenizers", 1, lambda *_, **__: kill()),
    "writing-the-recipe": lambda _: on_call(run_folder, "write_json", 1, half_a_recipe),
    "before-a-checkpoint": lambda _: on_call(training, "batch_loss", 3, lambda *_: kill()),
    "between-checkpoints": lambda _: on_call(training, "batch_loss", 7, lambda *_: kill()),
    "writing-metrics": lambda run: on_call(log, "_metrics_line", 7, half_a_line(run)),
    "writing-the-first-checkpoint": lambda _: on_call(checkpoint, "save_file", 1, half_a_file),
    "writing-the-second-checkpoint": lambda _: on_call(checkpoint, "save_file", 2, half_a_file),
    "writing-the-manifest": lambda _: on_call(checkpoint, "file_hash", 7, lambda *_: kill()),
    "before-the-rename": lambda _: on_call(os, "fsync", 12, lambda *_: kill()),
    "after-the-rename": lambda _: on_call(training_run, "prune", 3, lambda *_: kill()),
    "after-the-last-rename": lambda _: on_call(training_run, "prune", 4, lambda *_: kill()),
    "removing-a-checkpoint": lambda _: removals_only(shutil.rmtree),
    "after-the-last-step": lambda _: on_call(training_run, "best_checkpoint", 1, lambda *_: kill()),
    "interrupt": lambda _: on_call(training, "batch_loss", 7, ask(signal.SIGINT)),
    "late-interrupt": lambda _: on_call(training, "batch_loss", 11, ask(signal.SIGINT)),
    "termination": lambda _: on_call(training, "batch_loss", 7, ask(signal.SIGTERM)),
    "interrupt-while-loading": lambda _: on_call(
        preparation, "build_tokenizers", 1, ask(signal.SIGINT)
    ),
}  # fmt: skip


def live_and_die(recipe: str, folder: Path, moment: str) -> dict[str, Any]:
    log = folder / f"{moment}.out"
    child = os.fork()
    if child == 0:
        output = os.open(log, os.O_WRONLY | os.O_CREAT)
        os.dup2(output, 1)
        os.dup2(output, 2)
        MOMENTS[moment](folder / moment)
        sys.argv = ["transformer-lite", "train", recipe, "--run", str(folder / moment)]
        cli.main()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return {"status": os.waitstatus_to_exitcode(status), "output": log.read_text()}


def main() -> None:
    recipe, folder, *moments = sys.argv[1:]
    torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))])  # imports a lot: once, not per child
    print(json.dumps({name: live_and_die(recipe, Path(folder), name) for name in moments}))


if __name__ == "__main__":
    main()
