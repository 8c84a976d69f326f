"""The loop of a run: it writes checkpoints, stops where it is asked to, and goes on from there."""

import math
import platform
import shutil
import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import torch

from transformer_lite import evaluation
from transformer_lite.progress import progress_bar
from transformer_lite.runs import checkpoint, distributed
from transformer_lite.runs.folder import (
    best_checkpoint,
    checkpoint_path,
    checkpoints,
    claim,
    holds_run,
    leftovers,
    prune,
    set_damaged_aside,
    store_recipe,
)
from transformer_lite.runs.log import RunLog
from transformer_lite.runs.preparation import prepare
from transformer_lite.runs.recipe import Recipe
from transformer_lite.runs.stopping import StopRequest, stop_requests
from transformer_lite.runs.trainer import SharedTrainer
from transformer_lite.training import StepResult


def train(
    recipe: Recipe,
    folder: str | Path,
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
    folder = Path(folder)
    own = distributed.own_device(device)

    def hold() -> AbstractContextManager[object]:
        return claim(folder, recipe, resume=resume) if distributed.is_first() else nullcontext()

    with distributed.processes(own), distributed.together(hold):
        return _Run(recipe, folder, own, progress).go()


class _Run:
    """One process's work in a run folder."""

    def __init__(self, recipe: Recipe, folder: Path, device: torch.device, progress: bool) -> None:
        self.recipe, self.folder = recipe, folder
        self.shown = progress and distributed.is_first()
        self.log = RunLog(folder, shown=self.shown)
        self.prepared = distributed.together(lambda: prepare(recipe))
        self.model = self.prepared.saved.model.to(device)
        torch.set_num_threads(recipe.machine.threads)
        self.trainer = SharedTrainer(
            self.model, self.prepared.training, recipe.training, compile=recipe.machine.compile
        )
        self.facts = (
            f"{len(self.prepared.training):,} of {self.prepared.available:,} training pairs, "
            f"{sum(p.numel() for p in self.model.parameters()):,} parameters, "
            f"torch {torch.__version__}, Python {platform.python_version()}, "
            f"{platform.machine()}, {device}, {distributed.process_count()} process(es) "
            f"of {recipe.machine.threads} thread(s)"
        )

    def go(self) -> Path:
        """Train to the last step; returns the best checkpoint."""
        try:
            distributed.first_only(self._clear_away)  # before any process looks for a checkpoint
            distributed.together(self._begin)
            with stop_requests() as stop:
                self._loop(stop)
            return self._finish()
        except OSError as error:
            raise self._stopped_by(error) from error

    def _stopped_by(self, error: OSError) -> OSError:
        """The error of a run that could not go on in its folder, in words."""
        done, kept = self.trainer.steps_done, checkpoints(self.folder)
        when = f"stopped after step {done:,}" if done else "could not start"
        last = f"the last good checkpoint is {kept[-1].name}" if kept else "there is no checkpoint"
        again = "go on with --resume" if holds_run(self.folder) else "start again"
        said = OSError(
            f"the run {when}, because it could not read or write in {self.folder} "
            f"({error.strerror or error}); {last}. Mend that and {again}"
        )
        said.errno = error.errno  # not an argument, which would stand before the words
        return said

    def _clear_away(self) -> None:
        """Remove what a killed process left half done or unpruned, and what was damaged since."""
        for leftover in leftovers(self.folder):
            shutil.rmtree(leftover)
        for said in set_damaged_aside(self.folder):
            self.log.say(said)
        prune(self.folder, self.recipe.validation.keep)

    def _begin(self) -> None:
        """Take up the newest checkpoint, or start."""
        existing = checkpoints(self.folder)
        if not existing:
            if distributed.is_first():
                store_recipe(self.folder, self.recipe)
                self.log.forget_after(0)
            self._say(f"starting: {self.facts}")
            return
        state = checkpoint.load_training(existing[-1], self.model, self.trainer.optimizer)
        self.trainer.steps_done = state["steps_done"]
        if distributed.is_first():
            self.log.forget_after(state["steps_done"])
        self._say(f"resuming after step {state['steps_done']:,}: {self.facts}")
        if state["processes"] != distributed.process_count():
            self._say(
                f"until here the run had {state['processes']} process(es): the batches and their "
                "order stay the same; dropout and the rounding of sums do not"
            )

    def _loop(self, stop: StopRequest) -> None:
        trainer, total = self.trainer, self.recipe.training.steps
        done = trainer.steps_done
        with progress_bar(total, "step", shown=self.shown, done=done, leave=True) as bar:
            # All processes stop after the same step, whichever was asked.
            while trainer.steps_done < total and not distributed.any_process(stop.requested):
                result = distributed.together(self._step)
                bar.update()
                bar.set_postfix(loss=f"{result.loss:.3f}", refresh=False)

    def _finish(self) -> Path:
        if self.trainer.steps_done < self.recipe.training.steps:
            distributed.first_only(self._checkpoint)
            self._say(f"stopped after step {self.trainer.steps_done:,}; --resume goes on from here")
            raise KeyboardInterrupt
        best = best_checkpoint(self.folder)
        self._say(f"done; the checkpoint with the lowest validation loss is {best.name}")
        return best

    def _step(self) -> StepResult:
        """One update, noted down; and a checkpoint where one is due."""
        began = time.perf_counter()
        result = self.trainer.step()
        if distributed.is_first():
            self.log.add_step(result, time.perf_counter() - began)
            if self._is_scheduled():
                self._checkpoint()
        return result

    def _is_scheduled(self) -> bool:
        done, training = self.trainer.steps_done, self.recipe.training
        return done % self.recipe.validation.every == 0 or done == training.steps

    def _checkpoint(self) -> None:
        """Validate, write a checkpoint, and remove those that are not to be kept."""
        step = self.trainer.steps_done
        path = checkpoint_path(self.folder, step)
        if path in checkpoints(self.folder):
            return
        metrics = self._validate()
        scheduled = self._is_scheduled()
        if scheduled:
            self.log.add_validation(step, metrics)
        state = {
            "steps_done": step,
            "scheduled": scheduled,
            "processes": distributed.process_count(),
            "validation": metrics,
        }
        checkpoint.save(path, self.prepared.saved, self.trainer.optimizer, state)
        prune(self.folder, self.recipe.validation.keep)

    def _validate(self) -> dict[str, float]:
        """Score the model on the validation sentences, and say how it is doing."""
        prepared, step = self.prepared, self.trainer.steps_done
        sentences = min(self.recipe.validation.sentences, len(prepared.validation))
        scores = evaluation.score(
            self.model,
            prepared.validation,
            sentences=sentences,
            to_text=None if prepared.references is None else prepared.saved.target.decode,
            references=prepared.references or (),
        )
        if not math.isfinite(scores.loss):
            raise FloatingPointError(
                f"the validation loss became {scores.loss} at step {step}; no checkpoint of it "
                "was written; lower peak_rate or lengthen the warmup"
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
        self._say(
            f"step {step:,}: validation loss {scores.loss:.3f}, "
            f"token accuracy {scores.token_accuracy:.3f} (teacher forced), "
            f"{free} (free running, {sentences} sentences)"
        )
        return metrics

    def _say(self, message: str) -> None:
        if distributed.is_first():
            self.log.say(message)
