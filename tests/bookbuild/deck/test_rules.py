"""What the back row of a lecture hall could not read is an error that names the slide."""

import pytest
from decks import stacks

from bookbuild.deck.rules import check_slides
from bookbuild.source import SourceError

PICTURE = ("markdown", "-", '<img src="data:," alt="a dot">')
NOTES = ("markdown", "notes", "Two minutes.")
TITLE = [("markdown", "slide", "# A title"), PICTURE, NOTES]
SECOND = ("markdown", "slide", "## Second")


@pytest.mark.parametrize(
    ("cells", "complaint"),
    [
        ([("markdown", "slide", "# A title"), NOTES], "1: slide 1: the title must have a picture"),
        ([*TITLE, SECOND], "4: slide 2: notes must say how many minutes it takes"),
        (
            [*TITLE, SECOND, ("plain", "-", "1\n2\n3"), ("plain", "fragment", "4\n5"), NOTES],
            "4: slide 2: console text must be at most 4 lines, but it is 5",
        ),
        (
            [*TITLE, ("markdown", "subslide", "```text\n1\n2\n3\n4\n5\n```"), NOTES],
            "4: slide 2: console text must be at most 4 lines, but it is 5",
        ),
    ],
)
def test_a_slide_that_breaks_a_rule_is_named(
    cells: list[tuple[str, str, str]], complaint: str
) -> None:
    with pytest.raises(SourceError) as caught:
        check_slides(stacks(*cells), "01-sample.md")
    assert str(caught.value).startswith(f"01-sample.md:{complaint}")


def test_code_on_a_slide_is_short() -> None:
    def check(lines: int) -> None:
        block = "\n".join(["```python", *["x = 1"] * (lines - 2), "```"])
        cells = [*TITLE, SECOND, ("code", "-", "y = 2\nz = 3"), ("markdown", "-", block), NOTES]
        check_slides(stacks(*cells), "01-sample.md")

    check(12)
    with pytest.raises(
        SourceError, match="4: slide 2: code must be at most 12 lines, but it is 13"
    ):
        check(13)
