"""Several processes that train one model, each on its share of every batch.

`torchrun --nproc-per-node 2 -m transformer_lite train …` starts them. Each holds the whole model
and takes some rows of every batch; PyTorch's DistributedDataParallel joins their gradients, so that
all make the same update. For a process alone, every function here is the plain thing it stands for:
training is written once.

Source: Li et al. 2020, "PyTorch Distributed: Experiences on Accelerating Data Parallel Training".
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from inspect import signature
from typing import Any, Literal, TypeVar, cast

import torch
import torch.distributed
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from transformer_lite.checks import check_choice

Device = Literal["cpu", "cuda"]
Result = TypeVar("Result")
EXPECTED = (ValueError, OSError, FloatingPointError)  # what is said in one line, not as a traceback


def process_count() -> int:
    """How many processes train together: 1 unless torchrun started this one."""
    return int(_from_torchrun("WORLD_SIZE", "1"))


def rank() -> int:
    """The number of this process among them, from 0."""
    return int(_from_torchrun("RANK", "0"))


def is_first() -> bool:
    """Whether this is the process that writes files and speaks: rank 0."""
    return rank() == 0


def command() -> list[str]:
    """What to type, up to the name of a subcommand, to start as many processes again."""
    if process_count() == 1:
        return ["transformer-lite"]
    return ["torchrun", "--nproc-per-node", str(process_count()), "-m", "transformer_lite"]


def own_device(kind: str) -> torch.device:
    """The device of this process: the CPU, or a CUDA device that no other process here uses.

    Raises:
        ValueError: neither "cpu" nor "cuda", or fewer CUDA devices than processes.
    """
    check_choice("device", kind, Device)
    if kind == "cpu":
        return torch.device("cpu")
    number, found = int(_from_torchrun("LOCAL_RANK", "0")), torch.cuda.device_count()
    if number >= found:
        raise ValueError(
            "CUDA devices must be as many as processes on this machine, at least "
            f"{number + 1}, but PyTorch finds {found}; start fewer processes, or use the CPU"
        )
    return torch.device("cuda", number)


@contextmanager
def processes(device: torch.device) -> Iterator[None]:
    """Connect the processes that torchrun started, for the time of the block; alone, do nothing.

    Args:
        device: where this process trains. Gradients travel by NCCL between CUDA devices and by gloo
            between CPUs; the few numbers that the processes agree on always travel by gloo.
    """
    if process_count() == 1:
        yield
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
    torch.distributed.init_process_group(backend)
    yield
    # Not after an error, which keeps what it passed through alive, a wrapped module among it. That
    # would be the last to let go of the connection, and PyTorch 2.13 can hang in this order.
    torch.distributed.destroy_process_group()


def share_gradients(module: nn.Module) -> nn.Module:
    """Wrap a module: after `backward`, its gradients are the mean over all processes.

    Only what happens inside the wrapped module's `forward` is seen. Alone, the module itself.
    """
    if process_count() == 1:
        return module
    # Buffers are tables that each process computes for itself, as long as its own rows need them:
    # none is to be sent around. PyTorch 2.13 gave the option that says so a new name.
    new, old = "forward_sync_buffers", "broadcast_buffers"
    known = new in signature(DistributedDataParallel).parameters
    no_buffers: dict[str, Any] = {new if known else old: False}
    return DistributedDataParallel(module, **no_buffers)


def first_only(work: Callable[[], object]) -> None:
    """Let the first process do `work` while the others wait; see `together` for errors."""
    together(lambda: work() if is_first() else None)


def totals(*numbers: float) -> list[float]:
    """Each of these numbers summed over all processes."""
    return _combine(list(numbers), torch.distributed.ReduceOp.SUM)


def any_process(flag: bool) -> bool:
    """Whether the flag is true in at least one process; all get the same answer."""
    return totals(float(flag))[0] > 0


def together(work: Callable[[], Result]) -> Result:
    """Do `work` in every process and go on once all have done it.

    Where it fails in some of them, all end: the first that failed raises its error, the others end
    silently, so that nobody waits for ever and one error is said once.

    Raises:
        SystemExit: another process failed, and says why.
    """
    result: Result | None = None
    failure: Exception | None = None
    try:
        result = work()
    except EXPECTED as error:
        failure = error
    candidate = float(rank() if failure else process_count())
    speaker = int(_combine([candidate], torch.distributed.ReduceOp.MIN)[0])
    if failure is not None and speaker == rank():
        raise failure
    if speaker < process_count():
        raise SystemExit(1)
    return cast(Result, result)


def _combine(numbers: list[float], operation: torch.distributed.ReduceOp.RedOpType) -> list[float]:
    """Each number combined over all processes; the same list in all of them."""
    if process_count() == 1:
        return numbers
    tensor = torch.tensor(numbers, dtype=torch.float64)
    torch.distributed.all_reduce(tensor, operation)
    combined: list[float] = tensor.tolist()
    return combined


def _from_torchrun(name: str, alone: str) -> str:
    """A variable that torchrun sets; other launchers set variables of the same names."""
    return os.environ[name] if torch.distributed.is_torchelastic_launched() else alone
