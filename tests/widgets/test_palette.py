"""The colours of the course: seen on every background, told apart by every reader."""

import re
import xml.etree.ElementTree as ElementTree
from itertools import combinations
from math import dist
from pathlib import Path

import pytest

from transformer_lite import palette

BACKGROUNDS = {
    "card and light page": "#ffffff",
    "dark page": "#121212",
    "JupyterLab dark": "#111111",
}
ATTENTION = ("query", "key", "value", "output", "mask")
VERDICTS = ("right", "wrong", "neutral")
IMAGES = Path(__file__).parents[2] / "book" / "images"
INK = {"#222", "#000000", "#ffffff"}  # of the diagrams, and of matplotlib
# Distance in Oklab; about 0.02 is just noticeable side by side.
APART = 0.08
# Machado, Oliveira, Fernandes: "A physiologically-based model for simulation of color vision
# deficiency" (2009), severity 1.0, on linear RGB.
VISIONS = {
    "all cones": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
}
Triple = tuple[float, float, float]


def linear(colour: str) -> Triple:
    red, green, blue = (int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5))
    return tuple(
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in (red, green, blue)
    )


def multiply(matrix: tuple[Triple, ...], vector: Triple) -> Triple:
    return tuple(sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix)


def luminance(colour: str) -> float:
    return multiply(((0.2126, 0.7152, 0.0722),), linear(colour))[0]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def oklab(rgb: Triple) -> Triple:
    cones = multiply(
        (
            (0.4122214708, 0.5363325363, 0.0514459929),
            (0.2119034982, 0.6806995451, 0.1073969566),
            (0.0883024619, 0.2817188376, 0.6299787005),
        ),
        rgb,
    )
    return multiply(
        (
            (0.2104542553, 0.7936177850, -0.0040720468),
            (1.9779984951, -2.4285922050, 0.4505937099),
            (0.0259040371, 0.7827717662, -0.8086757660),
        ),
        tuple(max(cone, 0.0) ** (1 / 3) for cone in cones),
    )


def seen(colour: str, vision: str) -> Triple:
    return oklab(tuple(min(max(v, 0.0), 1.0) for v in multiply(VISIONS[vision], linear(colour))))


def test_the_measures_give_known_values() -> None:
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
    assert oklab(linear("#ffffff")) == pytest.approx((1, 0, 0), abs=1e-3)
    # Red and green of equal lightness: far apart with three kinds of cones, close with two.
    green, red = "#3f8a00", "#b36200"
    assert dist(seen(green, "all cones"), seen(red, "all cones")) > APART
    assert dist(seen(green, "protanopia"), seen(red, "protanopia")) < APART


@pytest.mark.parametrize("role", palette.ROLES)
@pytest.mark.parametrize("background", BACKGROUNDS)
def test_every_colour_stands_out_on_every_background(role: str, background: str) -> None:
    assert contrast(palette.ROLES[role], BACKGROUNDS[background]) >= 3


@pytest.mark.parametrize("vision", VISIONS)
@pytest.mark.parametrize("roles", [ATTENTION, VERDICTS], ids=["attention", "verdicts"])
def test_colours_used_together_can_be_told_apart(vision: str, roles: tuple[str, ...]) -> None:
    for one, other in combinations(roles, 2):
        apart = dist(seen(palette.ROLES[one], vision), seen(palette.ROLES[other], vision))
        assert apart >= APART, f"{one} and {other}"


def test_no_role_is_left_out() -> None:
    assert set(ATTENTION) | set(VERDICTS) == set(palette.ROLES)


def tint(colour: str) -> str:
    """The colour of an area: 15 % of a role's colour, on white."""
    mixed = (round(255 + 0.15 * (int(colour[i : i + 2], 16) - 255)) for i in (1, 3, 5))
    return "#" + "".join(f"{value:02X}" for value in mixed)


@pytest.mark.parametrize("picture", sorted(IMAGES.glob("*.svg")), ids=lambda file: file.name)
def test_diagrams_keep_to_the_palette(picture: Path) -> None:
    painted = re.findall(r'\b(?:fill|stroke)(?:="|:\s*)([^";]+)', picture.read_text("utf-8"))
    roles = set(palette.ROLES.values())
    assert painted
    assert set(painted) <= {"none"} | roles | {tint(colour) for colour in roles} | INK


@pytest.mark.parametrize(
    "name", ["bottleneck.svg", "attention-step.svg", "keep-states.svg", "two-orders.svg"]
)
@pytest.mark.parametrize("role", ["encoder", "decoder", "context"])
def test_one_part_has_one_colour_in_all_diagrams(name: str, role: str) -> None:
    colour = getattr(palette, role.upper())
    parts = ElementTree.parse(IMAGES / name).findall(f".//*[@class='{role}']")
    assert {part.attrib["stroke"] for part in parts} == {colour}
    assert {part.attrib["fill"] for part in parts} <= {tint(colour), "none"}
