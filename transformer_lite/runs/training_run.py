"""Training runs on disk, which can be stopped at any moment and resumed."""

import json
import math
import platform
import shutil
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch
from tqdm.auto import tqdm

from transformer_lite import evaluation
from transformer_lite.data import Example, build_tokenizers, encode_pairs
from transformer_lite.data import load as load_corpus
from transformer_lite.progress import progress_bar
from transformer_lite.runs import checkpoint, distributed
from transformer_lite.runs.checkpoint import SavedModel
from transformer_lite.runs.folder import (
    METRICS,
    RECIPE,
    VALIDATION,
    RunError,
    best_checkpoint,
    checkpoints,
    claim,
    holds_run,
    set_damaged_aside,
)
from transformer_lite.runs.recipe import Recipe
from transformer_lite.runs.stopping import StopRequest, stop_requests
from transformer_lite.runs.trainer import SharedTrainer
from transformer_lite.training import StepResult, seed_for

__all__ = ["RunError", "best_checkpoint", "checkpoints", "holds_run", "train"]


def train(
    recipe: Recipe,
    folder: Path,
    *,
    resume: bool = False,
    device: str = "cpu",
    progress: bool = True,
) -> Path:
    """Train as the recipe says, or go on where the run stopped.

    Ctrl-C and SIGTERM write a checkpoint, then raise KeyboardInterrupt. A run killed without
    warning resumes from its last checkpoint. Either way the weights end as if it had never stopped.

    Under torchrun, all processes that it started train together; only the first writes. A run may
    go on with another number of them: the batches stay the same, dropout and rounding do not.

    Args:
        recipe: what to train.
        folder: the run folder; new, or with `resume` an existing one of the same recipe.
        resume: go on from the newest checkpoint that is whole.
        device: "cpu", or "cuda" for one CUDA device a process.
        progress: show a bar.

    Returns:
        The checkpoint folder with the lowest validation loss.

    Raises:
        RunError: the folder holds a run already, or one of another recipe, or is in use.
        CheckpointError: every checkpoint is damaged.
        FloatingPointError: the loss is not a finite number; checkpoints are kept.
        OSError: something could not be written (a full disk); checkpoints are kept.
        SystemExit: another process of this training stopped, and says why.
    """
    own = distributed.own_device(device)

    def hold() -> AbstractContextManager[object]:
        return claim(folder, recipe, resume=resume) if distributed.is_first() else nullcontext()

    with distributed.processes(own), distributed.together(hold):
        return _Run(recipe, folder, own, progress).go()


@dataclass(frozen=True)
class _Prepared:
    """What a recipe turns into before the first step."""

    saved: SavedModel
    training: list[Example]
    validation: list[Example]
    references: list[str] | None  # of the validation sentences, where BLEU means something
    available: int  # training pairs before those that are too long were left out


def _prepare(recipe: Recipe) -> _Prepared:
    corpus = load_corpus(**recipe.task)
    source, target = build_tokenizers(corpus, **recipe.tokenizer)
    training = encode_pairs(corpus.train, source, target, longest=recipe.longest)
    if not training:
        raise RunError(f"no training pair is left with longest={recipe.longest}; raise it")
    torch.manual_seed(seed_for(recipe.training.seed, 0))
    fields = {name: value for name, value in recipe.model.items() if name != "kind"}
    model = checkpoint.build_model(
        recipe.model["kind"],
        fields | {"source_vocab": len(source), "target_vocab": len(target)},
    )
    longest = max(len(example.source) for example in training)
    saved = SavedModel(model, source, target, longest, recipe.task)
    validation = encode_pairs(corpus.valid, source, target)
    words = corpus.units != "characters"
    references = [pair.target for pair in corpus.valid] if words else None
    return _Prepared(saved, training, validation, references, len(corpus.train))


