"""From the Markdown of this project's docstrings to the reStructuredText that autodoc expects.

Inline markup: `name` is code, and shapes such as *batch or a | b are plain text. Sections:
"Returns:" is prose (the type is in the signature, so no colon in it ends a type), and the
"Attributes:" of a dataclass are shown as what they are, its parameters.
"""

import re
from collections.abc import Iterable

# Code and bold text are recognised before anything is escaped.
_SPAN = re.compile(r"``(?P<literal>.+?)``|`(?P<code>[^`]+)`|(?P<bold>\*\*[^*\s][^*]*\*\*)")
# Characters that start markup: emphasis, substitutions and, at the end of a word, references.
_SPECIAL = re.compile(r"[*|\\]|(?<=\w)_(?!\w)")


def to_restructured_text(lines: Iterable[str]) -> list[str]:
    """Convert the lines of a docstring; examples (`>>>` and blocks after `::`) stay as they are."""
    converted: list[str] = []
    paragraph: list[str] = []
    literal_indent: int | None = None  # indentation of the line that ended in `::`

    def finish_paragraph() -> None:
        # A whole paragraph at a time, because code may run over the end of a line.
        if paragraph:
            converted.extend(_convert_inline("\n".join(paragraph)).split("\n"))
            paragraph.clear()

    for line in lines:
        indent = len(line) - len(line.lstrip())
        if literal_indent is not None and line.strip() and indent <= literal_indent:
            literal_indent = None
        if literal_indent is not None or not line.strip() or line.lstrip().startswith(">>>"):
            finish_paragraph()
            converted.append(line)
            continue
        paragraph.append(line)
        if line.rstrip().endswith("::"):
            finish_paragraph()
            literal_indent = indent
    finish_paragraph()
    return _convert_sections(converted)


def _convert_inline(text: str) -> str:
    pieces: list[str] = []
    end = 0
    for span in _SPAN.finditer(text):
        pieces.append(_SPECIAL.sub(r"\\\g<0>", text[end : span.start()]))
        end = span.end()
        if span["bold"]:
            pieces.append(span["bold"])
            continue
        # Markup must not touch a letter; an escaped space keeps them apart and is not shown.
        before = "\\ " if text[: span.start()][-1:].isalnum() else ""
        after = "\\ " if text[end : end + 1].isalnum() else ""
        pieces.append(f"{before}``{(span['literal'] or span['code']).strip()}``{after}")
    pieces.append(_SPECIAL.sub(r"\\\g<0>", text[end:]))
    return "".join(pieces)


def _convert_sections(lines: list[str]) -> list[str]:
    """Turn "Returns:" into a field, which napoleon leaves alone, and "Attributes:" into "Args:"."""
    converted: list[str] = []
    section_indent: int | None = None
    first = False  # is this the first line of the section's text?
    for line in lines:
        indent = len(line) - len(line.lstrip())
        if line.strip() == "Returns:":
            section_indent, first = indent, True
            continue
        if section_indent is not None and line.strip() and indent <= section_indent:
            section_indent = None
        if first and section_indent is not None and line.strip():
            line, first = f"{' ' * section_indent}:returns: {line.strip()}", False
        converted.append(re.sub(r"^(\s*)Attributes:$", r"\1Args:", line))
    return converted
