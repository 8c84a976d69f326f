"""Widgets and the pages that show them."""

from browsing import reader  # noqa: F401
from widget_fixtures import every_widget, show  # noqa: F401
