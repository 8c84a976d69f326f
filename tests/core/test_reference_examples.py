"""The examples of the reference do what the page says, as a reader would type them."""

import re
from pathlib import Path

import pytest

PAGES = sorted((Path(__file__).parents[2] / "book" / "api").glob("*.md"))
EXAMPLE = re.compile(r"^```python\n(.*?)^```\n\n```\n(.*?)^```\n", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_an_example_prints_what_stands_below_it(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = page.read_text(encoding="utf-8")
    examples = EXAMPLE.findall(text)
    assert len(examples) == text.count("```python") > 0
    monkeypatch.chdir(tmp_path)
    for code, output in examples:
        assert re.search(r"^(from|import) transformer_lite", code, re.MULTILINE)
        exec(compile(code, page.name, "exec"), {})
        assert capsys.readouterr().out == output
