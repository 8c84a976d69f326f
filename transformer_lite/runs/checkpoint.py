"""Models on disk: safetensors and JSON in a folder that is there whole or not at all."""

import errno
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_type_hints

import torch
from pooch import file_hash
from safetensors import SafetensorError
from safetensors.torch import save_file, save_model

from transformer_lite.checks import check_keys, check_one_of, check_types
from transformer_lite.data import Tokenizer, tokenizer_from_json
from transformer_lite.fast import FastTransformer
from transformer_lite.model import SequenceModel
from transformer_lite.reading import read_json, read_tensors, read_weights
from transformer_lite.runs.files import write_json
from transformer_lite.seq2seq import Seq2Seq, Seq2SeqConfig
from transformer_lite.transformer import Transformer, TransformerConfig

Model = SequenceModel[Any, Any]
KINDS: dict[str, tuple[Any, Any]] = {
    "fast": (TransformerConfig, FastTransformer),
    "transformer": (TransformerConfig, Transformer),
    "seq2seq": (Seq2SeqConfig, Seq2Seq),
}
MANIFEST = "manifest.json"
RUN_STATE = "progress.json"
PARTIAL = ".partial"  # the ending of a folder that nobody reads
MOST_WEIGHTS = 2**31  # of a model: 8 GiB
MODEL_FIELDS = {
    "kind": str, "config": dict[str, Any], "task": dict[str, Any] | None, "longest_source": int,
}  # fmt: skip
TOKENIZER_FIELDS = {"source": dict[str, Any], "target": dict[str, Any] | None}
RUN_STATE_FIELDS = {
    "steps_done": int, "scheduled": bool, "processes": int, "validation": dict[str, float],
}  # fmt: skip


class CheckpointError(ValueError):
    """A model folder that is missing, incomplete, altered, or not made for this use."""


def build_model(kind: str, fields: dict[str, Any], most: int = MOST_WEIGHTS) -> Model:
    """A new model from its kind, a key of KINDS, and the fields of its configuration.

    Args:
        kind, fields: what to build.
        most: weights that it may have.

    Raises:
        ValueError: unknown kind or field, values that the configuration refuses, or a model that is
            too large.
    """
    check_one_of("kind", kind, KINDS)
    configuration, model = KINDS[kind]
    check_keys(f"the fields of kind {kind!r}", fields, configuration.__dataclass_fields__)
    check_types(f"kind {kind!r}: ", fields, get_type_hints(configuration))
    try:
        config = configuration(**fields)
    except TypeError as error:  # a field that has no default is missing
        raise ValueError(f"kind {kind!r}: {error}") from error
    if config.least_weights > most:
        raise ValueError(
            f"the model must have at most {most:,} weights, but its sizes make it "
            f"{config.least_weights:,} or more"
        )
    built: Model = model(config)
    return built


@dataclass(frozen=True)
class SavedModel:
    """What a model folder holds.

    Attributes:
        model: the model, in evaluation mode, on the CPU.
        source, target: the tokenizers of both sides (one object where the vocabulary is joint).
        longest_source: longest source it was trained on, in tokens, `<eos>` counted in.
        task: the corpus it was trained on: `name` and the other arguments of `data.load`. None for
            one's own pairs: `transformer-lite evaluate` then has nothing to score it on.
    """

    model: Model
    source: Tokenizer
    target: Tokenizer
    longest_source: int
    task: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        """Raise ValueError for a task without a name, and for tokenizers of another model."""
        if self.task is not None:
            check_types("task ", {"name": self.task.get("name")}, {"name": str})
        sizes = (self.model.source_vocab, self.model.target_vocab)
        known = (len(self.source), len(self.target))
        if sizes != known:
            raise ValueError(
                f"the tokenizers must have the vocabularies of the model, {sizes}, but have {known}"
            )


