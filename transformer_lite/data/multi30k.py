"""Multi30k, German and English: 29,000 captions with translations, and two held-out sets.

Source: Elliott, Frank, Sima'an and Specia (2016), "Multi30K: Multilingual English-German Image
Descriptions", task 1, raw text, from the authors' repository. It is research data of its
authors and no part of this package: it is fetched once, checked against SHA-256 sums and kept
in the user's cache folder.
"""

import gzip
import hashlib
import os
import secrets
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pooch

from transformer_lite.data.pairs import Corpus, Pair

FOLDER_VARIABLE = "TRANSFORMER_LITE_DATA"
REPOSITORY_PAGE = "https://github.com/multi30k/dataset"
MIRRORS = (
    "https://raw.githubusercontent.com/multi30k/dataset/master/data/task1/raw/",
    "https://cdn.jsdelivr.net/gh/multi30k/dataset@master/data/task1/raw/",
)
SILENT_SECONDS = 20  # between two pieces of an answer
TOTAL_SECONDS = 180  # for a file
MOST_BYTES = 2**20  # no file has 700 KB
UNFINISHED = "tmp????????"  # what a process that was killed leaves in the cache
UNFINISHED_SECONDS = 3600  # after which nobody is writing it any more
LANGUAGES = ("de", "en")
# Our split -> (the name the files have, how many lines each must hold).
SPLITS = {
    "train": ("train", 29_000),
    "valid": ("val", 1_014),
    "test": ("test_2016_flickr", 1_000),
}
SHA256 = {
    "train.de.gz": "726e39b2fa9eb9ffb6dc763fb35a179f80fae06ffc5d28b6ace5faa883de28a6",
    "train.en.gz": "d79cfa999dd4c51d2cb42499b6796d5a882c3a8a961923c25a898c90f8bbd56f",
    "val.de.gz": "f0cba2f995189cf5770f29a8a9a537a3ad3f51657ad873405082ff6863a5e75a",
    "val.en.gz": "14f7d25ddd868909a9213e361768460edcacdd6ab9d1e77b92560dc10c10dc28",
    "test_2016_flickr.de.gz": "9204244e408ccb38d2a55cfcd344df15005fc42a07a6e55ca6c52b6ababb8cc8",
    "test_2016_flickr.en.gz": "611d361c6334bc7246101d48097c13cf5c4413c5befc793cc629934359d532d9",
}


def load_multi30k(*, seed: int = 0, source: str = "de", target: str = "en") -> Corpus:
    """Load the corpus in either direction; test is the 2016 test set (test_2016_flickr).

    The folder named by TRANSFORMER_LITE_DATA is looked in first (multi30k/train.de.gz and so
    on), then the cache, then the network. `seed` is taken for the sake of a common interface:
    nothing is drawn. Raises ValueError for other languages, an altered file or wrong line
    counts, FileNotFoundError for a named folder that lacks a file, ConnectionError when no
    mirror answers.
    """
    del seed
    if {source, target} != set(LANGUAGES):
        raise ValueError(
            f"source and target must be de and en, one each, but they are {source!r} and {target!r}"
        )
    train, valid, test = (_read_split(split, source, target) for split in SPLITS)
    return Corpus("multi30k", "subwords", train, valid, test, joint=True)


def is_at_hand() -> bool:
    """Tell whether the corpus can be had without a network: a folder is named or all is cached."""
    if os.environ.get(FOLDER_VARIABLE):
        return True
    return all(_is_cached(name) for name in SHA256)


def _is_cached(name: str) -> bool:
    path = cache_folder() / name
    return path.is_file() and pooch.file_hash(str(path)) == SHA256[name]


def cache_folder() -> Path:
    """Give the folder that fetched files are kept in."""
    return Path(pooch.os_cache("transformer_lite")) / "multi30k"


def find_file(name: str) -> Path:
    """Give the path of one checked file of SHA256, fetching it where it must be.

    Raises what `load_multi30k` does.
    """
    folder = os.environ.get(FOLDER_VARIABLE)
    return _find_in_folder(Path(folder), name) if folder else _fetch(name)


