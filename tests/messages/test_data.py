"""What the data answers: unknown names, unknown words, files that are missing or altered."""

from pathlib import Path
from typing import Any

import pytest

from transformer_lite import data
from transformer_lite.data import multi30k, own


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder, named in the environment."""
    (tmp_path / "multi30k").mkdir()
    monkeypatch.setenv(multi30k.FOLDER_VARIABLE, str(tmp_path))
    return tmp_path


def test_an_unknown_corpus() -> None:
    with pytest.raises(
        ValueError, match=r"name must be one of 'copy', 'reverse', .*, but it is 'klingon'"
    ):
        data.load("klingon")


def test_an_unknown_option() -> None:
    with pytest.raises(
        ValueError, match=r"options of copy must be among .*letters.*, but they are vowels"
    ):
        data.load("copy", vowels=3)


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("copy", {"letters": 27}, "letters must be from 1 to 26, but it is 27"),
        (
            "reverse",
            {"shortest": 5, "longest": 2},
            "shortest <= longest <= 1000, but they are 5 and 2",
        ),
        ("dates", {"train": 0}, "train must be a whole number from 1 to 1000000, but it is 0"),
        ("pocket", {"test": 0}, "test must be a whole number from 1 to 1000000, but it is 0"),
        ("copy", {"train": 10**12}, "train must be .* 1 to 1000000, but it is 1000000000000"),
        ("copy", {"train": "many"}, "train must be a whole number, but it is 'many'"),
        ("copy", {"longest": 10**12}, "longest <= 1000, but they are 3 and 1000000000000"),
        ("multi30k", {"source": "fr"}, "must be de and en, one each, but they are 'fr' and 'en'"),
    ],
)
def test_impossible_options(name: str, options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        data.load(name, **options)


def test_a_named_folder_without_the_corpus(folder: Path) -> None:
    expected = folder / "multi30k" / "train.de.gz"
    with pytest.raises(FileNotFoundError) as caught:
        data.load("multi30k")
    for word in ("TRANSFORMER_LITE_DATA", str(expected), "put it there or unset"):
        assert word in str(caught.value)


def test_a_named_folder_that_does_not_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(multi30k.FOLDER_VARIABLE, "/nowhere/at/all")
    with pytest.raises(FileNotFoundError, match="TRANSFORMER_LITE_DATA=/nowhere/at/all must"):
        data.load("multi30k")


@pytest.mark.parametrize("content", [b"", b"not the corpus", b"\x1f\x8b\x08\x00"])
def test_an_altered_file(content: bytes, folder: Path) -> None:
    path = folder / "multi30k" / "train.de.gz"
    path.write_bytes(content)
    with pytest.raises(ValueError) as caught:
        data.load("multi30k")
    for word in (str(path), "SHA-256", multi30k.SHA256["train.de.gz"], "truncated or altered"):
        assert word in str(caught.value)


def test_no_mirror_answers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(multi30k.FOLDER_VARIABLE, raising=False)
    monkeypatch.setattr(multi30k, "cache_folder", lambda: tmp_path)

    def no_network(*_: Any, **__: Any) -> None:
        raise OSError("no network")

    monkeypatch.setattr("requests.get", no_network)
    with pytest.raises(ConnectionError) as caught:
        data.load("multi30k")
    for word in (*multi30k.MIRRORS, "no network", "By hand: download", "TRANSFORMER_LITE_DATA"):
        assert word in str(caught.value)


def test_a_batch_of_nothing() -> None:
    with pytest.raises(ValueError, match="examples must hold at least one pair, but it is empty"):
        data.collate([])


def test_a_text_longer_than_a_batch() -> None:
    examples = [data.Example([4, 5, 2], [4])]
    with pytest.raises(ValueError, match=r"batch_tokens must be at least 3.* it is 2; raise it or"):
        data.epoch_batches(examples, batch_tokens=2, seed=0, epoch=0)


BAD_PAIRS: dict[str, tuple[bytes, str]] = {
    "no tab": (b"a\tb\n\nc d\n", "line 3 must have one tab, .* has none: 'c d'; put one there"),
    "a third column": (b"a\tb\tc\n", r"line 1 must have one tab, .* has 2: .*; take the other"),
    "no target": (b"a\tb\nc\t .\n", r"line 2 must have a word .* the target is empty: 'c.*; write"),
    "no source": (b"\tb\n", "line 1 must have a word .* the source is empty"),
    "another encoding": (
        "a\tb\nk\u00e4se\tcheese\n".encode("latin-1"),
        r"line 2 must be text in UTF-8, but byte 1 begins b'\\xe4.*; save the file as UTF-8",
    ),
    "an empty file": (b"", "must hold at least 20 different pairs, but it holds 0; write more"),
    "one pair many times": (b"a\tb\n" * 99, "at least 20 different pairs, but it holds 1; write"),
    "each word once": (
        b"".join(b"s%d\tt%d\n" % (number, number) for number in range(30)),
        "at least 2 pairs whose words .*, but it holds 0; write more pairs of the same words",
    ),
}


@pytest.mark.parametrize("name", BAD_PAIRS)
def test_a_bad_file_of_pairs(name: str, tmp_path: Path) -> None:
    content, words = BAD_PAIRS[name]
    path = tmp_path / "mine.tsv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=words) as caught:
        data.load("pairs", path=str(path))
    assert str(caught.value).startswith(str(path))


def test_no_file_of_pairs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="must be a file of pairs, but it is a folder; give"):
        data.load("pairs", path=str(tmp_path))
    with pytest.raises(ValueError, match="must be a file of pairs, but there is no such file"):
        data.load("pairs", path=str(tmp_path / "soup.tsv"))
    monkeypatch.setattr(own, "MOST_BYTES", 99)
    with pytest.raises(ValueError, match="must have at most 99 bytes, but it has more; cut it"):
        data.load("pairs")


def test_a_file_of_pairs_that_changed(tmp_path: Path) -> None:
    path = tmp_path / "mine.tsv"
    path.write_bytes(own.EXAMPLE.read_bytes())
    task = own.task_of(path)
    path.write_bytes(own.EXAMPLE.read_bytes() + b"Hallo!\tHello!\n")
    with pytest.raises(ValueError, match=r"as when training began, but it has .*; put it back as"):
        data.load(**task)
