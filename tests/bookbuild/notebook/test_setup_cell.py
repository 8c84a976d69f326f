"""The set-up cell makes the package importable, or says in one sentence why it cannot."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bookbuild.hosting import Stamp
from bookbuild.notebook import setup_cell


def run_script(script: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *options, str(script)]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        command, cwd=script.parent, env=environment, capture_output=True, text=True, check=False
    )


def run_set_up(stamp: Stamp, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the set-up cell where transformer_lite cannot be imported."""
    script = folder / "set_up.py"
    script.write_text(setup_cell.node(stamp).source)
    return run_script(script, "-S")  # without installed packages


# As if the package were not there, with everything else as it is.
HIDE = """\
import importlib.util as util
real = util.find_spec
util.find_spec = lambda name: None if name == "transformer_lite" else real(name)
"""


def test_the_set_up_cell_says_what_is_missing(tmp_path: Path) -> None:
    result = run_set_up(Stamp(), tmp_path)
    assert result.stderr.splitlines()[-1] == (
        "ImportError: transformer_lite is not installed: put its wheel, which lies beside the "
        "notebooks of the site, next to this notebook, or run it in an environment made by "
        "`make book`."
    )


def test_the_set_up_cell_never_installs_torch(tmp_path: Path) -> None:
    result = run_set_up(Stamp(wheel="https://example.invalid/a.whl"), tmp_path)
    assert result.stderr.splitlines()[-1] == (
        "ImportError: PyTorch is not installed: install it first, this notebook never does."
    )


@pytest.mark.parametrize("beside", [True, False], ids=["beside the notebook", "of the site"])
def test_the_wheel_beside_comes_first_and_what_fails_is_named(beside: bool, tmp_path: Path) -> None:
    name = "transformer_lite-9-py3-none-any.whl"
    if beside:
        (tmp_path / name).write_bytes(b"no wheel")
    address = (tmp_path / "site" / name).as_uri()
    script = tmp_path / "set_up.py"
    script.write_text(HIDE + setup_cell.node(Stamp(wheel=address)).source)
    result = run_script(script)
    assert result.stderr.splitlines()[-1].startswith(
        f"ImportError: transformer_lite cannot be installed from {name if beside else address}: "
    )


def test_the_set_up_cell_does_nothing_where_the_package_is(tmp_path: Path) -> None:
    (tmp_path / "transformer_lite.py").touch()
    result = run_set_up(Stamp(), tmp_path)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
