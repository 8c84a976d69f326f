"""The cheat sheet counts parameters as the package does, and prints on one sheet."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from browsing import Reader

from transformer_lite.transformer import Transformer, TransformerConfig

WORDS = 37_000
BASE = TransformerConfig.base(WORDS)
MODELS = {
    "base": BASE,
    "big": TransformerConfig.big(WORDS),
    "pocket": replace(
        BASE, source_vocab=185, target_vocab=161, d_model=64, heads=4, layers=2, d_ff=128,
        norm="pre", tie="target",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def rows(root: Path) -> dict[str, list[str]]:
    """The page's table of parameters: formula and numbers of each part."""
    _, _, text = (root / "book/cheatsheet.md").read_text("utf-8").partition("## Parameters")
    table, _, _ = text.partition("\n## ")
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()]
    return {name: rest for name, *rest in filter(None, cells)}


def count(*parts: torch.nn.Module) -> int:
    """Parameters; one that two parts share counts once."""
    return sum(one.numel() for one in torch.nn.ModuleList(parts).parameters())


@pytest.mark.parametrize("name", MODELS)
def test_the_sheet_counts_parameters_as_the_package_does(
    name: str, rows: dict[str, list[str]]
) -> None:
    with torch.device("meta"):
        model = Transformer(MODELS[name])
    encoder, decoder = model.encoder.layers[0], model.decoder.layers[0]
    counted = {
        "attention": count(encoder.self_attention),
        "network": count(encoder.feed_forward),
        "normalisation": 2 * MODELS[name].d_model,
        "encoder layer": count(encoder),
        "decoder layer": count(decoder),
        "embeddings, output": count(model.source_embedding, model.target_embedding, model.output),
        "all": count(model),
    }
    column = rows["part"].index(name)
    stated = {part: int(rows[part][column].replace(",", "")) for part in counted}
    assert stated == counted


@pytest.mark.parametrize("name", ["base", "big"])
def test_the_sheet_states_formulas_that_give_its_numbers(
    name: str, rows: dict[str, list[str]]
) -> None:
    sizes = {"D": MODELS[name].d_model, "F": MODELS[name].d_ff, "V": WORDS}
    column = rows["part"].index(name)
    stated = [cells for cells in rows.values() if cells[0].startswith("$")]
    assert len(stated) == 6
    for formula, *numbers in stated:
        text = re.sub(r"(?<=[\dA-Z])(?=[A-Z])", "*", formula.strip("$")).replace("^", "**")
        assert eval(text, {}, sizes) == int(numbers[column - 1].replace(",", "")), formula


def test_the_sheet_is_one_sheet(reader: Reader, address: str) -> None:
    with reader.open(1280, 900) as page:
        page.goto(f"{address}cheatsheet.html")
        page.wait_for_function("document.querySelectorAll('mjx-container').length > 20")
        printed = page.pdf(prefer_css_page_size=True)
        page.emulate_media(media="print")
        page.set_viewport_size({"width": 1062, "height": 733})  # the sheet without its margins
        cut_off = page.evaluate(
            "[...document.querySelectorAll('#cheat-sheet, #cheat-sheet :is(div.math,"
            " .pst-scrollable-table-container)')]"
            ".filter((one) => one.scrollWidth > one.clientWidth + 1).length"
        )
    assert re.findall(rb"/Count (\d+)", printed) == [b"1"]
    assert cut_off == 0
