"""Training runs on disk: a folder that can be stopped at any moment and resumed.

A run folder holds `recipe.json`, `log.txt`, `metrics.jsonl` (one line a step) and
`checkpoints/step-0001000/`, each of which is a complete model folder.
"""

import json
import math
import platform
import shutil
import time
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout
from tqdm.auto import tqdm

from transformer_lite import checkpoint, evaluation
from transformer_lite.checkpoint import CheckpointError, SavedModel
from transformer_lite.data import build_tokenizers, encode_pairs
from transformer_lite.data import load as load_corpus
from transformer_lite.recipe import Recipe
from transformer_lite.stopping import StopRequest, stop_requests
from transformer_lite.training import StepResult, Trainer, progress_bar, seed_for

LOCK, RECIPE = "run.lock", "recipe.json"


class RunError(ValueError):
    """A run folder that cannot be used as asked; nothing in it was changed."""


def train(recipe: Recipe, folder: Path, *, resume: bool = False, progress: bool = True) -> Path:
    """Train as the recipe says, or go on where the run stopped.

    Ctrl-C and SIGTERM write a checkpoint, then raise KeyboardInterrupt. A run killed without
    warning resumes from its last checkpoint. Either way the weights end as if it had never stopped.

    Args:
        recipe: what to train.
        folder: the run folder; new, or with `resume` an existing one of the same recipe.
        resume: go on from the newest checkpoint.
        progress: show a bar.

    Returns:
        The checkpoint folder with the lowest validation loss.

    Raises:
        RunError: the folder holds a run already, or one of another recipe, or is in use.
        CheckpointError: the newest checkpoint is damaged.
        FloatingPointError: the loss is not a finite number; checkpoints are kept.
        OSError: something could not be written (a full disk); checkpoints are kept.
    """
    if resume:
        _check_resumable(folder, recipe)
    elif folder.exists() and not _is_unused(folder):
        raise RunError(
            f"{folder} exists and is no empty folder; go on with --resume, or name another one"
        )
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / LOCK, timeout=0):
            return _Run(recipe, folder, progress).go()
    except Timeout:
        raise RunError(f"another process is training in {folder}; name another folder") from None


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
    found = [(path, _progress(path)) for path in checkpoints(folder)]
    if not found:
        raise CheckpointError(f"{folder} holds no checkpoint yet; train first")
    # One written because somebody stopped the run would not be there in an unbroken run.
    scheduled = [(path, state) for path, state in found if state["scheduled"]]
    return min(scheduled or found, key=lambda one: float(one[1]["validation"]["loss"]))[0]


def _progress(path: Path) -> dict[str, Any]:
    try:
        return checkpoint.read_json(path / "progress.json")
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} is damaged: {error}; remove it and try again") from error


def _check_resumable(folder: Path, recipe: Recipe) -> None:
    if not holds_run(folder):
        raise RunError(f"{folder} holds no run to resume (no {RECIPE}); start without --resume")
    try:
        old, new = checkpoint.read_json(folder / RECIPE), recipe.to_dict()
    except ValueError as error:
        raise RunError(f"{folder / RECIPE} is damaged: {error}; name another folder") from error
    different = [
        f"{table}: {old.get(table)} → {new[table]}" for table in new if old.get(table) != new[table]
    ]
    if different:
        raise RunError(
            f"{folder} holds a run of another recipe, and a resumed run must be the same one; "
            f"name another folder. Different: {'; '.join(different)}"
        )


