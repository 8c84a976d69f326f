"""The Multi30k loader: named folder, cache, mirrors in turn, altered and missing files.

No test needs the outside network: a server of our own plays the mirrors. The one test of the
real corpus runs where the corpus is at hand.
"""

import gzip
import hashlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from transformer_lite.data import load, multi30k

GONE = "http://127.0.0.1:9/"  # the discard port: nobody answers


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def serve(handler: Any) -> Iterator[str]:
    """A server of our own; gives its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder and the address under which it is served."""
    folder = tmp_path / "served"
    folder.mkdir()
    with serve(partial(QuietHandler, directory=str(folder))) as address:
        yield folder, address


class Mirror(QuietHandler):
    """It answers without an end: a byte at a time, or as much as it can.

    Attributes:
        seen: what the cache held while it answered.
    """

    cache: Path
    piece = b"x"
    over: threading.Event
    seen: set[str]

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        while not self.over.wait(0.02 if len(self.piece) == 1 else 0):
            self.seen |= {path.name for path in self.cache.glob("*")}
            try:
                self.wfile.write(self.piece)
            except OSError:  # the other side has gone
                return


@pytest.fixture
def endless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Mirror]]:
    """The only mirror that the loader knows."""
    names = {"cache": tmp_path / "cache", "over": threading.Event(), "seen": set()}
    mirror = type("Endless", (Mirror,), names)
    with serve(mirror) as address:
        monkeypatch.setattr(multi30k, "MIRRORS", (address,))
        yield mirror
        mirror.over.set()


