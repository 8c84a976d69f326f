"""Digests by which a stored notebook is known to be stale, or changed by hand."""

import hashlib
import json
import re
from collections.abc import Iterable
from pathlib import Path

from nbformat import NotebookNode

from bookbuild.project import Project
from bookbuild.source import Cell

# The room in a notebook's metadata where this machinery keeps its digests.
ROOM = "bookbuild"
_QUOTED = re.compile(r"""["']([\w-]+)["']""")


def code_digest(cells: Iterable[Cell]) -> str:
    """A digest of what a chapter executes; changing its prose leaves it alone."""
    code = [[cell.source, cell.metadata] for cell in cells if cell.kind == "code"]
    return _digest(json.dumps(code, sort_keys=True))


def cells_digest(cells: Iterable[NotebookNode], name: str) -> str:
    """A digest of all text of the notebook `name`: under it, a reader's changes and copies show."""
    return _digest(json.dumps([name, [[cell.cell_type, cell.source] for cell in cells]]))


def package_digest(project: Project, chapter: Path, code: str) -> str:
    """A digest of the files that a chapter depends on: the shared package and its own folder.

    Of other chapters' folders, those files count that its code names. Bytes are compared, comments
    and docstrings included: pages show source and tracebacks, and parsed code reads differently
    under each version of Python.
    """
    lines = [
        f"{file.relative_to(project.package).as_posix()} {_digest(file.read_bytes())}"
        for file in sorted(project.package.rglob("*"))
        if file.is_file() and file.suffix != ".md" and "__pycache__" not in file.parts
        if _counts(file, project, chapter, code)
    ]
    return _digest("\n".join(lines))


def _counts(file: Path, project: Project, chapter: Path, code: str) -> bool:
    rooms = project.package / "chapters"
    if rooms not in file.parents or file.parent == rooms:
        return True
    room = file.relative_to(rooms).parts[0]
    own = room.startswith(f"c{chapter.name[:2]}_")
    # As in `results.load("multi30k")`.
    loaded = file.suffix == ".json" and file.stem in _QUOTED.findall(code)
    return own or room in code or loaded


def outputs_digest(notebook: NotebookNode) -> str:
    """A digest of the stored outputs and widgets, so that a hand-made change is noticed."""
    outputs = [
        [cell.execution_count, cell.outputs] for cell in notebook.cells if cell.cell_type == "code"
    ]
    widgets = notebook.metadata.get("widgets", {})
    return _digest(json.dumps([outputs, widgets], sort_keys=True))


def _digest(content: str | bytes) -> str:
    data = content.encode() if isinstance(content, str) else content
    return hashlib.sha256(data).hexdigest()
