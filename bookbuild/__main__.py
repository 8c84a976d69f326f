"""The command line of the machinery; the Makefile calls it from the root of the project.

python -m bookbuild notebooks [--force] [chapter ...]   execute what changed, keep the rest
python -m bookbuild slides                              make the decks
python -m bookbuild book                                make the site
python -m bookbuild site --repository URL --site URL    make it for a copy that will be hosted there
"""

import argparse
import sys
from pathlib import Path

from bookbuild.deck.make import make_decks
from bookbuild.hosting import Stamp, configured_stamp
from bookbuild.notebook.update import update_notebooks
from bookbuild.project import Project
from bookbuild.references import collect
from bookbuild.site.build import build_site
from bookbuild.source import SourceError


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="bookbuild", description="Turn book/ into what readers get."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    notebooks = commands.add_parser("notebooks", help="execute the chapters that changed")
    notebooks.add_argument("chapters", nargs="*", help="only these, by name: 01-bottleneck")
    notebooks.add_argument("--force", action="store_true", help="execute even what did not change")
    commands.add_parser("slides", help="make the decks")
    commands.add_parser("book", help="make the site")
    site = commands.add_parser("site", help="make the site for a copy that is hosted")
    site.add_argument("--repository", required=True, help="where its code is, for Colab")
    site.add_argument("--site", required=True, help="address where the pages will be")
    return parser


def run(project: Project, arguments: argparse.Namespace) -> None:
    """Run one command in a project; SourceError says what is wrong with a chapter."""
    if arguments.command == "notebooks":
        update_notebooks(project, arguments.chapters, arguments.force)
    elif arguments.command == "slides":
        make_decks(project, collect(project), configured_stamp(project), project.build / "slides")
    elif arguments.command == "book":
        build_site(project, configured_stamp(project), project.build / "html")
    else:
        if not (arguments.repository and arguments.site):
            raise SourceError(
                "addresses are missing: make site REPOSITORY=https://... SITE=https://..."
            )
        stamp = Stamp(arguments.repository, arguments.site)
        build_site(project, stamp, project.build / "site")


def main() -> None:
    """Run the command that was asked for; what went wrong is said without a traceback."""
    arguments = _parser().parse_args()
    try:
        run(Project(Path.cwd()), arguments)
    except SourceError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
