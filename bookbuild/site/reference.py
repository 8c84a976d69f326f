"""Sphinx extension: the reference of the package, from its files and their docstrings.

`{modules} pattern`, in a page of its own or between text, stands for a section a module: pattern is
relative to the package, such as `fast/*.py`. Names that begin with an underscore are left out.
"""

import re
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

from bookbuild.project import PACKAGE, Project
from bookbuild.site.docstrings import to_restructured_text

_MODULES = re.compile(r"^```\{modules\} (?P<pattern>\S+)\n```$", re.MULTILINE)
_SECTION = """\
## `{short}`

```{{eval-rst}}
.. automodule:: {package}.{short}
```
"""


def module_sections(package: Path, pattern: str) -> str:
    """Markdown with a section for each public module that matches, in alphabetical order.

    Raises:
        ExtensionError: there is no such module.
    """
    files = sorted(file for file in package.glob(pattern) if not file.stem.startswith("_"))
    if not files:
        raise ExtensionError(f"{{modules}} must match modules of {PACKAGE}, but it is {pattern!r}")
    names = [".".join(file.relative_to(package).with_suffix("").parts) for file in files]
    return "\n".join(_SECTION.format(short=name, package=PACKAGE) for name in names)


def _list_modules(app: Sphinx, page: str, source: list[str]) -> None:
    package = Project(Path(app.srcdir).parent).package
    source[0] = _MODULES.sub(lambda found: module_sections(package, found["pattern"]), source[0])


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
    app.connect("source-read", _list_modules)
    # Before napoleon (priority 500), which then splits the sections of the converted text.
    app.connect("autodoc-process-docstring", _convert_docstring, priority=400)
    app.connect("autodoc-before-process-signature", _drop_annotated)
    app.connect("autodoc-process-signature", _make_parsable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
