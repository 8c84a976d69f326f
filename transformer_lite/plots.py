"""Figures of attention, with labels that come from the tokens themselves."""

from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from jaxtyping import Float
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from transformer_lite.widgets.drawing import label, legible

CELL = 0.42  # inches a cell: room for a number of two digits
MOST_CELLS_WITH_NUMBERS = 200


@cache
def font_families() -> tuple[str, ...]:
    """Font families that together show Latin and Hangul, on any machine.

    The Hangul font is a file inside the package koreanize-matplotlib (Nanum Gothic); that package
    itself is not imported, because importing it would change the fonts of every figure.
    """
    package = find_spec("koreanize_matplotlib")
    if package is None or not package.submodule_search_locations:
        raise ImportError(
            "koreanize-matplotlib is missing, and with it the Hangul font; install it with pip"
        )
    path = Path(package.submodule_search_locations[0]) / "fonts" / "NanumGothic.ttf"
    font_manager.fontManager.addfont(path)
    return ("DejaVu Sans", font_manager.FontProperties(fname=path).get_name())


def attention_map(
    weights: Float[Tensor, "T S"],
    source_tokens: Sequence[str],
    target_tokens: Sequence[str],
    ax: Axes | None = None,
    title: str = "",
) -> Axes:
    """Draw one attention map: a row for each query, a column for each key.

    Dark means much weight. Cells of small maps also say their weight in hundredths (71 for 0.71),
    so that the map can be read without colour; weights below 0.05 are left blank.

    Args:
        weights: T queries × S keys, between 0 and 1.
        source_tokens: S labels of the columns (keys); of a long one the beginning is shown.
        target_tokens: T labels of the rows (queries).
        ax: where to draw; a new figure of fitting size when None.
        title: what the map shows.

    Raises:
        ValueError: the labels do not fit the weights.
    """
    if weights.ndim != 2 or weights.shape != (len(target_tokens), len(source_tokens)):
        raise ValueError(
            "weights must be [target, source], one row a target token, but they are "
            f"{tuple(weights.shape)} with {len(target_tokens)} target tokens and "
            f"{len(source_tokens)} source tokens"
        )
    families = list(font_families())
    if ax is None:
        size = (CELL * len(source_tokens) + 2.2, CELL * len(target_tokens) + 1.2)
        _, ax = plt.subplots(figsize=size, layout="constrained")
    values = weights.detach().float().cpu().numpy()  # numpy knows no bfloat16
    ax.imshow(values, cmap="Blues", vmin=0.0, vmax=1.0, aspect="auto")
    # Tokens are text, whatever dollar signs they hold: no formulas.
    as_text: dict[str, Any] = {"fontfamily": families, "parse_math": False}
    ax.set_xticks(range(len(source_tokens)), [*map(label, source_tokens)], rotation=45, ha="left",
                  rotation_mode="anchor", **as_text)  # fmt: skip
    ax.set_yticks(range(len(target_tokens)), [*map(label, target_tokens)], **as_text)
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    ax.grid(False)
    if values.size <= MOST_CELLS_WITH_NUMBERS:
        for (row, column), value in _visible(values):
            ax.text(column, row, f"{100 * value:.0f}", ha="center", va="center", fontsize=9,
                    color="white" if value > 0.5 else "black")  # fmt: skip
    if title:
        ax.set_title(legible(title), fontfamily=families)
    return ax


def attention_heads(
    weights: Float[Tensor, "H T S"],
    source_tokens: Sequence[str],
    target_tokens: Sequence[str],
    title: str = "",
) -> Figure:
    """Draw one map a head, side by side, with a common scale.

    Args:
        weights: H heads × T queries × S keys.
        source_tokens, target_tokens: labels, as for `attention_map`.
        title: what the maps show.
    """
    heads = len(weights)
    size = (heads * (CELL * len(source_tokens) * 0.8) + 2.2, CELL * len(target_tokens) + 1.6)
    figure, axes = plt.subplots(
        1, heads, figsize=size, layout="constrained", sharey=True, squeeze=False
    )
    for head, ax in enumerate(axes[0]):
        attention_map(weights[head], source_tokens, target_tokens, ax, f"head {head}")
    if title:
        figure.suptitle(legible(title), fontfamily=list(font_families()))
    return figure


def save(path: str | Path) -> None:
    """Write the current figure to a .png, .svg or .pdf file, the same bytes every time.

    Raises:
        ValueError: matplotlib cannot write files of this kind.
    """
    dateless = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
    with plt.rc_context({"svg.hashsalt": "transformer_lite", "svg.fonttype": "path"}):
        plt.savefig(path, dpi=150, metadata=dateless.get(Path(path).suffix.lower()))


def _visible(values: np.ndarray) -> list[tuple[tuple[int, int], float]]:
    rows, columns = values.shape
    cells = [((r, c), float(values[r, c])) for r in range(rows) for c in range(columns)]
    return [(place, value) for place, value in cells if value >= 0.05]
