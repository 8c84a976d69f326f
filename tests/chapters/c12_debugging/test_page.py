"""The page's adapter for the Transformer that chapter 10 types."""

import re
from pathlib import Path
from typing import Any

import torch

from transformer_lite.diagnosis import diagnose
from transformer_lite.model import Uncached

BOOK = Path(__file__).parents[3] / "book"


def typed() -> dict[str, Any]:
    """What the cells of chapter 10 define, and chapter 12's adapter."""
    page = (BOOK / "10-transformer.md").read_text("utf-8")
    cells = re.findall(r"```\{code-cell\} ipython3\n(.*?)```", page, re.DOTALL)
    first = next(n for n, cell in enumerate(cells) if "def attention(" in cell)
    last = next(n for n, cell in enumerate(cells) if cell.startswith("class Transformer"))
    prepare = next(cell for cell in cells if "def prepare(" in cell).split("\n\n\ntorch.manual")[0]
    adapters = (BOOK / "12-debugging.md").read_text("utf-8")
    adapter = re.search(r"```python\n(class Typed.*?)```", adapters, re.DOTALL)
    assert adapter is not None
    names: dict[str, Any] = {"Uncached": Uncached}
    for code in (*cells[first : last + 1], prepare, adapter[1]):
        exec(code, names)
    return names


def test_it_passes_when_its_first_numbers_are_prepared() -> None:
    names = typed()
    torch.manual_seed(0)
    sizes = (185, 161)
    model = names["Transformer"](sizes, 2, 64, 4, 128, "pre")
    plain = diagnose(names["Typed"](model, sizes))
    assert plain.failed == ("first loss",)
    (first,) = [check for check in plain.checks if not check.passed]
    assert 10 < first.measured < 14  # about twelve times that of guessing, says the page
    assert not diagnose(names["Typed"](names["prepare"](model), sizes)).failed
