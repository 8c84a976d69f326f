"""Values in which nothing of the reader's is left that could run when somebody looks at them."""

import numbers
from dataclasses import dataclass
from types import CoroutineType, EllipsisType, NoneType
from typing import Any

import torch
from torch import Tensor

SHORT = 64  # bits of a whole number, characters of a text: longer ones are Foreign, too


@dataclass(frozen=True, eq=False, repr=False)
class Foreign:
    """Stands for an object of which only the name of its class is known."""

    kind: str

    def __repr__(self) -> str:
        return f"<{self.kind}>"


def plain(value: Any) -> Any:
    """The same value made of Python's and torch's own classes; `Foreign` where that cannot be.

    This runs code of the reader's, such as `__float__`: call it where the answer is called.

    Raises:
        BaseException: of any class, from that code.
    """
    kind = type(value)  # `isinstance` would believe the value's own `__class__`
    if kind in (NoneType, EllipsisType, bool, float, Tensor):
        return value
    if kind is int or kind is str:
        size = value.bit_length() if kind is int else len(value)
        return value if size <= SHORT else Foreign(kind.__name__)
    if issubclass(kind, Tensor):
        with torch._C.DisableTorchFunctionSubclass():
            return Tensor.as_subclass(value, Tensor)
    for own in (list, tuple):
        if issubclass(kind, own):
            return own(plain(item) for item in own.__iter__(value))
    if issubclass(kind, dict):
        return {plain(key): plain(item) for key, item in dict.items(value)}
    if issubclass(kind, numbers.Real):
        return float(value)
    if kind is CoroutineType:
        value.close()  # or Python complains later, out of place
    return Foreign(name_of_class(value))


def name_of_class(value: object) -> str:
    """The name of the class of a value, whatever this class would say about itself."""
    name: str = type.__dict__["__name__"].__get__(type(value))
    return name
