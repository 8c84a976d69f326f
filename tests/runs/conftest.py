"""A training run small enough for tests."""

from run_fixtures import recipe, recipe_file, unbroken  # noqa: F401
