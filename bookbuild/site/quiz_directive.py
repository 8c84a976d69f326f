"""Sphinx directive for quiz questions: radio buttons, and an explanation for every option.

The explanations are `<details>`: readers without scripts open them by hand, for all others
`assets/quiz.js` shows the explanation of the option that was chosen. All words come from here and
pass through gettext, so that a translated book has translated quizzes.
"""

from html import escape
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.locale import get_translation
from sphinx.util.docutils import SphinxDirective
from sphinx.writers.html5 import HTML5Translator

from bookbuild.quiz import Option, Passage, parse_quiz

_ = get_translation("bookbuild")


class quiz_node(nodes.General, nodes.Element):  # noqa: N801 - docutils names nodes in lower case
    """A whole question."""


class quiz_part(nodes.General, nodes.Element):  # noqa: N801
    """A part of a question; `opening` and `closing` are the HTML around it."""


class QuizDirective(SphinxDirective):
    """`{quiz} identifier`, with the body that `bookbuild.quiz` describes."""

    required_arguments = 1
    has_content = True
    option_spec: ClassVar[dict[str, Any]] = {"class": directives.class_option}

    def run(self) -> list[nodes.Node]:
        """Parse the body; a malformed one is an error of the build."""
        name = nodes.make_id(self.arguments[0])
        try:
            quiz = parse_quiz(list(self.content))
        except ValueError as error:
            raise self.error(f"quiz {name!r}: {error}") from error
        self._refuse_second(name)
        node = quiz_node("", classes=["quiz"], ids=[name], names=[name])
        node += _part("<legend>", [self._words(quiz.question)], "</legend>")
        node += self._parse(quiz.details)
        for number, option in enumerate(quiz.options):
            node += self._option(name, number, option)
        self.set_source_info(node)
        self.state.document.note_explicit_target(node)  # other pages refer to it by its name
        return [node]

    def _option(self, name: str, number: int, option: Option) -> nodes.Node:
        verdict, kind = (_("✓ Right."), "right") if option.right else (_("✗ No."), "wrong")
        box = f'<input type="radio" name="{escape(name)}" value="{number}">'
        choice = _part(f"<label>{box}", [self._words(option.text)], "</label>")
        opening = (
            f'<details class="quiz-explanation quiz-{kind}">'
            f"<summary>{escape(_('Explanation'))}</summary>"
            f'<p class="quiz-verdict">{escape(verdict)}</p>'
        )
        explanation = _part(opening, self._parse(option.explanation), "</details>")
        return _part('<div class="quiz-option">', [choice, explanation], "</div>")

    def _parse(self, passage: Passage) -> list[nodes.Node]:
        holder = nodes.container()
        lines = StringList(list(passage.lines), source=self.get_source_info()[0])
        self.state.nested_parse(lines, self.content_offset + passage.offset, holder)
        return list(holder.children)

    def _words(self, passage: Passage) -> nodes.Node:
        """Text without blocks, the only kind that labels and legends may hold."""
        line = self.content_offset + passage.offset
        children, messages = self.state.inline_text(passage.text, line)
        return nodes.inline(passage.text, "", *children, *messages)

    def _refuse_second(self, name: str) -> None:
        seen = self.env.temp_data.setdefault("bookbuild_quizzes", set())
        if name in seen:
            raise self.error(f"quiz {name!r} exists already on this page: choose another name")
        seen.add(name)


def _part(opening: str, children: list[nodes.Node], closing: str) -> quiz_part:
    part = quiz_part("", opening=opening, closing=closing)
    part += children
    return part


def _open_quiz(self: HTML5Translator, node: quiz_node) -> None:
    self.body.append(self.starttag(node, "fieldset"))


def _close_quiz(self: HTML5Translator, node: quiz_node) -> None:
    self.body.append("</fieldset>\n")


def _open_part(self: HTML5Translator, node: quiz_part) -> None:
    self.body.append(node["opening"])


def _close_part(self: HTML5Translator, node: quiz_part) -> None:
    self.body.append(node["closing"] + "\n")


def _plain(self: Any, node: nodes.Element) -> None:
    """Other builders show the text in order."""


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive and its script; called by Sphinx."""
    plain = (_plain, _plain)
    app.add_node(quiz_node, html=(_open_quiz, _close_quiz), latex=plain, text=plain)
    app.add_node(quiz_part, html=(_open_part, _close_part), latex=plain, text=plain)
    app.add_directive("quiz", QuizDirective)
    app.add_js_file("quiz.js", loading_method="defer")
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
