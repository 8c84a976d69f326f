"""What converting a chapter needs to know of the book around it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bookbuild.hosting import Stamp
from bookbuild.references import References, Target
from bookbuild.source import SourceError


@dataclass(frozen=True)
class Context:
    """What converting one chapter needs.

    handlers: how each directive is shown, by name.
    """

    chapter: Path
    references: References
    stamp: Stamp
    extensions: frozenset[str]
    handlers: Mapping[str, Callable[[Any, "Context"], str]]

    def error(self, line: int, message: str) -> SourceError:
        """An error that names the file and the line."""
        return SourceError(f"{self.chapter.name}:{line}: {message}")

    def look_up(self, table: Mapping[str, Target], label: str, line: int, kind: str) -> Target:
        """A labelled thing of the book; SourceError where the label does not exist."""
        found = table.get(label) or table.get(label.lower())
        if found is None:
            raise self.error(
                line, f"no {kind} is labelled {label!r}: correct the label or add the target"
            )
        return found

    def link(self, words: str, target: Target) -> str:
        """Words that lead into the book, or plain words while it has no address."""
        return self.stamp.link(words, target.page)
