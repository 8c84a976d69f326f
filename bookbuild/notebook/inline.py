"""Turn roles, links and citations inside a line of MyST into plain Markdown."""

import base64
import mimetypes
import posixpath
import re
from collections.abc import Callable, Mapping
from html import escape

from bookbuild.notebook.context import Context
from bookbuild.references import Target

# Code spans (with the role before them), maths, then links and pictures: whatever starts first
# wins, so that nothing inside code or maths is taken for a link.
_TOKEN = re.compile(
    r"(?P<escaped>\\.)"
    r"|(?:\{(?P<role>[\w:.-]+)\})?(?P<ticks>`+)(?P<code>.+?)(?<!`)(?P=ticks)(?!`)"
    r"|(?P<math>\$(?!\s)[^$]+?(?<!\s)\$)"
    r"|(?P<mark>!?)\[(?P<text>(?:[^\[\]]|\[[^\[\]]*\])*)\]\((?P<target>[^()\s]+)\)"
    r"|(?P<substitution>\{\{.+?\}\})"
    r"|(?P<footnote>\[\^[^\]]+\])",
    re.DOTALL,
)
_EXPLICIT = re.compile(r"(?P<words>.+?)\s*<(?P<label>[^<>]+)>", re.DOTALL)


def convert_inline(text: str, line: int, context: Context) -> str:
    """Convert running text that begins at `line`; SourceError for an unknown role or label."""

    def replace(match: re.Match[str]) -> str:
        here = line + text.count("\n", 0, match.start())
        if match["role"]:
            return _role(match["role"], match["code"], here, context)
        if match["target"]:
            words = convert_inline(match["text"], here, context)
            return _link(match["mark"], words, match["target"], here, context)
        if match["substitution"] or match["footnote"]:
            raise context.error(here, f"{match[0]!r} has no form in a notebook: write it out")
        return match[0]

    return _TOKEN.sub(replace, text)


def _role(name: str, content: str, line: int, context: Context) -> str:
    explicit = _EXPLICIT.fullmatch(content)
    words, label = (explicit["words"], explicit["label"]) if explicit else ("", content)
    if name in _CITATIONS:
        return _cite(name, content, line, context)
    if name in _FORMATS:
        return _FORMATS[name](content)
    if name.startswith("py:") or name in {"func", "class", "mod", "meth", "data", "attr"}:
        return _python(words, label, context)
    if name in _REFERENCES:
        return _REFERENCES[name](words, label, line, context)
    raise context.error(
        line, f"unknown role {name!r}: teach bookbuild/notebook/inline.py how a notebook shows it"
    )


def _equation(words: str, label: str, line: int, context: Context) -> str:
    target = context.look_up(context.references.equations, label, line, "equation")
    return context.link(f"({target.words})", target)


def _section(words: str, label: str, line: int, context: Context) -> str:
    if label in context.references.exercises:
        return _numbered(words, label, line, context)
    target = context.look_up(context.references.sections, label, line, "section")
    return context.link(words or target.words, target)


def _numbered(words: str, label: str, line: int, context: Context) -> str:
    if label in context.references.exercises:
        kind, target = "Exercise", context.references.exercises[label]
    else:
        kind = "Fig."
        target = context.look_up(context.references.figures, label, line, "figure or exercise")
    template = words or f"{kind} %s"
    return context.link(
        template.replace("%s", target.words).replace("{number}", target.words), target
    )


def _document(words: str, label: str, line: int, context: Context) -> str:
    name = label.removeprefix("/").removesuffix(".md")
    target = context.look_up(context.references.documents, posixpath.normpath(name), line, "page")
    return context.link(words or target.words, target)


def _term(words: str, label: str, line: int, context: Context) -> str:
    target = context.look_up(context.references.terms, label, line, "glossary term")
    if target.page in context.linked:
        return words or label
    context.linked.add(target.page)
    return context.link(words or label, target)


_REFERENCES: Mapping[str, Callable[[str, str, int, Context], str]] = {
    "eq": _equation,
    "ref": _section,
    "numref": _numbered,
    "doc": _document,
    "term": _term,
}

_FORMATS: Mapping[str, Callable[[str], str]] = {
    "math": lambda content: f"${content}$",
    "kbd": lambda content: f"<kbd>{escape(content)}</kbd>",
    "sub": lambda content: f"<sub>{escape(content)}</sub>",
    "sup": lambda content: f"<sup>{escape(content)}</sup>",
    "code": lambda content: f"`{content}`",
}

_CITATIONS = frozenset({"cite", "cite:p", "cite:t"})


def _cite(name: str, content: str, line: int, context: Context) -> str:
    shown = []
    for key in (part.strip() for part in content.split(",")):
        citation = context.references.citations.get(key)
        if citation is None:
            raise context.error(line, f"no source has the key {key!r}: add it to references.bib")
        textual = name == "cite:t"
        words = (
            f"{citation.authors} ({citation.year})"
            if textual
            else f"{citation.authors}, {citation.year}"
        )
        shown.append(f"[{words}]({citation.address})" if citation.address else words)
    return ", ".join(shown) if name == "cite:t" else f"({'; '.join(shown)})"


def _python(words: str, label: str, context: Context) -> str:
    name = label.lstrip("~!")
    shown = f"`{words or (name.rpartition('.')[2] if label.startswith('~') else name)}`"
    target = context.references.objects.get(name)
    return context.link(shown, target) if target else shown


def _link(mark: str, words: str, address: str, line: int, context: Context) -> str:
    if mark:
        return picture(address, words, "", line, context)
    if re.match(r"[a-z][a-z0-9+.-]*:", address):
        return f"[{words}]({address})"
    if address.startswith("#"):
        return _section(words, address.removeprefix("#"), line, context)
    name, _, anchor = address.partition("#")
    if not name.endswith(".md"):
        raise context.error(
            line, f"link to {address!r}: a notebook travels without the files beside it"
        )
    name = posixpath.normpath(name.removesuffix(".md"))
    target = context.look_up(context.references.documents, name, line, "page")
    page = f"{target.page}#{anchor}" if anchor else target.page
    return context.link(words or target.words, Target(target.words, page))


def picture(address: str, alternative: str, width: str, line: int, context: Context) -> str:
    """A picture carried inside the notebook, which has to travel without other files."""
    if not alternative.strip():
        raise context.error(line, f"picture {address!r} has no alt text: say what it shows")
    file = context.chapter.parent / address
    if not file.is_file():
        raise context.error(
            line, f"picture {address!r} does not exist below {context.chapter.parent.name}/"
        )
    kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    data = base64.b64encode(file.read_bytes()).decode("ascii")
    size = f' width="{escape(width)}"' if width else ""
    return f'<img src="data:{kind};base64,{data}" alt="{escape(alternative)}"{size}>'
