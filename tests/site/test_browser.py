"""The built site as readers meet it: in a browser, with every other host out of reach."""

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from browsing import BASELINE, Reader

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
