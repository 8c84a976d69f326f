"""Parts of the still pictures: dark on a light card, so that they fit any page."""

from collections.abc import Iterable
from html import escape

INK, QUIET = "#1b1f24", "#57606a"


def card(width: int, height: int, parts: Iterable[str]) -> str:
    """An SVG picture of the given size in pixels, with a white card behind its parts."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" '
        'font-family="system-ui, \'DejaVu Sans\', sans-serif" font-size="13">'
        f'<rect width="{width}" height="{height}" rx="8" fill="#fff"/>{"".join(parts)}</svg>'
    )


def text(
    x: int | float,
    y: int | float,
    words: str,
    anchor: str = "start",
    weight: int = 400,
    size: int = 13,
    colour: str = INK,
) -> str:
    """Words that begin, end or are centred (`anchor`) at a point of their baseline."""
    return (
        f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" font-weight="{weight}" '
        f'font-size="{size}" fill="{colour}">{escape(words)}</text>'
    )


def bar(
    x: int | float, y: int | float, width: int | float, height: int | float, colour: str
) -> str:
    """A filled rectangle, its corner at the top left."""
    return f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" fill="{colour}"/>'


def decimal(number: int | float, digits: int) -> str:
    """A number as it is written in pictures: with a real minus sign, and zero without any."""
    words = f"{number:.{digits}f}"
    return words.lstrip("-") if float(words) == 0 else words.replace("-", "−")