class _Run:
    """One process's work in a run folder."""

    def __init__(self, recipe: Recipe, folder: Path, progress: bool) -> None:
        self.recipe, self.folder, self.progress = recipe, folder, progress
        corpus = load_corpus(**recipe.task)
        source, target = build_tokenizers(corpus, **recipe.tokenizer)
        train_examples = encode_pairs(corpus.train, source, target, longest=recipe.longest)
        self.validation = encode_pairs(corpus.valid, source, target)
        if not train_examples:
            raise RunError(f"no training pair is left with longest={recipe.longest}; raise it")
        torch.manual_seed(seed_for(recipe.training.seed, 0))
        fields = {name: value for name, value in recipe.model.items() if name != "kind"}
        model = checkpoint.build_model(
            recipe.model["kind"],
            fields | {"source_vocab": len(source), "target_vocab": len(target)},
        )
        self.trainer = Trainer(model, train_examples, recipe.training)
        longest = max(len(example.source) for example in train_examples)
        self.saved = SavedModel(model, source, target, longest, recipe.task)
        self.facts = (
            f"{len(train_examples):,} of {len(corpus.train):,} training pairs, "
            f"{sum(p.numel() for p in model.parameters()):,} parameters, "
            f"torch {torch.__version__}, Python {platform.python_version()}, "
            f"{platform.machine()}, {recipe.training.threads} thread(s)"
        )

    def go(self) -> Path:
        """Train to the last step; returns the best checkpoint."""
        for leftover in (self.folder / "checkpoints").glob(f"*{checkpoint.PARTIAL}"):
            shutil.rmtree(leftover)
        existing = checkpoints(self.folder)
        if existing:
            state = checkpoint.load_training(
                existing[-1], self.trainer.model, self.trainer.optimizer
            )
            self.trainer.steps_done = state["steps_done"]
            self._forget_metrics_after(state["steps_done"])
            self._say(f"resuming after step {state['steps_done']:,}: {self.facts}")
        else:
            self._write_recipe()
            self._forget_metrics_after(0)
            self._say(f"starting: {self.facts}")
        try:
            with stop_requests() as stop:
                self._loop(stop)
            return self._finish()
        except OSError as error:
            kept = checkpoints(self.folder)
            last = f"the last good checkpoint is {kept[-1].name}" if kept else "there is none yet"
            raise OSError(
                error.errno,
                f"the run stopped after step {self.trainer.steps_done:,}, because it could not "
                f"write to {self.folder} ({error.strerror}); {last}. Make room and go on with "
                "--resume",
            ) from error

    def _finish(self) -> Path:
        if self.trainer.steps_done < self.recipe.training.steps:
            self._checkpoint()
            self._say(f"stopped after step {self.trainer.steps_done:,}; --resume goes on from here")
            raise KeyboardInterrupt
        best = best_checkpoint(self.folder)
        self._say(f"done; the checkpoint with the lowest validation loss is {best.name}")
        return best

    def _loop(self, stop: StopRequest) -> None:
        trainer, total = self.trainer, self.recipe.training.steps
        with (
            (self.folder / "metrics.jsonl").open("a") as metrics,
            progress_bar(
                total, "step", shown=self.progress, done=trainer.steps_done, leave=True
            ) as bar,
        ):
            while trainer.steps_done < total and not stop.requested:
                began = time.perf_counter()
                result = trainer.step()
                metrics.write(_metrics_line(result, time.perf_counter() - began))
                bar.update()
                bar.set_postfix(loss=f"{result.loss:.3f}", refresh=False)
                if self._is_scheduled():
                    metrics.flush()
                    self._checkpoint()

    def _is_scheduled(self) -> bool:
        done, training = self.trainer.steps_done, self.recipe.training
        return done % self.recipe.validation.every == 0 or done == training.steps

    def _checkpoint(self) -> None:
        """Validate, write a checkpoint, and remove all but the newest and the best."""
        path = self.folder / "checkpoints" / f"step-{self.trainer.steps_done:07d}"
        if path.exists():
            return
        model = self.trainer.model
        forced = evaluation.teacher_forced(model, self.validation)
        sample = self.validation[: self.recipe.validation.sentences]
        decoded = evaluation.decode_all(model, sample)
        exact = evaluation.exact_match(
            [list(one.tokens) for one in decoded], [one.target for one in sample]
        )
        if not math.isfinite(forced.loss):
            raise FloatingPointError(
                f"the validation loss became {forced.loss} at step {self.trainer.steps_done}; no "
                "checkpoint of it was written; lower peak_rate or lengthen the warmup"
            )
        metrics = {"loss": forced.loss, "token_accuracy": forced.accuracy, "exact_match": exact}
        state = {
            "steps_done": self.trainer.steps_done,
            "scheduled": self._is_scheduled(),
            "validation": metrics,
        }
        checkpoint.save(path, self.saved, self.trainer.optimizer, state)
        self._say(
            f"step {self.trainer.steps_done:,}: validation loss {forced.loss:.3f}, "
            f"token accuracy {forced.accuracy:.3f} (teacher forced), "
            f"exact match {exact:.3f} (free running, {len(sample)} sentences)"
        )
        keep = {path, best_checkpoint(self.folder)}
        for old in checkpoints(self.folder):
            if old not in keep:
                checkpoint.remove_folder(old)

    def _write_recipe(self) -> None:
        """In one step, like everything that `--resume` relies on."""
        path = self.folder / RECIPE
        replacement = path.with_name(f"{RECIPE}.new")
        checkpoint.write_json(replacement, self.recipe.to_dict())
        replacement.replace(path)

    def _forget_metrics_after(self, step: int) -> None:
        """Drop what was logged after the checkpoint, so that the log reads as one unbroken run."""
        path = self.folder / "metrics.jsonl"
        lines = path.read_text().splitlines(keepends=True) if path.exists() else []
        kept = [line for line in lines[:step] if line.endswith("\n")]
        replacement = path.with_suffix(".new")
        replacement.write_text("".join(kept))
        replacement.replace(path)

    def _say(self, message: str) -> None:
        stamp = time.strftime("%Y-%m-%d %H:%M:%S")
        with (self.folder / "log.txt").open("a", encoding="utf-8") as log:
            log.write(f"{stamp}  {message}\n")
        if self.progress:
            tqdm.write(message)


def _metrics_line(result: StepResult, seconds: float) -> str:
    row = {
        "step": result.step,
        "loss": round(result.loss, 6),
        "rate": result.rate,
        "target_tokens": result.target_tokens,
        "seconds": round(seconds, 4),
    }
    return json.dumps(row) + "\n"
