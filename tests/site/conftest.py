"""The built site of the course, served for a reader who can reach nothing else."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from browsing import reader, serve  # noqa: F401 - fixtures for the tests of this folder
from filelock import FileLock

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("book", "bookbuild", "notebooks", "transformer_lite", "_config.yml")


@pytest.fixture(scope="session")
def root() -> Path:
    """The root of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def site() -> Path:
    """The folder of the site that `make book` makes, made here where it is out of date."""
    folder = ROOT / "_build" / "html"
    complete = folder / ".complete"
    folder.parent.mkdir(exist_ok=True)
    with FileLock(folder.parent / "site.lock"):  # one of several workers makes it
        if not complete.exists() or complete.stat().st_mtime < _newest_source():
            command = [sys.executable, "-m", "bookbuild", "book"]
            result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
            assert result.returncode == 0, f"the site does not build:\n{result.stderr[-4000:]}"
    return folder


def _newest_source() -> float:
    paths = [ROOT / name for name in SOURCES]
    paths += [path for folder in paths for path in folder.rglob("*")]
    return max(path.stat().st_mtime for path in paths if path.is_file() and path.suffix != ".pyc")


@pytest.fixture(scope="session")
def pages(site: Path) -> list[str]:
    """Every page of the book, as a path relative to the site's root; decks are no pages."""
    found = sorted(path.relative_to(site).as_posix() for path in site.rglob("*.html"))
    # Files that ship with the theme or MathJax are no pages of ours.
    return [page for page in found if not page.startswith(("_static/", "slides/"))]


@pytest.fixture(scope="session")
def address(site: Path, serve: Callable[[Path], str]) -> str:  # noqa: F811 - the fixture
    """The address under which the site is served, with a slash at its end."""
    return serve(site)
