"""How a notebook shows each directive that the book uses; a directive missing here is an error."""

import re
from collections.abc import Callable, Mapping
from types import SimpleNamespace

from sphinx.directives.code import LiteralIncludeReader

from bookbuild.notebook.blocks import Directive, convert_blocks, labelled_maths
from bookbuild.notebook.context import Context
from bookbuild.notebook.inline import convert_inline, picture
from bookbuild.quiz import Passage, parse_quiz

# A solution may run over several cells; these lines mark its ends for whoever joins the cells.
SOLUTION_START = "\0solution-start:"
SOLUTION_END = "\0solution-end"


def quote(title: str, body: str) -> str:
    """A block quotation under a bold title."""
    rows = [f"**{title}**", *([""] if body.strip() else []), *body.strip().splitlines()]
    return "\n".join(f"> {row}" if row else ">" for row in rows)


def fold(summary: str, body: str) -> str:
    """Text that opens on a click; the blank lines let Markdown work inside the HTML."""
    return f"<details>\n<summary>{summary}</summary>\n\n{body.strip()}\n\n</details>"


def _body(directive: Directive, context: Context) -> str:
    return convert_blocks(directive.body, directive.line, context)


def _title(directive: Directive, context: Context) -> str:
    return convert_inline(directive.argument, directive.opening, context)


def _anchor(directive: Directive) -> str:
    return f'<a id="{directive.label}"></a>\n\n' if directive.label else ""


def _admonition(directive: Directive, context: Context) -> str:
    named = directive.name not in {"admonition", "margin", "sidebar", "topic"}
    if named:  # text beside the name of a note is the beginning of its body
        title = "See also" if directive.name == "seealso" else directive.name.capitalize()
        body = "\n\n".join(
            part for part in (_title(directive, context), _body(directive, context)) if part
        )
    else:
        title, body = _title(directive, context) or "Aside", _body(directive, context)
    folded = "dropdown" in directive.options.get("class", "")
    return _anchor(directive) + (fold(title, body) if folded else quote(title, body))


def _dropdown(directive: Directive, context: Context) -> str:
    return _anchor(directive) + fold(_title(directive, context), _body(directive, context))


def _epigraph(directive: Directive, context: Context) -> str:
    return "\n".join(f"> {row}" if row else ">" for row in _body(directive, context).splitlines())


def _figure(directive: Directive, context: Context) -> str:
    options = directive.options
    shown = picture(
        directive.argument,
        options.get("alt", ""),
        options.get("width", ""),
        directive.opening,
        context,
    )
    caption = _body(directive, context).strip()
    if directive.label:
        number = context.look_up(
            context.references.figures, directive.label, directive.opening, "figure"
        )
        caption = f"**Fig. {number.words}.** {caption}"
    return _anchor(directive) + (f"{shown}\n\n{caption}" if caption else shown)


def _maths(directive: Directive, context: Context) -> str:
    content = "\n".join(part for part in (directive.argument, directive.body) if part)
    if directive.label:
        return labelled_maths(content, directive.label, directive.opening, context)
    return f"$$\n{content.strip()}\n$$"


def _code(directive: Directive, context: Context) -> str:
    return fenced(directive.body, directive.argument)


