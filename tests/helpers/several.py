"""Fork processes that believe torchrun started them. (Starting torchrun takes seconds each time.)

For scripts that have imported what they need and started no thread: forking is cheap and safe then.
"""

import os
import signal
import socket
import traceback
from collections.abc import Callable


def train_together(count: int, work: Callable[[int], None]) -> list[int]:
    """Run `work(rank)` in each of `count` child processes; returns how each ended.

    The ends are exit statuses; that of a process killed by a signal is negative.
    """
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    children = [_fork(rank, count, port, work) for rank in range(count)]
    ends = [os.waitpid(child, 0)[1] for child in children]
    return [os.waitstatus_to_exitcode(end) for end in ends]


def _fork(rank: int, count: int, port: int, work: Callable[[int], None]) -> int:
    child = os.fork()
    if child:
        return child
    os.environ |= {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(count),
        "MASTER_ADDR": "localhost",
        "MASTER_PORT": str(port),
        "TORCHELASTIC_RUN_ID": "test",  # by this PyTorch knows that torchrun started a process
    }
    signal.alarm(200)  # whoever waits for ever for another process is to be found out, not left
    status = 1
    try:
        work(rank)
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)
