"""MyST becomes Markdown that every notebook program shows, and what is unknown is refused."""

from dataclasses import replace
from pathlib import Path

import pytest

from bookbuild.hosting import Stamp
from bookbuild.notebook.blocks import convert_blocks
from bookbuild.notebook.context import Context
from bookbuild.notebook.convert import convert_chapter
from bookbuild.notebook.directives import SOLUTION_END, SOLUTION_START
from bookbuild.notebook.inline import convert_inline
from bookbuild.notebook.plain import faults
from bookbuild.project import Project
from bookbuild.references import Target
from bookbuild.source import SourceError


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("see {eq}`softmax`", "see (1.1)"),
        ("{numref}`dots`, {numref}`Figure %s <dots>`", "Fig. 1.2, Figure 1.2"),
        ("{numref}`ex-01-one` or {ref}`ex-01-one`", "Exercise 1.3 or Exercise 1.3"),
        ("{ref}`scores` and {ref}`the scores <scores>`", "All the scores and the scores"),
        ("{doc}`02-next` and {doc}`next <02-next>`", "The next chapter and next"),
        ("{term}`attention`, {term}`Attending <attention>`", "attention, Attending"),
        ("{cite:t}`cho2014`", "[Cho et al. (2014)](https://arxiv.org/abs/1406.1078)"),
        ("{cite:p}`luong2015`", "(Luong et al., 2015)"),
        ("{py:class}`~transformer_lite.Seq2Seq`", "`Seq2Seq`"),
        ("{math}`a_i`, {kbd}`Tab`, H{sub}`2`", "$a_i$, <kbd>Tab</kbd>, H<sub>2</sub>"),
        ("[the web](https://example.org/)", "[the web](https://example.org/)"),
        ("[](02-next.md) and [it](02-next.md#top)", "The next chapter and it"),
        ("[the scores](#scores)", "the scores"),
        ("`{eq}` and ``{eq}`softmax` `` stay code", "`{eq}` and ``{eq}`softmax` `` stay code"),
        ("$f[x](y) + {a}$ stays maths", "$f[x](y) + {a}$ stays maths"),
        (r"\{eq\} and \$5 and \[a](b)", r"\{eq\} and \$5 and \[a](b)"),
    ],
)
def test_roles_and_links_become_words(source: str, expected: str, context: Context) -> None:
    assert convert_inline(source, 1, context) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{eq}`softmax`", "[(1.1)](https://site.example/01-sample.html#equation-softmax)"),
        ("{doc}`02-next`", "[The next chapter](https://site.example/02-next.html)"),
        ("[it](02-next.md#top)", "[it](https://site.example/02-next.html#top)"),
        (
            "{py:class}`transformer_lite.Seq2Seq`",
            "[`transformer_lite.Seq2Seq`](https://site.example/api/models.html#Seq2Seq)",
        ),
    ],
)
def test_a_hosted_copy_links_into_its_book(source: str, expected: str, context: Context) -> None:
    hosted = replace(context, stamp=Stamp(site="https://site.example/"))
    assert convert_inline(source, 1, hosted) == expected


@pytest.mark.parametrize("site", ["", "https://site.example/"])
@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{doc}`02-next`", "[The next chapter](02-next.ipynb)"),
        ("[it](02-next.md#top)", "[it](02-next.ipynb)"),
        ("{ref}`ideas` and {numref}`line`", "[Ideas](02-next.ipynb) and [Fig. 2.1](02-next.ipynb)"),
    ],
)
def test_another_chapter_is_linked_as_the_notebook_beside(
    source: str, expected: str, site: str, context: Context
) -> None:
    references = replace(
        context.references,
        sections={"ideas": Target("Ideas", "02-next.html#ideas")},
        figures={"line": Target("2.1", "02-next.html#line")},
    )
    notebooks = frozenset({"01-sample.ipynb", "02-next.ipynb"})
    beside = replace(context, references=references, stamp=Stamp(site=site), notebooks=notebooks)
    assert convert_inline(source, 1, beside) == expected
    assert convert_inline("{eq}`softmax`", 1, replace(beside, stamp=Stamp())) == "(1.1)"


