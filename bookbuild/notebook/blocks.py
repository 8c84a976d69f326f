"""Turn a block of MyST Markdown into Markdown that any notebook program shows."""

import re
from dataclasses import dataclass

from docutils.parsers.rst import Directive as DocutilsDirective
from markdown_it.token import Token
from myst_parser.parsers.directives import parse_directive_text

from bookbuild.notebook.context import Context
from bookbuild.notebook.inline import convert_inline
from bookbuild.source import FENCES, block_parser, refuse_open_fence


@dataclass(frozen=True)
class Directive:
    """One directive of the source: it begins at line `opening`, its body at `line`."""

    name: str
    argument: str
    options: dict[str, str]
    body: str
    opening: int
    line: int

    @property
    def label(self) -> str:
        """The label under which other text refers to it, or ''."""
        return self.options.get("label", "") or self.options.get("name", "")


class _AnyOptions(DocutilsDirective):
    """Lets MyST's own parser accept every option and a free argument line."""

    optional_arguments = 1
    final_argument_whitespace = True
    option_spec = {"any": str}  # noqa: RUF012 - docutils declares it so
    has_content = True


# Blocks that plain Markdown does not have; the converter replaces them line by line.
_SILENT = frozenset({"myst_line_comment"})
_REFUSED = {
    "amsmath": "write it between $$ and $$",
    "dl_open": "write a list or a table",
    "footnote_block_open": "write the note into the text",
    "footnote_reference_open": "write the note into the text",
    "substitution_block": "write it out",
    "field_list_open": "write a list or a table",
}


def convert_blocks(text: str, line: int, context: Context) -> str:
    """Convert Markdown that begins at `line` of the chapter; SourceError names the line."""
    lines = text.splitlines()
    pieces: list[str] = []
    done = 0
    for token in _special_tokens(text, context):
        assert token.map is not None  # block tokens always know their lines
        start, end = token.map
        if start < done:
            continue
        refuse_open_fence(token, lines, context.chapter, line)
        if token.type in _REFUSED:
            raise context.error(
                line + start,
                f"{token.type.removesuffix('_open')} has no plain form: {_REFUSED[token.type]}",
            )
        pieces.extend(_plain(lines[done:start], line + done, context))
        pieces.append(_replace(token, lines[start:end], line + start, context))
        done = end
    pieces.extend(_plain(lines[done:], line + done, context))
    return "\n".join(pieces)


def _plain(lines: list[str], line: int, context: Context) -> list[str]:
    return [convert_inline("\n".join(lines), line, context)] if lines else []


def _special_tokens(text: str, context: Context) -> list[Token]:
    special = (
        FENCES
        | _SILENT
        | _REFUSED.keys()
        | {"code_block", "math_block", "math_block_label", "myst_target", "html_block"}
    )
    return [
        token for token in block_parser(context.extensions).parse(text) if token.type in special
    ]


def _replace(token: Token, lines: list[str], line: int, context: Context) -> str:
    name = re.match(r"\{(?P<name>[^}]+)\}(?P<argument>.*)", token.info.strip())
    if token.type in FENCES and name:
        indent = lines[0][: len(lines[0]) - len(lines[0].lstrip())]
        if not lines[0].lstrip().startswith(("`", ":", "~")):
            raise context.error(
                line, "a directive inside a quotation or beside a list mark: give it its own line"
            )
        directive = _directive(name["name"], name["argument"].strip(), token.content, line, context)
        converted = _convert_directive(directive, context)
        return "\n".join(f"{indent}{row}" if row else row for row in converted.splitlines())
    if token.type == "math_block_label":
        return labelled_maths(token.content, token.info, line, context)
    if token.type == "myst_target":
        return f'<a id="{token.content}"></a>\n'  # the blank line ends the HTML
    if token.type in _SILENT:
        return ""
    return "\n".join(lines)


def _directive(name: str, argument: str, content: str, line: int, context: Context) -> Directive:
    parsed = parse_directive_text(_AnyOptions, argument, content, validate_options=False)
    if parsed.warnings:
        raise context.error(line, f"directive {name!r}: {parsed.warnings[0].msg}")
    options = {key: str(value) for key, value in parsed.options.items()}
    body = "\n".join(parsed.body)
    return Directive(name, argument, options, body, line, line + 1 + parsed.body_offset)


def _convert_directive(directive: Directive, context: Context) -> str:
    handler = context.handlers.get(directive.name)
    if handler is None:
        raise context.error(
            directive.opening,
            f"unknown directive {directive.name!r}: "
            "teach bookbuild/notebook/directives.py how to show it",
        )
    return handler(directive, context)


def labelled_maths(content: str, label: str, line: int, context: Context) -> str:
    """A displayed formula with the number that it has in the book."""
    number = context.look_up(context.references.equations, label, line, "equation").words
    # Rows are aligned as Sphinx does it on the page.
    rows = (
        f"\\begin{{split}}{content.strip()}\\end{{split}}" if "\\\\" in content else content.strip()
    )
    return f"$$\n{rows} \\tag{{{number}}}\n$$"
