"""From the sources, the notebooks and the decks to the website."""
