"""Widgets without JavaScript of their own: Python draws a frame for every setting of the controls.

A chapter's widget says which controls there are, draws, and judges; the page looks frames up. Where
a control needs arithmetic (a mask that is painted, a text that is typed), write a `StillWidget`
with a module of its own, from the same parts.
"""

from collections.abc import Callable, Sequence
from inspect import signature
from itertools import product
from textwrap import wrap
from typing import Any, NamedTuple

import traitlets

from transformer_lite.widgets.base import StillWidget, check_trait, front_end
from transformer_lite.widgets.drawing import QUIET, card, text

WIDTH = 340  # pixels of a picture: a phone shows it at its own size
_MARGIN, _ROW, _LETTERS = 20, 20, 38  # of a still picture; as many letters fit one of its rows


class Choice(traitlets.TraitType[Any, Any]):
    """A control with a few values, shown as radio buttons; it can be set and read from Python.

    Args:
        legend: what the control is called.
        values: the values to choose from.
        default: the value at first.
    """

    def __init__(self, legend: str, values: Sequence[Any], default: Any) -> None:
        super().__init__(default, help=legend)
        self.legend, self.values = legend, values
        self.tag(sync=True)

    def validate(self, obj: Any, value: Any) -> Any:
        """The value, one of `values`; otherwise traitlets.TraitError."""
        check_trait(str(self.name), value, self.values)
        return self.values[self.values.index(value)]  # 2, where 2.0 was given


class Slider(Choice):
    """A control with many values in their order, shown as a slider."""


class Menu(Choice):
    """A control with many values, or long ones, of which only the chosen one is shown."""


class Question(Choice):
    """The prediction asked for: one of a few answers, or None before there is one."""

    def __init__(self, legend: str, values: Sequence[Any]) -> None:
        super().__init__(legend, values, None)
        self.allow_none = True


class Frame(NamedTuple):
    """What one layer shows at one setting: SVG, and the same in plain words ("" for mere lines)."""

    words: str
    svg: str


class Layer(NamedTuple):
    """A part of a picture that changes as one.

    `draw` returns the Frame; the names of its parameters say which controls it depends on. `ask`:
    None to be shown always, True only while the reader is asked, False only afterwards.
    """

    draw: Callable[..., Frame]
    ask: bool | None = None


class Picture(NamedTuple):
    """Layers on top of each other, WIDTH pixels wide; several pictures stand below each other."""

    height: int
    layers: Sequence[Layer]


class Finding(NamedTuple):
    """What is to be seen at one setting, in a sentence, and the answer that was right."""

    sentence: str
    answer: Any


class FrameWidget(StillWidget):
    """Ask for a prediction once, then let the reader explore: the base of a chapter's widget.

    A subclass has a `heading`; its controls as traits, each a `Choice`, `Slider` or `Menu`;
    `prediction`, a `Question`; and the methods `pictures()` and `finding(...)`, whose parameters,
    like those of a layer's `draw`, name the controls that it depends on. Whatever these need must
    be stored on the widget, and controls whose values depend on it added by `self.add_traits`,
    before `super().__init__(**state)`, which draws all frames. Where a value can be chosen only at
    some settings, `offered()` says at which.
    """

    _esm, _css = front_end(__file__)

    heading: str
    finding: Callable[..., Finding]
    frames = traitlets.Dict(help="controls, question, and what to show for each setting").tag(
        sync=True
    )
    ask = traitlets.Bool(True, help="whether the answer waits for a prediction").tag(sync=True)

    def __init__(self, **state: Any) -> None:
        question = self.traits()["prediction"]
        frames = {
            "heading": self.heading,
            "width": WIDTH,
            "controls": [
                {"name": name, "kind": type(control).__name__, **_shown(control)}
                for name, control in self._controls().items()
            ],
            "question": _shown(question),
            "offered": {name: self._every(values) for name, values in self.offered().items()},
            "pictures": [
                {
                    "height": picture.height,
                    "layers": [
                        {"ask": layer.ask, **self._every(layer.draw)} for layer in picture.layers
                    ],
                }
                for picture in self.pictures()
            ],
            "findings": self._every(self.finding),
        }
        super().__init__(frames=frames, **state)

    def pictures(self) -> list[Picture]:
        """The pictures, from top to bottom."""
        raise NotImplementedError(f"{type(self).__name__} must list its pictures")

    def offered(self) -> dict[str, Callable[..., tuple[Any, ...]]]:
        """By the name of a slider or "prediction": what can be chosen there at a setting.

        For a slider these are its first values. Where another one is set it stands at the last of
        them, and what is drawn must be the same as there.
        """
        return {}

    def still(self) -> str:
        """The present setting with its answer, as an SVG picture."""
        y, parts = _MARGIN, []

        def write(words: str, **look: Any) -> None:
            nonlocal y
            for row in wrap(words, _LETTERS):
                y += _ROW
                parts.append(text(_MARGIN, y, row, **look))

        write(self._setting(), colour=QUIET)
        for picture in self.pictures():
            y += _MARGIN
            shown = "".join(self._now(layer.draw).svg for layer in picture.layers if not layer.ask)
            parts.append(f"<g transform='translate({_MARGIN} {y})'>{shown}</g>")
            y += picture.height
        write(self._now(self.finding).sentence, weight=600)
        return card(WIDTH + 2 * _MARGIN, y + _MARGIN, parts)

    def words(self) -> str:
        """The present setting with its answer, as text."""
        layers = [layer for picture in self.pictures() for layer in picture.layers if not layer.ask]
        shown = [words for layer in layers if (words := self._now(layer.draw).words)]
        return "\n".join([self._setting(), *shown, self._now(self.finding).sentence])

    def __repr__(self) -> str:
        setting = ", ".join(f"{name}={getattr(self, name)!r}" for name in self._controls())
        return f"{type(self).__name__}({setting})"

    def _controls(self) -> dict[str, Choice]:
        """In the order in which the class names them."""
        return {
            name: trait
            for owner in type(self).mro()
            for name, trait in vars(owner).items()
            if isinstance(trait, Choice) and not isinstance(trait, Question)
        }

    def _setting(self) -> str:
        parts, offered = [], self.offered()
        for name, control in self._controls().items():
            value = getattr(self, name)
            if name in offered and value not in (values := self._now(offered[name])):
                value = values[-1]
            parts.append(f"{control.legend}: {value}")
        return ", ".join(parts)

    def _now(self, draw: Callable[..., Any]) -> Any:
        return draw(*(getattr(self, name) for name in _parameters(draw)))

    def _every(self, draw: Callable[..., Any]) -> dict[str, Any]:
        """What `draw` returns at all values of the controls `by`, the last one changing fastest.

        Many settings look alike: `places` says which of the different `frames` each one shows (as
        one string: a notebook would store a list with a line for each number).
        """
        by, controls = _parameters(draw), self._controls()
        drawn = [draw(*setting) for setting in product(*(controls[name].values for name in by))]
        places = {frame: place for place, frame in enumerate(dict.fromkeys(drawn))}
        shown = " ".join(str(places[frame]) for frame in drawn)
        return {"by": by, "frames": list(places), "places": shown}


def _parameters(draw: Callable[..., Any]) -> list[str]:
    return list(signature(draw).parameters)


def _shown(control: Choice) -> dict[str, Any]:
    return {"legend": control.legend, "values": list(control.values)}
