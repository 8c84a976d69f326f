"""Where things lie in a project that this machinery builds."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import yaml

PACKAGE = "transformer_lite"


@dataclass(frozen=True)
class Project:
    """One copy of the course: the folder that holds `_config.yml`, `book/` and `notebooks/`."""

    root: Path

    @property
    def config(self) -> Path:
        """The Jupyter Book configuration."""
        return self.root / "_config.yml"

    @property
    def book(self) -> Path:
        """The sources of all pages."""
        return self.root / "book"

    @property
    def notebooks(self) -> Path:
        """The generated notebooks, outputs included."""
        return self.root / "notebooks"

    @property
    def package(self) -> Path:
        """The package that the chapters import; here it is only read as files, never imported."""
        return self.root / PACKAGE

    @property
    def build(self) -> Path:
        """Everything that can be made again."""
        return self.root / "_build"

    @cached_property
    def chapters(self) -> list[Path]:
        """Sources that become notebooks and slides: the pages with a number in their name."""
        return sorted(self.book.glob("[0-9][0-9]-*.md"))

    @cached_property
    def settings(self) -> dict[str, object]:
        """The parsed `_config.yml`."""
        loaded = yaml.safe_load(self.config.read_text(encoding="utf-8"))
        return loaded if isinstance(loaded, dict) else {}

    @cached_property
    def markdown_extensions(self) -> frozenset[str]:
        """The MyST syntax extensions that the configuration switches on."""
        parse = self.settings.get("parse")
        return frozenset(parse.get("myst_enable_extensions", ()) if isinstance(parse, dict) else ())

    def notebook(self, name: str) -> Path:
        """The notebook of the chapter with this name, such as 01-bottleneck."""
        return self.notebooks / f"{name}.ipynb"
