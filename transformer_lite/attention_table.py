"""An attention map as an HTML table, which a notebook shows and a screen reader reads."""

from collections.abc import Sequence
from html import escape

from jaxtyping import Float
from torch import Tensor

from transformer_lite.palette import QUERY

# Text keeps the page's own colour, light or dark: the darkest shade has to leave it readable.
DARKEST = 0.6
TABLE = "border-collapse: collapse; color: inherit; background: none"
CELL = "padding: 0.2em 0.6em; text-align: center; border: 1px solid rgba(128, 128, 128, 0.4)"
HEAD = "padding: 0.2em 0.6em; text-align: left; color: inherit; background: none"


def attention_table(
    weights: Float[Tensor, "T S"],
    source_tokens: Sequence[str],
    target_tokens: Sequence[str],
    caption: str,
) -> str:
    """One attention map as HTML: a row for each query, a column for each key.

    Each cell says its weight in hundredths (71 for 0.71) and is shaded by it. All style is in the
    table itself, so that it looks the same wherever a notebook is shown; what is too wide scrolls.

    Args:
        weights: T queries × S keys, between 0 and 1.
        source_tokens, target_tokens: S labels of the columns (keys) and T of the rows (queries).
        caption: what the map shows.
    """
    lines = [
        f'<div style="overflow-x: auto" tabindex="0"><table style="{TABLE}">',
        f'<caption style="text-align: left; color: inherit">{escape(caption)}</caption>',
        f'<tr style="background: none"><td></td>{_heads(source_tokens, "col")}</tr>',
    ]
    for token, row in zip(target_tokens, weights.tolist(), strict=True):
        cells = "".join(map(_cell, row))
        lines.append(f'<tr style="background: none">{_heads([token], "row")}{cells}</tr>')
    return "\n".join([*lines, "</table></div>"])


def _heads(tokens: Sequence[str], scope: str) -> str:
    return "".join(f'<th scope="{scope}" style="{HEAD}">{escape(token)}</th>' for token in tokens)


def _cell(weight: float) -> str:
    red, green, blue = bytes.fromhex(QUERY[1:])
    shade = f"background: rgba({red}, {green}, {blue}, {DARKEST * weight:.3f})"
    return f'<td style="{CELL}; color: inherit; {shade}">{100 * weight:.0f}</td>'
