"""The smallest widget made of frames in which everything occurs."""

from collections.abc import Callable
from typing import Any

from transformer_lite.widgets.drawing import text
from transformer_lite.widgets.frames import (
    Choice,
    Finding,
    Frame,
    FrameWidget,
    Layer,
    Menu,
    Picture,
    Question,
    Slider,
)


class Lamp(FrameWidget):
    """Two controls, and a layer for each way to depend on them."""

    heading = "A lamp"
    watts = Slider("Watts", range(10, 13), 11)
    colour = Choice("Colour", ("red", "blue"), "red")
    prediction = Question("How bright?", ("dim", "bright"))

    def pictures(self) -> list[Picture]:
        return [
            Picture(30, [Layer(self.draw_stand), Layer(self.draw_light, ask=False)]),
            Picture(20, [Layer(self.draw_cover, ask=True), Layer(self.draw_label)]),
        ]

    def finding(self, watts: int) -> Finding:
        light = "bright" if watts > 11 else "dim"
        return Finding(f"The lamp takes {watts} watts, which makes it {light}, as lamps go.", light)

    def draw_stand(self) -> Frame:
        return Frame("", "<rect/>")

    def draw_light(self, colour: str, watts: int) -> Frame:
        return Frame(f"{colour} light", text(watts, 10, f"{colour} & {watts}"))

    def draw_cover(self) -> Frame:
        return Frame("covered", text(0, 10, "under a cloth"))

    def draw_label(self, colour: str) -> Frame:
        return Frame(f"label: {colour[0]}", text(0, 10, colour[0]))


class TimedLamp(Lamp):
    """A menu before two sliders; the minutes and answers that can be chosen depend on it."""

    room = Menu("Room", ("hall", "attic"), "hall")
    minutes = Slider("Minutes", range(1, 5), 4)

    def offered(self) -> dict[str, Callable[..., tuple[Any, ...]]]:
        return {
            "minutes": lambda room: (1, 2) if room == "attic" else (1, 2, 3, 4),
            "prediction": lambda room: ("bright", "dim") if room == "attic" else ("dim",),
        }
