"""Files that somebody else may have written, or a disk damaged: checked before they are used.

JSON, TOML and safetensors. A message says which file it is and what is wrong with it; what can be
done about it depends on the file, so the caller says that.
"""

import json
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, load_model
from torch import Tensor, nn

from transformer_lite.checks import check_types, shortened, shown

# Stored results take 2**20, a recipe 2**10; keys with many dots take tomllib quadratic time.
MOST_BYTES = {"JSON": 2**25, "TOML": 2**14}
MOST_DEPTH = 50  # tables in tables


def read_json(path: Path, fields: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The table in a JSON file.

    Args:
        path: the file.
        fields: keys that must be there, and the annotation of each value; others may be there too.

    Raises:
        ValueError: no UTF-8, too long, no JSON, no table, or a field that is missing or wrong.
        OSError: it cannot be read.
    """
    table = _read(path, "JSON", json.loads)
    for name in fields or {}:
        if name not in table:
            raise ValueError(f"{path} must have the field {name}, but it has {shown(list(table))}")
    check_types(f"{path}: ", table, fields or {})
    return table


def read_toml(path: Path) -> dict[str, Any]:
    """The tables in a TOML file; raises what `read_json` does."""
    return _read(path, "TOML", tomllib.loads)


def read_weights(path: Path, model: nn.Module) -> None:
    """Put the weights in a safetensors file into a model.

    Raises:
        ValueError: no safetensors file, weights of another model, or a weight that is no number.
    """
    with _naming(path):
        load_model(model, str(path))
    check_finite(path, dict(model.named_parameters()))


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors in a safetensors file, by name.

    Raises:
        ValueError: no safetensors file, or it holds something that is no number.
    """
    with _naming(path):
        tensors = load_file(path)
    check_finite(path, tensors)
    return tensors


def check_finite(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Raise ValueError for a tensor that holds infinities or NaN; the model would write nothing."""
    for name, tensor in tensors.items():
        if not tensor.isfinite().all():
            raise ValueError(
                f"{path}: {shown(name)} must hold numbers, but some are infinite or not a number"
            )


def decode(name: str, content: bytes) -> str:
    """The text that these bytes are in UTF-8; `name` says in the message whose they are."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        wrong = content[error.start : error.start + 4]
        raise ValueError(
            f"{name} must be text in UTF-8, but byte {error.start:,} begins {shown(wrong)}"
        ) from None


def _read(path: Path, language: str, parse: Callable[[str], Any]) -> dict[str, Any]:
    if path.exists() and not path.is_file():
        raise ValueError(f"{path} must be a file, but it is none")  # a pipe would never end
    most = MOST_BYTES[language]
    with path.open("rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise ValueError(f"{path} must have at most {most:,} bytes, but it has more")
    text = decode(str(path), content)
    try:
        table = parse(text)
        if _is_deep(table):
            raise RecursionError
    except RecursionError:
        raise ValueError(
            f"{path} must be nested at most {MOST_DEPTH} deep, but it is deeper"
        ) from None
    except ValueError as error:
        raise ValueError(f"{path} must be {language}, but it is not: {error}") from error
    if not isinstance(table, dict):
        raise ValueError(f"{path} must hold a table, but it holds {shown(table)}")
    return table


def _is_deep(content: object) -> bool:
    level = [content]
    for _ in range(MOST_DEPTH):
        tables = [list(one.values()) if isinstance(one, dict) else one for one in level]
        level = [inner for one in tables if isinstance(one, list) for inner in one]
    return bool(level)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Say in one line which file it was that safetensors or PyTorch refused."""
    try:
        yield
    except (SafetensorError, RuntimeError) as error:
        reason = shortened(" ".join(str(error).split()), 400)
        raise ValueError(f"{path} must hold the tensors that belong here, but: {reason}") from error
