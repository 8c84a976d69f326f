"""Run the command `train` in several processes with faults; `test_several` looks at the remains.

    python several_runs.py RECIPE FOLDER SCENE …

For every scene two processes train in FOLDER/SCENE, as torchrun would start them. How each ended
and what it printed goes to standard output as JSON.
"""

import errno
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from dying import ask, on_call
from several import train_together

from transformer_lite import cli, data, training
from transformer_lite.runs import checkpoint, log


def no_room(*_: Any) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def not_a_number() -> None:
    loss, calls = training.batch_loss, iter(range(1, 100))

    def replacement(*arguments: Any) -> torch.Tensor:
        return loss(*arguments) * (float("nan") if next(calls) == 7 else 1.0)

    training.batch_loss = replacement


# What goes wrong, and in which process. Checkpoints are written after steps 4, 8 and 12.
SCENES: dict[str, tuple[int, Callable[[], None]]] = {
    "nothing": (0, lambda: None),
    "full-disk": (0, lambda: on_call(checkpoint, "save_file", 2, no_room)),
    "full-disk-for-the-log": (0, lambda: on_call(log, "_metrics_line", 7, no_room)),
    "loss-of-the-first": (0, not_a_number),
    "loss-of-the-second": (1, not_a_number),
    "data-of-the-second": (1, lambda: on_call(data, "load", 1, lambda **_: no_room())),
    "termination-of-the-second": (
        1,
        lambda: on_call(training, "batch_loss", 7, ask(signal.SIGTERM)),
    ),
    "death-of-the-second": (1, lambda: on_call(training, "batch_loss", 7, ask(signal.SIGKILL))),
    "begun-by-one": (0, lambda: None),
    "occupied": (0, lambda: None),
}


def play(recipe: str, folder: Path, scene: str) -> dict[str, Any]:
    troubled, trouble = SCENES[scene]

    def work(rank: int) -> None:
        output = os.open(folder / f"{scene}.{rank}", os.O_WRONLY | os.O_CREAT)
        os.dup2(output, 1)
        os.dup2(output, 2)
        if rank == troubled:
            trouble()
        sys.argv = ["transformer-lite", "train", recipe, "--run", str(folder / scene)]
        sys.argv += ["--resume"] if (folder / scene / "recipe.json").exists() else []
        cli.main()

    ends = train_together(2, work)
    return {"ends": ends, "output": [(folder / f"{scene}.{one}").read_text() for one in (0, 1)]}


def main() -> None:
    recipe, folder, *scenes = sys.argv[1:]
    torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))])  # imports a lot: once, not per child
    print(json.dumps({scene: play(recipe, Path(folder), scene) for scene in scenes}))


if __name__ == "__main__":
    main()
