"""What every test run shares: checked shapes, one thread, no screen, no clock in property tests."""

import signal
from pathlib import Path

import jaxtyping
import matplotlib
import pytest
import torch
from hypothesis import HealthCheck, settings

# Before anything imports the package: what names shapes is checked at run time, the rest by mypy
# alone. `JAXTYPING_DISABLE=1` shows what the checks cost.
ROOT = Path(__file__).parents[1]
SHAPED = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in (ROOT / "transformer_lite").rglob("*.py")
    if "jaxtyping" in path.read_text(encoding="utf-8")
]
jaxtyping.install_import_hook(SHAPED, "beartype.beartype")
# It installs what Colab has: only where it is named.
collect_ignore = ["colab"]

matplotlib.use("Agg")
# Models of this size are fastest on one thread, and give the same bits on every machine with one.
torch.set_num_threads(1)
# A shell makes the jobs it starts in the background deaf to Ctrl-C, and they pass it on to their
# children; some tests press it.
signal.signal(signal.SIGINT, signal.default_int_handler)

# No deadline: how long an example takes says more about the machine than about the code. Always
# the same examples, so that a failure in one run is a failure in every run.
settings.register_profile(
    "course",
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=20,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("course")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long tests of the site first: at the end of a run no worker should wait for one."""
    items.sort(key=lambda item: "site" not in item.path.parts)