def _read_split(split: str, source: str, target: str) -> tuple[Pair, ...]:
    stem, expected = SPLITS[split]
    sides = [_read_lines(find_file(f"{stem}.{language}.gz")) for language in (source, target)]
    counts = [len(side) for side in sides]
    if counts != [expected, expected]:
        raise ValueError(
            f"multi30k {split} must have {expected:,} lines in each language, but it has "
            f"{counts[0]:,} ({source}) and {counts[1]:,} ({target})"
        )
    return tuple(Pair(left, right) for left, right in zip(*sides, strict=True))


def _read_lines(path: Path) -> Sequence[str]:
    text = gzip.decompress(path.read_bytes()).decode("utf-8")
    # Not splitlines(): it would also break lines at rarer Unicode separators.
    return [line.strip() for line in text.removesuffix("\n").split("\n")]


def _find_in_folder(folder: Path, name: str) -> Path:
    path = folder / "multi30k" / name
    if not path.is_file():
        raise FileNotFoundError(
            f"{FOLDER_VARIABLE}={folder} must hold the file {path}, but it does not; "
            f"put it there or unset {FOLDER_VARIABLE} to have it fetched"
        )
    found = pooch.file_hash(str(path))
    if found != SHA256[name]:
        raise ValueError(
            f"{path} must have the SHA-256 sum {SHA256[name]}, but it has {found}; the file is "
            f"truncated or altered, take it again from {REPOSITORY_PAGE} (data/task1/raw)"
        )
    return path


def _fetch(name: str) -> Path:
    """Take a file from the cache or from the first mirror that gives it unaltered."""
    if _is_cached(name):
        return cache_folder() / name
    reasons = []
    for mirror in MIRRORS:
        try:
            return _keep(name, _download(mirror + name))
        # ValueError: the sum is off. OSError: no network, no such file, no space to write.
        except (OSError, ValueError) as error:
            reasons.append(f"  {mirror}{name}: {error}")
    tried = "\n".join(reasons)
    raise ConnectionError(
        f"{name} must come from one of {len(MIRRORS)} addresses, but none gave it:\n{tried}\n"
        f"By hand: download {', '.join(SHA256)} from {REPOSITORY_PAGE} (data/task1/raw), put "
        f"them into a folder called multi30k and set {FOLDER_VARIABLE} to the folder above it."
    )


def _download(address: str) -> bytes:
    """Fetch into memory, where a process that is killed leaves nothing behind.

    A thread does it, because a mirror that sends a byte a second is never silent for long: when the
    time is over the thread is left to itself, and ends with the process at the latest.
    """
    import requests  # comes with pooch, and is slow to load: only on demand

    content, errors = bytearray(), []

    def fetch() -> None:
        try:
            with requests.get(address, stream=True, timeout=SILENT_SECONDS) as answer:
                answer.raise_for_status()
                for piece in answer.iter_content(2**14):
                    content.extend(piece)
                    if len(content) > MOST_BYTES:
                        raise ValueError(f"it must have at most {MOST_BYTES:,} bytes, but has more")
        except (OSError, ValueError) as error:
            errors.append(error)

    thread = threading.Thread(target=fetch, daemon=True)
    thread.start()
    thread.join(TOTAL_SECONDS)
    if thread.is_alive():
        raise TimeoutError(f"it must come within {TOTAL_SECONDS} seconds, but it did not")
    if errors:
        raise errors[0]
    return bytes(content)


def _keep(name: str, content: bytes) -> Path:
    """Put a file into the cache in one step, if its sum is right."""
    found = hashlib.sha256(content).hexdigest()
    if found != SHA256[name]:
        raise ValueError(f"it must have the SHA-256 sum {SHA256[name]}, but it has {found}")
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob(UNFINISHED):
        with suppress(OSError):  # another process sweeps it away
            if time.time() - left.stat().st_mtime > UNFINISHED_SECONDS:
                left.unlink()
    unfinished = folder / f"tmp{secrets.token_hex(4)}"
    try:
        unfinished.write_bytes(content)
        return unfinished.replace(folder / name)
    finally:
        unfinished.unlink(missing_ok=True)
