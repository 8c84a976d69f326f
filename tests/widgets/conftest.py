"""Widgets and the pages that show them."""

from browsing import reader  # noqa: F401
from widget_fixtures import (  # noqa: F401
    every_widget,
    explorer,
    make_stepper,
    results,
    show,
)
