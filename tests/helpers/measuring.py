"""How long a widget takes to answer its first slider."""

from playwright.sync_api import Page

MOVE = """async () => {
  const slider = document.querySelector("input[type=range]");
  const times = [];
  for (let value = 1; value <= slider.max; value += 1) {
    const began = performance.now();
    slider.value = value;
    slider.dispatchEvent(new Event("input", { bubbles: true }));
    await Promise.resolve();
    document.body.getBoundingClientRect();
    times.push(performance.now() - began);
  }
  return times;
}"""


def slowest_change(page: Page) -> float:
    """Milliseconds of the slowest of all moves of the slider, each at its best of four rounds.

    A machine that is busy with something else interrupts now and then.
    """
    rounds = [page.evaluate(MOVE) for _ in range(4)]
    return float(max(map(min, zip(*rounds, strict=True))))
