"""What a run notes down beside its checkpoints, and takes back when it resumes."""

import json
import time
from pathlib import Path

from tqdm.auto import tqdm

from transformer_lite.runs.files import aside, write
from transformer_lite.training import StepResult

LOG, METRICS, VALIDATION = "log.txt", "metrics.jsonl", "validation.jsonl"


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
        with (self.folder / LOG).open("a", encoding="utf-8") as log:
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
        """Drop the lines of later steps, so that the logs read as one unbroken run.

        Lines that cannot be read are dropped as well, after the whole file was copied aside.
        """
        for name in (METRICS, VALIDATION):
            path = self.folder / name
            content = path.read_bytes() if path.exists() else b""
            *lines, last = content.split(b"\n")
            if _step_of(last):  # otherwise it is empty, or what a killed process wrote of a line
                lines.append(last)
            steps = [_step_of(line) for line in lines]
            bad = [str(number) for number, one in enumerate(steps, start=1) if one is None]
            if bad:
                write(kept := aside(path), content)
                shown = ", ".join(bad[:5]) + (", …" if len(bad) > 5 else "")
                self.say(
                    f"{path} must hold JSON with a step in every line, but it does not in line "
                    f"{shown}: dropped. The file as it was is called {kept.name} now"
                )
            pairs = zip(lines, steps, strict=True)
            good = [line + b"\n" for line, one in pairs if one is not None and one <= step]
            write(path, b"".join(good))


def _step_of(line: bytes) -> int | None:
    """Which step a line tells of; None if it cannot be read."""
    try:
        step = json.loads(line)["step"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return step if type(step) is int else None


def _metrics_line(result: StepResult, seconds: float) -> str:
    row = {
        "step": result.step,
        "loss": round(result.loss, 6),
        "rate": result.rate,
        "target_tokens": result.target_tokens,
        "seconds": round(seconds, 4),
    }
    return json.dumps(row) + "\n"
