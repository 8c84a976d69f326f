"""A project whose configuration or pages cannot be read says so in one line, before Sphinx does."""

from pathlib import Path

import pytest

from bookbuild.project import Project
from bookbuild.references import collect
from bookbuild.source import SourceError


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        ("title: A\nhtml: [1\nparse: }", "_config.yml:3: no YAML: expected ',' or ']'"),
        ("title: Caf\udce9", "_config.yml:1: text must be UTF-8"),
        ("title: A\0", "_config.yml: no YAML: unacceptable character"),
        ("title: 5", "_config.yml: title: 5 is not of type 'string'"),
        ("parse: {myst_enable_extensions: 3}", "_config.yml: parse.myst_enable_extensions: 3 is"),
        ("", "_config.yml: $: None is not of type 'object'"),
    ],
)
def test_a_broken_configuration_is_an_error_with_its_place(
    config: str, complaint: str, tmp_path: Path
) -> None:
    project = Project(tmp_path)
    project.config.write_bytes(config.encode(errors="surrogateescape"))
    with pytest.raises(SourceError) as caught:
        _ = project.settings
    assert str(caught.value).startswith(complaint)


def test_every_page_is_looked_at_before_sphinx_reads_any(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.config.write_text("title: A book\n")
    (project.book / "api").mkdir(parents=True)
    (project.book / "api" / "index.md").write_bytes(b"# API\n\nCaf\xe9\n")
    with pytest.raises(SourceError, match=r"^index.md:3: text must be UTF-8"):
        collect(project)
