"""Read a chapter's Markdown as cells, in the same way as the book does."""

import re
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from myst_nb.core.read import read_myst_markdown_notebook
from myst_parser.config.main import MdParserConfig
from myst_parser.parsers.mdit import create_md_parser
from nbformat import NotebookNode

FENCES = frozenset({"fence", "colon_fence"})
SLIDE_ONLY = "slide-only"
# What guards the sentences and pictures above it: one line, which opens on a click.
CHECK = "check"
TITLE = "#@title "  # Colab shows such a line in the place of folded code
CHECK_TITLE = f"{TITLE}✓ checked: "
FURTHER = "Going further"  # begins the heading of a section that may be left out
FOLDED = frozenset({CHECK, "hide-cell", "hide-input", "remove-input"})
_DIRECTIVE = re.compile(r"[`:]{3,}\{[\w:-]+\}")
KNOWN_TAGS = frozenset(
    {
        CHECK,
        SLIDE_ONLY,
        "hide-cell",
        "hide-input",
        "hide-output",
        "nbval-ignore-output",
        "raises-exception",
        "remove-input",
        "remove-output",
        "slide-hide-input",
    }
)


class SourceError(ValueError):
    """A chapter says something that no output can carry; the message names the line."""


@dataclass(frozen=True)
class Cell:
    """One block of a chapter: `kind` is "markdown" or "code", `line` where its text begins."""

    kind: str
    source: str
    line: int
    metadata: dict[str, Any] = field(default_factory=dict)

    @property
    def tags(self) -> frozenset[str]:
        """The cell's tags."""
        return frozenset(self.metadata.get("tags", ()))

    @property
    def slide_type(self) -> str:
        """What the cell does in the deck: "slide", "subslide", "fragment", "notes", "-" or ""."""
        return str(self.metadata.get("slideshow", {}).get("slide_type", ""))

    @property
    def slide_only(self) -> bool:
        """Whether the cell belongs to the deck alone; speaker notes always do."""
        return SLIDE_ONLY in self.tags or self.slide_type == "notes"


def read_text(path: Path) -> str:
    """The text of a source file; SourceError names the line that is not UTF-8."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise SourceError(
            f"{path.name}:{line}: text must be UTF-8, but it has the byte "
            f"{error.object[error.start]:#x}: save the file as UTF-8"
        ) from error


@lru_cache(maxsize=4)
def block_parser(extensions: frozenset[str]) -> MarkdownIt:
    """MyST's own parser, which here only tells blocks apart and leaves what is in them alone."""
    config = MdParserConfig(enable_extensions=set(extensions), disable_syntax=["inline"])
    return create_md_parser(config, RendererHTML)


def check_page(path: Path, extensions: frozenset[str]) -> None:
    """Refuse a page that MyST would read otherwise than it was meant, and say nothing."""
    text = read_text(path)
    for token in block_parser(extensions).parse(text):
        refuse_open_fence(token, text.split("\n"), path, 1)
        if token.type == "inline" and token.map and _DIRECTIVE.match(token.content):
            raise SourceError(
                f"{path.name}:{token.map[0] + 1}: a directive whose line is read as text, because "
                "it has a ` in it: begin and end it with :::"
            )


def refuse_open_fence(token: Token, lines: list[str], path: Path, line: int) -> None:
    """SourceError when a block swallows all that follows; `lines` begin at `line` of the file."""
    if token.type not in FENCES or token.map is None:
        return
    start, end = token.map
    closing = rf"[\s>]*{token.markup[0]}{{{len(token.markup)},}}\s*"
    if end == start + 1 or not re.fullmatch(closing, lines[end - 1]):
        raise SourceError(
            f"{path.name}:{line + start}: a block begins with {token.markup} and never ends: "
            f"close it with a line {token.markup}"
        )


def read_notebook(text: str, path: Path, extensions: frozenset[str]) -> NotebookNode:
    """Parse a chapter with MyST-NB's own reader: page and notebook agree on its cells."""
    config = MdParserConfig(enable_extensions=set(extensions))
    return read_myst_markdown_notebook(text, config=config, add_source_map=True, path=path)


def read_cells(path: Path, extensions: frozenset[str], text: str | None = None) -> list[Cell]:
    """The cells of a chapter, slide-only ones included; SourceError for bad cells."""
    text = read_text(path) if text is None else text
    notebook = read_notebook(text, path, extensions)
    lines = text.splitlines()
    cells = []
    for node, start in zip(notebook.cells, notebook.metadata["source_map"], strict=True):
        if node.cell_type == "raw":
            raise SourceError(
                f"{path.name}:{start}: raw cells have no place in a notebook: remove it"
            )
        line = start + 1
        if node.cell_type == "markdown":  # the reader drops blank lines before counting
            while not lines[line - 1].strip():
                line += 1
        cell = Cell(node.cell_type, node.source, line, dict(node.metadata))
        _check(cell, path)
        cells.append(cell)
    return cells


def page_text(path: Path, extensions: frozenset[str], text: str | None = None) -> str:
    """A chapter without its slide-only blocks; blank lines stand in, so that line numbers stay."""
    text = read_text(path) if text is None else text
    lines = text.splitlines()
    for cell in read_cells(path, extensions, text):
        if cell.slide_only:
            first = cell.line - 1
            for number in range(first, first + len(cell.source.splitlines())):
                lines[number] = ""
            while not lines[first].startswith("+++"):
                first -= 1
            lines[first] = ""
    return "\n".join(lines) + "\n"


def _check(cell: Cell, path: Path) -> None:
    where = f"{path.name}:{cell.line}"
    unknown = sorted(cell.tags - KNOWN_TAGS)
    if unknown:
        raise SourceError(
            f"{where}: unknown tag {unknown[0]!r}: expected one of {sorted(KNOWN_TAGS)}"
        )
    if cell.kind == "code" and cell.slide_only:
        raise SourceError(
            f"{where}: a slide-only code cell would never run: put the code in a ```python block "
            "of a slide-only Markdown block, or let the chapter share the cell with the deck"
        )
    if CHECK in cell.tags and not cell.source.startswith(CHECK_TITLE):
        raise SourceError(
            f"{where}: a check says what it holds: begin it with {CHECK_TITLE!r} and the words"
        )
