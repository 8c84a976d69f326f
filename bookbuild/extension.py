"""Sphinx extension of the course: what its pages need beyond Jupyter Book and the theme."""

from typing import Annotated, Any, get_args, get_origin

from sphinx.application import Sphinx

from bookbuild.extension_docstrings import to_restructured_text


def _convert_docstring(
    app: Sphinx, kind: str, name: str, thing: Any, options: Any, lines: list[str]
) -> None:
    """Rewrite one docstring in place, as autodoc asks of its listeners."""
    lines[:] = to_restructured_text(lines)
    if kind in {"attribute", "data", "property"}:
        # Napoleon takes what stands before a colon in the first line for the type, so the first
        # line becomes an empty comment.
        lines[:0] = ["..", ""]


def _drop_annotated(app: Sphinx, thing: Any, bound_method: bool) -> None:
    """Show the type of a command's option, not the object that describes it to the shell."""
    annotations = getattr(thing, "__annotations__", {})
    for name, annotation in annotations.items():
        if get_origin(annotation) is Annotated:
            annotations[name] = get_args(annotation)[0]


def _make_parsable(
    app: Sphinx,
    kind: str,
    name: str,
    thing: Any,
    options: Any,
    signature: str | None,
    return_annotation: str | None,
) -> tuple[str | None, str | None]:
    """Write a default that is made anew each time as `...`; Sphinx cannot read `<factory>`."""
    return signature and signature.replace("<factory>", "..."), return_annotation


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the listeners; called by Sphinx."""
    # Before napoleon (priority 500), which then splits the sections of the converted text.
    app.connect("autodoc-process-docstring", _convert_docstring, priority=400)
    app.connect("autodoc-before-process-signature", _drop_annotated)
    app.connect("autodoc-process-signature", _make_parsable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