def test_a_term_is_linked_where_a_reader_first_meets_it(context: Context, tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.config.write_text("title: A book\n")
    slide = '+++ {"tags": ["slide-only"], "slideshow": {"slide_type": "slide"}}'
    term = "{term}`attention`, {term}`Attending <attention>`"
    context.chapter.write_text(f"{slide}\n\n{term}\n\n+++\n\n{term}\n\n+++\n\n{term}\n")
    stamp = Stamp(site="https://site.example")
    shown = convert_chapter(context.chapter, project, context.references, stamp)
    link = "[attention](https://site.example/glossary.html#term-attention), Attending"
    assert [one.text for one in shown] == [link, link, "attention, Attending"]


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("{unheard}`of`", "01-sample.md:8: unknown role 'unheard'"),
        ("{eq}`nothing`", "01-sample.md:8: no equation is labelled 'nothing'"),
        ("first\n{term}`nothing`", "01-sample.md:9: no glossary term is labelled 'nothing'"),
        ("{cite:t}`nobody`", "01-sample.md:8: no source has the key 'nobody'"),
        ("{doc}`99-gone`", "01-sample.md:8: no page is labelled '99-gone'"),
        ("[data](results.csv)", "01-sample.md:8: link to 'results.csv'"),
        ("a note[^1]", "01-sample.md:8: '[^1]' has no form in a notebook"),
        ("{{ name }}", "01-sample.md:8: '{{ name }}' has no form in a notebook"),
        ("![](dots.png)", "01-sample.md:8: picture 'dots.png' has no alt text"),
        ("![Dots.](dots.png)", "01-sample.md:8: picture 'dots.png' does not exist"),
    ],
)
def test_unknown_text_is_an_error_with_its_line(
    source: str, complaint: str, context: Context
) -> None:
    with pytest.raises(SourceError) as caught:
        convert_inline(source, 8, context)
    assert str(caught.value).startswith(complaint)


BLOCKS = {
    "plain text": ("One.\n\nTwo.", "One.\n\nTwo."),
    "note": ("```{note}\nMind *this*.\n```", "> **Note**\n>\n> Mind *this*."),
    "titled": (":::{admonition} Why {eq}`softmax`\nSo.\n:::", "> **Why (1.1)**\n>\n> So."),
    "folded": (
        "```{admonition} Answer\n:class: dropdown\n\n42\n```",
        "<details>\n<summary>Answer</summary>\n\n42\n\n</details>",
    ),
    "nested": (
        "::::{note}\nOuter.\n\n:::{tip}\nInner.\n:::\n::::",
        "> **Note**\n>\n> Outer.\n>\n> > **Tip**\n> >\n> > Inner.",
    ),
    "in a list": ("- item\n\n  ```{tip}\n  Do.\n  ```", "- item\n\n  > **Tip**\n  >\n  > Do."),
    "maths": ("$$\na = b\n$$ (softmax)", "$$\na = b \\tag{1.1}\n$$"),
    "maths in rows": (
        "```{math}\n:label: softmax\na &= b \\\\\nc &= d\n```",
        "$$\n\\begin{split}a &= b \\\\\nc &= d\\end{split} \\tag{1.1}\n$$",
    ),
    "maths without label": ("$$\na = b\n$$", "$$\na = b\n$$"),
    "target": ("(scores)=\n## Scores", '<a id="scores"></a>\n\n## Scores'),
    "comment": ("% to the editor\ntext", "\ntext"),
    "code": ("```python\n{eq}`softmax`\n```", "```python\n{eq}`softmax`\n```"),
    "code block": ("```{code-block} python\nx = 1\n```", "```python\nx = 1\n```"),
    "exercise": (
        "```{exercise} One\n:label: ex-01-one\n\nDo it.\n```",
        '<a id="ex-01-one"></a>\n\n#### Exercise 1.3 · One\n\nDo it.',
    ),
    "solution": (
        "```{solution} ex-01-one\n:class: dropdown\n\nDone.\n```",
        f"{SOLUTION_START}Solution to exercise 1.3: opens on a click\nDone.\n{SOLUTION_END}",
    ),
    "table": (
        "```{list-table} T\n:header-rows: 1\n\n* - a\n  - b\n* - 1\n  - {eq}`softmax`\n```",
        "**T**\n\n| a | b |\n| --- | --- |\n| 1 | (1.1) |",
    ),
    "glossary": ("```{glossary}\nword\n  What it\n  means.\n```", "- **word**: What it means."),
}


