"""Make a chapter's notebook, without outputs."""

import hashlib
from copy import deepcopy
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from bookbuild.hosting import Stamp
from bookbuild.notebook import setup_cell
from bookbuild.notebook.convert import Shown, convert_chapter
from bookbuild.notebook.digests import ROOM, cells_digest, code_digest, package_digest
from bookbuild.project import Project
from bookbuild.references import References

_KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def make_notebook(
    chapter: Path, project: Project, references: References, stamp: Stamp
) -> NotebookNode:
    """A chapter's notebook without outputs: set-up cell first, slide-only cells left out."""
    notebooks = frozenset(project.notebook(one.stem).name for one in project.chapters)
    converted = convert_chapter(chapter, project, references, stamp, notebooks)
    shown = [one for one in converted if not one.cell.slide_only]
    nodes = [setup_cell.node(stamp), *(node for one in shown for node in _nodes(one))]
    _number(nodes)
    code = [one.cell for one in shown if one.cell.kind == "code"]
    text = "\n".join(cell.source for cell in code)
    metadata = {
        "kernelspec": _KERNEL,
        "language_info": {"name": "python"},
        "colab": {"provenance": [], "toc_visible": True, "collapsed_sections": _collapse(nodes)},
        ROOM: {
            "cells": cells_digest(nodes, chapter.stem),
            "code": code_digest(code),
            "package": package_digest(project, chapter, text),
        },
    }
    return nbformat.v4.new_notebook(cells=nodes, metadata=nbformat.from_dict(metadata))


def _nodes(shown: Shown) -> list[NotebookNode]:
    metadata = deepcopy(shown.cell.metadata)
    if shown.cell.kind == "markdown":
        if shown.collapsed:
            metadata["jp-MarkdownHeadingCollapsed"] = True
        return [nbformat.v4.new_markdown_cell(shown.text, metadata=metadata)]
    if shown.folded:  # in JupyterLab and in Colab
        metadata |= {"jupyter": {"source_hidden": True}, "cellView": "form"}
    if shown.in_solution:
        metadata["jupyter"]["outputs_hidden"] = True
    nodes = [nbformat.v4.new_code_cell(shown.text, metadata=metadata)]
    if shown.caption:
        nodes.append(nbformat.v4.new_markdown_cell(shown.caption))
    return nodes


def _collapse(nodes: list[NotebookNode]) -> list[str]:
    """Colab's list of headings whose sections are closed; it looks for ids in the metadata."""
    closed = [node for node in nodes if "jp-MarkdownHeadingCollapsed" in node.metadata]
    for node in closed:
        node.metadata["id"] = node["id"]
    return [node["id"] for node in closed]


def _number(nodes: list[NotebookNode]) -> None:
    """Cell ids from the text, so that inserting a cell leaves the ids of the others alone."""
    seen: dict[str, int] = {}
    for node in nodes:
        digest = hashlib.sha256(f"{node.cell_type}:{node.source}".encode()).hexdigest()[:12]
        seen[digest] = seen.get(digest, 0) + 1
        node["id"] = f"{digest}-{seen[digest]}"
