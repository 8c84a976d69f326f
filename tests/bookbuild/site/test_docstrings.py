"""Docstrings in Markdown become the reStructuredText that autodoc expects."""

from bookbuild.site.docstrings import to_restructured_text


def convert(text: str) -> str:
    return "\n".join(to_restructured_text(text.split("\n")))


def test_code_is_marked() -> None:
    assert (
        convert("`query` and ``key``, all `value`s") == "``query`` and ``key``, all ``value``\\ s"
    )


def test_code_may_run_over_a_line() -> None:
    assert convert("call `attend(query,\nkey)` now") == "call ``attend(query,\nkey)`` now"


def test_shapes_are_no_markup() -> None:
    assert convert("*batch or a|b, bias_, d_model") == "\\*batch or a\\|b, bias\\_, d_model"


def test_bold_text_stays() -> None:
    assert convert("**True = may attend**") == "**True = may attend**"


def test_examples_stay() -> None:
    text = "Example::\n\n    a * b | `c`\n\nthen *d"
    assert convert(text) == "Example::\n\n    a * b | `c`\n\nthen \\*d"
    assert convert(">>> a * b\n") == ">>> a * b\n"


def test_returns_is_prose_with_colons() -> None:
    text = "Returns:\n    Two things: `a[:, 0]`\n    and b.\n\nRaises:\n    ValueError: no."
    assert convert(text) == (
        ":returns: Two things: ``a[:, 0]``\n    and b.\n\nRaises:\n    ValueError: no."
    )


def test_attributes_are_parameters() -> None:
    assert convert("Attributes:\n    heads: H.") == "Args:\n    heads: H."
