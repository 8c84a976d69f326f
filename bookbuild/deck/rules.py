"""What a slide must be for the back row of a lecture hall, as far as its HTML tells.

How large everything comes out, and whether it fits, is measured in a browser by the tests.
"""

import re
from collections.abc import Iterator
from itertools import chain

from bookbuild.deck.slides import Slide
from bookbuild.source import SourceError

MOST_CODE_LINES = 12
MOST_CONSOLE_LINES = 4
_LISTING = re.compile(r'<pre[^>]*>(?:<code class="language-([\w-]+)">)?(.*?)</pre>', re.DOTALL)
_TIME = re.compile(r"\b(minute|second)s?\b")


def check_slides(stacks: list[list[Slide]], name: str) -> None:
    """SourceError names the first slide of chapter `name` that breaks a rule, and its line."""
    for number, slide in enumerate(chain.from_iterable(stacks), 1):
        complaints = [*_code(slide), *_console(slide), *_notes(slide)]
        complaints += _title(slide) if number == 1 else ()
        if complaints:
            raise SourceError(f"{name}:{slide.line}: slide {number}: {complaints[0]}")


def _code(slide: Slide) -> Iterator[str]:
    if (length := _length(slide, console=False)) > MOST_CODE_LINES:
        yield (
            f"code must be at most {MOST_CODE_LINES} lines, but it is {length}: split the cell or "
            "tag it slide-hide-input"
        )


def _console(slide: Slide) -> Iterator[str]:
    if (length := _length(slide, console=True)) > MOST_CONSOLE_LINES:
        yield (
            f"console text must be at most {MOST_CONSOLE_LINES} lines, but it is {length}: show a "
            "table or a figure"
        )


def _length(slide: Slide, console: bool) -> int:
    """Lines of code on a slide, or of plain text such as a console shows."""
    listings = _LISTING.findall("\n".join(slide.parts))
    return sum(
        len(text.removesuffix("</code>").strip("\n").split("\n"))
        for language, text in listings
        if (language in {"", "text"}) == console
    )


def _notes(slide: Slide) -> Iterator[str]:
    if not _TIME.search("\n".join(slide.notes)):
        yield "notes must say how many minutes it takes: give it a cell with `slide_type: notes`"


def _title(slide: Slide) -> Iterator[str]:
    if not re.search(r"<(img|svg)\b", "\n".join(slide.parts)):
        yield "the title must have a picture: give it a slide-only cell with `slide_type: '-'`"
