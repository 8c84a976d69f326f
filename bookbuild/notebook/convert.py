"""A chapter's cells as notebook and deck show them: code to the letter, prose as plain Markdown."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from bookbuild.hosting import Stamp
from bookbuild.notebook.blocks import convert_blocks
from bookbuild.notebook.context import Context
from bookbuild.notebook.directives import HANDLERS, SOLUTION_END, SOLUTION_START
from bookbuild.notebook.plain import faults
from bookbuild.project import Project
from bookbuild.references import References
from bookbuild.source import FOLDED, FURTHER, Cell, read_cells

# The rows that are cells of their own, or end one.
_SPECIAL = re.compile(
    rf"^({SOLUTION_START}.*|{SOLUTION_END}.*|#{{2,}} {FURTHER}\b.*)$", re.MULTILINE
)


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
    chapter: Path,
    project: Project,
    references: References,
    stamp: Stamp,
    notebooks: frozenset[str] = frozenset(),
) -> Iterator[Shown]:
    """The cells in order, slide-only ones too; headings that collapse are cells of their own.

    Links to other chapters lead to their files, where these are among `notebooks`.

    Raises:
        SourceError: something in the chapter has no plain form; the message names the line.
    """
    extensions = project.markdown_extensions
    whole = Context(chapter, references, stamp, extensions, HANDLERS, notebooks)
    inside = False
    for cell in read_cells(chapter, extensions):
        # What only the deck shows is no first use of a term.
        context = replace(whole, linked=set()) if cell.slide_only else whole
        if cell.kind == "code":
            caption = _caption(cell, context)
            _refuse_faults(caption, cell, context)
            folded = inside or bool(cell.tags & FOLDED)
            yield Shown(cell, cell.source, folded, in_solution=inside, caption=caption)
            continue
        for part in _SPECIAL.split(convert_blocks(cell.source, cell.line, context)):
            heading = bool(_SPECIAL.fullmatch(part))
            if part.startswith((SOLUTION_START, SOLUTION_END)):
                inside = part.startswith(SOLUTION_START)
                part = f"##### {part.removeprefix(SOLUTION_START)}" if inside else ""
            if text := part.strip("\n"):
                _refuse_faults(text, cell, context)
                yield Shown(cell, text, collapsed=heading, in_solution=inside and not heading)


def _refuse_faults(text: str, cell: Cell, context: Context) -> None:
    for words, complaint in faults(text):
        if words in context.notebooks:
            continue
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
