"""Tables: what a screen reader, a phone and the comparison of notebooks need."""

import pandas as pd
from bs4 import BeautifulSoup

from transformer_lite.tables import table


def test_a_table_is_whole_and_holds_no_markup_of_its_content() -> None:
    frame = pd.DataFrame({"width": [64, 128], "share": [0.25, None], "text": ["<b>", "한국어"]})
    shown = table(frame, "Share & width", {"share": "≈ {:.0%}"}, mark=(0, "share"))
    page = BeautifulSoup(shown._repr_html_(), "html.parser")
    assert page.caption is not None and page.caption.text == "Share & width"
    assert [cell.text for cell in page.find_all("th", scope="col")] == ["width", "share", "text"]
    rows = [[cell.text for cell in row.find_all("td")] for row in page.find_all("tr")[1:]]
    assert rows == [["64", "≈\u00a025 %", "<b>"], ["128", "–", "한국어"]]
    assert page.div is not None and page.div["tabindex"] == "0"
    assert [mark.text for mark in page.find_all("mark")] == ["≈\u00a025 %"]


def test_the_text_beside_the_html_is_constant() -> None:
    """So that the numbers of another machine change the HTML alone, where ≈ marks them."""
    texts = {repr(table(pd.DataFrame({"a": [share]}), "Shares")) for share in (0.1, 0.2)}
    assert texts == {"Table: Shares"}
    assert "id=" not in table(pd.DataFrame({"a": [1]}), "Shares").html


def test_a_named_index_becomes_columns() -> None:
    frame = pd.DataFrame({"hidden": [64, 64], "length": [5, 10], "share": [1.0, 0.5]})
    wide = frame.pivot(index="hidden", columns="length", values="share")
    page = BeautifulSoup(table(wide, "By length", "{:.1f}").html, "html.parser")
    assert [cell.text for cell in page.find_all("th")] == ["hidden", "5", "10"]
    assert [cell.text for cell in page.find_all("td")] == ["64", "1.0", "0.5"]
