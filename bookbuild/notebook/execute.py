"""Run a notebook once, in a fresh kernel and an empty folder, and store what it showed."""

import os
import re
import tempfile
from copy import deepcopy
from pathlib import Path
from typing import Any

from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError
from nbformat import NotebookNode

from bookbuild.notebook.digests import ROOM, outputs_digest
from bookbuild.notebook.policy import MOST_CHARACTERS, check
from bookbuild.source import SourceError
from bookbuild.widgets import settle_widgets

# One thread, because the course's models are small and a second costs more than it brings; and the
# same text for the same picture.
_SETTINGS = {
    "MKL_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "TQDM_DISABLE": "1",  # a progress bar is for somebody who waits
    "SOURCE_DATE_EPOCH": "0",  # matplotlib writes it into SVG files instead of the date
    "TOKENIZERS_PARALLELISM": "false",
}
CELL_LIMIT_SECONDS = 180
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")  # IPython colours its tracebacks for terminals


class _Client(NotebookClient):
    """Takes in no more than `policy` lets pass: a long line keeps nbclient's own patterns busy."""

    def process_message(
        self, msg: dict[str, Any], cell: NotebookNode, cell_index: int
    ) -> NotebookNode | None:
        """Cut what a cell prints one character after the most that it may."""
        if msg["msg_type"] == "stream":
            printed = sum(len(output.get("text", "")) for output in cell.outputs)
            room = max(0, MOST_CHARACTERS + 1 - printed)
            msg["content"]["text"] = msg["content"]["text"][:room]
        return super().process_message(msg, cell, cell_index)


async def execute(notebook: NotebookNode, name: str) -> NotebookNode:
    """Run every cell and return the notebook with outputs.

    Raises:
        SourceError: a cell failed, the kernel died, or an output cannot be published.
    """
    result = deepcopy(notebook)
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as profile:
        await _run(result, name, folder, profile)
    # nbclient writes the exact versions of the machine that executed.
    result.metadata["language_info"] = notebook.metadata["language_info"]
    settle_widgets(result, name)
    result.metadata[ROOM]["outputs"] = outputs_digest(result)
    complaints = check(result)
    if complaints:
        raise SourceError("\n".join(f"{name}: {complaint}" for complaint in complaints))
    return result


async def _run(notebook: NotebookNode, name: str, folder: str, profile: str) -> None:
    """Run the cells in `folder`; `profile` keeps what belongs to the kernel alone."""
    client = _Client(
        notebook,
        kernel_name="python3",
        timeout=CELL_LIMIT_SECONDS,
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": folder}},
    )
    # Sockets of the file system: nobody else on the machine can reach the kernel.
    manager = client.create_kernel_manager()
    manager.transport, manager.ip = "ipc", f"{profile}/kernel"
    # What a cell writes arrives as its output. The rest is of use only if the kernel dies.
    own_words = Path(profile, "stderr")
    # Folders of its own keep the author's start-up files and plot settings out.
    own = {"IPYTHONDIR": profile, "MATPLOTLIBRC": _plot_settings(profile)}
    try:
        with own_words.open("wb") as stderr:
            await client.async_execute(env={**os.environ, **_SETTINGS, **own}, stderr=stderr)
    except (CellExecutionError, CellTimeoutError) as error:
        raise SourceError(f"{name}: a cell failed: {_COLOUR.sub('', str(error))}") from error
    except RuntimeError as error:  # the kernel died, or never began
        said = own_words.read_text(encoding="utf-8", errors="replace")
        begun = f"code cells begun: {client.code_cells_executed}"
        raise SourceError(f"{name}: {error} ({begun})\n{said}".rstrip()) from error


def _plot_settings(folder: str) -> str:
    file = Path(folder, "matplotlibrc")
    file.write_text("svg.hashsalt: course\n", encoding="utf-8")  # else ids in SVG files are random
    return str(file)
