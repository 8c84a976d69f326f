"""A deck as a speaker meets it: walked by keyboard, opened from a file, printed."""

from typing import Any

from playwright.sync_api import Page

from bookbuild.project import Project

FRAME = (1280, 720)


def slide(page: Page) -> str:
    """The words of the slide that is shown."""
    return page.locator("section.present:not(:has(section))").inner_text()


def test_a_deck_is_walked_by_keyboard(visit: Any, reader: Any) -> None:
    with visit("slides/01-sample.html", FRAME) as page:
        assert slide(page).startswith("A sample chapter")
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


def test_a_deck_works_from_a_file_and_prints(reader: Any, sample: Project) -> None:
    deck = sample.build / "html" / "slides" / "01-sample.html"
    with reader.open(*FRAME) as page:
        complaints = reader.watch(page)
        page.goto(deck.as_uri())
        page.wait_for_selector('html[data-deck="ready"]', state="attached")
        assert page.locator("section.present h1").is_visible()
        slides = page.evaluate("Reveal.getTotalSlides()")
        page.goto(deck.as_uri() + "?print-pdf")
        page.wait_for_selector('html[data-deck="ready"]', state="attached")
        assert page.locator(".pdf-page").count() == slides
        paper = page.pdf(prefer_css_page_size=True)
        assert paper.count(b"/Type /Page\n") == slides
        assert complaints == []
