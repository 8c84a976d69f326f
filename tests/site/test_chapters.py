"""Every chapter in a browser: widgets live, quizzes answer, decks advance, visits are light."""

import gzip
from pathlib import Path

import pytest
from browsing import Reader
from decks import misfits
from playwright.sync_api import Page

DESKTOP = (1280, 900)
PHONE = (360, 740)
FRAME = (1280, 720)
COMPRESSED_BUDGET = 1_500_000
DECODED_BUDGET = 4_000_000
CHAPTERS = sorted(
    path.stem for path in (Path(__file__).parents[2] / "book").glob("[0-9][0-9]-*.md")
)


def show(page: Page, address: str, *ready: str) -> None:
    """Open a page and wait until its scripts say that they are done."""
    page.goto(address)
    for part in ready:
        page.wait_for_selector(f'html[data-{part}="ready"]', state="attached")


@pytest.mark.parametrize("name", CHAPTERS)
def test_every_widget_answers_the_keyboard(reader: Reader, address: str, name: str) -> None:
    with reader.open(*DESKTOP) as page:
        complaints = reader.watch(page)
        show(page, f"{address}{name}.html", "widgets")
        for widget in page.locator(".widget").all():
            before = widget.screenshot()
            control = widget.locator("input, select, button").first
            control.focus()
            page.keyboard.press("ArrowRight")
            page.keyboard.press("Space")
            assert widget.screenshot() != before, "the picture did not change"
        assert page.locator(".widget-still:visible").count() == 0
        assert complaints == []


@pytest.mark.parametrize("name", CHAPTERS)
def test_every_quiz_answers(reader: Reader, address: str, name: str) -> None:
    with reader.open(*PHONE, "dark") as page:
        show(page, f"{address}{name}.html", "widgets")
        questions = page.locator("fieldset.quiz").all()
        assert len(questions) >= 5
        for question in questions:
            said = set()
            for choice in question.locator("input").all():
                choice.check()
                said.add(question.get_by_role("status").inner_text())
            assert len(said) == question.locator("input").count()
            assert sum(text.startswith("✓ Right.") for text in said) == 1


@pytest.mark.parametrize("name", CHAPTERS)
def test_every_slide_is_whole_and_accessible(reader: Reader, address: str, name: str) -> None:
    with reader.open(*FRAME) as page:
        complaints = reader.watch(page)
        show(page, f"{address}slides/{name}.html", "deck", "widgets")
        total = page.evaluate("Reveal.getTotalSlides()")
        assert 15 <= total <= 25
        seen, wrong = set(), []
        for _ in range(total):
            wrong += misfits(page)
            seen.add(page.evaluate("JSON.stringify(Reveal.getIndices())"))
            while page.evaluate("Reveal.availableFragments().next"):
                page.keyboard.press("Space")
            page.keyboard.press("Space")
        assert len(seen) == total
        # The print view has all of them at once.
        show(page, f"{address}slides/{name}.html?view=print", "deck", "widgets")
        assert page.locator(".pdf-page").count() == total
        wrong += misfits(page)
        assert wrong == []
        assert reader.faults(page) == []
        assert complaints == []


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_first_visit_stays_within_its_budget(reader: Reader, address: str, name: str) -> None:
    for place in (f"{name}.html", f"slides/{name}.html"):
        bodies: list[bytes] = []
        with reader.open(*DESKTOP) as page:
            responses = []
            page.on("response", lambda response, seen=responses: seen.append(response))
            page.goto(address + place, wait_until="networkidle")
            bodies += [
                response.body()
                for response in responses
                if response.url.startswith("http") and response.ok
            ]
        assert 0 < sum(map(len, bodies)) <= DECODED_BUDGET, place
        assert sum(len(gzip.compress(body, 6)) for body in bodies) <= COMPRESSED_BUDGET, place


# Open code, and what it prints: the rest is prose, pictures, tables and questions.
SHARE_OF_CODE = """() => {
  const parts = document.querySelectorAll(
    ".cell_input, .cell_output .output:is(.stream, .text_plain)"
  );
  const open = [...parts].filter((part) => !part.closest("details:not([open])"));
  const height = open.reduce((sum, part) => sum + part.offsetHeight, 0);
  return height / document.querySelector("article").offsetHeight;
}"""


@pytest.mark.parametrize("name", CHAPTERS)
def test_the_lesson_stands_in_front(reader: Reader, address: str, name: str) -> None:
    with reader.open(*DESKTOP) as page:
        show(page, f"{address}{name}.html", "widgets")
        assert 0.1 < page.evaluate(SHARE_OF_CODE) <= 0.35
