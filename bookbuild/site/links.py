"""The links under a chapter's title: deck, notebook, widget and, where a copy is hosted, Colab."""

from html import escape
from typing import Any

from bookbuild.hosting import Stamp
from bookbuild.widgets import VIEW

_WIDGET = f'<script type="{VIEW}">'


def add_links(context: dict[str, Any], name: str, stamp: Stamp) -> None:
    """Put the links of chapter `name` under the title of its page, in the context of that page."""
    up = context["pathto"]("", 1).removeprefix("./")
    links = {
        "Slides": f"{up}slides/{name}.html",
        "Download the notebook": f"{up}notebooks/{name}.ipynb",
        "Open in Colab": stamp.colab(name),
        "To the interactive figure": "#widget" if _WIDGET in context["body"] else "",
    }
    line = " · ".join(
        f'<a href="{escape(address)}">{words}</a>' for words, address in links.items() if address
    )
    body = context["body"].replace(_WIDGET, f'<span id="widget" tabindex="-1"></span>{_WIDGET}', 1)
    context["body"] = body.replace("</h1>", f'</h1>\n<p class="chapter-links">{line}</p>', 1)
    # The theme's own download menu offers the Markdown source, which nobody can run as it stands.
    context["header_buttons"] = [
        button
        for button in context.get("header_buttons", [])
        if button.get("label") not in {"download-buttons", "launch-buttons"}
    ]
