"""A progress bar for long work."""

import os

from tqdm.auto import tqdm


def progress_bar(total: int, unit: str, *, shown: bool, done: int = 0, leave: bool = False) -> tqdm:
    """A bar that can also be switched off from outside, with the variable TQDM_DISABLE=1.

    (tqdm knows that variable itself, but its bar for notebooks does not.)
    """
    hidden = not shown or os.environ.get("TQDM_DISABLE", "0") not in ("", "0")
    return tqdm(total=total, initial=done, unit=unit, leave=leave, disable=hidden)
