"""Cells become slides by their `slide_type`; what makes no slide is named with its line."""

import pytest
from decks import stacks

from bookbuild.source import SourceError


def test_slides_stack_and_notes_stay_beside_them() -> None:
    found = stacks(
        ("markdown", "", "page only"),
        ("markdown", "slide", "one"),
        ("markdown", "notes", "say it"),
        ("markdown", "fragment", "two"),
        ("markdown", "subslide", "below"),
        ("code", "slide", "x = 1"),
        ("markdown", "-", "after"),
    )
    assert [len(stack) for stack in found] == [2, 1]
    first, below = found[0]
    assert first.parts == ["<p>one</p>\n", '<div class="fragment"><p>two</p>\n</div>']
    assert first.notes == ["<p>say it</p>\n"]
    assert below.parts == ["<p>below</p>\n"]
    assert found[1][0].parts[1] == "<p>after</p>\n"


@pytest.mark.parametrize(
    ("cells", "complaint"),
    [
        ([("markdown", "", "a")], "01-sample.md: no slides"),
        ([("markdown", "slides", "a")], "01-sample.md:1: slide_type 'slides': expected one of"),
        ([("markdown", "-", "a")], "01-sample.md:1: slide_type '-' before the first slide"),
        ([("check", "slide", "assert x")], "01-sample.md:1: a check has no place on a slide"),
    ],
)
def test_what_makes_no_slide_is_named(cells: list[tuple[str, str, str]], complaint: str) -> None:
    with pytest.raises(SourceError) as caught:
        stacks(*cells)
    assert str(caught.value).startswith(complaint)
