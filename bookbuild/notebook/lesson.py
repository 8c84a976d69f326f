"""Lesson cells, which a reader sees without a click: short, narrow, and about the subject.

And whoever runs all cells but the checks must not miss a name.
"""

import ast
from collections.abc import Iterator

from nbformat import NotebookNode

from bookbuild.notebook.stored import chapter_cells
from bookbuild.source import CHECK

MOST_LINES = 20
MOST_LINES_OF_A_MODEL = 45
WIDEST = 72


def complaints(notebook: NotebookNode) -> Iterator[str]:
    """What is wrong with the open code cells of a chapter's notebook, in words."""
    made: set[str] = set()
    checked: set[str] = set()
    for number, cell in enumerate(chapter_cells(notebook), 1):
        used, own = _names(cell.source)
        if CHECK in cell.metadata.get("tags", []):
            checked |= own
            continue
        borrowed = ", ".join(sorted((used - own - made) & checked))
        made |= own
        if borrowed:
            yield f"code cell {number}: {borrowed}: only a cell tagged `check` makes that"
        if not cell.metadata.get("jupyter", {}).get("source_hidden"):
            yield from (f"code cell {number}: {text}" for text in _check(cell.source))


def _names(code: str) -> tuple[set[str], set[str]]:
    """The names that a cell reads, and those that it gives a meaning."""
    used, own = set(), set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Name):
            (used if isinstance(node.ctx, ast.Load) else own).add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            own.add(node.name)
        elif isinstance(node, ast.arg):
            own.add(node.arg)
        elif isinstance(node, ast.alias):
            own.add((node.asname or node.name).split(".")[0])
    return used, own


def _check(code: str) -> Iterator[str]:
    lines, tree = code.splitlines(), ast.parse(code)
    model = any(isinstance(node, ast.ClassDef) for node in tree.body)
    most = MOST_LINES_OF_A_MODEL if model else MOST_LINES
    if len(lines) > most:
        yield f"{len(lines)} lines, at most {most} are read: split the cell"
    for line in lines:
        if len(line) > WIDEST:
            yield f"{len(line)} columns, at most {WIDEST} fit: {line.strip()[:40]!r}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Assert):
            yield "an assert: it belongs into a cell tagged `check`"
        if isinstance(node, ast.Call) and _prints_words_only(node):
            yield f"prints words without a value: {ast.unparse(node)[:40]!r}"
        if isinstance(node, ast.ImportFrom | ast.Import) and "inspect" in ast.unparse(node):
            yield "shows code by `inspect`: include it from its file with `literalinclude`"


def _prints_words_only(call: ast.Call) -> bool:
    if not (isinstance(call.func, ast.Name) and call.func.id == "print" and call.args):
        return False
    return not any(
        isinstance(node, ast.FormattedValue | ast.Name | ast.Call | ast.Starred)
        for argument in call.args
        for node in ast.walk(argument)
    )
