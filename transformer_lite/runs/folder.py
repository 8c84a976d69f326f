"""Run folders: whose they are, what is in them, and what is good in them.

A run folder holds `recipe.json`, `log.txt`, `metrics.jsonl` (one line a step), `validation.jsonl`
(one line a validation) and `checkpoints/step-0001000/`, each of which is a complete model folder.
"""

import shutil
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from transformer_lite import data
from transformer_lite.checks import shown
from transformer_lite.reading import read_json
from transformer_lite.runs import checkpoint
from transformer_lite.runs.checkpoint import CheckpointError
from transformer_lite.runs.recipe import Recipe

LOCK, RECIPE = "run.lock", "recipe.json"


class RunError(ValueError):
    """A run folder that cannot be used as asked; nothing in it was changed."""


def claim(folder: Path, recipe: Recipe, *, resume: bool) -> AbstractContextManager[object]:
    """Check that the folder can be used as asked, and keep other runs out of it.

    The lock belongs to this process; the system takes it back when the process ends, in whatever
    way, so the file that a dead one leaves behind bars nobody.

    Args:
        folder: the run folder, created if need be.
        recipe: what is to be trained in it.
        resume: whether a run of this recipe is expected in it, or nothing.

    Returns:
        A context that gives the folder back at its end.

    Raises:
        RunError: the folder holds a run already, or one of another recipe, or is in use.
    """
    _check_usable(folder, recipe, resume)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        lock = FileLock(folder / LOCK, timeout=0).acquire()
    except Timeout:
        raise RunError(f"another process is training in {folder}; name another folder") from None
    _check_usable(folder, recipe, resume)  # again: another run may have come and gone meanwhile
    return lock


def _check_usable(folder: Path, recipe: Recipe, resume: bool) -> None:
    if resume:
        _check_resumable(folder, recipe)
    elif folder.exists() and not _is_unused(folder):
        raise RunError(
            f"{folder} exists and is no empty folder; go on with --resume, or name another one"
        )


def holds_run(folder: Path) -> bool:
    """Whether a run was started in this folder, so that it can be resumed."""
    return (folder / RECIPE).is_file()


def _is_unused(folder: Path) -> bool:
    """Whether nothing is in it but what a run leaves that stopped before its first step."""
    return folder.is_dir() and all(
        path.name in (LOCK, f"{RECIPE}.new") for path in folder.iterdir()
    )


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoint folders of a run, oldest first."""
    found = (folder / "checkpoints").glob("step-*")
    return sorted(path for path in found if path.suffix != checkpoint.PARTIAL)


def best_checkpoint(folder: Path) -> Path:
    """The checkpoint of a run with the lowest validation loss.

    Raises:
        CheckpointError: the run has no checkpoint yet.
    """
    found = [(path, _run_state(path)) for path in checkpoints(folder)]
    if not found:
        raise CheckpointError(f"{folder} holds no checkpoint yet; train first")
    # One written because somebody stopped the run would not be there in an unbroken run.
    scheduled = [(path, state) for path, state in found if state["scheduled"]]
    return min(scheduled or found, key=lambda one: float(one[1]["validation"]["loss"]))[0]


def shipped_models() -> dict[str, Path]:
    """The model folders that ship with the package, by the name of their corpus."""
    return {path.parent.name: path for path in Path(data.__file__).parent.glob("*/model")}


def model_folder(path_or_name: str | Path) -> Path:
    """The model folder that somebody means.

    Args:
        path_or_name: a model that ships with the package, a run folder (its best checkpoint is
            taken), or a model folder.

    Raises:
        CheckpointError: there is no such folder, or a run without a checkpoint is in it.
    """
    shipped = shipped_models()
    path = shipped.get(str(path_or_name), Path(path_or_name))
    if not path.is_dir():
        raise CheckpointError(
            f"the model must be a run folder, a model folder or one of {', '.join(shipped)}, "
            f"but it is {shown(str(path_or_name))}"
        )
    if not (path / checkpoint.MANIFEST).is_file() and (path / "checkpoints").is_dir():
        return best_checkpoint(path)
    return path


def _run_state(path: Path) -> dict[str, Any]:
    try:
        return checkpoint.read_run_state(path)
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} is damaged: {error}; remove it and try again") from error


def _check_resumable(folder: Path, recipe: Recipe) -> None:
    if not holds_run(folder):
        raise RunError(f"{folder} holds no run to resume (no {RECIPE}); start without --resume")
    try:
        old, new = read_json(folder / RECIPE), recipe.to_dict()
    except ValueError as error:
        raise RunError(f"{folder / RECIPE} is damaged: {error}; name another folder") from error
    different = [
        f"{key}: {shown(old.get(key), 500)} → {shown(new.get(key), 500)}"
        for key in new | old
        if old.get(key) != new.get(key)
    ]
    if different:
        raise RunError(
            f"{folder} holds a run of another recipe, and a resumed run must be the same one; "
            f"name another folder. Different: {'; '.join(different)}"
        )


def store_recipe(folder: Path, recipe: Recipe) -> None:
    """Write the recipe in one step, like everything that a resumed run relies on."""
    replacement = folder / f"{RECIPE}.new"
    checkpoint.write_json(replacement, recipe.to_dict())
    replacement.replace(folder / RECIPE)


def set_damaged_aside(folder: Path) -> list[str]:
    """Rename the damaged checkpoints of a run, so that the newest of those left is whole.

    Returns:
        For each what is wrong with it and what it is called now, in words.

    Raises:
        CheckpointError: all are damaged; nothing was renamed.
    """
    found = checkpoints(folder)
    damaged = {path: error for path in found if (error := checkpoint.damage(path))}
    if found and len(damaged) == len(found):
        raise CheckpointError(f"{folder} has no checkpoint that is whole: {damaged[found[-1]]}")
    said = []
    for path, error in damaged.items():
        aside = path.with_name(f"damaged-{path.name}")
        shutil.rmtree(aside, ignore_errors=True)
        path.rename(aside)
        said.append(f"{error}. It is called {aside.name} now, and is not used")
    return said
