"""One folder a chapter: its exercises, its widget, its stored results."""
