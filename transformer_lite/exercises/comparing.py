"""Says in words how a value differs from the one expected."""

import numbers
from typing import Any

import torch
from torch import Tensor

from transformer_lite.exercises.exercise import Arguments
from transformer_lite.exercises.plain import Foreign

MANY = 16  # values of a tensor that a reader still takes in at a glance


def difference(expected: Any, got: Any, tolerance: float) -> str | None:
    """How `got` differs from `expected` (a tensor or a number), or None where it does not.

    Floating-point precision and the width of integers do not count; the kind of number does.
    """
    try:
        if isinstance(expected, Tensor):
            return _tensor_difference(expected, got, tolerance)
        return _number_difference(expected, got, tolerance)
    except Exception as error:
        # Tensors without values, or objects that only look like numbers.
        came = f"an object of type {type(got).__name__} that cannot be read"
        return f"expected {describe(expected)}, got {came} ({type(error).__name__})"


def describe(value: Any) -> str:
    """A value in a few words: itself where it is small, else its type and shape."""
    if isinstance(value, Tensor):
        shape = list(value.shape)
        if value.layout != torch.strided or value.is_meta or value.numel() > MANY:
            return f"a tensor of shape {shape}"
        return f"{_rounded(value.tolist())}"
    if value is None:
        return "nothing (None)"
    if isinstance(value, bool | int | float):
        return str(_rounded(value))
    if type(value) is list and value and all(type(row) is list for row in value):
        return str(value) if sum(map(len, value)) <= 3 * MANY else f"{len(value)} lists"
    if type(value) is list and value and all(type(item) is int for item in value):
        return str(value) if len(value) <= MANY else f"a list of {len(value)} numbers"
    if type(value) is dict:
        return "a dictionary of " + ", ".join(
            f"{key} {list(item.shape)}" if isinstance(item, Tensor) else str(key)
            for key, item in value.items()
        )
    name = value.kind if type(value) is Foreign else type(value).__name__
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"


def describe_case(parameters: tuple[str, ...], arguments: Arguments) -> str:
    """The arguments of a case, one a line."""
    pairs = zip(parameters, arguments, strict=True)
    shown = ((name, f'"{it}"' if isinstance(it, str) else describe(it)) for name, it in pairs)
    return "\n".join(f"    {name} = {value}" for name, value in shown)


def general_mistake(expected: Any, got: Any) -> str | None:
    """The misconception that shows in the kind of a value, whatever the exercise.

    Raises:
        Exception: of any class, where `got` cannot be read.
    """
    if not isinstance(expected, Tensor):
        return None
    if isinstance(got, list | tuple) and got and all(isinstance(item, Tensor) for item in got):
        return "list-not-tensor"
    lost = expected.isfinite() & ~got.isfinite()
    return "not-finite" if got.shape == expected.shape and bool(lost.any()) else None


def same(before: Any, after: Any) -> bool:
    """Whether two arguments (tensors, numbers, lists and dictionaries of these) are identical."""
    if type(before) is not type(after):
        return False
    if isinstance(before, Tensor):
        return after.dtype == before.dtype and difference(before, after, 0.0) is None
    if isinstance(before, dict):
        return before.keys() == after.keys() and all(
            same(before[key], after[key]) for key in before
        )
    if isinstance(before, list | tuple):
        return len(before) == len(after) and all(map(same, before, after))
    return bool(before == after)


def _tensor_difference(expected: Tensor, got: Any, tolerance: float) -> str | None:
    shape = f"of shape {list(expected.shape)}" if expected.shape else "that holds one number"
    wanted = f"expected a tensor {shape}"
    if isinstance(got, numbers.Number) and not expected.shape:
        return f"{wanted}, got a plain number: it no longer knows how it was computed"
    if not isinstance(got, Tensor):
        return f"{wanted}, got {describe(got)}"
    if got.shape != expected.shape:
        return f"{wanted}, got shape {list(got.shape)}"
    if _kind(got) != _kind(expected):
        return f"expected {_kind(expected)}, got {_kind(got)} ({got.dtype})"
    ours, theirs = expected.detach(), got.detach().cpu()
    close = torch.isclose(
        theirs.double(), ours.double(), rtol=tolerance, atol=tolerance, equal_nan=True
    )
    if bool(close.all()):
        return None
    first = tuple((~close).nonzero()[0].tolist())
    others = int((~close).sum()) - 1
    place = f"at position {list(first)} " if first else ""
    more = f" ({others} more {'differs' if others == 1 else 'differ'})" if others else ""
    return f"{place}expected {describe(ours[first])}, got {describe(theirs[first])}{more}"


def _number_difference(expected: float, got: Any, tolerance: float) -> str | None:
    if isinstance(got, Tensor) and got.numel() == 1:
        got = got.item()
    if not isinstance(got, numbers.Real):
        return f"expected a number, got {describe(got)}"
    apart = abs(float(got) - expected)  # NaN between infinities, even where they are equal
    if apart <= tolerance * (1 + abs(expected)) or float(got) == expected:
        return None
    return f"expected {_rounded(expected)}, got {_rounded(float(got))}"


def _kind(tensor: Tensor) -> str:
    if tensor.dtype == torch.bool:
        return "truth values"
    if tensor.is_complex():
        return "complex numbers"
    return "floating-point numbers" if tensor.is_floating_point() else "whole numbers"


def _rounded(value: Any) -> Any:
    """Numbers, in lists or alone, with four significant digits."""
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value
