"""Notebooks in a stand-in for Colab: its versions, an empty folder, only a git address.

Nothing of the project is importable there: the set-up cell installs it. Run by `make colab-test`;
it takes minutes and needs a network or a cache of packages.
"""

import os
import shutil
import subprocess
import venv
from importlib.metadata import distribution, requires
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from packaging.requirements import Requirement

from bookbuild.hosting import Stamp
from bookbuild.notebook import setup_cell

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
# What a chapter takes from the package that is not in the wheel would be missing here.
PACKAGE_FILES = ("LICENSE", "README.md", "pyproject.toml", "transformer_lite")


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
def address(tmp_path_factory: pytest.TempPathFactory) -> Stamp:
    """A git address that holds the package as it stands in the working tree."""
    folder = tmp_path_factory.mktemp("repository")
    for name in PACKAGE_FILES:
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copyfile)(source, folder / name)
    git = ["git", "-C", str(folder), "-c", "user.name=A", "-c", "user.email=a@example.org"]
    for command in (["init", "-q"], ["add", "--all"], ["commit", "-q", "-m", "package"]):
        subprocess.run([*git, *command], check=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    return Stamp(folder.as_uri(), head.stdout.strip())


def test_there_is_something_to_run() -> None:
    assert NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_in_colab(path: Path, colab: Path, address: Stamp, tmp_path: Path) -> None:
    notebook = nbformat.read(path, 4)
    assert setup_cell.is_setup(notebook.cells[0])
    notebook.cells[0].source = setup_cell.node(address).source
    specification = tmp_path / "kernels" / "colab"
    specification.mkdir(parents=True)
    (specification / "kernel.json").write_text(
        f'{{"argv": ["{colab}", "-m", "ipykernel_launcher", "-f", "{{connection_file}}"],'
        ' "display_name": "Colab", "language": "python"}'
    )
    empty = tmp_path / "content"
    empty.mkdir()
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
