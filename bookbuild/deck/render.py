"""HTML for the cells of a deck: text, code, outputs."""

from functools import lru_cache
from html import escape

from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin
from nbformat import NotebookNode
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

from bookbuild.widgets import STATE, VIEW, saved_state, script_text


@lru_cache(maxsize=1)
def _markdown() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": True, "highlight": _highlight})
    parser.enable(["table", "strikethrough"])
    return parser.use(dollarmath_plugin, renderer=_maths)


def _maths(content: str, options: dict[str, bool]) -> str:
    """Leave formulas to MathJax, which looks for these marks."""
    marks = ("\\[", "\\]") if options.get("display_mode") else ("\\(", "\\)")
    return f"{marks[0]}{escape(content)}{marks[1]}"


def _highlight(code: str, language: str, attributes: str) -> str:
    try:
        lexer = get_lexer_by_name(language or "text")
    except ClassNotFound:
        return ""
    return str(highlight(code, lexer, HtmlFormatter(nowrap=True)))


def render_markdown(text: str) -> str:
    """Plain Markdown, as notebooks hold it, with formulas for MathJax."""
    return str(_markdown().render(text))


def render_code(source: str) -> str:
    """A highlighted code cell; it can be scrolled by keyboard where it is too wide."""
    code = _highlight(source, "python", "")
    return f'<pre tabindex="0"><code class="language-python">{code}</code></pre>'


def render_outputs(cell: NotebookNode) -> str:
    """What a code cell showed when it was executed."""
    alternative = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
    return "\n".join(_output(output, alternative) for output in cell.outputs)


def _output(output: NotebookNode, alternative: str) -> str:
    if output.output_type == "stream":
        return _text(output.text)
    if output.output_type == "error":
        return _text(f"{output.ename}: {output.evalue}")
    data = output.data
    picture = _picture(data, alternative)
    if VIEW in data:
        still = f'<div class="widget-still">{picture}</div>'
        return f'<div><script type="{VIEW}">{script_text(data[VIEW])}</script>{still}</div>'
    if picture:
        return picture
    for kind, show in (
        ("text/html", str),
        ("text/markdown", render_markdown),
        ("text/latex", escape),
    ):
        if kind in data:
            return show(data[kind])
    return _text(data.get("text/plain", ""))


def _picture(data: NotebookNode, alternative: str) -> str:
    if "image/svg+xml" in data:
        label = escape(alternative)
        return f'<div class="picture" role="img" aria-label="{label}">{data["image/svg+xml"]}</div>'
    for kind in ("image/png", "image/jpeg"):
        if kind in data:
            content = data[kind].replace("\n", "")
            address = f"data:{kind};base64,{content}"
            return f'<img src="{address}" alt="{escape(alternative)}">'
    return ""


def _text(text: str) -> str:
    return f'<pre class="output" tabindex="0">{escape(text.rstrip())}</pre>'


def widget_state(notebook: NotebookNode) -> str:
    """The saved widgets as a script element for the host, or nothing."""
    saved = saved_state(notebook)
    return f'<script type="{STATE}">{script_text(saved)}</script>' if saved else ""
