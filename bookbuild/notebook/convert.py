"""A chapter's cells as notebook and deck show them: code to the letter, prose as plain Markdown."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bookbuild.hosting import Stamp
from bookbuild.notebook.blocks import convert_blocks
from bookbuild.notebook.context import Context
from bookbuild.notebook.directives import HANDLERS, SOLUTION_END, SOLUTION_START, fold
from bookbuild.notebook.plain import faults
from bookbuild.project import Project
from bookbuild.references import References
from bookbuild.source import Cell, read_cells


@dataclass(frozen=True)
class Shown:
    """One cell of a chapter, converted; `caption` is the text below a numbered figure."""

    cell: Cell
    text: str
    in_solution: bool
    caption: str = ""


def convert_chapter(
    chapter: Path, project: Project, references: References, stamp: Stamp
) -> Iterator[Shown]:
    """The cells in order, slide-only ones too; a solution over several cells is folded in pieces.

    Raises:
        SourceError: something in the chapter has no plain form; the message names the line.
    """
    extensions = project.markdown_extensions
    context = Context(chapter, references, stamp, extensions, HANDLERS)
    solution = ""
    for cell in read_cells(chapter, extensions):
        if cell.kind == "code":
            caption = _caption(cell, context)
            _refuse_faults(caption, cell, context)
            yield Shown(cell, cell.source, bool(solution), caption)
            continue
        converted = convert_blocks(cell.source, cell.line, context)
        text, solution = _fold_solutions(converted, solution)
        _refuse_faults(text, cell, context)
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


def _refuse_faults(text: str, cell: Cell, context: Context) -> None:
    for words, complaint in faults(text):
        rows = enumerate(cell.source.splitlines())
        offset = next((number for number, row in rows if words in row), 0)
        raise context.error(cell.line + offset, complaint)


def _caption(cell: Cell, context: Context) -> str:
    figure = cell.metadata.get("mystnb", {}).get("figure", {})
    if not figure.get("caption"):
        return ""
    number = ""
    if figure.get("name"):
        target = context.look_up(context.references.figures, figure["name"], cell.line, "figure")
        number = f"**Fig. {target.words}.** "
    return number + convert_blocks(figure["caption"].strip(), cell.line, context)
