"""Notebooks in a stand-in for Colab: its versions, an empty folder, a wheel or a site that has it.

Nothing of the project is importable there: the set-up cell installs it. Run by `make colab-test`;
it takes minutes and needs a network or a cache of packages.
"""

import hashlib
import os
import shutil
import subprocess
import venv
from collections.abc import Callable
from importlib.metadata import distribution, requires
from pathlib import Path
from typing import Any

import nbformat
import pytest
from browsing import serve  # noqa: F401 - a fixture for the tests of this file
from nbclient import NotebookClient
from packaging.requirements import Requirement

from bookbuild.hosting import Stamp
from bookbuild.notebook import setup_cell
from bookbuild.project import Project
from bookbuild.site.wheel import add_wheel

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted(
    path for path in (ROOT / "notebooks").glob("[0-9][0-9]-*.ipynb") if ".yours" not in path.name
)
# What Colab shipped in August 2026, torch apart, which comes from the environment of the tests.
COLAB = (
    "anywidget==0.9.21",
    "ipykernel==6.17.1",
    "ipython==7.34.0",
    "ipywidgets==7.7.1",
    "matplotlib==3.10.0",
    "numpy==2.1.3",
    "setuptools==75.2.0",  # IPython 7 and parts of torch import it
)


@pytest.fixture(scope="session")
def colab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment like Colab's."""
    folder = tmp_path_factory.mktemp("colab")
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    (packages,) = (folder / "lib").glob("python*/site-packages")
    for name in _torch_and_what_it_needs():
        _link(name, packages)
    subprocess.run([python, "-m", "pip", "install", "--quiet", *COLAB], check=True)
    return python


def _torch_and_what_it_needs() -> set[str]:
    found, waiting = set(), ["torch"]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        for line in requires(name) or []:
            wanted = Requirement(line)
            if wanted.marker is None or wanted.marker.evaluate({"extra": ""}):
                waiting.append(wanted.name)
    return found


def _link(name: str, packages: Path) -> None:
    """Make an installed distribution visible in another environment without copying it."""
    files = distribution(name).files or []
    for top in {file.parts[0] for file in files if file.parts[0] not in {"..", "__pycache__"}}:
        target = packages / top
        if not target.exists():
            target.symlink_to(Path(str(distribution(name).locate_file(top))).resolve())


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The part of a site that notebooks need: the wheel of the package as it stands."""
    folder = tmp_path_factory.mktemp("site")
    add_wheel(Project(ROOT), Stamp(), folder / "notebooks")
    return folder


@pytest.fixture(params=["beside", "from the site"])
def stamp(
    request: Any,
    site: Path,
    tmp_path: Path,
    serve: Callable[[Path], str],  # noqa: F811 - the fixture
) -> Stamp:
    """The wheel lies beside the notebook, or the notebook knows where the site has it."""
    (wheel,) = (site / "notebooks").glob("*.whl")
    (tmp_path / "content").mkdir()
    if request.param == "beside":
        shutil.copy(wheel, tmp_path / "content")
        return Stamp()
    checksum = hashlib.sha256(wheel.read_bytes()).hexdigest()
    return Stamp(wheel=f"{serve(site)}notebooks/{wheel.name}#sha256={checksum}")


def test_there_is_something_to_run() -> None:
    assert NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_in_colab(path: Path, colab: Path, stamp: Stamp, tmp_path: Path) -> None:
    notebook = nbformat.read(path, 4)
    assert setup_cell.is_setup(notebook.cells[0])
    notebook.cells[0].source = setup_cell.node(stamp).source
    specification = tmp_path / "kernels" / "colab"
    specification.mkdir(parents=True)
    (specification / "kernel.json").write_text(
        f'{{"argv": ["{colab}", "-m", "ipykernel_launcher", "-f", "{{connection_file}}"],'
        ' "display_name": "Colab", "language": "python"}'
    )
    empty = tmp_path / "content"
    uninstall = [colab, "-m", "pip", "uninstall", "--quiet", "--yes", "transformer-lite"]
    subprocess.run(uninstall, check=True, capture_output=True)
    client = NotebookClient(
        notebook, kernel_name="colab", timeout=300, resources={"metadata": {"path": str(empty)}}
    )
    client.create_kernel_manager().kernel_spec_manager.kernel_dirs = [str(tmp_path / "kernels")]
    hidden = {"PYTHONPATH", "VIRTUAL_ENV", "TRANSFORMER_LITE_DATA"}
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    client.execute(env={**environment, "IPYTHONDIR": str(tmp_path / "ipython")})
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            assert output.get("name") != "stderr", f"{cell.source}\n{output.text}"
    installed = subprocess.run(
        [
            colab,
            "-c",
            "import transformer_lite, torch; print(transformer_lite.__file__, torch.__file__)",
        ],
        cwd=empty,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    package, torch = installed.stdout.split()
    assert Path(package).is_relative_to(colab.parents[1]), "the package came from somewhere else"
    ours = Path(str(distribution("torch").locate_file("torch"))).resolve()
    assert Path(torch).resolve().is_relative_to(ours), "the set-up cell installed another torch"
