"""What every reference of the book reads as, taken from Sphinx itself after one quick reading.

Numbers of equations, figures and exercises, titles and anchors are asked of Sphinx and not worked
out a second time, so that notebooks and pages cannot disagree.
"""

import pickle
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_book.sphinx import build_sphinx
from pybtex.database import Entry, parse_file
from sphinx.environment import BuildEnvironment

from bookbuild.project import Project
from bookbuild.source import SourceError, check_page


@dataclass(frozen=True)
class Target:
    """A place in the book: the words that name it there, and its page with anchor."""

    words: str
    page: str


@dataclass(frozen=True)
class Citation:
    """A source as authors, year and address (empty when it has none)."""

    authors: str
    year: str
    address: str


@dataclass(frozen=True)
class References:
    """Everything a chapter may refer to, by label; numbers come as Sphinx gave them ("1.2")."""

    equations: Mapping[str, Target] = field(default_factory=dict)
    figures: Mapping[str, Target] = field(default_factory=dict)
    exercises: Mapping[str, Target] = field(default_factory=dict)
    sections: Mapping[str, Target] = field(default_factory=dict)
    documents: Mapping[str, Target] = field(default_factory=dict)
    terms: Mapping[str, Target] = field(default_factory=dict)
    objects: Mapping[str, Target] = field(default_factory=dict)
    citations: Mapping[str, Citation] = field(default_factory=dict)


def collect(project: Project) -> References:
    """Let Sphinx read the book without writing pages, and note what each label became.

    Raises:
        SourceError: a page or the configuration cannot be read.
    """
    for page in sorted(project.book.rglob("*.md")):
        check_page(page, project.markdown_extensions)
    folder = project.build / "references"
    status = build_sphinx(
        project.book,
        folder / "dummy",
        path_config=project.config,
        noconfig=True,
        builder="dummy",
        quiet=True,
        confoverrides={
            "latex_individualpages": False,  # Jupyter Book expects the key from its command line
            "external_toc_path": (project.book / "_toc.yml").as_posix(),
            # Figures need outputs to be numbered; stand-ins do, before anything was executed.
            "bookbuild_outputs": "stand-ins",
            "nb_mime_priority_overrides": [("dummy", "image/png", 1)],
        },
    )
    if status:
        raise SourceError(f"Sphinx could not read {project.book.name}/: see its messages above")
    with (folder / ".doctrees" / "environment.pickle").open("rb") as stream:
        environment: BuildEnvironment = pickle.load(stream)
    return _from_environment(environment, _bibliography(project))


def _from_environment(environment: BuildEnvironment, citations: dict[str, Citation]) -> References:
    standard = environment.domaindata["std"]
    numbers = _numbers(environment.toc_fignumbers)
    equations = {
        label: Target(numbers.get(("displaymath", f"equation-{label}"), str(count)), page)
        for label, (document, count) in environment.domaindata["math"]["objects"].items()
        for page in [f"{document}.html#equation-{label}"]
    }
    exercises = {
        label: Target(numbers.get(("exercise", label), ""), f"{node['docname']}.html#{label}")
        for label, node in getattr(environment, "sphinx_exercise_registry", {}).items()
        if node["type"].startswith("exercise")
    }
    anonymous = standard["anonlabels"]
    return References(
        equations=equations,
        exercises=exercises,
        figures={
            label: Target(numbers["figure", anchor], f"{document}.html#{anchor}")
            for label, (document, anchor) in anonymous.items()
            if ("figure", anchor) in numbers
        },
        sections={
            label: Target(str(title), f"{document}.html#{anchor}" if anchor else f"{document}.html")
            for label, (document, anchor, title) in standard["labels"].items()
        },
        documents={
            name: Target(title.astext(), f"{name}.html")
            for name, title in environment.titles.items()
        },
        terms={
            name: Target(name, f"{document}.html#{anchor}")
            for (kind, name), (document, anchor) in standard["objects"].items()
            if kind == "term"
        },
        objects={
            name: Target(name, f"{item.docname}.html#{item.node_id}")
            for name, item in environment.domaindata["py"]["objects"].items()
        },
        citations=citations,
    )


def _numbers(
    by_document: Mapping[str, Mapping[str, Mapping[str, Iterable[int]]]],
) -> dict[Any, str]:
    return {
        (kind, anchor): ".".join(map(str, number))
        for kinds in by_document.values()
        for kind, anchors in kinds.items()
        for anchor, number in anchors.items()
    }


def _bibliography(project: Project) -> dict[str, Citation]:
    return {
        key: _citation(entry)
        for name in project.settings.get("bibtex_bibfiles", ())
        for key, entry in parse_file(str(project.book / Path(name).name)).entries.items()
    }


def _citation(entry: Entry) -> Citation:
    fields = {
        name.lower(): text.replace("{", "").replace("}", "") for name, text in entry.fields.items()
    }
    people = entry.persons.get("author", [])
    names = [" ".join((*person.prelast_names, *person.last_names)) for person in people]
    authors = f"{names[0]} et al." if len(names) > 2 else " and ".join(names)
    address = fields.get("url") or (f"https://doi.org/{fields['doi']}" if "doi" in fields else "")
    return Citation(authors, fields.get("year", ""), address)
