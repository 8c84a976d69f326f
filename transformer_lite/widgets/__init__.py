"""Interactive views: what all of them share. Each widget lives with its chapter."""
