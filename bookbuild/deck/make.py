"""Write the decks: one page of HTML a chapter, and once the files that all of them load."""

import shutil
from importlib.util import find_spec
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from bookbuild.deck.render import widget_state
from bookbuild.deck.rules import check_slides
from bookbuild.deck.slides import Slide, arrange
from bookbuild.files import write_text
from bookbuild.hosting import Stamp
from bookbuild.notebook.convert import convert_chapter
from bookbuild.notebook.stored import read_stored
from bookbuild.project import Project
from bookbuild.references import References
from bookbuild.source import SourceError
from bookbuild.widgets import HOST

_ROOM = Path(__file__).parent


def make_decks(project: Project, references: References, stamp: Stamp, output: Path) -> None:
    """Write every deck below `output`, with reveal.js and MathJax; nothing is executed."""
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    copy_shared_files(output / "shared")
    for chapter in project.chapters:
        stored = read_stored(project, chapter.stem)
        shown = list(convert_chapter(chapter, project, references, stamp))
        stacks = arrange(shown, stored, chapter.name)
        check_slides(stacks, chapter.name)
        title = references.documents[chapter.stem].words
        above = f"{project.settings['title']} · Chapter {chapter.stem[:2]}"
        text = deck_page(title, above, stacks, widget_state(stored))
        write_text(output / f"{chapter.stem}.html", text)


def deck_page(title: str, above: str, stacks: list[list[Slide]], state: str) -> str:
    """The HTML of a deck, with a line `above` the title and the `state` of its widgets."""
    environment = Environment(
        loader=FileSystemLoader(_ROOM), autoescape=True, undefined=StrictUndefined
    )
    return environment.get_template("deck.html.j2").render(
        title=title, above=above, stacks=stacks, widget_state=state
    )


def copy_shared_files(output: Path) -> None:
    """Copy what a deck needs to work offline."""
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
        HOST: HOST.name,
        _ROOM / "deck.css": "deck.css",
        _ROOM / "deck.js": "deck.js",
        _ROOM / "noscript.css": "noscript.css",
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
