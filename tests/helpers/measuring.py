"""How long a widget takes to answer its first slider, or, without any, its first buttons."""

from playwright.sync_api import Page

MOVE = """async () => {
  const slider = document.querySelector("input[type=range]");
  const slide = (value) => {
    slider.value = value;
    slider.dispatchEvent(new Event("input", { bubbles: true }));
  };
  const moves = slider
    ? Array.from({ length: slider.max }, (_, place) => () => slide(place + 1))
    : [...document.querySelectorAll(".settings input")].map((button) => () => button.click());
  const times = [];
  for (const move of moves) {
    const began = performance.now();
    move();
    await Promise.resolve();
    document.body.getBoundingClientRect();
    times.push(performance.now() - began);
  }
  return times;
}"""


def slowest_change(page: Page) -> float:
    """Milliseconds of the slowest of all these moves, each at its best of four rounds.

    A machine that is busy with something else interrupts now and then.
    """
    rounds = [page.evaluate(MOVE) for _ in range(4)]
    return float(max(map(min, zip(*rounds, strict=True))))
