"""Chapters and decks as readers meet them, by mouse and by keyboard."""

import gzip
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Response

from bookbuild.project import Project

DESKTOP = (1280, 900)
PHONE = (360, 740)
FRAME = (1280, 720)
COMPRESSED_BUDGET = 1_500_000
DECODED_BUDGET = 4_000_000


@pytest.fixture(scope="session")
def site(sample: Project, serve: Callable[[Path], str]) -> str:
    """The address of the sample book's site."""
    return serve(sample.build / "html")


@pytest.fixture(scope="session")
def chapter(reader: Any, site: str) -> Callable[..., Any]:
    """Opens the sample chapter; afterwards, nothing may have been complained about."""

    @contextmanager
    def open_chapter(
        name: str = "01-sample.html", size: tuple[int, int] = DESKTOP, mode: str = "light"
    ) -> Iterator[Page]:
        with reader.open(*size, mode) as page:
            complaints = reader.watch(page)
            page.goto(site + name)
            page.wait_for_selector('html[data-widgets="ready"]', state="attached")
            if name.startswith("slides/"):
                page.wait_for_selector('html[data-deck="ready"]', state="attached")
            yield page
            assert complaints == []

    return open_chapter


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_a_widget_lives_without_a_kernel(chapter: Any, size: tuple[int, int]) -> None:
    with chapter(size=size) as page:
        slider = page.get_by_label("Predict: what is twice this?")
        output = page.locator(".widget output")
        assert output.inner_text().strip() == "twice is 4"
        slider.focus()
        page.keyboard.press("ArrowRight")
        assert output.inner_text().strip() == "twice is 6"
        box = slider.bounding_box()
        page.mouse.click(box["x"] + box["width"] - 1, box["y"] + box["height"] / 2)
        assert output.inner_text().strip() == "twice is 20"
        assert output.evaluate("element => getComputedStyle(element).fontWeight") == "700"
        assert not page.locator(".widget-still").is_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0]


def test_without_scripts_there_is_a_picture(reader: Any, site: str) -> None:
    with reader.open(*DESKTOP, java_script_enabled=False) as page:
        page.goto(site + "01-sample.html")
        still = page.locator(".widget-still img")
        assert still.is_visible()
        assert still.get_attribute("alt") == 'A slider at 2 with the text "twice is 4".'
        # The quiz opens its explanations by hand.
        explanation = page.locator(".quiz details").nth(1)
        assert not explanation.get_by_text("The denominator").is_visible()
        explanation.locator("summary").click()
        assert explanation.get_by_text("The denominator").is_visible()


def test_a_widget_that_fails_keeps_its_picture(reader: Any, site: str) -> None:
    with reader.open(*DESKTOP) as page:
        page.route(
            "**/01-sample.html",
            lambda route: route.fulfill(
                body=route.fetch().text().replace("export default {", "export default { broken"),
                content_type="text/html",
            ),
        )
        page.goto(site + "01-sample.html")
        page.wait_for_selector('html[data-widgets="ready"]', state="attached")
        assert page.locator(".widget-still img").is_visible()


BUFFERS = """
const state = {
  a: { state: { _esm: `export default { render({ model, el }) {
         const seen = [model.get("numbers").getUint8(1), model.get("part").deep.getUint8(0)];
         el.id = "buffers"; el.textContent = seen.join(" "); } }`, part: {} },
       buffers: [{ encoding: "base64", path: ["numbers"], data: "AQI=" },
                 { encoding: "base64", path: ["part", "deep"], data: "Bw==" }] } };
const add = (type, value) => {
  const script = document.createElement("script");
  script.type = `application/vnd.jupyter.widget-${type}+json`;
  script.textContent = JSON.stringify(value);
  document.querySelector("article").append(script);
};
add("state", { state });
add("view", { model_id: "a" });
"""


