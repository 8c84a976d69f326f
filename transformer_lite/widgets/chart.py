"""A line chart for a widget: axes that stay where they are, curves of which one is chosen."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from transformer_lite.palette import NEUTRAL
from transformer_lite.widgets.drawing import INK, QUIET, Number, dot, halo, line, text
from transformer_lite.widgets.frames import WIDTH, Frame

# Room for ticks, for the last number and for the title.
_LEFT_MARGIN, _RIGHT_MARGIN, _TOP_MARGIN, _BOTTOM_MARGIN = 56, 52, 42, 24
_PLOT = 98  # height of the plotting area
_DASHES = ("1.5 3.5", "7 4", None)


@dataclass(frozen=True)
class LineChart:
    """Curves in one frame of axes, both of which begin at 0 and end at the last tick.

    Attributes:
        title: stands above.
        x, y: ticks of the axes, each value with what is written there.
        curves: by name, y for some values of x.
        write: how a number y is written.
    """

    title: str
    x: Mapping[Number, str]
    y: Mapping[Number, str]
    curves: Mapping[Any, Mapping[Number, Number]]
    write: Callable[[Number], str]
    height = _TOP_MARGIN + _PLOT + _BOTTOM_MARGIN  # pixels of the picture

    def axes(self) -> Frame:
        """Title, ticks, and all curves in the background."""
        bottom = _TOP_MARGIN + _PLOT
        return Frame(
            "",
            text(0, 12, self.title, weight=600)
            + line([self._at(0, 0), self._at(max(self.x), 0)], QUIET, 1)
            + "".join(
                text(self._at(x, 0)[0], bottom + 17, tick, "middle", colour=QUIET)
                for x, tick in self.x.items()
            )
            + "".join(
                text(_LEFT_MARGIN - 6, self._at(0, y)[1] + 5, tick, "end", colour=QUIET)
                for y, tick in self.y.items()
            )
            + "".join(self._curve(name, NEUTRAL, 1.5) for name in self.curves),
        )

    def chosen(self, name: Any) -> Frame:
        """One curve, strong, with its numbers."""
        parts, numbers = [self._curve(name, INK, 2.5)], []
        for x, y in self.curves[name].items():
            across, down = self._at(x, y)
            number = text(across + 6, down - 9, self.write(y), weight=600)
            parts += [dot(across, down), halo(number)]
            numbers.append(f"{x}: {self.write(y)}")
        return Frame(f"{self.title}, {name}. {', '.join(numbers)}", "".join(parts))

    def names(self) -> Frame:
        """The name of each curve, on it, half-way between its first two points."""
        parts = []
        for name, points in self.curves.items():
            (x, y), (next_x, next_y), *_ = points.items()
            across, down = self._at((x + next_x) / 2, (y + next_y) / 2)
            parts.append(halo(text(across, down + 5, str(name), "middle", colour=QUIET)))
        return Frame("", "".join(parts))

    def marker(self, x: Number) -> Frame:
        """An upright line at x."""
        return Frame("", line([self._at(x, 0), self._at(x, 1.05 * max(self.y))], QUIET, 1))

    def _at(self, x: Number, y: Number) -> tuple[float, float]:
        """Pixels from the upper left corner of the picture."""
        across = _LEFT_MARGIN + (WIDTH - _LEFT_MARGIN - _RIGHT_MARGIN) * x / max(self.x)
        return across, _TOP_MARGIN + _PLOT * (1 - y / max(self.y))

    def _curve(self, name: Any, colour: str, thickness: Number) -> str:
        dashes = _DASHES[list(self.curves).index(name) % len(_DASHES)]
        return line(
            (self._at(*point) for point in self.curves[name].items()), colour, thickness, dashes
        )
