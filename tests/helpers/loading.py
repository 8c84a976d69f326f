"""Modules among the tests of a chapter that other tests use: no test holds a list of chapters."""

import importlib.util
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parents[1] / "chapters"


def load(chapter: str, module: str) -> Any:
    """The module of this name in `tests/chapters/` and the chapter's folder."""
    path = TESTS / chapter / f"{module}.py"
    spec = importlib.util.spec_from_file_location(f"{chapter}_{module}", path)
    assert spec and spec.loader
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def load_all(module: str) -> dict[str, Any]:
    """The module of this name of each chapter that has one, by the chapter's folder."""
    return {
        path.parent.name: load(path.parent.name, module)
        for path in sorted(TESTS.glob(f"c*/{module}.py"))
    }
