"""Pairs of one's own: what is read, and what is held out."""

from collections import Counter
from pathlib import Path

import pytest

from transformer_lite.data import Corpus, Pair, build_tokenizers, encode_pairs, load
from transformer_lite.data.own import EXAMPLE, task_of

TEXT = "".join(f"rot {a} {b}\tred {a} {b}\n" for a in "abcde" for b in "abcde")


def splits(corpus: Corpus) -> tuple[tuple[Pair, ...], ...]:
    return corpus.train, corpus.valid, corpus.test


def read(tmp_path: Path, content: str) -> Corpus:
    path = tmp_path / "mine.tsv"
    path.write_bytes(content.encode())
    return load("pairs", path=str(path))


def test_the_200_pairs_of_the_course() -> None:
    corpus = load("pairs")
    assert [len(split) for split in splits(corpus)] == [160, 20, 20]
    pairs = [pair for split in splits(corpus) for pair in split]
    assert len({pair.source for pair in pairs}) == 200
    for side in ("source", "target"):
        words = Counter(word for pair in pairs for word in getattr(pair, side).split())
        assert min(words.values()) >= 3, words.most_common()[-1]


def test_what_is_held_out_can_be_read_by_who_learned_the_rest() -> None:
    for seed in range(20):
        corpus = load("pairs", seed=seed)
        known = build_tokenizers(corpus)
        assert known[0] is not known[1]
        for split in (corpus.valid, corpus.test):
            assert len(encode_pairs(split, *known)) == 20, "an unknown word would raise"


def test_no_source_is_in_two_splits_and_each_pair_in_one(tmp_path: Path) -> None:
    corpus = read(tmp_path, TEXT)
    assert [len(split) for split in splits(corpus)] == [21, 2, 2]
    sources = [pair.source for split in splits(corpus) for pair in split]
    assert len(set(sources)) == len(sources) == 25


def test_the_seed_decides_what_is_held_out() -> None:
    assert load("pairs", seed=3) == load("pairs", seed=3)
    assert load("pairs", seed=3).test != load("pairs", seed=4).test


def test_a_pair_counts_once_and_several_translations_are_to_learn_from(tmp_path: Path) -> None:
    path = tmp_path / "mine.tsv"
    path.write_text(f"{TEXT}{TEXT}Rot a b.\tred a b\nrot a b\tb a red\n")
    for seed in range(20):
        corpus = load("pairs", seed=seed, path=str(path))
        assert sum(map(len, splits(corpus))) == 26
        assert "rot a b" not in {pair.source for pair in corpus.valid + corpus.test}


def test_other_editors_files_are_read(tmp_path: Path) -> None:
    plain = read(tmp_path, TEXT)
    windows = TEXT.replace("rot d", "\n \nRot D").replace("\n", "\r\n")
    assert splits(read(tmp_path, f"\ufeff{windows}")) == splits(plain)


def test_a_task_names_the_file_from_any_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(EXAMPLE.parent)
    task = task_of(EXAMPLE.name)
    monkeypatch.chdir("/")
    assert load(**task) == load("pairs")
