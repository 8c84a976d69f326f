"""How many minutes the slides of a chapter take, as their notes say it in words."""

import re
from pathlib import Path

from bookbuild.source import SourceError, read_cells

_NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_MINUTES = re.compile(rf"(?<![\w-])({'|'.join(_NUMBERS)}) minutes?\b", re.IGNORECASE)
_HEADING = re.compile(r"#+ +(.+)")


def slide_minutes(chapter: Path, extensions: frozenset[str]) -> list[tuple[str, int]]:
    """The slides of a chapter's deck in order: heading ("" for none) and minutes.

    Raises:
        SourceError: notes do not say how long their slide takes.
    """
    times: list[tuple[str, int]] = []
    heading = ""
    for cell in read_cells(chapter, extensions):
        if cell.slide_type in {"slide", "subslide"}:
            found = _HEADING.match(cell.source) if cell.kind == "markdown" else None
            heading = found[1] if found else ""
        elif cell.slide_type == "notes":
            minutes = _MINUTES.search(cell.source)
            if minutes is None:
                raise SourceError(
                    f"{chapter.name}:{cell.line}: notes must say the minutes in a word from one to "
                    f"ten, but they begin {cell.source[:30]!r}: write 'Two minutes.'"
                )
            times.append((heading, _NUMBERS.index(minutes[1].lower()) + 1))
    return times
