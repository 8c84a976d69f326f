"""Several processes that share a run: one folder, one voice, one end."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from transformer_lite.runs import training_run as runs
from transformer_lite.runs.recipe import Recipe

SCENES = (
    "nothing",
    "full-disk",
    "full-disk-for-the-log",
    "loss-of-the-first",
    "loss-of-the-second",
    "data-of-the-second",
    "termination-of-the-second",
    "death-of-the-second",
    "begun-by-one",
    "occupied",
)
# Float32 adds in another order: losses of one process and of two differ by this at most.
TOLERANCE = 1e-4


def losses(run: Path) -> list[float]:
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == list(range(1, len(rows) + 1))
    return [row["loss"] for row in rows]


def assert_follows(run: Path, one: Path) -> None:
    """One process trained in `one` from the first to the last step, without dropout."""
    assert losses(run) == pytest.approx(losses(one), abs=TOLERANCE)
    last, expected = runs.checkpoints(run)[-1], runs.checkpoints(one)[-1]
    assert last.name == expected.name
    found, wanted = (json.loads((path / "progress.json").read_text()) for path in (last, expected))
    assert found["validation"]["loss"] == pytest.approx(wanted["validation"]["loss"], abs=TOLERANCE)


def copy_but_last(run: Path, folder: Path) -> None:
    """What the run was before its last checkpoint."""
    shutil.copytree(run, folder)
    shutil.rmtree(runs.checkpoints(folder)[-1])


@pytest.fixture(scope="module")
def still_file(recipe_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recipe without dropout, which several processes draw differently."""
    path = tmp_path_factory.mktemp("still") / "still.toml"
    path.write_text(recipe_file.read_text().replace("dropout = 0.1", "dropout = 0.0"))
    return path


@pytest.fixture(scope="module")
def still(still_file: Path) -> Recipe:
    return Recipe.load(str(still_file))


