"""What `make bench` exports to CTranslate2 can be built, and decodes as many tokens as asked."""

from pathlib import Path

import pytest
import torch

from transformer_lite.data import Example, collate

pytest.importorskip("ctranslate2", reason="ctranslate2 is an extra")


@pytest.mark.parametrize("name", ["CTranslate2", "CTranslate2, int8"])
def test_an_exported_contestant_decodes(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    import contestants

    found = contestants.EXPORTED[name]().decode(collate([Example([5, 6, 2], [])] * 2), 3)
    assert found.shape == (2, 3) and found.dtype == torch.int64
