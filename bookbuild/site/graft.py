"""Hand stored outputs to MyST-NB through jupyter-cache, so that building pages executes nothing."""

from pathlib import Path

import nbformat
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from nbformat import NotebookNode

from bookbuild.notebook.stored import chapter_cells, code_cells, match_cells
from bookbuild.source import read_notebook

# The smallest PNG there is: Sphinx numbers a figure only when there is a picture.
_DOT = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII="
)


def graft(
    text: str, path: Path, extensions: frozenset[str], stored: NotebookNode, cache: Path
) -> None:
    """Store a chapter's outputs under the key by which MyST-NB will ask for them.

    text: the chapter as the page shows it; DriftError when its code is not the stored notebook's.
    """
    notebook = read_notebook(text, path, extensions)
    cells = code_cells(notebook)
    for number, (have, want) in enumerate(match_cells(chapter_cells(stored), cells, path.name), 1):
        want.outputs = have.outputs
        want.execution_count = number
    notebook.metadata["language_info"] = stored.metadata["language_info"]
    _store(notebook, path, cache)


def graft_stand_ins(text: str, path: Path, extensions: frozenset[str], cache: Path) -> None:
    """Store stand-ins where figures will be, for reading a book that was not executed yet."""
    notebook = read_notebook(text, path, extensions)
    notebook.metadata["language_info"] = {"name": "python"}
    for number, cell in enumerate(code_cells(notebook), 1):
        cell.execution_count = number
        if "figure" in cell.metadata.get("mystnb", {}):
            cell.outputs = [nbformat.v4.new_output("display_data", {"image/png": _DOT})]
    _store(notebook, path, cache)


def _store(notebook: NotebookNode, path: Path, cache: Path) -> None:
    cache.mkdir(parents=True, exist_ok=True)
    bundle = CacheBundleIn(notebook, str(path), data={"execution_seconds": 0.0})
    get_cache(str(cache)).cache_notebook_bundle(bundle, overwrite=True)
