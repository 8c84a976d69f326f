"""What a run notes down beside its checkpoints, and takes back when it resumes."""

import json
import time
from pathlib import Path

from tqdm.auto import tqdm

from transformer_lite.training import StepResult

METRICS, VALIDATION = "metrics.jsonl", "validation.jsonl"


class RunLog:
    """The logs of a run folder: one process writes them.

    Args:
        folder: the run folder.
        shown: also print what is said.
    """

    def __init__(self, folder: Path, *, shown: bool) -> None:
        self.folder, self.shown = folder, shown

    def say(self, message: str) -> None:
        """A sentence for people, into log.txt with the time of day."""
        stamp = time.strftime("%Y-%m-%d %H:%M:%S")
        with (self.folder / "log.txt").open("a", encoding="utf-8") as log:
            log.write(f"{stamp}  {message}\n")
        if self.shown:
            tqdm.write(message)

    def add_step(self, result: StepResult, seconds: float) -> None:
        """A line of metrics.jsonl."""
        line = _metrics_line(result, seconds)
        with (self.folder / METRICS).open("a") as metrics:
            metrics.write(line)

    def add_validation(self, step: int, metrics: dict[str, float]) -> None:
        """A line of validation.jsonl."""
        with (self.folder / VALIDATION).open("a") as rows:
            rows.write(json.dumps({"step": step} | metrics) + "\n")

    def forget_after(self, step: int) -> None:
        """Drop the lines of later steps, so that the logs read as one unbroken run."""
        for name in (METRICS, VALIDATION):
            path = self.folder / name
            lines = path.read_text().splitlines(keepends=True) if path.exists() else []
            whole = [line for line in lines if line.endswith("\n")]
            replacement = path.with_suffix(".new")
            replacement.write_text("".join(line for line in whole if _step_of(line) <= step))
            replacement.replace(path)


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
