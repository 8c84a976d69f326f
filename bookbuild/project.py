"""Where things lie in a project that this machinery builds."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from jupyter_book.config import get_validator

from bookbuild.source import SourceError, read_text

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
    def settings(self) -> dict[str, Any]:
        """The parsed `_config.yml`; SourceError where Jupyter Book could not read it."""
        name = self.config.name
        try:
            settings = yaml.safe_load(read_text(self.config))
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            where = f"{name}:{mark.line + 1}" if mark else name
            raise SourceError(f"{where}: no YAML: {getattr(error, 'problem', error)}") from error
        for fault in get_validator().iter_errors(settings):
            raise SourceError(f"{name}: {fault.json_path.removeprefix('$.')}: {fault.message}")
        return settings

    @cached_property
    def markdown_extensions(self) -> frozenset[str]:
        """The MyST syntax extensions that the configuration switches on."""
        return frozenset(self.settings.get("parse", {}).get("myst_enable_extensions") or ())

    def notebook(self, name: str) -> Path:
        """The notebook of the chapter with this name, such as 01-bottleneck."""
        return self.notebooks / f"{name}.ipynb"
