"""What the command line can make: notebooks, and the site with pages, decks and notebooks."""

import shutil
import sys
import time
from pathlib import Path

from jupyter_book.sphinx import build_sphinx
from nbformat import NotebookNode

from bookbuild.execute import execute
from bookbuild.icons import drop_unused_icons
from bookbuild.notebook import (
    DriftError,
    is_fresh,
    make_notebook,
    put_outputs,
    read_stored,
    to_text,
)
from bookbuild.project import Project, Stamp
from bookbuild.references import References, collect
from bookbuild.slides import make_decks
from bookbuild.source import SourceError


def update_notebooks(project: Project, names: list[str], force: bool) -> None:
    """Write the notebooks of some chapters, or of all; execute where code or package changed."""
    chapters = _chosen(project, names)
    references = collect(project)
    project.notebooks.mkdir(exist_ok=True)
    for chapter in chapters:
        started = time.monotonic()
        made = make_notebook(chapter, project, references, Stamp())
        stored = read_stored(project.notebook(chapter))
        if stored is not None and is_fresh(stored, made) and not force:
            result, done = put_outputs(stored, made, chapter.name), "kept its outputs"
        else:
            result = execute(made, chapter.stem)
            done = f"executed in {time.monotonic() - started:.0f} s"
        project.notebook(chapter).write_text(to_text(result), encoding="utf-8")
        print(f"{chapter.stem}: {done}", flush=True)
    if not names:
        _remove_orphans(project)


def stale_notebooks(project: Project, references: References) -> tuple[list[str], list[str]]:
    """Chapters that drifted from their notebooks, and chapters executed with another package.

    The second only asks for a new execution: `make test` runs every notebook again anyway.
    """
    drifted, outdated = [], []
    for chapter in project.chapters:
        made = make_notebook(chapter, project, references, Stamp())
        stored = _stored(project, chapter)
        if _has_drifted(stored, made, chapter.name):
            drifted.append(chapter.stem)
        elif not is_fresh(stored, made):
            outdated.append(chapter.stem)
    return drifted, outdated


def _has_drifted(stored: NotebookNode, made: NotebookNode, name: str) -> bool:
    try:
        return to_text(put_outputs(stored, made, name)) != to_text(stored)
    except DriftError:
        return True


def stamp_notebooks(project: Project, references: References, stamp: Stamp, output: Path) -> None:
    """Write the notebooks with addresses in them and the stored outputs; nothing is executed."""
    output.mkdir(parents=True, exist_ok=True)
    for chapter in project.chapters:
        made = make_notebook(chapter, project, references, stamp)
        stamped = put_outputs(_stored(project, chapter), made, chapter.name)
        (output / f"{chapter.stem}.ipynb").write_text(to_text(stamped), encoding="utf-8")


def build_site(project: Project, stamp: Stamp, output: Path) -> None:
    """Write pages, decks and notebooks below `output`; any warning of Sphinx is an error."""
    references = collect(project)
    drifted, outdated = stale_notebooks(project, references)
    for name in sorted(drifted + outdated):
        print(
            f"warning: notebooks/{name}.ipynb is out of date: run `make notebooks`", file=sys.stderr
        )
    shutil.rmtree(output, ignore_errors=True)  # no page may outlive its source
    room = project.build / f".{output.name}"  # a build keeps its parts apart from other builds
    stamp_notebooks(project, references, stamp, room / "notebooks")
    make_decks(project, references, stamp, room / "slides")
    status = build_sphinx(
        project.book,
        output,
        path_config=project.config,
        noconfig=True,
        doctreedir=room / "doctrees",
        builder="html",
        quiet=True,
        force_all=True,
        warningiserror=True,
        keep_going=True,
        confoverrides={
            "latex_individualpages": False,  # Jupyter Book expects the key from its command line
            "external_toc_path": (project.book / "_toc.yml").as_posix(),
            "nitpicky": True,
            "html_baseurl": stamp.site,
            "bookbuild_repository": stamp.repository,
            "bookbuild_commit": stamp.commit,
            "bookbuild_notebooks": str(room / "notebooks"),
            "bookbuild_slides": str(room / "slides"),
        },
    )
    if status:
        raise SourceError("the pages could not be built without a warning: see the messages above")
    drop_unused_icons(output)
    (output / ".complete").touch()
    print(f"The site is in {output.relative_to(project.root)}/index.html")


def _stored(project: Project, chapter: Path) -> NotebookNode:
    stored = read_stored(project.notebook(chapter))
    if stored is None:
        raise SourceError(f"notebooks/{chapter.stem}.ipynb is missing: run `make notebooks`")
    return stored


def _chosen(project: Project, names: list[str]) -> list[Path]:
    unknown = sorted(set(names) - {chapter.stem for chapter in project.chapters})
    if unknown:
        known = ", ".join(chapter.stem for chapter in project.chapters) or "none yet"
        raise SourceError(f"no chapter is called {unknown[0]!r}: expected some of {known}")
    return [chapter for chapter in project.chapters if not names or chapter.stem in names]


def _remove_orphans(project: Project) -> None:
    kept = {project.notebook(chapter) for chapter in project.chapters}
    for file in set(project.notebooks.glob("*.ipynb")) - kept:
        file.unlink()
        print(f"{file.stem}: removed, its chapter is gone")
