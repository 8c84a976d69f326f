"""The reference finds the modules of the package by itself."""

from pathlib import Path

import pytest
from sphinx.errors import ExtensionError

from bookbuild.site.reference import module_sections


def test_every_public_module_gets_a_section(tmp_path: Path) -> None:
    (tmp_path / "fast").mkdir()
    for name in ("packing.py", "loss.py", "__init__.py", "_private.py"):
        (tmp_path / "fast" / name).touch()
    sections = module_sections(tmp_path, "fast/*.py")
    assert sections.count("## ") == 2
    assert sections.startswith(
        "## `fast.loss`\n\n```{eval-rst}\n.. automodule:: transformer_lite.fast.loss\n```\n\n"
        "## `fast.packing`\n"
    )


def test_a_pattern_without_modules_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ExtensionError, match=r"\{modules\} must match .*, but it is 'gone/\*.py'"):
        module_sections(tmp_path, "gone/*.py")