class _Run:
    """One process's work in a run folder."""

    def __init__(self, recipe: Recipe, folder: Path, device: torch.device, progress: bool) -> None:
        self.recipe, self.folder, self.progress = recipe, folder, progress
        prepared = distributed.together(lambda: _prepare(recipe))
        self.saved, self.prepared = prepared.saved, prepared
        model = self.saved.model.to(device)
        torch.set_num_threads(recipe.machine.threads)
        self.trainer = SharedTrainer(
            model, prepared.training, recipe.training, compile=recipe.machine.compile
        )
        self.facts = (
            f"{len(prepared.training):,} of {prepared.available:,} training pairs, "
            f"{sum(p.numel() for p in model.parameters()):,} parameters, "
            f"torch {torch.__version__}, Python {platform.python_version()}, "
            f"{platform.machine()}, {device}, {distributed.process_count()} process(es) "
            f"of {recipe.machine.threads} thread(s)"
        )

    def go(self) -> Path:
        """Train to the last step; returns the best checkpoint."""
        distributed.first_only(self._clear_away)  # before any process looks for a checkpoint
        distributed.together(self._begin)
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

    def _begin(self) -> None:
        """Take up the newest checkpoint, or start."""
        existing = checkpoints(self.folder)
        if not existing:
            if distributed.is_first():
                self._write_recipe()
                self._forget_after(0)
            self._say(f"starting: {self.facts}")
            return
        state = checkpoint.load_training(existing[-1], self.trainer.model, self.trainer.optimizer)
        self.trainer.steps_done = state["steps_done"]
        if distributed.is_first():
            self._forget_after(state["steps_done"])
        self._say(f"resuming after step {state['steps_done']:,}: {self.facts}")
        if state["processes"] != distributed.process_count():
            self._say(
                f"until here the run had {state['processes']} process(es): the batches and their "
                "order stay the same; dropout and the rounding of sums do not"
            )

    def _clear_away(self) -> None:
        """Remove what a killed process left half done, and what was damaged since."""
        for leftover in (self.folder / "checkpoints").glob(f"*{checkpoint.PARTIAL}"):
            shutil.rmtree(leftover)
        for said in set_damaged_aside(self.folder):
            self._say(said)

    def _finish(self) -> Path:
        if self.trainer.steps_done < self.recipe.training.steps:
            distributed.first_only(self._checkpoint)
            self._say(f"stopped after step {self.trainer.steps_done:,}; --resume goes on from here")
            raise KeyboardInterrupt
        best = best_checkpoint(self.folder)
        self._say(f"done; the checkpoint with the lowest validation loss is {best.name}")
        return best

    def _loop(self, stop: StopRequest) -> None:
        trainer, total = self.trainer, self.recipe.training.steps
        shown = self.progress and distributed.is_first()
        with progress_bar(total, "step", shown=shown, done=trainer.steps_done, leave=True) as bar:
            # All processes stop after the same step, whichever was asked.
            while trainer.steps_done < total and not distributed.any_process(stop.requested):
                result = distributed.together(self._step)
                bar.update()
                bar.set_postfix(loss=f"{result.loss:.3f}", refresh=False)

    def _step(self) -> StepResult:
        """One update, noted down; and a checkpoint where one is due."""
        began = time.perf_counter()
        result = self.trainer.step()
        if distributed.is_first():
            line = _metrics_line(result, time.perf_counter() - began)
            with (self.folder / METRICS).open("a") as metrics:
                metrics.write(line)
            if self._is_scheduled():
                self._checkpoint()
        return result

    def _is_scheduled(self) -> bool:
        done, training = self.trainer.steps_done, self.recipe.training
        return done % self.recipe.validation.every == 0 or done == training.steps

    def _checkpoint(self) -> None:
        """Validate, write a checkpoint, and remove all but the newest and the best."""
        path = self.folder / "checkpoints" / f"step-{self.trainer.steps_done:07d}"
        if path.exists():
            return
        metrics = self._validate()
        scheduled = self._is_scheduled()
        if scheduled:
            row = {"step": self.trainer.steps_done} | metrics
            with (self.folder / VALIDATION).open("a") as rows:
                rows.write(json.dumps(row) + "\n")
        state = {
            "steps_done": self.trainer.steps_done,
            "scheduled": scheduled,
            "processes": distributed.process_count(),
            "validation": metrics,
        }
        checkpoint.save(path, self.saved, self.trainer.optimizer, state)
        found = checkpoints(self.folder)
        keep = {*found[-self.recipe.validation.keep :], best_checkpoint(self.folder)}
        for old in found:
            if old not in keep:
                checkpoint.remove_folder(old)

    def _validate(self) -> dict[str, float]:
        """Score the model on the validation sentences, and say how it is doing."""
        prepared, words = self.prepared, self.prepared.references
        scores = evaluation.score(
            self.trainer.model,
            prepared.validation,
            sentences=self.recipe.validation.sentences,
            to_text=None if words is None else self.saved.target.decode,
            references=words or (),
        )
        if not math.isfinite(scores.loss):
            raise FloatingPointError(
                f"the validation loss became {scores.loss} at step {self.trainer.steps_done}; no "
                "checkpoint of it was written; lower peak_rate or lengthen the warmup"
            )
        metrics = {
            "loss": scores.loss,
            "token_accuracy": scores.token_accuracy,
            "exact_match": scores.exact_match,
        }
        free = f"exact match {scores.exact_match:.3f}"
        if scores.bleu is not None:
            metrics["bleu"] = scores.bleu.score
            free += f", BLEU {scores.bleu.score:.2f}"
        sentences = min(self.recipe.validation.sentences, len(prepared.validation))
        self._say(
            f"step {self.trainer.steps_done:,}: validation loss {scores.loss:.3f}, "
            f"token accuracy {scores.token_accuracy:.3f} (teacher forced), "
            f"{free} (free running, {sentences} sentences)"
        )
        return metrics

    def _write_recipe(self) -> None:
        """In one step, like everything that `--resume` relies on."""
        path = self.folder / RECIPE
        replacement = path.with_name(f"{RECIPE}.new")
        checkpoint.write_json(replacement, self.recipe.to_dict())
        replacement.replace(path)

    def _forget_after(self, step: int) -> None:
        """Drop what was logged after the checkpoint, so that the logs read as one unbroken run."""
        for name in (METRICS, VALIDATION):
            path = self.folder / name
            lines = path.read_text().splitlines(keepends=True) if path.exists() else []
            whole = [line for line in lines if line.endswith("\n")]
            replacement = path.with_suffix(".new")
            replacement.write_text("".join(line for line in whole if _step_of(line) <= step))
            replacement.replace(path)

    def _say(self, message: str) -> None:
        if not distributed.is_first():
            return
        stamp = time.strftime("%Y-%m-%d %H:%M:%S")
        with (self.folder / "log.txt").open("a", encoding="utf-8") as log:
            log.write(f"{stamp}  {message}\n")
        if self.progress:
            tqdm.write(message)


def _step_of(line: str) -> int:
    return int(json.loads(line)["step"])


def _metrics_line(result: StepResult, seconds: float) -> str:
    row = {
        "step": result.step,
        "loss": round(result.loss, 6),
        "rate": result.rate,
        "target_tokens": result.target_tokens,
        "seconds": round(seconds, 4),
    }
    return json.dumps(row) + "\n"