def test_binary_values_reach_the_widget(reader: Any, site: str) -> None:
    with reader.open(*DESKTOP) as page:
        complaints = reader.watch(page)
        page.goto(site + "02-plain.html")
        page.evaluate(BUFFERS)
        page.add_script_tag(url=site + "_static/widget-host.js")
        page.wait_for_selector("#buffers")
        assert page.locator("#buffers").inner_text() == "2 7"
        assert complaints == []


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_a_quiz_explains_every_answer(chapter: Any, reader: Any, mode: str) -> None:
    with chapter(mode=mode) as page:
        quiz = page.get_by_role("group", name="What do the weights of softmax sum to?")
        feedback = quiz.get_by_role("status")
        assert feedback.inner_text() == ""
        quiz.get_by_label("3. That is how many").check()
        assert feedback.inner_text().startswith("Not this one.")
        assert "Each weight would be 1 then." in feedback.inner_text()
        page.keyboard.press("ArrowDown")
        assert feedback.inner_text().startswith("Right.")
        assert "quiz-right" in feedback.get_attribute("class")
        page.keyboard.press("ArrowDown")
        assert "and the others small." in feedback.inner_text()
        assert reader.faults(page) == []


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_a_chapter_is_accessible(chapter: Any, reader: Any, mode: str) -> None:
    with chapter(mode=mode) as page:
        assert reader.faults(page) == []


def test_every_icon_is_there(chapter: Any, sample: Project) -> None:
    script = sample.build / "html" / "_static" / "scripts" / "fontawesome.js"
    assert script.stat().st_size < 200_000
    with chapter() as page:
        page.wait_for_selector(".article-header-buttons svg[data-icon=person-chalkboard]")
        shown = page.locator("svg[data-icon]").evaluate_all(
            "icons => icons.map((icon) => [icon.dataset.icon, icon.querySelector('path') !== null])"
        )
        assert len(shown) >= 5
        assert [name for name, drawn in shown if not drawn] == []


def test_a_chapter_fits_a_phone(chapter: Any) -> None:
    with chapter(size=PHONE, mode="dark") as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]


def test_exercises_fold_their_solutions(chapter: Any) -> None:
    with chapter() as page:
        solution = page.locator(".solution", has_text="Add it to itself.")
        assert not solution.get_by_text("Add it to itself.").is_visible()
        solution.locator(".toggle-button").click()
        assert solution.get_by_text("Add it to itself.").is_visible()


def slide(page: Page) -> str:
    """The words of the slide that is shown."""
    return page.locator("section.present:not(:has(section))").inner_text()


def test_a_deck_is_walked_by_keyboard(chapter: Any, reader: Any) -> None:
    with chapter("slides/01-sample.html", FRAME) as page:
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


def test_nothing_on_a_slide_is_cut_off(chapter: Any) -> None:
    with chapter("slides/01-sample.html", FRAME) as page:
        for number in range(page.evaluate("Reveal.getTotalSlides()")):
            page.evaluate(f"Reveal.slide({number})")
            bottom = page.evaluate(
                "Math.max(...[...document.querySelectorAll('section.present > *')]"
                ".map((part) => part.getBoundingClientRect().bottom))"
            )
            assert bottom <= FRAME[1], f"slide {number + 1} reaches down to {bottom}"


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


def moved(reader: Any, address: str) -> tuple[int, int]:
    """Bytes of a first visit: as a compressing host would send them, and decoded."""
    responses: list[Response] = []
    with reader.open(*DESKTOP) as page:
        page.on("response", lambda response: responses.append(response))
        page.goto(address, wait_until="networkidle")
        bodies = [
            response.body()
            for response in responses
            if response.url.startswith("http") and response.ok
        ]
    decoded = sum(map(len, bodies))
    return sum(len(gzip.compress(body, 6)) for body in bodies), decoded


@pytest.mark.parametrize("name", ["01-sample.html", "slides/01-sample.html"])
def test_a_first_visit_stays_within_its_budget(reader: Any, site: str, name: str) -> None:
    compressed, decoded = moved(reader, site + name)
    assert 0 < compressed <= COMPRESSED_BUDGET
    assert 0 < decoded <= DECODED_BUDGET
