"""Sphinx extension: what opens on a click: checks, the code of pictures, optional sections."""

from html import escape
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

from bookbuild.source import CHECK, FURTHER, TITLE


class TitleFolds(SphinxPostTransform):
    """Take the line above folded code from the code's own first line, and fold all checks."""

    default_priority = 150  # before MyST-NB wraps what it folds
    formats = ("html",)

    def run(self, **kwargs: Any) -> None:
        """Give every folded cell of code its line."""
        for cell in self.document.findall(nodes.container):
            if cell.get("nb_element") != "cell_code":
                continue
            if CHECK in cell["cell_metadata"].get("tags", []):
                cell["hide_mode"] = "input"
            if "hide_mode" not in cell:
                continue
            cell["prompt_show"] = cell["prompt_hide"] = "How this is made"
            for code in list(cell.findall(nodes.literal_block))[:1]:
                first, _, rest = code.astext().partition("\n")
                if first.startswith(TITLE):
                    cell["prompt_show"] = cell["prompt_hide"] = first.removeprefix(TITLE)
                    code.rawsource, code.children = rest, [nodes.Text(rest)]


class FoldFurther(SphinxPostTransform):
    """Close the sections that a reader may leave out."""

    default_priority = 150
    formats = ("html",)

    def run(self, **kwargs: Any) -> None:
        """Put all below the heading of such a section into an element that opens on a click."""
        for section in list(self.document.findall(nodes.section)):
            title = section.next_node(nodes.title)
            if title is None or not title.astext().startswith(FURTHER):
                continue
            heading, *body = section.children
            about = title.astext().removeprefix(FURTHER).lstrip(": ")
            opening = f'<details class="further"><summary>Optional: {escape(about)}</summary>'
            section.children = []
            section += [
                heading,
                nodes.raw("", opening, format="html"),
                *body,
                nodes.raw("", "</details>", format="html"),
            ]


def setup(app: Sphinx) -> dict[str, Any]:
    """Register both; called by Sphinx."""
    app.add_post_transform(TitleFolds)
    app.add_post_transform(FoldFurther)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
