"""Notebooks are the same every time, and executed only when it is due."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from editing import change
from nbformat import NotebookNode

from bookbuild.hosting import Stamp
from bookbuild.notebook.digests import ROOM, cells_digest
from bookbuild.notebook.stored import chapter_cells, read_stored, to_text
from bookbuild.notebook.update import stale_notebooks, stamp_notebooks, update_notebooks
from bookbuild.project import Project
from bookbuild.references import References
from bookbuild.source import SourceError

BOTH = ["01-sample", "02-plain"]


@pytest.fixture
def update(references: References, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`update_notebooks`, with labels that Sphinx has read before."""
    monkeypatch.setattr("bookbuild.notebook.update.collect", lambda project: references)

    def run(*arguments: Any, **options: Any) -> None:
        with ThreadPoolExecutor(1) as pool:  # the browser's event loop may run in this thread
            pool.submit(update_notebooks, *arguments, **options).result()

    return run


def test_executing_again_writes_the_same_bytes_in_the_chapters_order(
    copy: Project, bookbuild
) -> None:
    before = [copy.notebook(name).read_bytes() for name in BOTH]
    result = bookbuild(copy, "notebooks", "--force")
    words = [line.split(" in ")[0] for line in result.stdout.splitlines()]
    assert words == [f"{name}: executed" for name in BOTH], result.stderr
    assert [copy.notebook(name).read_bytes() for name in BOTH] == before


