"""Training runs on disk, which can be stopped at any moment and resumed.

`train` a recipe in a folder, and go on in it as often as need be; the rest looks into such folders.
"""

from transformer_lite.runs.folder import (
    RunError,
    best_checkpoint,
    checkpoints,
    holds_run,
    model_folder,
    scheduled_checkpoints,
)
from transformer_lite.runs.training_run import train

__all__ = [
    "RunError",
    "best_checkpoint",
    "checkpoints",
    "holds_run",
    "model_folder",
    "scheduled_checkpoints",
    "train",
]
