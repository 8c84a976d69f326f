"""Writing files so that nobody ever meets half of one."""

from pathlib import Path


def write_text(path: Path, text: str) -> None:
    """Write a file whole, or leave the old one as it is when the process or the disk gives out."""
    new = path.with_name(f".{path.name}.new")
    try:
        new.write_text(text, encoding="utf-8")
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
