"""What may not be left in a notebook's text: raw MyST, and links to files that do not travel."""

import re
from collections.abc import Iterator

from bs4 import BeautifulSoup
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin

_RAW_MYST = re.compile(
    r"^[\s>*-]*(`{3,}|:{3,})\{[\w:-]+\}|(?<!`)\{[a-z:]+\}`[^`]+`|^\([\w-]+\)=\s*$|^\+\+\+", re.M
)
_TRAVELS = re.compile(r"#|[a-z][a-z0-9+.-]*:", re.IGNORECASE)


def faults(text: str) -> Iterator[tuple[str, str]]:
    """The faults of converted Markdown: the words at fault, and what to say about them."""
    for found in _RAW_MYST.finditer(text):
        yield found[0].strip(), f"raw MyST left in the text: {found[0].strip()!r}"
    for address in _addresses(text):
        if not _TRAVELS.match(address):
            yield (
                address,
                f"link to {address!r}: a notebook travels without the files beside it; to a page, "
                "write [words](page.md)",
            )


def _addresses(text: str) -> Iterator[str]:
    """Where links and pictures lead, in all the forms that Markdown and HTML give them."""
    found: dict[str, dict[str, dict[str, str]]] = {}
    parser = MarkdownIt("commonmark").enable("table").use(dollarmath_plugin)
    for block in parser.parse(text, found):
        for token in [block, *(block.children or [])]:
            if token.type in {"html_block", "html_inline"}:
                for tag in BeautifulSoup(token.content, "html.parser").find_all():
                    yield from (tag[name] for name in ("href", "src") if tag.get(name))
            else:
                yield from (
                    str(token.attrs[name]) for name in ("href", "src") if name in token.attrs
                )
    yield from (reference["href"] for reference in found.get("references", {}).values())