@contextmanager
def atomic_folder(folder: Path) -> Iterator[Path]:
    """A temporary folder to fill, which becomes `folder` in one step when the block ends.

    A process that dies at any moment leaves either nothing or the whole folder behind (and perhaps
    a `.partial` one, which nobody reads). A manifest of SHA-256 sums goes in last.

    Raises:
        FileExistsError: `folder` exists; a checkpoint is never overwritten.
        OSError: the disk is full or not writable; the partial folder is removed.
    """
    if folder.exists():
        raise FileExistsError(
            f"{folder} exists already; a checkpoint is never overwritten: name another folder"
        )
    partial = folder.with_name(folder.name + PARTIAL)
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        sums = {path.name: file_hash(str(path)) for path in sorted(partial.iterdir())}
        write_json(partial / MANIFEST, sums)
        mode = (partial / MANIFEST).stat().st_mode  # by the umask; safetensors lets the owner alone
        for path in partial.iterdir():
            path.chmod(mode)
            with path.open("rb") as file:
                os.fsync(file.fileno())
        partial.rename(folder)
    except BaseException as error:
        shutil.rmtree(partial, ignore_errors=True)
        if isinstance(error, SafetensorError):  # its own class, also for a full disk
            found = re.search(r"os error (\d+)", str(error))
            number = int(found[1]) if found else errno.EIO
            raise OSError(number, os.strerror(number)) from error
        raise


def remove_folder(folder: Path) -> None:
    """Delete a model folder so that a process that dies meanwhile leaves no half of it behind."""
    doomed = folder.with_name(folder.name + PARTIAL)
    shutil.rmtree(doomed, ignore_errors=True)
    folder.rename(doomed)
    shutil.rmtree(doomed)


def check_folder(folder: Path) -> None:
    """Raise CheckpointError unless every file of `folder` is what its manifest says."""
    manifest = folder / MANIFEST
    if not manifest.is_file():
        raise CheckpointError(
            f"{folder} must be a model folder, but it has no {MANIFEST}; give the folder of a run "
            "that has a checkpoint, or of a checkpoint"
        )
    try:
        sums = read_json(manifest)
    except ValueError as error:
        raise CheckpointError(
            f"{manifest} is damaged: {error}. Use another checkpoint, or train again"
        ) from error
    if not sums:
        raise CheckpointError(
            f"{manifest} is damaged: it is empty. Use another checkpoint, or train again"
        )
    for name, expected in sums.items():
        path = folder / name
        if Path(name).name != name or not path.is_file():
            raise CheckpointError(
                f"{folder} is incomplete: {name} is missing. Use another checkpoint, or train again"
            )
        if file_hash(str(path)) != expected:
            raise CheckpointError(
                f"{path} was altered or damaged: its SHA-256 is not the one in {MANIFEST}. "
                "Use another checkpoint, or train again"
            )


def damage(folder: Path) -> CheckpointError | None:
    """What is wrong with a model folder, as `check_folder` says it; None if it is whole."""
    try:
        check_folder(folder)
    except CheckpointError as error:
        return error
    return None


def save(folder: str | Path, saved: SavedModel, optimizer: torch.optim.Optimizer | None = None,
         run_state: dict[str, Any] | None = None) -> None:  # fmt: skip
    """Write a model folder in one step.

    Args:
        folder: where; it must not exist.
        saved: the model, its tokenizers and what a translator needs to know.
        optimizer: also keep the optimiser's state, so that training can go on.
        run_state: JSON-able facts of the training run ("steps_done", validation metrics, …).

    Raises:
        ValueError: a model or tokenizers that `load` could not build again; nothing is written.
        FileExistsError, OSError: as for `atomic_folder`.
    """
    kinds = {model.__name__: kind for kind, (_, model) in KINDS.items()}
    check_one_of("the class of a model to be saved", type(saved.model).__name__, kinds)
    config = saved.model.config
    assert isinstance(config, TransformerConfig | Seq2SeqConfig)
    about = {
        "kind": kinds[type(saved.model).__name__],
        "config": asdict(config),
        "task": saved.task,
        "longest_source": saved.longest_source,
    }
    joint = saved.source is saved.target
    tokenizers = {
        "source": saved.source.to_json(),
        "target": None if joint else saved.target.to_json(),  # None: the same one
    }
    with atomic_folder(Path(folder)) as partial:
        save_model(saved.model, str(partial / "model.safetensors"))
        write_json(partial / "model.json", about)
        write_json(partial / "tokenizers.json", tokenizers)
        if optimizer is not None:
            save_file(_optimizer_tensors(saved.model, optimizer), partial / "optimizer.safetensors")
        if run_state is not None:
            write_json(partial / RUN_STATE, run_state)