@pytest.mark.parametrize("at_once", [1, 2])
def test_so_many_run_at_once_and_are_reported_in_order(
    at_once: int,
    copy: Project,
    update: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    running = [0]

    async def pretend(made: NotebookNode, name: str) -> NotebookNode:
        running.append(running[-1] + 1)
        await asyncio.sleep(0.2 if name == "01-sample" else 0)
        running.append(running[-1] - 1)
        return made

    monkeypatch.setattr("bookbuild.notebook.update.AT_ONCE", at_once)
    monkeypatch.setattr("bookbuild.notebook.update.execute", pretend)
    update(copy, [], force=True)
    assert max(running) == at_once
    assert [line[:9] for line in capsys.readouterr().out.splitlines()] == ["01-sample", "02-plain:"]


def test_only_what_is_stale_executes(
    copy: Project, update: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    change(copy.book / "01-sample.md", "stays maths", "is maths")
    change(copy.book / "02-plain.md", "print(1 + 1)", "print(1 + 2)")
    update(copy, [], force=False)
    first, second = capsys.readouterr().out.splitlines()
    assert first == "01-sample: kept its outputs"
    assert second.startswith("02-plain: executed")
    assert chapter_cells(read_stored(copy, "02-plain"))[0].outputs[0].text == "3\n"


def test_what_lost_its_chapter_goes_and_what_a_reader_put_there_stays(
    copy: Project, update: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    notebook = read_stored(copy, "02-plain")
    copy.notebook("my-copy").write_text(to_text(notebook), encoding="utf-8")
    notebook.metadata[ROOM]["cells"] = cells_digest(notebook.cells, "03-gone")
    copy.notebook("03-gone").write_text(to_text(notebook), encoding="utf-8")
    notebook.cells[1].source += "\n\nMy note."
    copy.notebook("04-gone-with-notes").write_text(to_text(notebook), encoding="utf-8")
    copy.notebook("mine").write_text("{}", encoding="utf-8")
    update(copy, [], force=False)
    assert capsys.readouterr().out.splitlines()[2:] == ["03-gone: removed, its chapter is gone"]
    left = sorted(file.stem for file in copy.notebooks.iterdir())
    assert left == [*BOTH, "04-gone-with-notes", "mine", "my-copy"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("The sum is two.", "The sum is two. My note."),
        ("print(1 + 1)", "print(1 + 2)"),
        ("2\\n", "3\\n"),
        ('"nbformat": 4', '<<<<<<< ours\n"nbformat": 4'),
        ('"source"', '"sauce"'),
        ('{\n "cells"', "[]"),
        ("2\\n", "\udce9"),
    ],
    ids=["note", "solved", "output", "conflict", "invalid", "cut", "bytes"],
)
def test_a_notebook_with_changes_is_kept_and_made_again(
    before: str,
    after: str,
    copy: Project,
    update: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    whole = read_stored(copy, "02-plain")
    good = copy.notebook("02-plain").read_bytes()

    async def pretend(made: NotebookNode, name: str) -> NotebookNode:
        return whole

    monkeypatch.setattr("bookbuild.notebook.update.execute", pretend)
    text = good.decode()
    assert before in text
    changed = (text[:90] if after == "[]" else text.replace(before, after)).encode(
        errors="surrogateescape"
    )
    for kept in ("02-plain.yours", "02-plain.yours1"):
        copy.notebook("02-plain").write_bytes(changed)
        update(copy, ["02-plain"], force=False)
        assert copy.notebook("02-plain").read_bytes() == good
        assert copy.notebook(kept).read_bytes() == changed
        (line,) = capsys.readouterr().out.splitlines()
        assert line.endswith(f"; what stood there, changed by hand, is now {kept}.ipynb")
    update(copy, [], force=False)
    assert ".yours" not in capsys.readouterr().out


def test_prose_is_checked_when_nothing_is_executed(
    copy: Project, update: Callable[..., None], references: References
) -> None:
    change(copy.book / "02-plain.md", "The sum", "```{note} about `x`\n\nThe sum")
    complaint = "02-plain.md:25: raw MyST left in the text: '```{note}'"
    with pytest.raises(SourceError, match=complaint):
        update(copy, ["02-plain"], force=False)
    with pytest.raises(SourceError, match=complaint):
        stamp_notebooks(copy, references, Stamp(), copy.build / "notebooks")


def test_a_write_that_ends_half_way_leaves_the_old_notebook(
    copy: Project, update: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    change(copy.book / "02-plain.md", "The sum is two.", "The sum is 2.")
    before = {file.name: file.read_bytes() for file in copy.notebooks.iterdir()}
    write = Path.write_text

    def full(self: Path, text: str, **options: Any) -> int:
        write(self, text[:100], **options)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="No space left"):
        update(copy, ["02-plain"], force=False)
    assert {file.name: file.read_bytes() for file in copy.notebooks.iterdir()} == before


def test_a_cell_that_fails_is_shown_and_its_notebook_stays(
    copy: Project, update: Callable[..., None]
) -> None:
    change(copy.book / "02-plain.md", "print(1 + 1)", "raise KeyError('lost')")
    before = copy.notebook("02-plain").read_bytes()
    with pytest.raises(SourceError, match=r"^02-plain: a cell failed[\s\S]*KeyError: 'lost'"):
        update(copy, ["02-plain"], force=False)
    assert copy.notebook("02-plain").read_bytes() == before


def test_an_unknown_chapter_is_named(sample: Project) -> None:
    with pytest.raises(SourceError) as caught:
        update_notebooks(sample, ["07-masks"], force=False)
    assert str(caught.value) == (
        "no chapter is called '07-masks': expected some of 01-sample, 02-plain"
    )


def test_notebooks_just_made_are_in_step(sample: Project, references: References) -> None:
    assert stale_notebooks(sample, references) == ([], [])


@pytest.mark.parametrize(
    ("before", "after"), [("sum is two", "sum is 2"), ("print(1 + 1)", "print(1 + 2)")]
)
def test_a_changed_chapter_has_drifted_from_its_notebook(
    before: str, after: str, copy: Project, references: References
) -> None:
    change(copy.book / "02-plain.md", before, after)
    assert stale_notebooks(copy, references) == (["02-plain"], [])


@pytest.mark.parametrize(
    ("name", "outdated"),
    [("chapters/c02_plain/exercises.py", ["02-plain"]), ("attention.py", BOTH)],
)
def test_a_changed_file_outdates_the_notebooks_that_depend_on_it(
    name: str, outdated: list[str], copy: Project, references: References
) -> None:
    file = copy.package / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    assert stale_notebooks(copy, references) == ([], outdated)


def test_code_that_left_its_notebook_behind_is_not_published(
    copy: Project, references: References
) -> None:
    change(copy.book / "02-plain.md", "print(1 + 1)", "print(1 + 2)")
    with pytest.raises(SourceError) as caught:
        stamp_notebooks(copy, references, Stamp(), copy.build / "notebooks")
    assert str(caught.value) == (
        "02-plain.md: code cell 1 of the chapter is not the one in its notebook: "
        "run `make notebooks`"
    )


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (None, " is missing: run `make notebooks`"),
        (("2\\n", "two\\n"), ": outputs were changed after the execution: run `make notebooks`"),
        (('"nbformat": 4', "======="), " is damaged (Notebook does not appear to be JSON"),
        ((ROOM, "nobody"), ": outputs were changed after the execution: run `make notebooks`"),
    ],
)
def test_a_notebook_that_cannot_be_published_is_named(
    text: tuple[str, str] | None, complaint: str, copy: Project, references: References
) -> None:
    if text is None:
        copy.notebook("02-plain").unlink()
    else:
        change(copy.notebook("02-plain"), *text)
    with pytest.raises(SourceError) as caught:
        stamp_notebooks(copy, references, Stamp(), copy.build / "notebooks")
    assert str(caught.value).startswith(f"notebooks/02-plain.ipynb{complaint}")
