"""The package's own wheel, which the site carries beside its notebooks."""

import hashlib
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from bookbuild.hosting import Stamp
from bookbuild.project import PACKAGE, Project
from bookbuild.source import SourceError


def add_wheel(project: Project, stamp: Stamp, folder: Path) -> Stamp:
    """Build the wheel into the folder of the notebooks; the stamp, with its address on the site.

    Nothing is downloaded. A project without pyproject.toml has no package to build.

    Raises:
        SourceError: the wheel cannot be built.
    """
    if not (project.root / "pyproject.toml").is_file():
        return stamp
    # Elsewhere: setuptools builds beside the sources and takes what an earlier build left there.
    with TemporaryDirectory() as name:
        copy = Path(name)
        for file in filter(Path.is_file, project.root.iterdir()):
            shutil.copy(file, copy)
        shutil.copytree(
            project.package, copy / PACKAGE, ignore=shutil.ignore_patterns("__pycache__")
        )
        command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index"]
        command += ["--no-build-isolation", "--no-cache-dir", "--wheel-dir", str(folder), name]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SourceError(f"the package's wheel cannot be built: {done.stderr.strip()[-400:]}")
    (wheel,) = folder.glob("*.whl")
    checksum = hashlib.sha256(wheel.read_bytes()).hexdigest()
    address = f"{stamp.site.rstrip('/')}/notebooks/{wheel.name}#sha256={checksum}"
    return replace(stamp, wheel=address if stamp.site else "")
