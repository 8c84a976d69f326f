"""Run folders: whose they are, what is in them, and what is good in them.

A run folder holds `recipe.json`, `log.txt`, `metrics.jsonl` (one line a step), `validation.jsonl`
(one line a validation) and `checkpoints/step-0001000/`, each of which is a complete model folder.
"""

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from transformer_lite import data
from transformer_lite.checks import shown
from transformer_lite.reading import read_json
from transformer_lite.runs import checkpoint
from transformer_lite.runs.checkpoint import CheckpointError
from transformer_lite.runs.files import aside, write_json
from transformer_lite.runs.log import LOG, METRICS, VALIDATION
from transformer_lite.runs.recipe import Recipe

LOCK, RECIPE, CHECKPOINTS = "run.lock", "recipe.json", "checkpoints"
OWN = (LOCK, RECIPE, CHECKPOINTS, LOG, METRICS, VALIDATION)
STEP = re.compile(r"step-([0-9]{7}|[1-9][0-9]{7,})")  # as `checkpoint_path` writes it


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
    for path in (folder / name for name in OWN):
        if path.is_symlink():
            raise RunError(
                f"{path} must lie in the run folder itself, but it is a link to {path.readlink()}; "
                "put what it points to in its place, or name another folder"
            )
    if resume:
        _check_resumable(folder, recipe)
    elif folder.exists() and not _is_unused(folder):
        raise RunError(
            f"{folder} exists and is no empty folder; go on with --resume, or name another one"
        )


def holds_run(folder: str | Path) -> bool:
    """Whether a run was started in this folder, so that it can be resumed."""
    return (Path(folder) / RECIPE).is_file()


def _is_unused(folder: Path) -> bool:
    """Whether nothing is in it but what a run leaves that stopped before its first step."""
    return folder.is_dir() and all(
        path.name in (LOCK, f"{RECIPE}.new") for path in folder.iterdir()
    )


def checkpoint_path(folder: Path, step: int) -> Path:
    """Where a run writes its checkpoint after a step."""
    return folder / CHECKPOINTS / f"step-{step:07d}"


def checkpoints(folder: str | Path) -> list[Path]:
    """The checkpoint folders of a run, oldest first; whatever else lies there is not the run's."""
    return _numbered(Path(folder), "")


def scheduled_checkpoints(folder: str | Path) -> list[Path]:
    """Those that an unbroken run would have written as well, so not on being stopped."""
    return [path for path, state in _with_states(folder) if state["scheduled"]]


def leftovers(folder: Path) -> list[Path]:
    """What is left of checkpoints whose writing or removal was cut short."""
    return _numbered(folder, checkpoint.PARTIAL)


def _numbered(folder: Path, ending: str) -> list[Path]:
    found = {}
    for path in (folder / CHECKPOINTS).glob(f"*{ending}"):
        name = STEP.fullmatch(path.name.removesuffix(ending))
        if name and path.is_dir() and not path.is_symlink():
            found[int(name[1])] = path
    return [found[step] for step in sorted(found)]


def prune(folder: Path, keep: int) -> None:
    """Remove all checkpoints of a run but the best, the newest and the newest scheduled ones.

    Args:
        folder: the run folder.
        keep: how many count as the newest. Scheduled ones are counted by themselves, so that they
            are those of an unbroken run; the others are there to resume from.
    """
    found = checkpoints(folder)
    best = best_checkpoint(folder) if found else None
    kept = {*found[-keep:], *scheduled_checkpoints(folder)[-keep:], best}
    for path in found:
        if path not in kept:
            checkpoint.remove_folder(path)


def best_checkpoint(folder: str | Path) -> Path:
    """The checkpoint of a run with the lowest validation loss.

    Raises:
        CheckpointError: the run has no checkpoint yet.
    """
    found = _with_states(folder)
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
    if not (path / checkpoint.MANIFEST).is_file() and (path / CHECKPOINTS).is_dir():
        return best_checkpoint(path)
    return path


def _with_states(folder: str | Path) -> list[tuple[Path, dict[str, Any]]]:
    """Every checkpoint with the state of the run at that time, but for one removed meanwhile."""
    found = []
    for path in checkpoints(folder):
        try:
            found.append((path, checkpoint.read_run_state(path)))
        except (OSError, ValueError) as error:
            if path.exists():
                raise CheckpointError(
                    f"{path} is damaged: {error}; remove it and try again"
                ) from error
    return found


def _check_resumable(folder: Path, recipe: Recipe) -> None:
    if not holds_run(folder):
        raise RunError(f"{folder} holds no run to resume (no {RECIPE}); start without --resume")
    try:
        old, new = read_json(folder / RECIPE), recipe.to_dict()
    except ValueError as error:
        raise RunError(f"{folder / RECIPE} is damaged: {error}; name another folder") from error
    _check_same_pairs(folder, old.get("task"), new["task"])
    different = list(_differences(old, new))
    if different:
        raise RunError(
            f"{folder} holds a run of another recipe, and a resumed run must be the same one; "
            f"name another folder, or ask for what the run has: {'; '.join(different)}"
        )


def _check_same_pairs(folder: Path, old: Any, new: dict[str, Any]) -> None:
    """Say of a file of pairs whose content alone is another that it changed."""
    own = isinstance(old, dict) and "sha256" in old
    if own and old != new and old | {"sha256": new.get("sha256")} == new:
        raise RunError(
            f"{new['path']} must be as it was when the run in {folder} began, but it has changed; "
            "put it back, or name another folder and start without --resume"
        )


def _differences(old: dict[str, Any], new: dict[str, Any], table: str = "") -> Iterator[str]:
    """Each key whose values differ, in a table or in tables in it, with both values."""
    for key in old | new:
        before, after = old.get(key), new.get(key)
        if isinstance(before, dict) and isinstance(after, dict):
            yield from _differences(before, after, f"{table}{key}.")
        elif before != after:
            yield f"{table}{key} is {shown(before)} there, but {shown(after)} is asked for"


def store_recipe(folder: Path, recipe: Recipe) -> None:
    """Write the recipe of a run."""
    write_json(folder / RECIPE, recipe.to_dict())


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
        kept = path.rename(aside(path))
        said.append(f"{error}. It is called {kept.name} now, and is not used")
    return said
