"""What all widgets share: a picture and words for places without scripts, the look, the colours."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from transformer_lite.checks import check_one_of
from transformer_lite.palette import ROLES

_PARTS = Path(__file__).parent / "parts"
_COMMENT = re.compile(r"^ *//.*\n|/\*.*?\*/", re.MULTILINE)
_COLOURS = "".join(f"--{role}:{colour};" for role, colour in ROLES.items())


def front_end(python: str, *modules: str) -> tuple[str, str]:
    """Module and style sheet of a widget: the files beside its Python file, behind the shared ones.

    Text, not paths: a page without a kernel has only what is stored with the widget, so a module
    cannot import another one. Comments are not stored.

    Args:
        python: the `__file__` of the widget; `.js` and `.css` lie beside it under the same name.
        modules: further files beside it, which the module begins with, such as "engine.js".
    """

    def stored(kind: str, *between: str) -> str:
        own = Path(python).with_suffix(kind)
        files = (_PARTS.with_suffix(kind), *map(own.with_name, between), own)
        return _COMMENT.sub("", "\n".join(file.read_text("utf-8") for file in files))

    return stored(".js", *modules), f".transformer-lite{{{_COLOURS}}}\n{stored('.css')}"


def check_trait(name: str, value: object, allowed: Iterable[object]) -> None:
    """Raise traitlets.TraitError unless `value`, meant for the trait `name`, is in `allowed`."""
    try:
        check_one_of(name, value, allowed)
    except ValueError as error:
        raise traitlets.TraitError(str(error)) from None


class StillWidget(anywidget.AnyWidget):
    """A widget that also shows itself as a picture and as text, where no script runs."""

    # ipywidgets 7 shows a widget by this method, without picture and text; where it is None,
    # IPython asks `_repr_mimebundle_`, as it does with ipywidgets 8.
    _ipython_display_ = None

    def still(self) -> str:
        """The present state as an SVG picture."""
        raise NotImplementedError(f"{type(self).__name__} must draw its still picture")

    def words(self) -> str:
        """The present state as plain text."""
        raise NotImplementedError(f"{type(self).__name__} must describe itself in words")

    def _repr_mimebundle_(self, **options: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
        bundle = super()._repr_mimebundle_(**options)
        if bundle is None:
            return None
        data, metadata = bundle
        return {**data, "text/plain": self.words(), "image/svg+xml": self.still()}, metadata
