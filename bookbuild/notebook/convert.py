"""A chapter's cells as notebook and deck show them: code to the letter, prose as plain Markdown."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bookbuild.hosting import Stamp
from bookbuild.notebook.blocks import convert_blocks
from bookbuild.notebook.context import Context
from bookbuild.notebook.directives import HANDLERS, SOLUTION_END, SOLUTION_START
from bookbuild.notebook.plain import faults
from bookbuild.project import Project
from bookbuild.references import References
from bookbuild.source import FOLDED, Cell, read_cells

_FURTHER = re.compile(r"#{2,} Going further\b.*")


@dataclass(frozen=True)
class Shown:
    """One cell of a chapter, or a part of one, converted.

    Attributes:
        cell: the cell it comes from.
        text: what is shown.
        folded: code that opens on a click.
        collapsed: a heading whose section opens on a click.
        in_solution: whether it is part of one, its heading left out.
        caption: the text below a numbered figure.
    """

    cell: Cell
    text: str
    folded: bool = False
    collapsed: bool = False
    in_solution: bool = False
    caption: str = ""


def convert_chapter(
    chapter: Path, project: Project, references: References, stamp: Stamp
) -> Iterator[Shown]:
    """The cells in order, slide-only ones too; headings that collapse are cells of their own.

    Raises:
        SourceError: something in the chapter has no plain form; the message names the line.
    """
    extensions = project.markdown_extensions
    context = Context(chapter, references, stamp, extensions, HANDLERS)
    inside = False
    for cell in read_cells(chapter, extensions):
        if cell.kind == "code":
            caption = _caption(cell, context)
            _refuse_faults(caption, cell, context)
            folded = inside or bool(cell.tags & FOLDED)
            yield Shown(cell, cell.source, folded, in_solution=inside, caption=caption)
            continue
        for mark, text in _parts(convert_blocks(cell.source, cell.line, context)):
            if mark is not None:
                inside = mark
            if text:
                _refuse_faults(text, cell, context)
                heading = mark is True or bool(_FURTHER.fullmatch(text))
                yield Shown(cell, text, collapsed=heading, in_solution=inside and not heading)


def _parts(text: str) -> Iterator[tuple[bool | None, str]]:
    """The text in parts; with True the heading of a solution, with False what ends one."""
    rows: list[str] = []
    for row in [*text.split("\n"), None]:
        special = row is None or row.startswith((SOLUTION_START, SOLUTION_END))
        if not special and not _FURTHER.fullmatch(row or ""):
            rows.append(row or "")
            continue
        yield None, "\n".join(rows).strip("\n")
        rows.clear()
        if row is None:
            return
        if row.startswith(SOLUTION_START):
            yield True, f"##### {row.removeprefix(SOLUTION_START)}"
        elif row.startswith(SOLUTION_END):
            yield False, ""
        else:
            yield None, row


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
