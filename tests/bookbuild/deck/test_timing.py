"""The minutes of a deck are what its notes say."""

from pathlib import Path

import pytest

from bookbuild.deck.timing import slide_minutes
from bookbuild.source import SourceError

NOTES = '+++ {"slideshow": {"slide_type": "notes"}}\n\n'
SLIDE = '+++ {"slideshow": {"slide_type": "slide"}}\n\n'


def test_a_slide_has_its_heading_and_its_minutes(tmp_path: Path) -> None:
    chapter = tmp_path / "01-a.md"
    chapter.write_text(
        f"{SLIDE}# A title\n\n{NOTES}One minute.\n\n{SLIDE}No heading\n\n## Not this one\n\n"
        f"{NOTES}Escape first. Ten minutes, of which two minutes at the board.\n"
    )
    assert slide_minutes(chapter, frozenset()) == [("A title", 1), ("", 10)]


def test_notes_without_minutes_are_an_error(tmp_path: Path) -> None:
    chapter = tmp_path / "01-a.md"
    chapter.write_text(f"{SLIDE}# A title\n\n{NOTES}Thirty seconds.\n")
    with pytest.raises(SourceError, match=r"01-a.md:7: notes must say the minutes .*'Thirty"):
        slide_minutes(chapter, frozenset())
