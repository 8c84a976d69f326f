"""Parts of pictures, as SVG: drawn once, shown by widgets and by their still pictures alike.

Colours of the page are CSS variables with the value on a light card behind them, so that the same
picture fits a dark page, a light one and an image file. Words come into a picture by `text` alone,
which escapes them. Attributes stand in single quotes, which JSON leaves as they are: a page stores
hundreds of frames.
"""

import re
from collections.abc import Iterable
from html import escape

Number = int | float
INK, QUIET, CARD = "var(--ink, #1b1f24)", "var(--quiet, #57606a)", "var(--card, #fff)"
_LABEL = 24  # characters of a token that a picture has room for
_ILLEGIBLE = re.compile("[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def legible(words: str) -> str:
    """Words without the characters that XML forbids and no font draws; a mark stands for each."""
    return _ILLEGIBLE.sub("\ufffd", words)


def label(token: str, letters: int = _LABEL) -> str:
    """A token as it can stand in any picture: legible, and only the beginning of a long one."""
    return legible(token if len(token) <= letters else f"{token[: letters - 1]}…")


def card(width: int, height: int, parts: Iterable[str]) -> str:
    """A still picture of the given size in pixels, with a white card behind its parts."""
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' "
        f"width='{width}' height='{height}' fill='{INK}' "
        f"font-family='system-ui, \"DejaVu Sans\", sans-serif' font-size='15'>"
        f"<rect width='{width}' height='{height}' rx='8' fill='#fff'/>{''.join(parts)}</svg>"
    )


def text(
    x: Number | Iterable[Number],
    y: Number,
    words: str,
    anchor: str | None = None,
    weight: int | None = None,
    colour: str | None = None,
    turn: int | None = None,
) -> str:
    """Words that begin, end or are centred (`anchor`) at a point of their baseline.

    With several x, each character has a place of its own. What is None stays as the picture has it:
    from the point on, regular, 15 pixels, ink, not turned. `turn` is in degrees, clockwise, around
    the point. Nothing is drawn where there are no words.
    """
    places = x if isinstance(x, Iterable) else [x]
    across = " ".join(f"{place:g}" for place in places)
    look = {
        "text-anchor": anchor,
        "font-weight": weight,
        "fill": colour,
        "transform": None if turn is None else f"rotate({turn} {across} {y:g})",
    }
    written = "".join(f" {name}='{value}'" for name, value in look.items() if value is not None)
    return f"<text x='{across}' y='{y:g}'{written}>{escape(legible(words))}</text>" if words else ""


def bar(x: Number, y: Number, width: Number, height: Number, colour: str) -> str:
    """A filled rectangle, its corner at the top left."""
    return f"<rect x='{x:g}' y='{y:g}' width='{width:g}' height='{height:g}' fill='{colour}'/>"


def bars(
    x: Number, y: Number, step: Number, width: Number, heights: Iterable[Number], colour: str
) -> str:
    """Bars in a row that stand on y, one each `step` pixels from x on, as a single shape.

    What is lower than half a pixel is left out.
    """
    points: list[tuple[Number, Number]] = []
    for number, height in enumerate(heights):
        if height >= 0.5:
            left, right = x + step * number, x + step * number + width
            corners = [(left, y), (left, y - height), (right, y - height), (right, y)]
            if points[-1:] == corners[:1]:  # they touch: fewer bytes
                points.pop()
                corners.pop(0)
            points += corners
    return area(points, colour)


def dot(x: Number, y: Number, radius: Number = 4, colour: str = INK) -> str:
    """A filled circle around a point."""
    return f"<circle cx='{x:g}' cy='{y:g}' r='{radius:g}' fill='{colour}'/>"


def line(
    points: Iterable[tuple[Number, Number]],
    colour: str,
    thickness: Number,
    dashes: str | None = None,
) -> str:
    """A line from point to point; `dashes` as SVG's stroke-dasharray has them."""
    look = f"stroke='{colour}' stroke-width='{thickness:g}'"
    dashed = f" stroke-dasharray='{dashes}'" if dashes else ""
    return f"<polyline points='{_path(points)}' fill='none' {look}{dashed}/>"


def area(points: Iterable[tuple[Number, Number]], colour: str) -> str:
    """What lies inside a line from point to point and back to the first one."""
    return f"<polyline points='{_path(points)}' fill='{colour}'/>"


def halo(part: str) -> str:
    """The same part with a margin in the colour of the card, to be read on top of lines."""
    look = f"stroke='{CARD}' stroke-width='5' stroke-linejoin='round' paint-order='stroke'"
    return f"<g {look}>{part}</g>"


def _path(points: Iterable[tuple[Number, Number]]) -> str:
    return " ".join(f"{round(x, 1):g},{round(y, 1):g}" for x, y in points)


def decimal(number: Number, digits: int) -> str:
    """A number as it is written in pictures: with a real minus sign, and zero without any."""
    words = f"{number:.{digits}f}"
    return words.lstrip("-") if float(words) == 0 else words.replace("-", "−")
