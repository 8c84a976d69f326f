"""Tables that read well on a page, on a phone, in a deck and to a screen reader."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

import pandas as pd


@dataclass(frozen=True, repr=False)
class Table:
    """A table as notebooks show it: HTML, and its caption where there is no HTML."""

    caption: str
    html: str

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return f"Table: {self.caption}"


def table(
    frame: pd.DataFrame,
    caption: str,
    formats: str | Mapping[str, str] | None = None,
    mark: tuple[int, str] | None = None,
) -> Table:
    """Show a frame; an index with a name becomes the first columns.

    Args:
        frame: what is shown.
        caption: what it says, above the table.
        formats: how numbers are written, such as "{:.0%}", for all columns or for some by name. A
            trained number carries a sign that it comes out a little differently on another machine:
            "≈ {:.0%}".
        mark: the row, counted from 0, and the column of the number that matters.
    """
    named = any(name is not None for name in frame.index.names)
    flat = frame.rename_axis(columns=None).reset_index(drop=not named)
    if isinstance(formats, str):
        formats = dict.fromkeys(frame.select_dtypes("number").columns, formats)
    shown = flat.style.format(formats, na_rep="–", escape="html").hide(axis="index")
    if mark is not None:
        row, column = mark
        pattern = f"<mark>{(formats or {}).get(column, '{}')}</mark>"
        shown = shown.format(pattern, subset=(flat.index[[row]], [column]), escape="html")
    shown = shown.format_index(escape="html", axis=1).set_caption(escape(caption))
    html = re.sub(r"<th\b", '<th scope="col"', shown.to_html(exclude_styles=True))
    html = re.sub(r"(\d)%", r"\1 %", html)  # as the text writes it
    html = html.replace("≈ ", "≈\u00a0")  # a sign and its number stay on one line
    # What is too wide scrolls, also by keyboard.
    return Table(caption, f'<div class="course-table" tabindex="0">{html}</div>')
