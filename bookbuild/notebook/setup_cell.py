"""The first cell of every notebook: makes the package importable where it is not."""

import nbformat
from nbformat import NotebookNode

from bookbuild.hosting import Stamp

TAG = "setup"

# Runs on hosts that this project does not control: torch and numpy are held at the versions that
# the host ships, because replacing them there breaks the session.
_CODE = """\
#@title Set-up: does nothing where transformer_lite is already installed
import importlib.util

if importlib.util.find_spec("transformer_lite") is None:
    import importlib.metadata, os, pathlib, subprocess, sys, tempfile

    beside = sorted(map(str, pathlib.Path().glob("transformer_lite-*.whl")))
    wheel = beside[-1] if beside else {wheel!r}
    if not wheel:
        raise ImportError(
            "transformer_lite is not installed: put its wheel, which lies beside the notebooks of "
            "the site, next to this notebook, or run it in an environment made by `make book`."
        )
    if importlib.util.find_spec("torch") is None:
        raise ImportError("PyTorch is not installed: install it first, this notebook never does.")
    held = pathlib.Path(tempfile.mkdtemp(), "held.txt")
    held.write_text("".join(
        f"{{name}}=={{importlib.metadata.version(name).split('+')[0]}}\\n"
        for name in ("torch", "numpy") if importlib.util.find_spec(name)
    ))
    installed = subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", wheel],
        env={{**os.environ, "PIP_CONSTRAINT": str(held)}}, capture_output=True, text=True,
    )
    if installed.returncode:
        reason = (installed.stderr.strip().splitlines() or ["pip gave no reason"])[-1]
        raise ImportError(f"transformer_lite cannot be installed from {{wheel}}: {{reason}}")
    importlib.invalidate_caches()
"""


def node(stamp: Stamp) -> NotebookNode:
    """The set-up cell, stamped with the wheel of the site that it comes from."""
    return nbformat.v4.new_code_cell(
        _CODE.format(wheel=stamp.wheel).rstrip("\n"),
        metadata={"tags": [TAG], "cellView": "form", "jupyter": {"source_hidden": True}},
    )


def is_setup(cell: NotebookNode) -> bool:
    """Whether a cell is the set-up cell."""
    return TAG in cell.metadata.get("tags", [])