def fenced(code: str, language: str) -> str:
    """A code block whose fence is longer than any inside it."""
    longest = max((len(run) for run in re.findall(r"`{3,}", code)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{language}\n{code.rstrip()}\n{fence}"


def _literal_include(directive: Directive, context: Context) -> str:
    options: dict[str, object] = dict(directive.options)
    if "dedent" in options:
        options["dedent"] = int(str(options["dedent"])) if options["dedent"] else None
    file = (context.chapter.parent / directive.argument).resolve()
    config = SimpleNamespace(source_encoding="utf-8-sig")
    try:
        text, _ = LiteralIncludeReader(str(file), options, config).read()  # type: ignore[arg-type]
    except (OSError, ValueError) as error:
        raise context.error(directive.opening, f"literalinclude: {error}") from error
    return fenced(text, str(options.get("language", "python")))


def _table(directive: Directive, context: Context) -> str:
    caption = _title(directive, context)
    body = _body(directive, context)
    return _anchor(directive) + (f"**{caption}**\n\n{body}" if caption else body)


def _list_table(directive: Directive, context: Context) -> str:
    rows: list[list[str]] = []
    for offset, row in enumerate(directive.body.splitlines()):
        cell = re.fullmatch(r"(?P<first>\* - |  - |    )(?P<text>.*)", row)
        if not row.strip():
            continue
        if cell is None:
            raise context.error(
                directive.line + offset, f"list-table: expected '* - ' or '  - ', got {row!r}"
            )
        if cell["first"] == "* - ":
            rows.append([])
        if cell["first"].strip():
            rows[-1].append(cell["text"])
        else:
            rows[-1][-1] += f" {cell['text']}"
    cells = [[convert_inline(text, directive.line, context) for text in row] for row in rows]
    head = cells.pop(0) if directive.options.get("header-rows") == "1" else [""] * len(cells[0])
    table = [head, ["---"] * len(head), *cells]
    caption = _title(directive, context)
    shown = "\n".join(f"| {' | '.join(row)} |" for row in table)
    return _anchor(directive) + (f"**{caption}**\n\n{shown}" if caption else shown)


def _exercise(directive: Directive, context: Context) -> str:
    target = context.look_up(
        context.references.exercises, directive.label, directive.opening, "exercise"
    )
    title = f" · {_title(directive, context)}" if directive.argument else ""
    heading = f"#### Exercise {target.words}{title}"
    return f"{_anchor(directive)}{heading}\n\n{_body(directive, context)}".rstrip()


def _solution_title(directive: Directive, context: Context) -> str:
    target = context.look_up(
        context.references.exercises, directive.argument, directive.opening, "exercise"
    )
    return f"Solution to exercise {target.words}: opens on a click"


def _solution(directive: Directive, context: Context) -> str:
    return f"{_solution_start(directive, context)}\n{SOLUTION_END}"


def _solution_start(directive: Directive, context: Context) -> str:
    body = _body(directive, context)
    return f"{SOLUTION_START}{_solution_title(directive, context)}\n{body}"


def _solution_end(directive: Directive, context: Context) -> str:
    return SOLUTION_END


def _quiz(directive: Directive, context: Context) -> str:
    try:
        quiz = parse_quiz(directive.body.splitlines())
    except ValueError as error:
        raise context.error(directive.opening, f"quiz: {error}") from error

    def shown(passage: Passage) -> str:
        blocks = convert_blocks(passage.text, directive.line + passage.offset, context)
        return blocks.strip("\n")

    def words(passage: Passage) -> str:
        return convert_inline(passage.text, directive.line + passage.offset, context)

    letters = "ABCDEFGHIJ"
    choices = "\n".join(
        f"- **{letter}.** {words(option.text)}"
        for letter, option in zip(letters, quiz.options, strict=False)
    )
    answers = "\n\n".join(
        f"**{letter}. {'✓' if option.right else '✗'}** {shown(option.explanation)}"
        for letter, option in zip(letters, quiz.options, strict=False)
    )
    parts = [f"**Question.** {words(quiz.question)}", shown(quiz.details), choices]
    return "\n\n".join([*filter(None, parts), fold("Answers", answers)])


def _glossary(directive: Directive, context: Context) -> str:
    entries: list[str] = []
    for offset, row in enumerate(directive.body.splitlines()):
        text = convert_inline(row.strip(), directive.line + offset, context)
        if not text:
            continue
        if row.startswith(" "):
            entries[-1] += f" {text}"
        else:
            entries.append(f"- **{text}**:")
    return "\n".join(entries)


def _division(directive: Directive, context: Context) -> str:
    return _body(directive, context)


Handler = Callable[[Directive, Context], str]
_NOTES = (
    "admonition attention caution danger error hint important margin note seealso sidebar tip "
    "topic warning"
)
HANDLERS: Mapping[str, Handler] = {
    **dict.fromkeys(_NOTES.split(), _admonition),
    "code": _code,
    "code-block": _code,
    "div": _division,
    "dropdown": _dropdown,
    "epigraph": _epigraph,
    "exercise": _exercise,
    "exercise-start": _exercise,
    "exercise-end": lambda directive, context: "",
    "figure": _figure,
    "glossary": _glossary,
    "image": _figure,
    "list-table": _list_table,
    "literalinclude": _literal_include,
    "math": _maths,
    "quiz": _quiz,
    "solution": _solution,
    "solution-end": _solution_end,
    "solution-start": _solution_start,
    "table": _table,
}
