"""A deck as a speaker meets it: walked by keyboard, opened from a file, printed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from decks import misfits, stacks
from playwright.sync_api import Page

from bookbuild.deck.make import copy_shared_files, deck_page
from bookbuild.deck.slides import Slide

FRAME = (1280, 720)
TABLE = (
    '<div class="course-table" tabindex="0"><table><caption>Right strings</caption>'
    '<thead><tr><th scope="col">letters</th><th scope="col">right</th></tr></thead>'
    "<tbody><tr><td>5</td><td>99 %</td></tr><tr><td>10</td><td><mark>53 %</mark></td></tr></tbody>"
    "</table></div>"
)
PICTURE = (
    '<img alt="A wide box" src="data:image/svg+xml,'
    "%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 680 240'%3E"
    "%3Crect width='680' height='240' fill='teal'/%3E%3C/svg%3E\">"
)
WHOLE = stacks(
    ("markdown", "slide", "# The title"),
    ("markdown", "-", PICTURE),
    ("markdown", "slide", "## Question\n\nHow many are right?"),
    ("html", "fragment", TABLE),
    ("markdown", "slide", "\n".join(["| incomprehensible " * 3 + "|", "|---" * 3 + "|"])),
    ("markdown", "slide", "## Picture\n\nOne line\n\n" + PICTURE),
    ("code", "slide", "\n".join(["x" * 72] * 12)),
)


def slide(page: Page) -> str:
    """The words of the slide that is shown."""
    return page.locator("section.present:not(:has(section))").inner_text()


@pytest.fixture
def deck(reader: Any, tmp_path: Path) -> Callable[..., Any]:
    """Opens a deck of these slides in a fresh page."""
    copy_shared_files(tmp_path / "shared")

    def opened(page: Page, slides: list[list[Slide]], query: str = "") -> None:
        file = tmp_path / "deck.html"
        file.write_text(deck_page("The title", "A course · Chapter 01", slides, ""), "utf-8")
        page.goto(file.as_uri() + query)

    return opened


def ready(page: Page) -> None:
    """Wait until the deck says that it stands."""
    page.wait_for_selector('html[data-deck="ready"]', state="attached")


def test_a_deck_is_walked_by_keyboard(visit: Any, reader: Any) -> None:
    with visit("slides/01-sample.html", FRAME) as page:
        assert slide(page).startswith("A small book · Chapter 01\n\nA sample chapter")
        assert "Two minutes" not in slide(page)
        assert "Ask who has met" in page.evaluate("Reveal.getSlideNotes()")
        page.keyboard.press("ArrowRight")
        assert slide(page).startswith("Only in the deck")
        assert page.locator("section.present mjx-container").count() == 1
        assert reader.faults(page) == []
        page.keyboard.press("ArrowRight")
        assert page.locator("section.present img").get_attribute("alt").startswith("Two dots")
        page.keyboard.press("ArrowRight")
        assert slide(page).strip().endswith("6")
        page.keyboard.press("ArrowRight")
        picture = page.locator("section.present img")
        assert picture.get_attribute("alt") == "A line that rises from 1 to 3."
        assert "plt.subplots" not in slide(page)  # hidden input stays hidden
        page.keyboard.press("ArrowRight")
        page.get_by_label("Predict: what is twice this?").focus()
        page.keyboard.press("ArrowRight")
        assert page.locator("section.present output").inner_text().strip() == "twice is 6"
        # A clicker goes on and back all the same; Escape gives the keys back.
        here = slide(page)
        page.keyboard.press("PageUp")
        assert slide(page) != here
        page.keyboard.press("PageDown")
        page.get_by_label("Predict: what is twice this?").focus()
        page.keyboard.press("Escape")
        page.keyboard.press("ArrowLeft")
        assert slide(page) != here
        assert page.get_by_label("Predict: what is twice this?").input_value() == "3"


def test_a_deck_works_from_a_file_and_prints(reader: Any, deck: Any) -> None:
    with reader.open(*FRAME) as page:
        complaints = reader.watch(page)
        deck(page, WHOLE)
        ready(page)
        with page.expect_navigation(url="**?view=print*"):
            page.keyboard.press("e")
        ready(page)
        paper = page.pdf(prefer_css_page_size=True)
        assert paper.count(b"/Type /Page\n") == page.locator(".pdf-page").count() == len(WHOLE)
        assert complaints == []


def test_the_title_names_the_course_and_has_a_picture(reader: Any, deck: Any) -> None:
    with reader.open(*FRAME) as page:
        deck(page, WHOLE)
        ready(page)
        assert slide(page).split("\n\n") == ["A course · Chapter 01", "The title"]
        assert page.locator("section.present img").bounding_box()["height"] > 280
        page.keyboard.press("ArrowRight")
        assert page.locator("section.present .above").count() == 0


def test_an_answer_comes_after_its_question(reader: Any, deck: Any) -> None:
    with reader.open(*FRAME) as page:
        deck(page, WHOLE, "#/1")
        ready(page)
        question, answer = page.locator("section.present p"), page.locator("mark")
        assert question.is_visible() and not answer.is_visible()
        before = question.bounding_box()
        page.keyboard.press("ArrowRight")
        assert answer.is_visible()
        assert question.bounding_box() == before  # the words stay where they were
        assert reader.faults(page) == []


@pytest.mark.parametrize("query", ["", "?view=print"])
def test_slides_that_fit_have_margins_on_screen_and_on_paper(
    reader: Any, deck: Any, query: str
) -> None:
    with reader.open(*FRAME) as page:
        deck(page, WHOLE, query)
        ready(page)
        assert misfits(page) == []


@pytest.mark.parametrize(
    ("cell", "complaint"),
    [
        (("markdown", "-", "word " * 300), 'slide 2 "Second": P is too tall'),
        (("plain", "-", "x" * 80), 'slide 2 "Second": PRE is too wide'),
        (("code", "-", "x" * 80), 'slide 2 "Second": PRE is too wide'),
        (("markdown", "-", f"$${'x + ' * 60}x$$"), 'slide 2 "Second": MJX-CONTAINER is too wide'),
        (("markdown", "-", "word " * 120 + "\n\n" + PICTURE), 'slide 2 "Second": IMG is too tall'),
        (
            ("html", "-", '<p style="font-size: 27px">small</p>'),
            'slide 2 "Second": P must be at least 28 px, but it is 27 px',
        ),
    ],
)
def test_what_does_not_fit_is_named(
    reader: Any, deck: Any, cell: tuple[str, str, str], complaint: str
) -> None:
    slides = stacks(("markdown", "slide", "# First"), ("markdown", "slide", "## Second"), cell)
    with reader.open(*FRAME) as page:
        deck(page, slides, "?view=print")
        ready(page)
        assert [found[: len(complaint)] for found in misfits(page)] == [complaint]


@pytest.mark.parametrize("width", [1280, 360])
def test_without_scripts_every_slide_can_be_read(reader: Any, deck: Any, width: int) -> None:
    with reader.open(width, 720, java_script_enabled=False) as page:
        deck(page, WHOLE)
        tops = [frame.bounding_box()["y"] for frame in page.locator(".frame").all()]
        assert tops == sorted(set(tops))
        for words in ("The title", "How many are right?", "53 %", "Picture"):
            assert page.get_by_text(words, exact=True).is_visible(), words
        assert all(picture.bounding_box()["height"] > 100 for picture in page.locator("img").all())
        assert page.locator("body").evaluate("body => body.scrollWidth") <= width
