"""The option --compile: the same losses, and one line where nothing can compile.

In processes of their own: `torch.compile` does not see through the checks of shapes of this suite.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = Path(sys.executable).with_name("transformer-lite")
COMPILERS = ("c++", "g++", "clang++")


@pytest.fixture
def still(recipe_file: Path, tmp_path: Path) -> Path:
    """Without dropout, whose random numbers differ. No width may equal a number of rows: what is
    equal by chance is taken for equal on purpose, and a second compilation follows."""
    text = recipe_file.read_text().replace("dropout = 0.1", "dropout = 0.0")
    path = tmp_path / "still.toml"
    path.write_text(text.replace("d_model = 16", "d_model = 34").replace("d_ff = 16", "d_ff = 35"))
    return path


def train(
    recipe: Path, run: Path, *options: str, **environment: str
) -> "subprocess.CompletedProcess[str]":
    command = [str(COMMAND), "train", str(recipe), "--run", str(run), "--steps", "4", *options]
    return subprocess.run(
        command,
        env=os.environ | {"OMP_NUM_THREADS": "1"} | environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


@pytest.mark.skipif(
    not any(shutil.which(one) for one in COMPILERS),
    reason=f"torch.compile needs a C++ compiler: none of {', '.join(COMPILERS)} is installed",
)
def test_compiled_and_plain_losses_are_equal(still: Path, tmp_path: Path) -> None:
    """But for the order of additions: to 1e-4, over four steps."""
    losses = {}
    for name, options in (("plain", []), ("compiled", ["--compile"])):
        done = train(still, tmp_path / name, *options)
        assert done.returncode == 0, done.stderr
        lines = (tmp_path / name / "metrics.jsonl").read_text().splitlines()
        losses[name] = [json.loads(line)["loss"] for line in lines]
        assert (
            f'"compile": {str(bool(options)).lower()}'
            in (tmp_path / name / "recipe.json").read_text()
        )
    assert len(losses["plain"]) == 4
    assert losses["compiled"] == pytest.approx(losses["plain"], abs=1e-4)


def test_without_a_compiler_one_line_says_so(still: Path, tmp_path: Path) -> None:
    nothing = {"CXX": str(tmp_path / "nothing"), "TORCHINDUCTOR_CACHE_DIR": str(tmp_path / "cache")}
    done = train(still, tmp_path / "run", "--compile", **nothing)
    assert done.returncode == 1
    (error,) = [line for line in done.stderr.splitlines() if line]
    assert error.startswith(
        "error: compile must find a compiler that works for 'cpu', but PyTorch finds none ("
    )
    assert error.endswith("or train without compiling")
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["run.lock"]
