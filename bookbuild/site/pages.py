"""Sphinx extension: pages of chapters get their stored outputs, their links and their scripts."""

import shutil
from html import escape
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.transforms.post_transforms import SphinxPostTransform

from bookbuild.hosting import Stamp
from bookbuild.notebook.stored import read_stored
from bookbuild.project import Project
from bookbuild.site.graft import graft, graft_stand_ins
from bookbuild.site.links import add_links
from bookbuild.source import SourceError, page_text
from bookbuild.widgets import HOST, STATE, VIEW, saved_state, script_text

_ASSETS = Path(__file__).parent / "assets"
_PICTURES = ("image/svg+xml", "image/png")


def _project(app: Sphinx) -> Project:
    return Project(Path(app.srcdir).parent)


def _chapter(app: Sphinx, name: str) -> Path | None:
    path = Path(app.srcdir, f"{name}.md")
    return path if path in _project(app).chapters else None


def _give_outputs(app: Sphinx, name: str, source: list[str]) -> None:
    """Leave the slide-only blocks out and put the stored outputs where MyST-NB looks for them."""
    path = _chapter(app, name)
    if path is None:
        return
    project = _project(app)
    cache = Path(app.config.nb_execution_cache_path)
    try:
        source[0] = page_text(path, project.markdown_extensions, source[0])
        if app.config.bookbuild_outputs == "stand-ins":
            graft_stand_ins(source[0], path, project.markdown_extensions, cache)
            return
        stored = read_stored(project, name)
        app.env.note_dependency(str(project.notebook(name)))
        graft(source[0], path, project.markdown_extensions, stored, cache)
    except SourceError as error:
        raise ExtensionError(str(error)) from error


class DropSharedIds(SphinxPostTransform):
    """Take away the ids that sphinx-exercise gives to every exercise and every solution alike."""

    default_priority = 3

    def run(self, **kwargs: Any) -> None:
        """Leave each section's other ids, by which pages refer to it, as they are."""
        for section in self.document.findall(nodes.section):
            shared = {"exercise-content", "solution-content"}
            section["ids"] = [name for name in section["ids"] if name not in shared]


class KeepStillPicture(SphinxPostTransform):
    """Put a widget's still picture behind it: the host takes it away once the widget lives."""

    default_priority = 3  # before MyST-NB keeps one kind of output and drops the others

    def run(self, **kwargs: Any) -> None:
        """Join picture and widget into one output."""
        if self.app.builder.format != "html":
            return
        for bundle in list(self.document.findall(nodes.container)):
            if bundle.get("nb_element") != "mime_bundle":
                continue
            shown = {child["mime_type"]: child for child in bundle.children}
            picture = next((shown[kind] for kind in _PICTURES if kind in shown), None)
            if VIEW in shown and picture is not None:
                still = nodes.container(classes=["widget-still"])
                still += picture.children
                shown[VIEW] += still


def _dress_page(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Give chapters their links and widgets; mend what the theme and docutils left undone."""
    if _chapter(app, page) is not None:
        config = app.config
        stamp = Stamp(config.bookbuild_repository, config.html_baseurl)
        add_links(context, page, stamp)
        if saved := saved_state(read_stored(_project(app), page)):
            app.add_js_file(None, type=STATE, body=script_text(saved))
    kinds = nodes.math, nodes.math_block
    if doctree is None or not any(True for kind in kinds for _ in doctree.findall(kind)):
        # Sphinx loads it also on a page without formulas whose parts have some.
        scripts = context.get("script_files", [])
        context["script_files"] = [one for one in scripts if "mathjax" not in str(one.filename)]
    # The theme sets it as plain text and shows it as HTML.
    context["pagetitle"] = escape(context.get("pagetitle", ""))
    # Roles that ARIA gave up, and a label that hides the line above folded code.
    unwanted = ' role="doc-biblioentry"', ' role="list"', ' aria-label="Toggle hidden content"'
    for attribute in unwanted:
        context["body"] = context.get("body", "").replace(attribute, "")


def _copy_files(app: Sphinx, error: Exception | None) -> None:
    """Put the notebooks and the decks beside the pages that lead to them."""
    if error is not None or app.builder.format != "html":
        return
    for name in ("notebooks", "slides"):
        shutil.rmtree(Path(app.outdir, name), ignore_errors=True)
        shutil.copytree(app.config[f"bookbuild_{name}"], Path(app.outdir, name))


def _configure(app: Sphinx, config: Any) -> None:
    config.html_static_path = [*config.html_static_path, str(_ASSETS), str(HOST.parent)]
    config.nb_execution_mode = "cache"
    # Beside the doctrees, so that two builds never share a cache that one of them rewrites.
    config.nb_execution_cache_path = str(Path(app.doctreedir).parent / "outputs")
    config.nb_execution_raise_on_error = True


def setup(app: Sphinx) -> dict[str, Any]:
    """Register everything; called by Sphinx."""
    for name, default in {
        "bookbuild_notebooks": "",
        "bookbuild_outputs": "stored",
        "bookbuild_repository": "",
        "bookbuild_slides": "",
    }.items():
        app.add_config_value(name, default, "env", str)
    # Before MyST-NB makes its own copy of the configuration.
    app.connect("config-inited", _configure, priority=100)
    app.connect("source-read", _give_outputs)
    app.connect("html-page-context", _dress_page, priority=950)  # after the theme added its own
    app.connect("build-finished", _copy_files)
    app.add_post_transform(DropSharedIds)
    app.add_post_transform(KeepStillPicture)
    app.setup_extension("bookbuild.site.exercise_index")
    app.setup_extension("bookbuild.site.folds")
    app.setup_extension("bookbuild.site.lecture_plan")
    app.setup_extension("bookbuild.site.quiz_directive")
    app.add_js_file(HOST.name, loading_method="defer")
    app.add_css_file("chapter.css")
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
