"""What the page says of its own code."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[3] / "book" / "10-transformer.md"


def test_the_model_has_as_many_lines_as_the_page_says() -> None:
    """Lines that are not empty of the cells from `attention` to `class Transformer`."""
    page = PAGE.read_text("utf-8")
    cells = re.findall(r"```\{code-cell\} ipython3\n(.*?)```", page, re.DOTALL)
    first = next(n for n, cell in enumerate(cells) if "def attention(" in cell)
    last = next(n for n, cell in enumerate(cells) if cell.startswith("class Transformer"))
    lines = [line for cell in cells[first : last + 1] for line in cell.splitlines() if line]
    assert {int(number) for number in re.findall(r"(\d+) (?:typed )?lines", page)} == {len(lines)}