@pytest.fixture
def small_corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """A corpus of two pairs a split, which the loader is told to expect, with an empty cache."""
    text = {"de": "Ein Hund.\n Zwei\u2028Hunde. \n", "en": "A dog.\nTwo dogs.\n"}
    files = {
        name: gzip.compress(text[name.split(".")[1]].encode(), mtime=0) for name in multi30k.SHA256
    }
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    splits = {split: (stem, 2) for split, (stem, _) in multi30k.SPLITS.items()}
    monkeypatch.setattr(multi30k, "SHA256", sums)
    monkeypatch.setattr(multi30k, "SPLITS", splits)
    monkeypatch.setattr(multi30k, "MIRRORS", (GONE,))
    monkeypatch.setattr(multi30k, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.delenv(multi30k.FOLDER_VARIABLE, raising=False)
    return files


def write(folder: Path, files: dict[str, bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


def test_named_folder_is_read_in_either_direction(
    small_corpus: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "data" / "multi30k", small_corpus)
    monkeypatch.setenv(multi30k.FOLDER_VARIABLE, str(tmp_path / "data"))
    corpus = load("multi30k")
    assert [len(split) for split in (corpus.train, corpus.valid, corpus.test)] == [2, 2, 2]
    assert corpus.units == "subwords"
    assert corpus.joint
    # Stripped, and a rare separator inside a line does not split it.
    assert corpus.train[1].source == "Zwei\u2028Hunde."
    backwards = load("multi30k", source="en", target="de")
    assert (backwards.test[0].source, backwards.test[0].target) == ("A dog.", "Ein Hund.")


def test_named_folder_must_be_right(
    small_corpus: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(multi30k.FOLDER_VARIABLE, str(tmp_path / "nowhere"))
    with pytest.raises(
        FileNotFoundError, match=r"must hold the file .*train\.de\.gz, but it does not"
    ):
        load("multi30k")
    folder = tmp_path / "nowhere" / "multi30k"
    write(folder, small_corpus)
    truncated = small_corpus["val.en.gz"][:-3]
    (folder / "val.en.gz").write_bytes(truncated)
    with pytest.raises(ValueError, match=r"val\.en\.gz must have the SHA-256 sum .*altered"):
        load("multi30k")
    assert (folder / "val.en.gz").read_bytes() == truncated  # nothing of the reader's is touched


def test_wrong_line_counts_are_refused(
    small_corpus: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "multi30k", small_corpus)
    monkeypatch.setenv(multi30k.FOLDER_VARIABLE, str(tmp_path))
    monkeypatch.setitem(multi30k.SPLITS, "valid", ("val", 3))
    with pytest.raises(ValueError, match=r"multi30k valid must have 3 lines .* it has 2 \(de\)"):
        load("multi30k")


def test_mirrors_are_tried_in_turn_and_the_cache_kept(
    small_corpus: dict[str, bytes],
    served: tuple[Path, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder, address = served
    write(folder / "good", small_corpus)
    altered = {name: content + b"!" for name, content in small_corpus.items()}
    write(folder / "altered", altered)
    mirrors = (GONE, f"{address}missing/", f"{address}altered/", f"{address}good/")
    monkeypatch.setattr(multi30k, "MIRRORS", mirrors)
    assert not multi30k.is_at_hand()
    corpus = load("multi30k")
    assert corpus.train[0].target == "A dog."
    assert multi30k.is_at_hand()
    monkeypatch.setattr(multi30k, "MIRRORS", (GONE,))
    assert load("multi30k") == corpus


def test_a_damaged_cache_is_fetched_again(
    small_corpus: dict[str, bytes],
    served: tuple[Path, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder, address = served
    write(folder, small_corpus)
    write(tmp_path / "cache", small_corpus)
    (tmp_path / "cache" / "train.de.gz").write_bytes(b"half a file")
    monkeypatch.setattr(multi30k, "MIRRORS", (address,))
    assert load("multi30k").train[0].source == "Ein Hund."


@pytest.mark.usefixtures("small_corpus")
def test_a_mirror_that_sends_a_byte_at_a_time_is_given_up(
    endless: type[Mirror], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(multi30k, "TOTAL_SECONDS", 0.3)
    with pytest.raises(ConnectionError, match=r"must come within 0\.3 seconds, but it did not"):
        load("multi30k")
    assert endless.seen == set(), "a process that is killed while it fetches would leave a file"


@pytest.mark.usefixtures("small_corpus")
def test_a_mirror_that_never_ends_is_given_up(endless: type[Mirror]) -> None:
    endless.piece = b"x" * 2**16
    with pytest.raises(ConnectionError, match="must have at most 1,048,576 bytes, but has more"):
        load("multi30k")
    assert endless.seen == set()


def test_what_a_killed_process_left_is_swept_away(
    small_corpus: dict[str, bytes],
    served: tuple[Path, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write(served[0], small_corpus)
    monkeypatch.setattr(multi30k, "MIRRORS", (served[1],))
    write(tmp_path / "cache", {"tmp01234567": b"old", "tmpabcdefgh": b"new", "notes": b"mine"})
    for name in ("tmp01234567", "notes"):
        os.utime(tmp_path / "cache" / name, (0, 0))
    load("multi30k")
    found = {path.name for path in (tmp_path / "cache").iterdir()}
    assert found == {*small_corpus, "tmpabcdefgh", "notes"}


@pytest.mark.usefixtures("small_corpus")
def test_no_network_names_the_manual_way() -> None:
    with pytest.raises(ConnectionError) as caught:
        load("multi30k")
    message = str(caught.value)
    for needed in (GONE, "By hand", "train.de.gz", multi30k.FOLDER_VARIABLE, "github.com"):
        assert needed in message


@pytest.mark.parametrize(("source", "target"), [("de", "de"), ("fr", "en")])
def test_other_languages_are_refused(source: str, target: str) -> None:
    with pytest.raises(ValueError, match="source and target must be de and en"):
        load("multi30k", source=source, target=target)


def test_the_real_corpus() -> None:
    if not multi30k.is_at_hand():
        pytest.skip(
            f"Multi30k is neither cached nor in a folder named by {multi30k.FOLDER_VARIABLE}"
        )
    corpus = load("multi30k")
    assert [len(s) for s in (corpus.train, corpus.valid, corpus.test)] == [29_000, 1_014, 1_000]
    first = corpus.test[0]
    assert first.source == "Ein Mann mit einem orangefarbenen Hut, der etwas anstarrt."
    assert first.target == "A man in an orange hat starring at something."