@pytest.mark.parametrize("name", BLOCKS)
def test_blocks_become_plain_markdown(name: str, context: Context) -> None:
    source, expected = BLOCKS[name]
    assert convert_blocks(source, 1, context) == expected


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("text\n\n```{unheard} of\n```", "01-sample.md:12: unknown directive 'unheard'"),
        (":::{note}\n{unheard}`of`\n:::", "01-sample.md:11: unknown role 'unheard'"),
        (
            "```{admonition} A\n:class: tip\n\none\n{eq}`nothing`\n```",
            "01-sample.md:14: no equation is labelled 'nothing'",
        ),
        ("> ```{note}\n> a\n> ```", "01-sample.md:10: a directive inside a quotation"),
        ("\\begin{align}\na\n\\end{align}", "01-sample.md:10: amsmath has no plain form"),
        ("term\n: meaning", "01-sample.md:10: dl has no plain form"),
        ("$$\na\n$$ (nothing)", "01-sample.md:10: no equation is labelled 'nothing'"),
        ("```{quiz} q\nWhat?\n```", "01-sample.md:10: quiz: expected at least two options"),
        ("```{literalinclude} gone.py\n```", "01-sample.md:10: literalinclude:"),
        ("text\n\n```python\nx = 1", "01-sample.md:12: a block begins with ``` and never ends"),
        (
            "::::{note}\nOuter.\n\n:::{tip}\nInner.\n::::",
            "01-sample.md:13: a block begins with ::: and never ends",
        ),
        ("- item\n\n  ````", "01-sample.md:12: a block begins with ```` and never ends"),
    ],
)
def test_unknown_blocks_are_errors_with_their_line(
    source: str, complaint: str, context: Context
) -> None:
    with pytest.raises(SourceError) as caught:
        convert_blocks(source, 10, context)
    assert str(caught.value).startswith(complaint)


def test_code_of_the_package_is_included_from_its_file(context: Context, tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text("import os\n\n\ndef one():\n    return 1\n")
    source = "```{literalinclude} module.py\n:pyobject: one\n```"
    assert convert_blocks(source, 1, context) == "```python\ndef one():\n    return 1\n```"


def test_pictures_travel_inside_the_notebook(context: Context, tmp_path: Path) -> None:
    (tmp_path / "dots.svg").write_text("<svg/>")
    source = "```{figure} dots.svg\n:name: dots\n:alt: Two dots.\n\nNotice the order.\n```"
    converted = convert_blocks(source, 1, context)
    assert '<img src="data:image/svg+xml;base64,PHN2Zy8+" alt="Two dots.">' in converted
    assert converted.endswith("\n\n**Fig. 1.2.** Notice the order.")


DEAD = {
    "plain": "see [data](results.csv)",
    "titled": 'see [data](results.csv "all of them")',
    "angled": "see [data](<results.csv>)",
    "referenced": "see [data][all]\n\n[all]: results.csv",
    "referenced elsewhere": "[all]: results.csv",
    "picture": "see ![Data.](results.csv 'all')",
    "HTML": "see <a class='x' href='results.csv'>data</a>",
    "HTML picture": "<div>\n<img src=results.csv>\n</div>",
    "in a table": '| a |\n| --- |\n| [data](results.csv "all") |',
}


@pytest.mark.parametrize("form", DEAD)
def test_a_link_to_a_file_that_stays_behind_is_found_in_every_form(form: str) -> None:
    ((words, complaint),) = set(faults(DEAD[form]))
    assert words == "results.csv"
    assert complaint.startswith("link to 'results.csv': a notebook travels without the files")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("```{note}\nraw\n```", ["```{note}"]),
        ("> ```{note} of `x`", ["> ```{note}"]),
        ("{eq}`softmax` and\n\n(target)=", ["{eq}`softmax`", "(target)="]),
        ("[a](https://x.example \"t\"), [b](#c), <a id='d'></a>, <mailto:a@b.example>", []),
        ("$f[x](y)$, `[a](b)`, `{eq}` and\n\n```python\n[a](b)\n```", []),
        ('<img src="data:image/png;base64,AQI=" alt="Dots.">', []),
    ],
)
def test_raw_myst_is_found_and_what_travels_is_not(text: str, expected: list[str]) -> None:
    assert [words for words, _ in faults(text)] == expected


@pytest.mark.parametrize("mark", ["", '+++ {"slideshow": {"slide_type": "notes"}}\n\n'])
def test_what_is_left_over_is_named_with_its_line(
    mark: str, context: Context, tmp_path: Path
) -> None:
    project = Project(tmp_path)
    project.config.write_text("title: A book\n")
    text = f"{mark}One.\n\nTwo, <a href='gone.csv'>\nthree</a>.\n"
    context.chapter.write_text(text)
    line = text[: text.index("gone")].count("\n") + 1
    with pytest.raises(SourceError, match=rf"^01-sample.md:{line}: link to 'gone.csv'"):
        list(convert_chapter(context.chapter, project, context.references, Stamp()))
