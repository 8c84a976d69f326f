"""Training runs on disk, which can be stopped at any moment and resumed."""
