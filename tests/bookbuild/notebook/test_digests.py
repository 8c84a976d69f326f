"""A chapter depends on the shared package, on its own folder, and on what it names of others."""

from pathlib import Path

import pytest

from bookbuild.notebook.digests import package_digest
from bookbuild.project import Project

CODE = {
    "01": "from transformer_lite import masks",
    "02": 'stored = results.load("bottleneck")\nscores = stored["runs"]',
    "03": "from transformer_lite.chapters.c01_one.widget import Widget",
}
EVERY = set(CODE)
FILES = {
    "attention.py": EVERY,
    "runs/recipes/base.toml": EVERY,
    "chapters/__init__.py": EVERY,
    "chapters/c01_one/exercises.py": {"01", "03"},
    "chapters/c01_one/bottleneck.json": EVERY,
    "chapters/c02_two/exercises.py": {"02"},
    "chapters/c02_two/mistakes.toml": {"02"},
    "chapters/c03_three/scores.json": {"03"},
    "chapters/c04_four/widget.py": set(),
    "chapters/c02_two/README.md": set(),
    "fast/README.md": set(),
    "__pycache__/attention.pyc": set(),
}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(tmp_path)
    for name in FILES:
        file = project.package / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("# as it was\n")
    return project


def digests(project: Project) -> dict[str, str]:
    return {
        number: package_digest(project, project.book / f"{number}-chapter.md", code)
        for number, code in CODE.items()
    }


@pytest.mark.parametrize("name", FILES)
def test_a_change_reaches_the_chapters_that_depend_on_the_file(name: str, project: Project) -> None:
    before = digests(project)
    (project.package / name).write_text("# as it is\n")
    after = digests(project)
    assert {number for number in CODE if before[number] != after[number]} == FILES[name]


def test_a_file_that_goes_is_noticed(project: Project) -> None:
    before = digests(project)
    (project.package / "attention.py").rename(project.package / "attending.py")
    after = digests(project)
    assert all(before[number] != after[number] for number in CODE)


def test_a_chapter_without_a_folder_depends_on_the_shared_package_alone(project: Project) -> None:
    chapter = project.book / "09-nine.md"
    before = package_digest(project, chapter, "")
    (project.package / "chapters" / "c01_one" / "exercises.py").write_text("# as it is\n")
    assert package_digest(project, chapter, "") == before
    (project.package / "attention.py").write_text("# as it is\n")
    assert package_digest(project, chapter, "") != before
