"""Messages are what readers see, and readers have no shape checker that would speak first."""

import jaxtyping
import pytest


@pytest.fixture(autouse=True)
def no_shape_checker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
