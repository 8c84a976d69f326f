"""Reveal.js decks: the cells of a chapter that say so, with the outputs of its notebook.

A cell takes part when it has `slideshow: {slide_type: ...}`: "slide" begins a slide, "subslide"
one below it, "fragment" a part that comes with the next key press, "-" goes on with the slide,
"notes" are the speaker's. Cells without it stay in the chapter.
"""

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from nbformat import NotebookNode

from bookbuild.directives import HANDLERS
from bookbuild.inline import Context
from bookbuild.notebook import Shown, chapter_cells, convert_cells, read_stored
from bookbuild.project import Project, Stamp
from bookbuild.references import References
from bookbuild.render import render_code, render_markdown, render_outputs, widget_state
from bookbuild.source import SourceError, read_cells

_ROOM = Path(__file__).parent
_HIDES_INPUT = frozenset({"hide-cell", "hide-input", "remove-input", "slide-hide-input"})
MOST_CODE_LINES = 12
_SLIDE_TYPES = frozenset({"slide", "subslide", "fragment", "notes", "-"})


@dataclass
class Slide:
    """The HTML of one slide, and of what the speaker sees beside it."""

    parts: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def make_decks(project: Project, references: References, stamp: Stamp, output: Path) -> None:
    """Write one deck a chapter and, once, the files that all of them load; nothing is executed."""
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    copy_shared_files(output / "shared")
    for chapter in project.chapters:
        stored = read_stored(project.notebook(chapter))
        if stored is None:
            raise SourceError(f"{chapter.stem}.ipynb is missing: run `make notebooks`")
        text = deck(chapter, project, references, stamp, stored)
        (output / f"{chapter.stem}.html").write_text(text, encoding="utf-8")


def deck(
    chapter: Path, project: Project, references: References, stamp: Stamp, stored: NotebookNode
) -> str:
    """One deck as a page of HTML; SourceError when the notebook does not belong to the chapter."""
    context = Context(chapter, references, stamp, project.markdown_extensions, HANDLERS)
    cells = read_cells(chapter, project.markdown_extensions)
    outputs = _outputs_by_line(
        chapter, [cell.line for cell in cells if cell.kind == "code"], stored
    )
    stacks = _arrange(convert_cells(cells, context), outputs, chapter)
    if not stacks:
        raise SourceError(
            f"{chapter.name}: no slides: give its cells `slideshow: {{slide_type: slide}}`"
        )
    environment = Environment(
        loader=FileSystemLoader(_ROOM / "templates"), autoescape=True, undefined=StrictUndefined
    )
    return environment.get_template("deck.html.j2").render(
        title=references.documents[chapter.stem].words,
        stacks=stacks,
        widget_state=widget_state(stored),
    )


def _outputs_by_line(
    chapter: Path, lines: list[int], stored: NotebookNode
) -> dict[int, NotebookNode]:
    cells = chapter_cells(stored)
    if len(cells) != len(lines):
        raise SourceError(
            f"{chapter.name}: its notebook has other code cells: run `make notebooks`"
        )
    return dict(zip(lines, cells, strict=True))


def _arrange(
    shown: Iterable[Shown], outputs: dict[int, NotebookNode], chapter: Path
) -> list[list[Slide]]:
    """Stacks of slides; each stack is one step to the right, its slides lie one below the other."""
    stacks: list[list[Slide]] = []
    for item in shown:
        kind = item.cell.slide_type
        if not kind:
            continue
        where = f"{chapter.name}:{item.cell.line}"
        if kind not in _SLIDE_TYPES:
            raise SourceError(
                f"{where}: slide_type {kind!r}: expected one of {sorted(_SLIDE_TYPES)}"
            )
        if kind == "slide":
            stacks.append([Slide()])
        if not stacks:
            raise SourceError(
                f"{where}: slide_type {kind!r} before the first slide: begin with 'slide'"
            )
        if kind == "subslide":
            stacks[-1].append(Slide())
        slide = stacks[-1][-1]
        html = "\n".join(_parts(item, outputs, chapter))
        if kind == "notes":
            slide.notes.append(html)
        else:
            slide.parts.append(
                f'<div class="fragment">{html}</div>' if kind == "fragment" else html
            )
    return stacks


def _parts(item: Shown, outputs: dict[int, NotebookNode], chapter: Path) -> Iterator[str]:
    if item.cell.kind == "markdown":
        yield render_markdown(item.text)
        return
    stored = outputs[item.cell.line]
    if stored.source != item.text:
        raise SourceError(
            f"{chapter.name}:{item.cell.line}: not the cell of the notebook: run `make notebooks`"
        )
    if not item.cell.tags & _HIDES_INPUT:
        length = len(item.text.splitlines())
        if length > MOST_CODE_LINES:
            raise SourceError(
                f"{chapter.name}:{item.cell.line}: {length} lines of code on a slide, "
                f"at most {MOST_CODE_LINES} can be read: split the cell or tag it slide-hide-input"
            )
        yield render_code(item.text)
    if not item.cell.tags & {"hide-output", "remove-output", "hide-cell"}:
        yield render_outputs(stored)


def copy_shared_files(output: Path) -> None:
    """Copy reveal.js, MathJax and our own scripts, so that decks work offline."""
    reveal = _package_folder("sphinx_revealjs") / "_static" / "revealjs"
    mathjax = _package_folder("sphinx-mathjax-offline") / "static" / "mathjax"
    wanted = {
        reveal / "LICENSE": "reveal/LICENSE",
        reveal / "dist" / "reset.css": "reveal/reset.css",
        reveal / "dist" / "reveal.css": "reveal/reveal.css",
        reveal / "dist" / "reveal.js": "reveal/reveal.js",
        reveal / "plugin" / "notes": "reveal/notes",
        mathjax / "tex-chtml.js": "mathjax/tex-chtml.js",
        mathjax / "output" / "chtml" / "fonts": "mathjax/output/chtml/fonts",
        _ROOM / "assets" / "widget-host.js": "widget-host.js",
        _ROOM / "assets" / "deck.css": "deck.css",
        _ROOM / "assets" / "deck.js": "deck.js",
    }
    for source, name in wanted.items():
        target = output / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("*.map", "*.esm.js"))
        else:
            shutil.copyfile(source, target)


def _package_folder(name: str) -> Path:
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise SourceError(
            f"package {name!r} is not installed: run `make book`, which sets the environment up"
        )
    return Path(spec.origin).parent
