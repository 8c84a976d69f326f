"""Keep the notebooks of all chapters in step: convert them, execute those that are stale."""

import asyncio
import time
from contextlib import suppress
from pathlib import Path

from nbformat import NotebookNode

from bookbuild.files import write_text
from bookbuild.hosting import Stamp
from bookbuild.notebook.execute import execute
from bookbuild.notebook.make import make_notebook
from bookbuild.notebook.stored import (
    DriftError,
    is_as_written,
    is_fresh,
    put_outputs,
    read_stored,
    to_text,
    write_stored,
)
from bookbuild.project import Project
from bookbuild.references import References, collect
from bookbuild.source import SourceError

AT_ONCE = 2  # a notebook runs on one thread, and the smallest machine that is promised has two


def update_notebooks(project: Project, names: list[str], force: bool) -> None:
    """Write the notebooks of some chapters, or of all; execute where code or package changed."""
    chapters = _chosen(project, names)
    project.notebooks.mkdir(exist_ok=True)
    asyncio.run(_update_all(chapters, project, collect(project), force))
    if not names:
        _remove_orphans(project)


async def _update_all(
    chapters: list[Path], project: Project, references: References, force: bool
) -> None:
    """Report in the order of the chapters; the first failure ends the others."""
    places = asyncio.Semaphore(AT_ONCE)

    async def update(chapter: Path, previous: asyncio.Task[None] | None) -> None:
        async with places:
            done = await _update(chapter, project, references, force)
        if previous is not None:
            await previous
        print(f"{chapter.stem}: {done}", flush=True)

    tasks: list[asyncio.Task[None]] = []
    for chapter in chapters:
        tasks.append(asyncio.create_task(update(chapter, tasks[-1] if tasks else None)))
    await asyncio.gather(*tasks)


async def _update(chapter: Path, project: Project, references: References, force: bool) -> str:
    """Write one notebook and return, in words, what was done."""
    started = time.monotonic()
    made = make_notebook(chapter, project, references, Stamp())
    stored = None
    with suppress(SourceError):  # what is missing or damaged is made again
        stored = read_stored(project, chapter.stem)
    if stored is not None and is_fresh(stored, made) and not force:
        result, done = put_outputs(stored, made, chapter.name), "kept its outputs"
    else:
        result = await execute(made, chapter.stem)
        done = f"executed in {time.monotonic() - started:.0f} s"
    kept = write_stored(project, chapter.stem, result)
    return f"{done}; what stood there, changed by hand, is now {kept}" if kept else done


def stale_notebooks(project: Project, references: References) -> tuple[list[str], list[str]]:
    """Chapters that drifted from their notebooks, and chapters whose outputs are old.

    The second only asks for a new execution: `make test` runs every notebook again anyway.
    """
    drifted, outdated = [], []
    for chapter in project.chapters:
        made = make_notebook(chapter, project, references, Stamp())
        stored = read_stored(project, chapter.stem)
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
        stamped = put_outputs(read_stored(project, chapter.stem), made, chapter.name)
        write_text(output / f"{chapter.stem}.ipynb", to_text(stamped))


def _chosen(project: Project, names: list[str]) -> list[Path]:
    unknown = sorted(set(names) - {chapter.stem for chapter in project.chapters})
    if unknown:
        known = ", ".join(chapter.stem for chapter in project.chapters) or "none yet"
        raise SourceError(f"no chapter is called {unknown[0]!r}: expected some of {known}")
    return [chapter for chapter in project.chapters if not names or chapter.stem in names]


def _remove_orphans(project: Project) -> None:
    """Remove notebooks of chapters that are gone; every other file there is somebody's own."""
    kept = {project.notebook(chapter.stem) for chapter in project.chapters}
    for file in set(project.notebooks.glob("*.ipynb")) - kept:
        if is_as_written(project, file.stem):
            file.unlink()
            print(f"{file.stem}: removed, its chapter is gone")
