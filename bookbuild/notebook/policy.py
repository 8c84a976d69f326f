"""What a stored notebook must be: executed whole and in order, clean, described, compared."""

import re
from collections.abc import Iterator

from nbformat import NotebookNode

from bookbuild.notebook.stored import code_cells
from bookbuild.source import CHECK
from bookbuild.widgets import VIEW, saved_state

COMPARED_SHARE = 0.8
MOST_CHARACTERS = 10_000  # of what a cell prints; the longest of the course has 600
NOT_COMPARED = frozenset({"nbval-ignore-output", "nbval-skip"})
_PICTURES = ("image/png", "image/svg+xml", "image/jpeg")
_ADDRESS = re.compile(r" at 0x[0-9a-f]{6,}")


def check(notebook: NotebookNode) -> list[str]:
    """Everything that is wrong with an executed notebook, in words; empty when it is good enough.

    Its prose was looked at when it was converted, which is more often than it is executed.
    """
    complaints: list[str] = []
    code = [cell for cell in code_cells(notebook) if cell.source.strip()]
    counts = [cell.execution_count for cell in code]
    if counts != list(range(1, len(code) + 1)):
        complaints.append(f"not executed whole and in order: execution counts are {counts}")
    for number, cell in enumerate(code, 1):
        complaints += [f"code cell {number}: {text}" for text in _check_cell(cell)]
    complaints += _check_share(code)
    complaints += _check_widgets(notebook, code)
    return complaints


def _check_cell(cell: NotebookNode) -> Iterator[str]:
    raises = "raises-exception" in cell.metadata.get("tags", [])
    described = bool(cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "").strip())
    drawn = False
    for output in cell.outputs:
        data = output.get("data", {})
        if output.output_type == "error" and not raises:
            yield f"ended in {output.ename}: {output.evalue}"
        if output.get("name") == "stderr":
            yield f"wrote to stderr: {output.text.strip()[:200]!r}"
        text = str(data.get("text/plain", "")) + str(output.get("text", ""))
        if len(text) > MOST_CHARACTERS:
            yield f"prints more than {MOST_CHARACTERS:,} characters, which nobody reads: print less"
        if _ADDRESS.search(text):
            yield "shows a memory address, which changes every time: end plots with plt.show()"
        drawn = drawn or any(kind in data for kind in _PICTURES)
        if VIEW in data and not any(kind in data for kind in _PICTURES):
            yield "shows a widget without a still picture for readers whose scripts are off"
    if drawn and not described:
        yield "draws a picture without alt text: add `mystnb: {image: {alt: ...}}` to the cell"
    if described and not drawn:
        yield "has alt text but no stored picture"


def _check_share(code: list[NotebookNode]) -> Iterator[str]:
    """A check right behind a cell compares it: it asserts what a trained picture draws."""
    shown, compared = [], []
    for cell, behind in zip(code, [*code[1:], None], strict=True):
        if not cell.outputs:
            continue
        shown.append(cell)
        checked = behind is not None and CHECK in behind.metadata.get("tags", [])
        if checked or not NOT_COMPARED & set(cell.metadata.get("tags", [])):
            compared.append(cell)
    if len(compared) < COMPARED_SHARE * len(shown):
        yield (
            f"only {len(compared)} of {len(shown)} cells with output are compared: "
            f"at least {COMPARED_SHARE:.0%} have to be"
        )


def _check_widgets(notebook: NotebookNode, code: list[NotebookNode]) -> Iterator[str]:
    models = saved_state(notebook).get("state", {})
    for cell in code:
        for output in cell.outputs:
            view = output.get("data", {}).get(VIEW)
            if view and view["model_id"] not in models:
                yield f"the state of widget {view['model_id']} is not stored"
