"""The set-up cell makes the package importable, or says in one sentence why it cannot."""

import os
import subprocess
import sys
from pathlib import Path

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


def test_the_set_up_cell_says_when_it_has_no_repository(tmp_path: Path) -> None:
    result = run_set_up(Stamp(), tmp_path)
    assert result.stderr.splitlines()[-1] == (
        "ImportError: transformer_lite is not installed, and this copy of the notebook names no "
        "repository to install it from: run it in an environment made by `make book`."
    )


def test_the_set_up_cell_never_installs_torch(tmp_path: Path) -> None:
    result = run_set_up(Stamp("https://example.invalid/course", "abc"), tmp_path)
    assert result.stderr.splitlines()[-1] == (
        "ImportError: PyTorch is not installed: install it first, this notebook never does."
    )


def test_the_set_up_cell_says_when_the_repository_cannot_be_reached(tmp_path: Path) -> None:
    script = tmp_path / "set_up.py"
    missing = (tmp_path / "nowhere").as_uri()
    # As if the package were not there, with everything else as it is.
    hide = (
        "import importlib.util as util\n"
        "real = util.find_spec\n"
        "util.find_spec = lambda name: None if name == 'transformer_lite' else real(name)\n"
    )
    script.write_text(hide + setup_cell.node(Stamp(missing, "abc")).source)
    result = run_script(script)
    assert result.stderr.splitlines()[-1].startswith(
        f"ImportError: transformer_lite cannot be installed from {missing}: "
    )


def test_the_set_up_cell_does_nothing_where_the_package_is(tmp_path: Path) -> None:
    (tmp_path / "transformer_lite.py").touch()
    result = run_set_up(Stamp(), tmp_path)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
