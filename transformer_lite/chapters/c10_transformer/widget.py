"""Chapter 10: a whole Transformer that translates in the page, and every number of it."""

from base64 import b64encode
from typing import Any

import torch


def packed(model: Any) -> tuple[str, list[tuple[str | int, ...]]]:
    """All weights in half precision, as one base64 string, and the name and shape of each.

    The output's matrix is left out: it is the target embedding's.
    """
    stored = [(name, one) for name, one in model.state_dict().items() if name != "output.weight"]
    data = b"".join(one.to(torch.float16).numpy().tobytes() for _, one in stored)
    return b64encode(data).decode(), [(name, *one.shape) for name, one in stored]
