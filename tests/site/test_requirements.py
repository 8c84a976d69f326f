"""requirements.txt pins the whole environment, and the environment under test is the pinned one."""

import re
from importlib.metadata import distribution, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement


@pytest.fixture(scope="module")
def pins(root: Path) -> dict[str, str]:
    lines = (root / "requirements.txt").read_text("utf-8").splitlines()
    entries = [line.split("#")[0].strip() for line in lines if line.split("#")[0].strip()]
    assert all(re.fullmatch(r"[a-z0-9._-]+==[a-z0-9.+]+", entry) for entry in entries), entries
    return dict(entry.split("==") for entry in entries)


def unpinned(pins: dict[str, str]) -> set[str]:
    """Packages that a pinned package needs but that have no pin themselves."""
    needed = {
        re.sub(r"[-_.]+", "-", requirement.name).lower()
        for name in pins
        for requirement in map(Requirement, distribution(name).requires or [])
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""})
    }
    return needed - pins.keys()


def test_installed_versions_are_the_pinned_ones(pins: dict[str, str]) -> None:
    # A build of torch for one kind of device adds its name after a plus sign.
    installed = {name: version(name).split("+")[0] for name in pins}
    assert installed == pins


def test_nothing_that_is_needed_lacks_a_pin(pins: dict[str, str]) -> None:
    # torch names the exact versions of the accelerator libraries that it brings along itself.
    accelerators = {name for name in unpinned(pins) if name.startswith(("nvidia-", "cuda-"))}
    assert unpinned(pins) - accelerators - {"triton", "setuptools"} == set()


def test_a_missing_pin_is_found(pins: dict[str, str]) -> None:
    assert "numpy" in unpinned({name: pin for name, pin in pins.items() if name != "numpy"})
