"""Make a chapter's notebook: convert its cells, put back the outputs that were stored."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from bookbuild import setup_cell
from bookbuild.blocks import convert_blocks
from bookbuild.directives import HANDLERS, SOLUTION_END, SOLUTION_START, fold
from bookbuild.inline import Context
from bookbuild.project import Project, Stamp
from bookbuild.references import References
from bookbuild.source import Cell, SourceError, read_cells

# The room in a notebook's metadata where this machinery keeps its digests.
ROOM = "bookbuild"
_KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


class DriftError(SourceError):
    """A stored notebook does not belong to its chapter any more."""


@dataclass(frozen=True)
class Shown:
    """One cell of a chapter as notebook and deck show it; code keeps its text to the letter."""

    cell: Cell
    text: str
    in_solution: bool


def convert_cells(cells: Iterable[Cell], context: Context) -> Iterator[Shown]:
    """Convert cells in order; the prose of a solution over several cells is folded in pieces."""
    solution = ""
    for cell in cells:
        if cell.kind == "code":
            yield Shown(cell, cell.source, bool(solution))
            continue
        converted = convert_blocks(cell.source, cell.line, context)
        text, solution = _fold_solutions(converted, solution)
        if text:
            yield Shown(cell, text, bool(solution))


def _fold_solutions(text: str, solution: str) -> tuple[str, str]:
    """Fold what lies inside solutions; return the text and the title of the one still open."""
    pieces: list[str] = []
    rows: list[str] = []

    def finish() -> None:
        piece = "\n".join(rows).strip("\n")
        rows.clear()
        if piece.strip():
            pieces.append(fold(solution, piece) if solution else piece)

    for row in text.split("\n"):
        if row.startswith((SOLUTION_START, SOLUTION_END)):
            finish()
            solution = row.removeprefix(SOLUTION_START) if row.startswith(SOLUTION_START) else ""
        else:
            rows.append(row)
    finish()
    return "\n\n".join(pieces), solution


def make_notebook(
    chapter: Path, project: Project, references: References, stamp: Stamp
) -> NotebookNode:
    """A chapter's notebook without outputs: set-up cell first, slide-only cells left out."""
    context = Context(chapter, references, stamp, project.markdown_extensions, HANDLERS)
    cells = [
        cell for cell in read_cells(chapter, project.markdown_extensions) if not cell.slide_only
    ]
    nodes = [setup_cell.node(stamp)]
    for shown in convert_cells(cells, context):
        metadata = deepcopy(shown.cell.metadata)
        if shown.cell.kind == "markdown":
            nodes.append(nbformat.v4.new_markdown_cell(shown.text, metadata=metadata))
            continue
        if shown.in_solution:  # folded in JupyterLab and in Colab
            metadata |= {"jupyter": {"source_hidden": True}, "cellView": "form"}
        nodes.append(nbformat.v4.new_code_cell(shown.text, metadata=metadata))
        caption = _caption(shown.cell, context)
        if caption:
            nodes.append(nbformat.v4.new_markdown_cell(caption))
    _number(nodes)
    metadata = {
        "kernelspec": _KERNEL,
        "language_info": {"name": "python"},
        "colab": {"provenance": [], "toc_visible": True},
        ROOM: {"code": code_digest(cells), "package": package_digest(project)},
    }
    return nbformat.v4.new_notebook(cells=nodes, metadata=nbformat.from_dict(metadata))


def _caption(cell: Cell, context: Context) -> str:
    figure = cell.metadata.get("mystnb", {}).get("figure", {})
    if not figure.get("caption"):
        return ""
    number = ""
    if figure.get("name"):
        target = context.look_up(context.references.figures, figure["name"], cell.line, "figure")
        number = f"**Fig. {target.words}.** "
    return number + convert_blocks(figure["caption"].strip(), cell.line, context)


def _number(nodes: list[NotebookNode]) -> None:
    """Cell ids from the text, so that inserting a cell leaves the ids of the others alone."""
    seen: dict[str, int] = {}
    for node in nodes:
        digest = hashlib.sha256(f"{node.cell_type}:{node.source}".encode()).hexdigest()[:12]
        seen[digest] = seen.get(digest, 0) + 1
        node["id"] = f"{digest}-{seen[digest]}"


def code_digest(cells: Iterable[Cell]) -> str:
    """A digest of what a chapter executes; changing its prose leaves it alone."""
    code = [[cell.source, cell.metadata] for cell in cells if cell.kind == "code"]
    return hashlib.sha256(json.dumps(code, sort_keys=True).encode()).hexdigest()


def package_digest(project: Project) -> str:
    """A digest of every file of the package, results files and data included."""
    digest = hashlib.sha256()
    for file in sorted(project.package.rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts:
            content = hashlib.sha256(file.read_bytes()).hexdigest()
            digest.update(f"{file.relative_to(project.package).as_posix()} {content}\n".encode())
    return digest.hexdigest()


def outputs_digest(notebook: NotebookNode) -> str:
    """A digest of the stored outputs and widgets, so that a hand-made change is noticed."""
    outputs = [[cell.execution_count, cell.outputs] for cell in code_cells(notebook)]
    widgets = notebook.metadata.get("widgets", {})
    return hashlib.sha256(json.dumps([outputs, widgets], sort_keys=True).encode()).hexdigest()


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """The code cells, set-up included, in order."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def chapter_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """The code cells that come from the chapter: all but the set-up cell."""
    return [cell for cell in code_cells(notebook) if not setup_cell.is_setup(cell)]


def is_fresh(stored: NotebookNode | None, made: NotebookNode) -> bool:
    """Whether stored outputs still belong to the chapter's code and to the package."""
    return stored is not None and stored.metadata.get(ROOM, {}) | {"outputs": ""} == (
        made.metadata[ROOM] | {"outputs": ""}
    )


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
    stored: list[NotebookNode], wanted: list[NotebookNode], name: str
) -> list[tuple[NotebookNode, NotebookNode]]:
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


def read_stored(path: Path) -> NotebookNode | None:
    """A stored notebook, or None where there is none yet."""
    return nbformat.read(path, as_version=4) if path.is_file() else None


def to_text(notebook: NotebookNode) -> str:
    """A notebook as it is written to disk: always the same text for the same notebook."""
    nbformat.validate(notebook)
    return str(nbformat.writes(notebook)).rstrip("\n") + "\n"
