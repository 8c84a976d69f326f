"""From a chapter and its notebook to its slides."""
