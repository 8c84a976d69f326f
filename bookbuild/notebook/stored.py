"""Notebooks as they lie on disk, and whether their outputs still belong to the chapter."""

from collections.abc import Sequence
from copy import deepcopy
from typing import TypeVar

import nbformat
from nbformat import NotebookNode

from bookbuild.notebook import setup_cell
from bookbuild.notebook.digests import ROOM, outputs_digest
from bookbuild.project import Project
from bookbuild.source import Cell, SourceError

Wanted = TypeVar("Wanted", NotebookNode, Cell)


class DriftError(SourceError):
    """A stored notebook does not belong to its chapter any more."""


def read_stored(project: Project, name: str) -> NotebookNode:
    """The notebook of the chapter with this name.

    Raises:
        SourceError: there is none yet.
    """
    path = project.notebook(name)
    if not path.is_file():
        raise SourceError(f"notebooks/{path.name} is missing: run `make notebooks`")
    return nbformat.read(path, as_version=4)


def to_text(notebook: NotebookNode) -> str:
    """A notebook as it is written to disk: always the same text for the same notebook."""
    nbformat.validate(notebook)
    return str(nbformat.writes(notebook)).rstrip("\n") + "\n"


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """The code cells, set-up included, in order."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def chapter_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """The code cells that come from the chapter: all but the set-up cell."""
    return [cell for cell in code_cells(notebook) if not setup_cell.is_setup(cell)]


def is_fresh(stored: NotebookNode, made: NotebookNode) -> bool:
    """Whether stored outputs are those of an execution of this code with this package.

    They are not after somebody ran the notebook by hand and saved it.
    """
    wanted = made.metadata[ROOM] | {"outputs": outputs_digest(stored)}
    return bool(stored.metadata.get(ROOM) == wanted)


def put_outputs(stored: NotebookNode, made: NotebookNode, name: str) -> NotebookNode:
    """Copy stored outputs into a newly made notebook; DriftError when the code is another."""
    result = deepcopy(made)
    for source, target in match_cells(chapter_cells(stored), chapter_cells(result), name):
        target.outputs = deepcopy(source.outputs)
        target.execution_count = source.execution_count
    for cell in result.cells:
        if setup_cell.is_setup(cell):
            cell.execution_count = 1
    if "widgets" in stored.metadata:
        result.metadata["widgets"] = deepcopy(stored.metadata["widgets"])
    result.metadata[ROOM] = deepcopy(stored.metadata[ROOM])
    return result


def match_cells(
    stored: Sequence[NotebookNode], wanted: Sequence[Wanted], name: str
) -> list[tuple[NotebookNode, Wanted]]:
    """Pair stored cells with the chapter's by position; DriftError names the first that differs."""
    for number, (have, want) in enumerate(zip(stored, wanted, strict=False), 1):
        if have.source != want.source:
            raise DriftError(
                f"{name}: code cell {number} of the chapter is not the one in its notebook: "
                "run `make notebooks`"
            )
    if len(stored) != len(wanted):
        raise DriftError(
            f"{name}: the chapter has {len(wanted)} code cells, its notebook {len(stored)}: "
            "run `make notebooks`"
        )
    return list(zip(stored, wanted, strict=True))
