"""Files of others: whatever is wrong with one is said in words that name it."""

import json
import os
import struct
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from transformer_lite import reading
from transformer_lite.reading import read_json, read_tensors, read_toml

BAD: dict[str, tuple[str, bytes, str]] = {
    "not UTF-8": ("json", b'{"a": "\xe9"}', r"text in UTF-8, but byte 7 begins b'\\xe9"),
    "Latin-1 comment": ("toml", b"# caf\xe9\n", "text in UTF-8, but byte 5 begins"),
    "cut off": ("json", b'{"a": ', "must be JSON, but it is not: Expecting value"),
    "a NUL": ("json", b'{"a": \0}', "must be JSON, but it is not"),
    "no TOML": ("toml", b"a = ", "must be TOML, but it is not: Invalid value"),
    "no table": ("json", b"[1, 2]", r"must hold a table, but it holds \[1, 2\]"),
    "a long list": ("json", b"[" + b"1," * 10**5 + b"1]", r"but it holds .* … .* characters\)"),
    "a number without end": ("json", b'{"a": ' + b"9" * 5000 + b"}", "must be JSON, but"),
    "deep": ("json", b'{"a": ' + b"[" * 10**5, "nested at most 50 deep, but it is deeper"),
    "deep but whole": ("json", b'{"a": ' + b"[" * 60 + b"]" * 60 + b"}", "at most 50 deep"),
    "deep lists of TOML": ("toml", b"a = " + b"[" * 10**4, "nested at most 50 deep"),
    "deep keys of TOML": ("toml", b"a" + b".a" * 1000 + b" = 1", "nested at most 50 deep"),
    "too long": ("toml", b"#" * (2**14 + 1), "must have at most 16,384 bytes, but it has more"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_is_named(case: str, tmp_path: Path) -> None:
    language, content, words = BAD[case]
    path = tmp_path / f"mine.{language}"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=words) as caught:
        {"json": read_json, "toml": read_toml}[language](path)
    message = str(caught.value)
    assert message.startswith(str(path)) and len(message) < len(str(path)) + 300


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="must be a file, but it is none"):
        read_json(tmp_path / "pipe")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({}, r"must have the field name, but it has \[\]"),
        ({"name": 3, "sizes": {}}, ": name must be a text, but it is 3$"),
        ({"name": "x" * 10**6, "sizes": 1}, "sizes must be a table or null, but it is 1$"),
        ({"name": "a", "sizes": {"b": 2**63}}, "sizes must be a table or null"),
    ],
)
def test_fields_are_there_and_of_their_type(
    content: dict[str, Any], words: str, tmp_path: Path
) -> None:
    fields = {"name": str, "sizes": dict[str, int] | None}
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=words):
        read_json(path, fields)
    path.write_text(json.dumps({"name": "a", "sizes": None, "other": [1]}))
    assert read_json(path, fields) == {"name": "a", "sizes": None, "other": [1]}


HEADERS = {
    "nothing": b"",
    "a length without end": struct.pack("<Q", 2**63) + b"{}",
    "no JSON": struct.pack("<Q", 4) + b"{{{{",
    "deep": struct.pack("<Q", 10**5) + b"[" * 10**5,
    "a place outside": struct.pack("<Q", 60)
    + b'{"a":{"dtype":"F32","shape":[9],"data_offsets":[0,36]}}'.ljust(60),
}


@pytest.mark.parametrize("case", HEADERS)
def test_a_bad_header_of_tensors_is_named(case: str, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(HEADERS[case])
    with pytest.raises(ValueError, match=f"{path} must hold the tensors that belong here, but: "):
        read_tensors(path)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_tensor_of_no_numbers_is_named(value: float, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_file({"ids": torch.arange(3), "bias": torch.tensor([0.0, value])}, path)
    with pytest.raises(ValueError, match=f"{path}: 'bias' must hold numbers, but some are inf"):
        reading.read_tensors(path)