@pytest.fixture(scope="module")
def one(still: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of one process."""
    folder = tmp_path_factory.mktemp("one") / "run"
    runs.train(still, folder, progress=False)
    return folder


@pytest.fixture(scope="module")
def scenes(
    still_file: Path, one: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Any]:
    """The folder with what two processes left of each scene, and how they ended."""
    folder = tmp_path_factory.mktemp("scenes")
    copy_but_last(one, folder / "begun-by-one")
    (folder / "occupied").mkdir()
    driver = Path(__file__).parents[1] / "helpers" / "several_runs.py"
    with FileLock(folder / "occupied" / "run.lock"):
        done = subprocess.run(
            [sys.executable, driver, still_file, folder, *SCENES],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    return folder, json.loads(done.stdout)


def test_two_processes_follow_one_and_the_first_alone_speaks(
    scenes: tuple[Path, Any], one: Path
) -> None:
    folder, results = scenes
    assert results["nothing"]["ends"] == [0, 0], results["nothing"]["output"]
    first, second = results["nothing"]["output"]
    assert "2 process(es)" in first and "best checkpoint: " in first and second == ""
    assert_follows(folder / "nothing", one)
    names = {path.name for path in (folder / "nothing").iterdir()}
    assert names == {
        "recipe.json",
        "log.txt",
        "metrics.jsonl",
        "validation.jsonl",
        "checkpoints",
        "run.lock",
    }
    rows = [(path / "validation.jsonl").read_text() for path in (folder / "nothing", one)]
    assert rows[0].count("\n") == rows[1].count("\n") > 0, "only the first process writes"
    for name, times in (("starting:", 1), ("step 4: validation", 1), ("done;", 1)):
        assert (folder / "nothing" / "log.txt").read_text().count(name) == times


@pytest.mark.parametrize(
    ("scene", "speaker", "words"),
    [
        ("full-disk", 0, "stopped after step 8.*No space left.*step-0000004.*--resume"),
        ("full-disk-for-the-log", 0, "stopped after step 7.*No space left.*step-0000004"),
        ("loss-of-the-first", 0, "loss became nan at step 7 .*in batch 7 of epoch 1.*pairs"),
        ("loss-of-the-second", 0, "loss became nan at step 7 .*in batch 7 of epoch 1.*pairs"),
        ("data-of-the-second", 1, "No space left"),
        ("occupied", 0, "another process is training in .*occupied; name another folder"),
    ],
)
def test_all_stop_and_one_says_why(
    scene: str, speaker: int, words: str, scenes: tuple[Path, Any]
) -> None:
    _, results = scenes
    assert results[scene]["ends"] == [1, 1], results[scene]["output"]
    for rank, output in enumerate(results[scene]["output"]):
        assert "Traceback" not in output
        errors = [line for line in output.splitlines() if line.startswith("error: ")]
        assert len(errors) == (rank == speaker), output
        assert not errors or re.search(words, errors[0]), errors


@pytest.mark.parametrize("scene", ["full-disk", "loss-of-the-second", "death-of-the-second"])
def test_what_was_good_is_kept_and_one_process_goes_on(
    scene: str, scenes: tuple[Path, Any], still: Recipe, one: Path, tmp_path: Path
) -> None:
    folder, results = scenes
    if scene.startswith("death"):
        assert results[scene]["ends"][1] == -signal.SIGKILL and results[scene]["ends"][0] != 0
    run = tmp_path / "run"
    shutil.copytree(folder / scene, run)
    assert [path.name for path in runs.checkpoints(run)] == ["step-0000004"]
    runs.train(still, run, resume=True, progress=False)
    assert_follows(run, one)


def test_all_stop_where_one_was_asked_to(
    scenes: tuple[Path, Any], still: Recipe, one: Path, tmp_path: Path
) -> None:
    folder, results = scenes
    end = results["termination-of-the-second"]
    assert end["ends"] == [130, 130]
    run = tmp_path / "run"
    shutil.copytree(folder / "termination-of-the-second", run)
    assert runs.checkpoints(run)[-1].name == "step-0000007"
    said = end["output"][0].splitlines()[-1]
    assert said.startswith(
        "stopped; go on with: torchrun --nproc-per-node 2 -m transformer_lite train "
    )
    assert said.endswith(f"--run-folder {folder / 'termination-of-the-second'} --resume")
    assert end["output"][1] == ""
    runs.train(still, run, resume=True, progress=False)
    log = (run / "log.txt").read_text()
    assert "until here the run had 2 process(es): the batches and their order stay the same" in log
    assert_follows(run, one)


def test_two_go_on_with_what_one_began(scenes: tuple[Path, Any], one: Path) -> None:
    folder, results = scenes
    assert results["begun-by-one"]["ends"] == [0, 0], results["begun-by-one"]["output"]
    assert "resuming after step 8" in results["begun-by-one"]["output"][0]
    assert "until here the run had 1 process(es)" in results["begun-by-one"]["output"][0]
    assert_follows(folder / "begun-by-one", one)


def test_as_many_as_before_have_nothing_to_say_about_it(one: Path) -> None:
    assert "until here" not in (one / "log.txt").read_text()


def test_torchrun_itself_can_be_stopped_and_goes_on(still_file: Path, tmp_path: Path) -> None:
    """The real launcher, stopped twice; as from a terminal, the whole process group hears it."""
    path, run = tmp_path / "long.toml", tmp_path / "run"
    text = still_file.read_text()
    path.write_text(text.replace("steps = 12", "steps = 9999").replace("every = 4", "every = 9999"))
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "-m"]
    command += ["transformer_lite", "train", str(path), "--run-folder", str(run)]
    stopped = 0
    for number, option in ((signal.SIGINT, []), (signal.SIGTERM, ["--resume"])):
        process = subprocess.Popen(
            [*command, *option],
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        wait_for_steps(run, stopped + 10, process)
        os.killpg(process.pid, number)
        output = process.communicate(timeout=120)[0]
        assert "stopped; go on with: torchrun --nproc-per-node 2" in output, output
        assert not stopped or f"resuming after step {stopped}" in output
        stopped = int(runs.checkpoints(run)[-1].name.removeprefix("step-"))
        assert len(losses(run)) == stopped


def wait_for_steps(run: Path, steps: int, process: "subprocess.Popen[str]") -> None:
    deadline, metrics = time.monotonic() + 120, run / "metrics.jsonl"
    while not metrics.exists() or metrics.read_text().count("\n") < steps:
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline, f"no {steps} steps in two minutes"
        time.sleep(0.01)
