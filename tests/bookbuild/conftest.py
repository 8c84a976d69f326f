"""A small book of its own, made once with the course's machinery; tests that change it copy it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
from browsing import reader, serve  # noqa: F401 - fixtures for the tests of this folder
from playwright.sync_api import Page

from bookbuild.hosting import Stamp
from bookbuild.notebook.context import Context
from bookbuild.notebook.directives import HANDLERS
from bookbuild.project import Project
from bookbuild.references import Citation, References, Target, collect

ROOT = Path(__file__).resolve().parents[2]
EXTENSIONS = frozenset(
    {"amsmath", "colon_fence", "deflist", "dollarmath", "substitution", "tasklist"}
)
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def bookbuild() -> Run:
    """Runs the machinery's command line in a project, as the Makefile does."""

    def run(project: Project, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "bookbuild", *arguments],
            cwd=project.root,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory, bookbuild: Run) -> Project:
    """The sample book with executed notebooks and a built site; not to be changed."""
    project = Project(tmp_path_factory.mktemp("sample") / "project")
    shutil.copytree(Path(__file__).with_name("fixture"), project.root)
    for command in ("notebooks", "book"):
        result = bookbuild(project, command)
        assert result.returncode == 0, result.stderr
        # "All reporting of Sphinx is quiet, and nothing else may speak up either."
        assert result.stderr == "", result.stderr
    return project


@pytest.fixture(scope="session")
def references(sample: Project) -> References:
    """What the sample book's labels read as, for tests that need no command line."""
    # In a process of its own: an extension of Sphinx looks at every object that there is, and
    # other tests make some that do not let themselves be looked at.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(collect, sample).result()


@pytest.fixture(scope="session")
def site(sample: Project, serve: Callable[[Path], str]) -> str:  # noqa: F811 - the fixture
    """The address of the sample book's site."""
    return serve(sample.build / "html")


@pytest.fixture(scope="session")
def visit(reader: Any, site: str) -> Callable[..., Any]:  # noqa: F811 - the fixture
    """Opens a chapter or a deck; afterwards, nothing may have been complained about."""

    @contextmanager
    def opened(
        name: str = "01-sample.html", size: tuple[int, int] = (1280, 900), mode: str = "light"
    ) -> Iterator[Page]:
        with reader.open(*size, mode) as page:
            complaints = reader.watch(page)
            page.goto(site + name)
            page.wait_for_selector('html[data-widgets="ready"]', state="attached")
            if name.startswith("slides/"):
                page.wait_for_selector('html[data-deck="ready"]', state="attached")
            yield page
            assert complaints == []

    return opened


@pytest.fixture
def copy(sample: Project, tmp_path: Path) -> Project:
    """A copy of the sample book with its notebooks, free to be changed."""
    project = Project(tmp_path / "project")
    shutil.copytree(sample.root, project.root, ignore=shutil.ignore_patterns("_build"))
    return project


@pytest.fixture
def context(tmp_path: Path) -> Context:
    """A chapter that may refer to one thing of each kind, in a copy that nobody hosts."""
    chapter = tmp_path / "01-sample.md"
    chapter.write_text("# A chapter\n", encoding="utf-8")
    return Context(chapter, REFERENCES, Stamp(), EXTENSIONS, HANDLERS)


REFERENCES = References(
    equations={"softmax": Target("1.1", "01-sample.html#equation-softmax")},
    figures={"dots": Target("1.2", "01-sample.html#dots")},
    exercises={"ex-01-one": Target("1.3", "01-sample.html#ex-01-one")},
    sections={"scores": Target("All the scores", "01-sample.html#scores")},
    documents={"02-next": Target("The next chapter", "02-next.html")},
    terms={"attention": Target("attention", "glossary.html#term-attention")},
    objects={"transformer_lite.Seq2Seq": Target("Seq2Seq", "api/models.html#Seq2Seq")},
    citations={
        "cho2014": Citation("Cho et al.", "2014", "https://arxiv.org/abs/1406.1078"),
        "luong2015": Citation("Luong et al.", "2015", ""),
    },
)
