"""Build the site: its pages, and beside them the notebooks and the decks that they lead to."""

import shutil
import sys
from pathlib import Path

from jupyter_book.sphinx import build_sphinx

from bookbuild.deck.make import make_decks
from bookbuild.files import write_text
from bookbuild.hosting import Stamp
from bookbuild.notebook.update import stale_notebooks, stamp_notebooks
from bookbuild.project import Project
from bookbuild.references import collect
from bookbuild.site.icons import drop_unused_icons
from bookbuild.site.wheel import add_wheel
from bookbuild.source import SourceError


def build_site(project: Project, stamp: Stamp, output: Path) -> None:
    """Write the site below `output`; nothing is executed.

    A notebook whose outputs are old is a warning. The file `.complete` says that the site is whole,
    and names the notebooks that would read differently if they were made now.

    Raises:
        SourceError: a chapter's code is not its notebook's, or Sphinx had a warning.
    """
    references = collect(project)
    drifted, outdated = stale_notebooks(project, references)
    for name in sorted(drifted + outdated):
        print(
            f"warning: notebooks/{name}.ipynb is out of date: run `make notebooks`", file=sys.stderr
        )
    shutil.rmtree(output, ignore_errors=True)  # no page may outlive its source
    room = project.build / f".{output.name}"  # a build keeps its parts apart from other builds
    shutil.rmtree(room / "notebooks", ignore_errors=True)
    stamp = add_wheel(project, stamp, room / "notebooks")
    stamp_notebooks(project, references, stamp, room / "notebooks")
    make_decks(project, references, stamp, room / "slides")
    _write_pages(project, stamp, room, output)
    drop_unused_icons(output)
    write_text(output / ".complete", "\n".join(drifted))
    print(f"The site is in {output.relative_to(project.root)}/index.html")


def _write_pages(project: Project, stamp: Stamp, room: Path, output: Path) -> None:
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
            "bookbuild_notebooks": str(room / "notebooks"),
            "bookbuild_slides": str(room / "slides"),
        },
    )
    if status:
        raise SourceError("the pages could not be built without a warning: see the messages above")
