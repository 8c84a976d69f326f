"""Files that a run writes: whole or not at all, and never through a link to somewhere else."""

import json
from pathlib import Path


def write(path: Path, content: bytes) -> None:
    """Put a file in the place of `path` in one step.

    A process that dies meanwhile leaves what was there, and perhaps a `.new` file, which nobody
    reads. A symbolic link in either place is replaced; what it points to is left alone.

    Raises:
        OSError: the disk is full or not writable.
    """
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    with new.open("xb") as file:  # x: a link that somebody puts there meanwhile is not followed
        file.write(content)
    new.replace(path)


def write_json(path: Path, content: object) -> None:
    """Write JSON that people can read and compare: indented, Hangul as it is."""
    write(path, (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())


def aside(path: Path) -> Path:
    """A free name beside `path` for what is damaged: it is kept, never overwritten."""
    free = path.with_name(f"damaged-{path.name}")
    return aside(free) if free.exists() else free
