"""The links in the header of each chapter: deck, notebook and, where a copy is hosted, Colab."""

from typing import Any

from bookbuild.hosting import Stamp


def add_buttons(context: dict[str, Any], name: str, stamp: Stamp) -> None:
    """Put the links of chapter `name` before the theme's own, in the context of its page."""
    up = context["pathto"]("", 1).removeprefix("./")
    links = [
        ("Slides", f"{up}slides/{name}.html", "fas fa-person-chalkboard", "Slides of this chapter"),
        (
            "Notebook",
            f"{up}notebooks/{name}.ipynb",
            "fas fa-file-arrow-down",
            "Download this chapter as a notebook",
        ),
    ]
    colab = stamp.colab(name)
    if colab:
        links.append(("Colab", colab, "fas fa-rocket", "Open this chapter in Colab"))
    # The theme's own download menu offers the Markdown source, which nobody can run as it stands.
    others = [
        button
        for button in context.get("header_buttons", [])
        if button.get("label") not in {"download-buttons", "launch-buttons"}
    ]
    context["header_buttons"] = [
        {
            "type": "link",
            "url": url,
            "tooltip": tip,
            "icon": icon,
            "label": f"course-{kind.lower()}",
        }
        for kind, url, icon, tip in links
    ] + others
