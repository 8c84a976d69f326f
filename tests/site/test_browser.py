"""The built site as readers meet it: in a browser, with every other host out of reach."""

from io import BytesIO
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from browsing import BASELINE, Reader
from PIL import Image
from playwright.sync_api import Locator

DESKTOP = (1280, 900)
PHONE = (360, 740)
FAINT_NAMES = "<style>.highlight .n { color: #ccc !important }</style>"


@pytest.fixture(scope="session")
def unlike(pages: list[str]) -> list[str]:
    """The pages, but one each of the kinds that a machine wrote from docstrings and sources."""
    kept = {"api/index.html", "api/fast.html", "_modules/transformer_lite/masks.html"}
    assert kept <= set(pages)
    generated = ("api/", "_modules/transformer_lite/")
    return [page for page in pages if page in kept or not page.startswith(generated)]


def test_pages_are_quiet_and_fit_a_phone(reader: Reader, address: str, unlike: list[str]) -> None:
    found = {}
    with reader.open(*PHONE) as page:
        complaints = reader.watch(page)
        for name in unlike:
            page.goto(address + name, wait_until="load")
            width = page.evaluate("document.documentElement.scrollWidth")
            if width > PHONE[0]:
                complaints.append(f"scrolls sideways: {width} pixels wide")
            if complaints:
                found[name] = list(complaints)
                complaints.clear()
    assert found == {}


def test_complaints_are_heard(reader: Reader, address: str) -> None:
    with reader.open(*PHONE) as page:
        complaints = reader.watch(page)
        page.goto(address)
        page.evaluate("console.error('broken')")
        page.evaluate("new Image().src = 'http://third.party.example/pixel.png'")
        page.evaluate("setTimeout(() => { throw new Error('thrown') })")
        page.wait_for_timeout(200)
        assert any(complaint.startswith("broken") for complaint in complaints)
        assert "http://third.party.example/pixel.png" in complaints
        assert any("thrown" in complaint for complaint in complaints)


@pytest.mark.parametrize("half", [0, 1])  # one for each worker
def test_pages_are_accessible(reader: Reader, address: str, unlike: list[str], half: int) -> None:
    found = {}
    with reader.open(*DESKTOP, "light") as page:
        for name in unlike[half::2]:
            page.goto(address + name)
            complaints = reader.faults(page)
            # Only colours differ between the modes; a transition would pass through others.
            page.add_style_tag(content="* { transition: none !important }")
            page.evaluate("document.documentElement.dataset.theme = 'dark'")
            complaints += reader.faults(page, ["color-contrast"])
            if complaints:
                found[name] = complaints
    assert found == {}


def test_the_baseline_is_still_needed(reader: Reader, address: str) -> None:
    with reader.open(*DESKTOP) as page:
        page.goto(address)
        seen = {violation["id"] for violation in Axe().run(page).response["violations"]}
    assert set(BASELINE) <= seen, "the theme has mended something: take it off the baseline"


@pytest.mark.parametrize(
    ("name", "part", "fault"),
    [
        ("index.html", "<button></button>", "button-name"),
        ("_modules/transformer_lite/masks.html", FAINT_NAMES, "color-contrast"),
    ],
    ids=["nameless button", "faint code"],
)
def test_a_fault_beyond_the_baseline_is_found(
    reader: Reader, address: str, name: str, part: str, fault: str
) -> None:
    with reader.open(*DESKTOP) as page:
        page.goto(address + name)
        assert reader.faults(page) == []
        page.goto(address + name)
        page.evaluate("part => document.querySelector('article').innerHTML += part", part)
        assert {found.split(":")[0] for found in reader.faults(page)} == {fault}


# Blank, so that every pixel shows the ground, or a shadow on it.
BLANK = "<span style='display: inline-block; height: 3rem; width: {}px'></span>"
SCROLLERS = {
    "pre": "<div class='highlight'><pre>{}</pre></div>",
    ".course-table": "<div class='course-table'><table><tr><td>{}</td></tr></table></div>",
    "mjx-container": "<div class='math'><mjx-container display='true'>{}</mjx-container></div>",
}


def seen(part: Locator) -> Image.Image:
    """What is to be seen of a part, inside its border and its round corners."""
    pixels = Image.open(BytesIO(part.screenshot())).convert("RGB")
    return pixels.crop((4, 4, pixels.width - 4, pixels.height - 4))


def shaded(part: Locator) -> list[bool]:
    """Whether the left and the right edge of a blank part are unlike its middle."""
    pixels = seen(part)
    left, middle, right = (
        pixels.getpixel((x, pixels.height // 3)) for x in (0, pixels.width // 2, pixels.width - 1)
    )
    return [left != middle, right != middle]


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("part", SCROLLERS)
def test_on_a_phone_a_shadow_says_that_there_is_more(
    reader: Reader, address: str, part: str, mode: str
) -> None:
    with reader.open(*PHONE, mode) as page:
        page.goto(address)
        for around in ("<div>{}</div>", "<div class='admonition'>{}</div>"):
            inside = around.format(SCROLLERS[part])
            show = "html => (document.querySelector('article').innerHTML = html)"
            page.evaluate(show, inside.format(BLANK.format(900)))
            wide = page.locator(f"article {part}")
            for position, *shadows in ((0, False, True), (400, True, True), (999, True, False)):
                wide.evaluate("(part, position) => (part.scrollLeft = position)", position)
                assert shaded(wide) == shadows
            page.evaluate(show, inside.format(BLANK.format(90)))
            narrow = page.locator(f"article {part}")
            before = seen(narrow)
            bare = "backgroundImage" if part == "pre" else "background"
            narrow.evaluate(f"part => (part.style.{bare} = 'none')")
            assert seen(narrow) == before


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_search_finds_a_function(reader: Reader, address: str, size: Any) -> None:
    with reader.open(*size) as page:
        page.goto(address)
        page.locator(".search-button__button:visible, .search-button:visible").first.click()
        page.locator("input[type=search]:visible").first.fill("causal_mask")
        page.keyboard.press("Enter")
        page.wait_for_url("**/search.html?q=causal_mask*")
        result = page.locator("#search-results li a", has_text="causal_mask").first
        result.wait_for(timeout=10_000)
        result.click()
        page.wait_for_url("**/api/modules.html**")


def test_colour_mode_can_be_switched(reader: Reader, address: str) -> None:
    with reader.open(*DESKTOP) as page:
        page.goto(address)
        button = page.locator(".theme-switch-button:visible").first
        seen = set()
        for _ in range(3):
            button.click()
            seen.add(page.evaluate("document.documentElement.dataset.theme"))
    assert seen == {"light", "dark"}


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_links_to_the_source_cover_no_text(reader: Reader, address: str, size: Any) -> None:
    with reader.open(*size) as page:
        page.goto(address + "api/runs.html")
        links = page.locator("dt.sig .viewcode-link").all()
        assert len(links) > 20
        for link in links:
            signature = link.locator("xpath=ancestor::dt").bounding_box()
            box = link.bounding_box()
            assert box is not None and signature is not None
            assert box["y"] + box["height"] <= signature["y"] + signature["height"] + 1
