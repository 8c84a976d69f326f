"""What tests with a browser share: a server, and a reader whose Chromium reaches no other host.

A folder of tests takes part by importing the fixtures `reader` and `serve` in its conftest.
"""

import atexit
import json
import os
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache, partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Error, Page, sync_playwright

# What axe finds in the theme's own parts, each with a reason; nothing else is excused.
BASELINE = json.loads(
    (Path(__file__).parents[1] / "site" / "theme-baseline.json").read_text("utf-8")
)
CHROMIUM_OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Every other host is unknown: a page that needs one must show it here.
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
]

# A chapter has thousands of words of code of a few kinds: one of each tells axe what all tell, in a
# third of the time. The glyphs of formulas are drawn by the style sheet, where axe sees nothing.
ONE_OF_EACH_LOOK = """() => {
  const ground = (part) => {
    const { backgroundColor } = getComputedStyle(part);
    const shines = backgroundColor === "rgba(0, 0, 0, 0)" && part.parentElement;
    return shines ? ground(part.parentElement) : backgroundColor;
  };
  const look = (part) => {
    return [part.className, getComputedStyle(part).fontSize, ground(part)].join();
  };
  const tokens = [...document.querySelectorAll(".highlight pre span:not(:has(*))")];
  const looks = tokens.map(look);
  tokens.forEach((token, number) => {
    if (looks.indexOf(looks[number]) < number) token.replaceWith(token.textContent);
  });
  document.querySelectorAll("mjx-math").forEach((formula) => formula.replaceChildren());
}"""


class _QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the tests report what matters."""


@contextmanager
def _served(folder: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_QuietHandler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="session")
def serve() -> Iterator[Callable[[Path], str]]:
    """Serves a folder until the tests end and gives the address, with a slash at its end."""
    with ExitStack() as servers:
        yield lambda folder: servers.enter_context(_served(folder))


class Reader:
    """Somebody who reads pages in a browser and notices what is wrong with them."""

    def __init__(self, browser: Browser) -> None:
        self.browser = browser

    @contextmanager
    def open(self, width: int, height: int, mode: str = "light", **options: Any) -> Iterator[Page]:
        """A fresh page in the given colour mode, as a reader who chose it would see it."""
        context = self.browser.new_context(viewport={"width": width, "height": height}, **options)
        context.add_init_script(
            f"localStorage.setItem('mode', '{mode}'); localStorage.setItem('theme', '{mode}')"
        )
        try:
            yield context.new_page()
        finally:
            context.close()

    @staticmethod
    def watch(page: Page) -> list[str]:
        """A list that grows with every error, failed request and request to another host."""
        complaints: list[str] = []
        home = re.compile(r"^(http://127\.0\.0\.1[:/]|file:|data:|blob:)")
        page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
        page.on(
            "console",
            lambda message: (
                complaints.append(f"{message.text} {message.location.get('url', '')}".strip())
                if message.type == "error"
                else None
            ),
        )
        page.on(
            "request",
            lambda request: None if home.match(request.url) else complaints.append(request.url),
        )
        return complaints

    @staticmethod
    def faults(page: Page, rules: list[str] | None = None) -> list[str]:
        """What axe finds beyond what the theme is known to ship; by all rules or by some.

        Leaves the page without formulas, and its code without most of its colours.
        """
        page.evaluate(ONE_OF_EACH_LOOK)
        options: dict[str, Any] = {"resultTypes": ["violations"], "preload": False}
        if rules:
            options["runOnly"] = rules
        return [
            f"{violation['id']}: {node['html'][:160]}"
            for violation in Axe().run(page, options=options).response["violations"]
            for node in violation["nodes"]
            if violation["id"] not in BASELINE
            or BASELINE[violation["id"]]["where"] not in str(node["target"])
        ]


@pytest.fixture(scope="session")
def reader() -> Reader:
    """A reader with the system's Chromium, else playwright's own; without either, a skip."""
    browser, reason = _chromium()
    if browser is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    return Reader(browser)


@cache  # one browser for all folders of tests: playwright cannot be started twice
def _chromium() -> tuple[Browser | None, str]:
    playwright = sync_playwright().start()
    atexit.register(playwright.stop)
    system = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    try:
        return playwright.chromium.launch(executable_path=system, args=CHROMIUM_OPTIONS), ""
    except Error as error:
        return None, (
            f"no browser: {error.message.splitlines()[0]}. Install the package chromium, "
            "or run: .venv/bin/playwright install chromium"
        )
