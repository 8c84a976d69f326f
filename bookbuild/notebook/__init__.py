"""From a chapter to its executed notebook; the deck shows the same converted cells."""
