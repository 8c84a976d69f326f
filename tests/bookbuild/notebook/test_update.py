"""Notebooks are the same every time, and executed only when it is due."""

import pytest
from editing import change

from bookbuild.hosting import Stamp
from bookbuild.notebook.stored import chapter_cells, read_stored
from bookbuild.notebook.update import stale_notebooks, stamp_notebooks, update_notebooks
from bookbuild.project import Project
from bookbuild.references import References
from bookbuild.source import SourceError

BOTH = ["01-sample", "02-plain"]


def test_executing_again_writes_the_same_bytes_in_the_chapters_order(
    copy: Project, bookbuild
) -> None:
    before = [copy.notebook(name).read_bytes() for name in BOTH]
    result = bookbuild(copy, "notebooks", "--force")
    words = [line.split(" in ")[0] for line in result.stdout.splitlines()]
    assert words == [f"{name}: executed" for name in BOTH], result.stderr
    assert [copy.notebook(name).read_bytes() for name in BOTH] == before


def test_only_what_is_stale_executes_and_what_lost_its_chapter_goes(
    copy: Project, bookbuild
) -> None:
    change(copy.book / "01-sample.md", "stays maths", "is maths")
    change(copy.book / "02-plain.md", "print(1 + 1)", "print(1 + 2)")
    copy.notebook("03-gone").write_text("{}")
    result = bookbuild(copy, "notebooks")
    first, second, third = result.stdout.splitlines()
    assert first == "01-sample: kept its outputs"
    assert second.startswith("02-plain: executed")
    assert third == "03-gone: removed, its chapter is gone"
    assert chapter_cells(read_stored(copy, "02-plain"))[0].outputs[0].text == "3\n"
    assert not copy.notebook("03-gone").exists()


def test_a_cell_that_fails_is_shown_and_its_notebook_stays(copy: Project, bookbuild) -> None:
    change(copy.book / "02-plain.md", "print(1 + 1)", "raise KeyError('lost')")
    before = copy.notebook("02-plain").read_bytes()
    result = bookbuild(copy, "notebooks")
    assert result.returncode == 1
    assert result.stderr.startswith("error: 02-plain: a cell failed")
    assert "KeyError: 'lost'" in result.stderr
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


def test_a_missing_notebook_is_named(copy: Project, references: References) -> None:
    copy.notebook("02-plain").unlink()
    with pytest.raises(SourceError) as caught:
        stale_notebooks(copy, references)
    assert str(caught.value) == "notebooks/02-plain.ipynb is missing: run `make notebooks`"
