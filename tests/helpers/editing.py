"""What tests share that change a file and look at what follows."""

from pathlib import Path


def change(file: Path, before: str, after: str) -> None:
    """Replace text that has to be there."""
    text = file.read_text(encoding="utf-8")
    assert before in text
    file.write_text(text.replace(before, after), encoding="utf-8")
