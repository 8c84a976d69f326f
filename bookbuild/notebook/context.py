"""What converting a chapter needs to know of the book around it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bookbuild.hosting import Stamp
from bookbuild.references import References, Target
from bookbuild.source import SourceError


@dataclass(frozen=True)
class Context:
    """What converting one chapter needs.

    handlers: how each directive is shown, by name.
    notebooks: the files of all chapters, where what is made lies among them; a deck does not.
    linked: the pages of terms that were linked before: only their first use is a link.
    """

    chapter: Path
    references: References
    stamp: Stamp
    extensions: frozenset[str]
    handlers: Mapping[str, Callable[[Any, "Context"], str]]
    notebooks: frozenset[str] = frozenset()
    linked: set[str] = field(default_factory=set)

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
        """Words that lead to another chapter's notebook or into the book, if it has an address."""
        chapter = target.page.partition("#")[0].removesuffix(".html")
        if f"{chapter}.ipynb" in self.notebooks and chapter != self.chapter.stem:
            return f"[{words}]({chapter}.ipynb)"
        return self.stamp.link(words, target.page)