def load(folder: str | Path) -> SavedModel:
    """Read a model folder.

    Raises:
        CheckpointError: it is missing, incomplete, altered, removed meanwhile, or of another
            version of the package.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise CheckpointError(f"folder must be a model folder, but there is none at {folder}")
    try:
        return _load(folder)
    except (OSError, ValueError) as error:
        if folder.is_dir():
            raise
        raise CheckpointError(
            f"{folder} was removed while it was read, as a run does with its older checkpoints; "
            "try again"
        ) from error


def _load(folder: Path) -> SavedModel:
    check_folder(folder)
    try:
        return _read(folder)
    except ValueError as error:
        raise CheckpointError(
            f"{folder} does not fit this version of the package: {error}. "
            "Use another checkpoint, or train again"
        ) from error


def _read(folder: Path) -> SavedModel:
    about = read_json(folder / "model.json", MODEL_FIELDS)
    tokenizers = read_json(folder / "tokenizers.json", TOKENIZER_FIELDS)
    source = tokenizer_from_json(tokenizers["source"])
    target = source if tokenizers["target"] is None else tokenizer_from_json(tokenizers["target"])
    weights = folder / "model.safetensors"
    # A weight takes four bytes: a model of more weights than bytes is not the one in the file.
    model = build_model(about["kind"], about["config"], most=weights.stat().st_size)
    read_weights(weights, model)
    return SavedModel(model.eval(), source, target, about["longest_source"], about["task"])


def average(folders: Sequence[str | Path]) -> SavedModel:
    """One model whose weights are the mean of those of several checkpoints of one run.

    Meant for the last checkpoints, which lie around one minimum. Whether the mean scores better
    than the best of them has to be measured: after a rate that fell to 0 it need not.

    Raises:
        CheckpointError: there are no folders, one is damaged, or they hold different models.

    Source: Vaswani et al. 2017, section 6.1 (the last 5 or 20 checkpoints).
    """
    if not folders:
        raise CheckpointError("folders must name at least one checkpoint, but it is empty")
    mean, *others = [load(folder) for folder in folders]
    for folder, other in zip(folders[1:], others, strict=True):
        if other.model.config != mean.model.config:
            raise CheckpointError(
                f"folders must hold one kind of model, but {folder} holds another than {folders[0]}"
            )
    with torch.no_grad():
        for name, parameter in mean.model.named_parameters():
            same = [one.model.get_parameter(name).double() for one in (mean, *others)]
            parameter.copy_(torch.stack(same).mean(0))
    return mean


def load_training(folder: Path, model: Model, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """Put model and optimiser back where the checkpoint left them; returns the state of the run.

    Raises:
        CheckpointError: the folder is damaged, keeps no optimiser, or belongs to another model.
    """
    check_folder(folder)
    if not (folder / "optimizer.safetensors").is_file():
        raise CheckpointError(f"{folder} keeps no optimiser state: it cannot be trained on")
    try:
        read_weights(folder / "model.safetensors", model)
        tensors = read_tensors(folder / "optimizer.safetensors")
        run_state = read_run_state(folder)
    except ValueError as error:
        raise CheckpointError(f"{folder} holds another model than this run's: {error}") from error
    for name, parameter in model.named_parameters():
        prefix = f"{name}/"
        state = {
            key.removeprefix(prefix): value.to(parameter.device)
            for key, value in tensors.items()
            if key.startswith(prefix)
        }
        if any(one.shape not in (parameter.shape, ()) for one in state.values()):
            raise CheckpointError(
                f"{folder} keeps another optimiser's state than that of {name}: {list(state)}"
            )
        optimizer.state[parameter] = state
    return run_state


def read_run_state(folder: Path) -> dict[str, Any]:
    """What a checkpoint says of its training run; raises ValueError and OSError as `read_json`."""
    run_state = read_json(folder / RUN_STATE, RUN_STATE_FIELDS)
    check_types("validation ", {"loss": run_state["validation"].get("loss")}, {"loss": float})
    return run_state


def _optimizer_tensors(model: Model, optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """The optimiser's state by parameter name, so that the order of parameters does not matter."""
    return {
        f"{name}/{key}": value
        for name, parameter in model.named_parameters()
        for key, value in optimizer.state[parameter].items()
    }
