"""Runs can be stopped at any moment, by anybody, and go on as if nothing had happened."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from filelock import FileLock
from run_fixtures import RECIPE
from typer.testing import CliRunner

from transformer_lite import cli, evaluation, runs, training
from transformer_lite.runs import RunError, checkpoint, log
from transformer_lite.runs import folder as run_folder
from transformer_lite.runs.checkpoint import CheckpointError
from transformer_lite.runs.recipe import Recipe

COMMAND = Path(sys.executable).with_name("transformer-lite")
UNSTARTED = ("loading-data", "writing-the-recipe")
KILLED = (
    *UNSTARTED,
    "before-a-checkpoint",
    "between-checkpoints",
    "writing-metrics",
    "writing-the-first-checkpoint",
    "writing-the-second-checkpoint",
    "writing-the-manifest",
    "before-the-rename",
    "after-the-rename",
    "after-the-last-rename",
    "removing-a-checkpoint",
    "after-the-last-step",
)
STOPPED = {"interrupt": 7, "termination": 7, "late-interrupt": 11}


def outcome(folder: Path) -> dict[str, Any]:
    """All that a finished run leaves, but for clock times."""
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    metrics = [json.loads(line) for line in lines]
    for row in metrics:
        del row["seconds"]
    files = [file for path in runs.scheduled_checkpoints(folder) for file in sorted(path.iterdir())]
    return {
        "last": runs.checkpoints(folder)[-1].name,
        "files": {f"{file.parent.name}/{file.name}": file.read_bytes() for file in files},
        "metrics": metrics,
        "validation": (folder / "validation.jsonl").read_text(),
    }


def assert_same_run(folder: Path, unbroken: Path) -> None:
    found, expected = outcome(folder), outcome(unbroken)
    assert found["metrics"] == expected["metrics"]
    assert found["validation"] == expected["validation"]
    assert found["last"] == expected["last"]
    assert found["files"].keys() == expected["files"].keys()
    for name, content in found["files"].items():
        assert content == expected["files"][name], f"{name} differs"
    assert not list(folder.rglob("*.partial")) and not list(folder.rglob("*.new"))


def remains(folder: Path) -> dict[str, bytes]:
    """Every file of a folder that holds a run."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def deaths(recipe_file: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """The folder with what each child left, and how each ended."""
    folder = tmp_path_factory.mktemp("deaths")
    driver = Path(__file__).parents[1] / "helpers" / "dying.py"
    moments = (*KILLED, *STOPPED, "interrupt-while-loading")
    done = subprocess.run(
        [sys.executable, driver, recipe_file, folder, *moments],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder, json.loads(done.stdout)


@pytest.fixture
def half_run(recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run that stopped at step 7 of 12, with a checkpoint of step 4."""
    loss, calls = training.batch_loss, iter(range(1, 100))

    def failing(*arguments: Any) -> torch.Tensor:
        if next(calls) == 7:
            raise RuntimeError("the seventh step")
        return loss(*arguments)

    monkeypatch.setattr(training, "batch_loss", failing)
    with pytest.raises(RuntimeError, match="seventh"):
        runs.train(recipe, tmp_path / "half", progress=False)
    monkeypatch.undo()
    return tmp_path / "half"


def test_two_unbroken_runs_agree_to_the_bit(recipe: Recipe, unbroken: Path, tmp_path: Path) -> None:
    runs.train(recipe, tmp_path / "run", progress=False)
    assert_same_run(tmp_path / "run", unbroken)


def test_a_folder_may_be_a_string(recipe: Recipe, recipe_file: Path, tmp_path: Path) -> None:
    folder = str(tmp_path / "run")
    assert not runs.holds_run(folder)
    best = runs.train(Recipe.load(recipe_file), folder, progress=False)
    assert runs.holds_run(folder) and runs.best_checkpoint(folder) == best
    found = runs.checkpoints(folder)
    assert runs.scheduled_checkpoints(folder) == found
    mean = checkpoint.average([str(one) for one in found])
    checkpoint.save(str(tmp_path / "mean"), mean)
    assert checkpoint.load(str(tmp_path / "mean")).task == recipe.task


def test_another_seed_gives_another_run(recipe: Recipe, unbroken: Path, tmp_path: Path) -> None:
    other = replace(recipe, training=replace(recipe.training, seed=1))
    runs.train(other, tmp_path / "run", progress=False)
    assert outcome(tmp_path / "run")["metrics"] != outcome(unbroken)["metrics"]


def test_a_finished_run_holds_what_it_should(unbroken: Path) -> None:
    kept = runs.checkpoints(unbroken)
    losses = {path: json.loads((path / "progress.json").read_text()) for path in kept}
    assert len(kept) in (2, 3) and kept[-1].name == "step-0000012"
    assert runs.best_checkpoint(unbroken) == min(
        kept, key=lambda path: losses[path]["validation"]["loss"]
    )
    assert len((unbroken / "metrics.jsonl").read_text().splitlines()) == 12
    rows = [json.loads(line) for line in (unbroken / "validation.jsonl").read_text().splitlines()]
    assert [row.pop("step") for row in rows] == [4, 8, 12]
    assert rows[-1] == losses[kept[-1]]["validation"]
    log = (unbroken / "log.txt").read_text()
    assert "starting:" in log and "step 4: validation loss" in log and "done;" in log


@pytest.mark.parametrize(("keep", "kept"), [(2, [6, 12, 15]), (3, [6, 9, 12, 15])])
def test_only_the_newest_and_the_best_checkpoint_are_kept(
    keep: int, kept: list[int], recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses = iter([3.0, 1.0, 2.0, 2.5, 2.2])
    monkeypatch.setattr(
        evaluation,
        "teacher_forced",
        lambda *_: evaluation.TeacherForced(loss=next(losses), accuracy=0.5),
    )
    often = replace(recipe, validation=replace(recipe.validation, every=3, keep=keep))
    often = replace(often, training=replace(often.training, steps=15))
    best = runs.train(often, tmp_path / "run", progress=False)
    assert best.name == "step-0000006"
    names = [path.name for path in runs.checkpoints(tmp_path / "run")]
    assert names == [f"step-{step:07d}" for step in kept]


@pytest.mark.parametrize("moment", KILLED)
def test_a_killed_run_ends_like_an_unbroken_one(
    moment: str, deaths: tuple[Path, Any], recipe: Recipe, unbroken: Path
) -> None:
    folder, ends = deaths
    assert ends[moment]["status"] == -signal.SIGKILL, ends[moment]["output"]
    assert (folder / moment / "run.lock").exists(), "the lock of a dead process bars nobody"
    runs.train(recipe, folder / moment, resume=moment not in UNSTARTED, progress=False)
    assert_same_run(folder / moment, unbroken)


@pytest.mark.parametrize("moment", STOPPED)
def test_a_stopped_run_writes_a_checkpoint_and_goes_on(
    moment: str, deaths: tuple[Path, Any], recipe: Recipe, unbroken: Path
) -> None:
    folder, ends = deaths
    run = folder / moment
    assert ends[moment]["status"] == 130
    # The update that was under way is finished first: a half-updated model is never saved.
    step = STOPPED[moment]
    assert runs.checkpoints(run)[-1].name == f"step-{step:07d}"
    assert f"stopped after step {step}" in (run / "log.txt").read_text()
    last_line = ends[moment]["output"].splitlines()[-1]
    assert last_line.startswith("stopped; go on with: transformer-lite train ")
    assert last_line.endswith(f"--run {run} --resume")
    runs.train(recipe, run, resume=True, progress=False)
    assert_same_run(run, unbroken)


def test_an_interrupt_before_the_first_step_leaves_a_usable_folder(
    deaths: tuple[Path, Any], recipe: Recipe, unbroken: Path
) -> None:
    folder, ends = deaths
    run = folder / "interrupt-while-loading"
    end = ends["interrupt-while-loading"]
    assert end["status"] == 130
    assert end["output"].splitlines()[-1].endswith(f"--run {run}"), "there is nothing to resume"
    runs.train(recipe, run, progress=False)
    assert_same_run(run, unbroken)


def test_the_command_killed_at_any_time_goes_on(tmp_path: Path) -> None:
    """The real command in a real process, killed twice without knowing of it."""
    path = tmp_path / "longer.toml"
    path.write_text(RECIPE.replace("steps = 12", "steps = 240").replace("every = 4", "every = 10"))
    longer, run = Recipe.load(str(path)), tmp_path / "run"
    for number, checkpoint_to_see in enumerate((20, 90)):
        arguments = [COMMAND, "train", path, "--run", run, *(["--resume"] if number else [])]
        process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            wait_until(run / "checkpoints" / f"step-{checkpoint_to_see:07d}", process)
            if number == 0:
                with pytest.raises(RunError, match=r"another process is training in .*run"):
                    runs.train(longer, run, resume=True, progress=False)
        finally:
            process.kill()
            process.communicate()
        assert process.returncode == -signal.SIGKILL
    runs.train(longer, run, resume=True, progress=False)
    runs.train(longer, tmp_path / "unbroken", progress=False)
    assert_same_run(run, tmp_path / "unbroken")


def wait_until(path: Path, process: "subprocess.Popen[bytes]") -> None:
    """Wait for a checkpoint, or for a later one (the run may remove it again)."""
    deadline = time.monotonic() + 120
    while not any(one.name >= path.name for one in path.parent.glob("step-*")):
        assert process.poll() is None, process.communicate()[0].decode()
        assert time.monotonic() < deadline, f"{path} did not appear in two minutes"
        time.sleep(0.005)


def test_a_full_disk_loses_nothing(
    recipe: Recipe, half_run: Path, unbroken: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = remains(half_run / "checkpoints")

    def full(content: Any, path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(OSError) as caught:
        runs.train(recipe, half_run, resume=True, progress=False)
    monkeypatch.undo()
    assert caught.value.errno == errno.ENOSPC
    for word in ("step 8", str(half_run), "No space left", "step-0000004", "--resume"):
        assert word in str(caught.value)
    assert remains(half_run / "checkpoints") == before, "nothing lost, overwritten or left over"
    runs.train(recipe, half_run, resume=True, progress=False)
    assert_same_run(half_run, unbroken)


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any, str], None]:
    """Let a function that writes find no room."""

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    return lambda owner, name: monkeypatch.setattr(owner, name, full)


def test_a_full_disk_ends_the_command_in_one_line(
    recipe_file: Path, half_run: Path, full_disk: Any
) -> None:
    full_disk(checkpoint, "save_file")
    result = CliRunner().invoke(
        cli.app, ["train", str(recipe_file), "--run", str(half_run), "--resume"]
    )
    assert result.exit_code == 1
    errors = [line for line in result.stderr.splitlines() if "error:" in line]
    assert len(errors) == 1 and "the last good checkpoint is step-0000004" in errors[0]
    assert "Traceback" not in result.output


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own, of one mebibyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("mounting a small disk takes root rights; the injected fault was tested above")
    try:
        yield folder
    finally:
        # Lazily: a failing test may still hold a file open.
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.parametrize("room", [6, 40], ids=["for-no-weights", "for-half-a-checkpoint"])
def test_a_disk_that_is_really_full(
    room: int, recipe: Recipe, half_run: Path, unbroken: Path, small_disk: Path
) -> None:
    run = small_disk / "run"
    shutil.copytree(half_run, run)
    before = remains(run / "checkpoints")
    filler = small_disk / "filler"
    fill(filler, leave=room * 1024)
    with pytest.raises(OSError, match=r"^the run .*No space left.*step-0000004") as caught:
        runs.train(recipe, run, resume=True, progress=False)
    assert caught.value.errno == errno.ENOSPC
    assert remains(run / "checkpoints") == before
    filler.unlink()
    runs.train(recipe, run, resume=True, progress=False)
    assert_same_run(run, unbroken)


@pytest.mark.parametrize(
    ("owner", "name", "words"),
    [
        (run_folder, "write_json", r"could not start,.*no checkpoint\. Mend that and start again"),
        (log, "write", r"could not start,.*no checkpoint\. Mend that and go on with --resume"),
    ],
)
def test_a_disk_too_full_to_start(
    owner: Any, name: str, words: str, recipe: Recipe, tmp_path: Path, full_disk: Any
) -> None:
    full_disk(owner, name)
    with pytest.raises(OSError, match=rf"^the run {words}"):
        runs.train(recipe, tmp_path / "run", progress=False)


def test_what_stands_in_the_way_of_a_checkpoint_is_named(recipe: Recipe, half_run: Path) -> None:
    (half_run / "checkpoints" / "step-0000008").write_text("not a checkpoint")
    with pytest.raises(OSError, match=r"stopped after step 8.*step-0000008 exists already"):
        runs.train(recipe, half_run, resume=True, progress=False)


def fill(path: Path, leave: int) -> None:
    """Fill the disk of `path`, but for `leave` bytes."""
    disk = os.statvfs(path.parent)
    path.write_bytes(b"\0" * (disk.f_bavail * disk.f_frsize - leave))


def test_a_loss_that_is_no_number_stops_the_run(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loss, calls = training.batch_loss, iter(range(1, 100))
    monkeypatch.setattr(
        training,
        "batch_loss",
        lambda *arguments: loss(*arguments) * (float("nan") if next(calls) == 7 else 1.0),
    )
    with pytest.raises(
        FloatingPointError, match=r"loss became nan at step 7.*batch 7 of epoch 1.*pairs"
    ):
        runs.train(recipe, tmp_path / "run", progress=False)
    assert [path.name for path in runs.checkpoints(tmp_path / "run")] == ["step-0000004"]
    checkpoint.load(runs.best_checkpoint(tmp_path / "run"))


def test_a_ruined_model_is_never_saved_over_a_good_one(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses = iter([2.0, float("nan")])
    monkeypatch.setattr(
        evaluation,
        "teacher_forced",
        lambda *_: evaluation.TeacherForced(loss=next(losses), accuracy=0.5),
    )
    with pytest.raises(FloatingPointError, match="validation loss became nan at step 8"):
        runs.train(recipe, tmp_path / "run", progress=False)
    assert [path.name for path in runs.checkpoints(tmp_path / "run")] == ["step-0000004"]


def test_an_existing_run_is_not_started_again(recipe: Recipe, half_run: Path) -> None:
    before = remains(half_run)
    with pytest.raises(RunError, match="half exists and is no empty folder; go on with --resume"):
        runs.train(recipe, half_run, progress=False)
    assert remains(half_run) == before


def test_a_folder_of_something_else_is_left_alone(recipe: Recipe, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("three years of work")
    with pytest.raises(RunError, match="is no empty folder"):
        runs.train(recipe, tmp_path, progress=False)
    with pytest.raises(RunError, match=r"holds no run to resume \(no recipe.json\)"):
        runs.train(recipe, tmp_path, resume=True, progress=False)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_what_lies_beside_the_checkpoints_is_left_alone(
    recipe: Recipe, unbroken: Path, half_run: Path
) -> None:
    place = half_run / "checkpoints"
    for name in ("step-0000004-backup", "step-0000004.bak", "step-00000008", "mine.partial"):
        shutil.copytree(place / "step-0000004", place / name)
    (place / "step-0000006.zip").write_text("not a folder")
    (place / "step-0000005").symlink_to(place / "step-0000004.bak")
    before = {name: one for name, one in remains(place).items() if "step-0000004/" not in name}
    runs.train(recipe, half_run, resume=True, progress=False)
    assert outcome(half_run) == outcome(unbroken)
    assert {name: one for name, one in remains(place).items() if name in before} == before


def test_checkpoints_are_in_the_order_of_their_steps(tmp_path: Path) -> None:
    names = ["step-9999998", "step-9999999", "step-10000000", "step-10000001"]
    for name, loss in zip(names, (3.0, 1.0, 2.0, 1.5), strict=True):
        state = {"steps_done": 1, "processes": 1, "scheduled": True, "validation": {"loss": loss}}
        (tmp_path / "checkpoints" / name).mkdir(parents=True)
        (tmp_path / "checkpoints" / name / "progress.json").write_text(json.dumps(state))
    assert [path.name for path in runs.checkpoints(tmp_path)] == names
    run_folder.prune(tmp_path, 2)
    assert [path.name for path in runs.checkpoints(tmp_path)] == names[1:], "newest and best"


def test_a_checkpoint_removed_meanwhile_is_passed_over(
    unbroken: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run in progress removes older ones while others look into its folder."""
    best, listed = runs.best_checkpoint(unbroken), runs.checkpoints(unbroken)
    gone = unbroken / "checkpoints" / "step-0000002"
    monkeypatch.setattr(run_folder, "checkpoints", lambda _: [gone, *listed])
    assert runs.best_checkpoint(unbroken) == best


@pytest.mark.parametrize("resume", [True, False])
@pytest.mark.parametrize("name", run_folder.OWN)
def test_a_link_in_a_run_folder_is_not_followed(
    name: str, resume: bool, recipe: Recipe, unbroken: Path, tmp_path: Path
) -> None:
    run, outside = tmp_path / "run", tmp_path / "outside"
    shutil.copytree(unbroken, run)
    (run / name).rename(outside)
    if not resume:
        shutil.rmtree(run)
        run.mkdir()
    (run / name).symlink_to(outside)
    before = remains(tmp_path)
    with pytest.raises(RunError, match=rf"{name} must lie in the run folder .* link to .*outside"):
        runs.train(recipe, run, resume=resume, progress=False)
    assert remains(tmp_path) == before


@pytest.mark.parametrize("name", ["recipe.json", "recipe.json.new"])
def test_what_is_written_replaces_a_link(name: str, recipe: Recipe, tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("three years of work")
    (tmp_path / name).symlink_to(tmp_path / "outside")
    run_folder.store_recipe(tmp_path, recipe)
    assert (tmp_path / "outside").read_text() == "three years of work"
    assert not (tmp_path / "recipe.json").is_symlink() and runs.holds_run(tmp_path)


def test_lines_that_cannot_be_read_are_set_aside(
    recipe: Recipe, half_run: Path, unbroken: Path
) -> None:
    path = half_run / "metrics.jsonl"
    good = path.read_bytes().splitlines(keepends=True)
    bad = [b"\n", b'{"step": 2, "lo\n', bytes(8) + b"\n", b"\xff\n", b"7\n", b'{"step": "1"}\n',
           b"[" * 100_000 + b"\n"]  # fmt: skip
    path.write_bytes(b"".join([*good[:2], *bad, *good[2:]]))
    damaged = path.read_bytes()
    (half_run / "damaged-metrics.jsonl").write_text("of another time")
    runs.train(recipe, half_run, resume=True, progress=False)
    assert_same_run(half_run, unbroken)
    assert (half_run / "damaged-damaged-metrics.jsonl").read_bytes() == damaged
    assert (half_run / "damaged-metrics.jsonl").read_text() == "of another time"
    said = (half_run / "log.txt").read_text()
    assert "in line 3, 4, 5, 6, 7, …: dropped" in said
    assert "as it was is called damaged-damaged-metrics.jsonl now" in said


def test_a_file_in_the_way_is_left_alone(recipe: Recipe, tmp_path: Path) -> None:
    (tmp_path / "run").write_text("not a folder")
    with pytest.raises(RunError, match="run exists and is no empty folder"):
        runs.train(recipe, tmp_path / "run", progress=False)


def test_resuming_nothing_creates_nothing(recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"holds no run to resume.*start without --resume"):
        runs.train(recipe, tmp_path / "nowhere", resume=True, progress=False)
    assert not (tmp_path / "nowhere").exists()


def test_a_run_of_another_recipe_is_left_alone(recipe: Recipe, half_run: Path) -> None:
    before = remains(half_run)
    wider = replace(recipe, model=recipe.model | {"d_model": 32})
    with pytest.raises(RunError, match=r"another recipe.*name another folder") as caught:
        runs.train(wider, half_run, resume=True, progress=False)
    assert str(caught.value).endswith("has: model.d_model is 16 there, but 32 is asked for")
    assert remains(half_run) == before


def test_a_damaged_stored_recipe_is_named(recipe: Recipe, half_run: Path) -> None:
    (half_run / "recipe.json").write_text('{"task": ')
    with pytest.raises(RunError, match=r"recipe\.json is damaged.*name another folder"):
        runs.train(recipe, half_run, resume=True, progress=False)


def test_a_checkpoint_of_another_model_is_refused(
    recipe: Recipe, half_run: Path, tmp_path: Path
) -> None:
    wider = replace(recipe, model=recipe.model | {"d_model": 32})
    runs.train(wider, tmp_path / "wider", progress=False)
    shutil.rmtree(half_run / "checkpoints" / "step-0000004")
    foreign = runs.checkpoints(tmp_path / "wider")[0]
    shutil.copytree(foreign, half_run / "checkpoints" / "step-0000004")
    with pytest.raises(CheckpointError, match="holds another model than this run's"):
        runs.train(recipe, half_run, resume=True, progress=False)


DAMAGES = {
    "an altered byte": lambda path: flip_last_byte(path / "optimizer.safetensors"),
    "half a file": lambda path: (path / "model.safetensors").write_bytes(b"half"),
    "a missing file": lambda path: (path / "progress.json").unlink(),
    "a damaged manifest": lambda path: (path / "manifest.json").write_text('{"mod'),
    "an empty folder": lambda path: [one.unlink() for one in path.iterdir()],
}


def flip_last_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("damage", DAMAGES)
def test_the_checkpoint_before_a_damaged_one_is_used(
    damage: str, recipe: Recipe, unbroken: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    shutil.copytree(unbroken, run)
    *_, before, last = runs.checkpoints(run)
    DAMAGES[damage](last)
    what_it_was = remains(last)
    runs.train(recipe, run, resume=True)
    said = capsys.readouterr().out
    for place in (said, (run / "log.txt").read_text()):
        assert f"is called damaged-{last.name} now, and is not used" in place
        assert f"resuming after step {int(before.name.removeprefix('step-'))}:" in place
    aside = last.with_name(f"damaged-{last.name}")
    assert remains(aside) == what_it_was, "kept for whoever wants to look"
    assert_same_run(run, unbroken)


def test_a_damaged_checkpoint_that_is_not_the_newest_does_no_harm(
    recipe: Recipe, unbroken: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(unbroken, run)
    older = runs.checkpoints(run)[0]
    DAMAGES["an empty folder"](older)
    assert runs.train(recipe, run, resume=True, progress=False).name == "step-0000012"
    assert older not in runs.checkpoints(run)


def test_without_one_that_is_whole_nothing_is_done(recipe: Recipe, half_run: Path) -> None:
    flip_last_byte(half_run / "checkpoints" / "step-0000004" / "model.safetensors")
    before = remains(half_run)
    words = r"no checkpoint that is whole.*model\.safetensors was altered or damaged"
    with pytest.raises(CheckpointError, match=words):
        runs.train(recipe, half_run, resume=True, progress=False)
    assert remains(half_run) == before


def test_a_run_in_progress_keeps_others_out(recipe: Recipe, tmp_path: Path) -> None:
    with (
        FileLock(tmp_path / "run.lock"),
        pytest.raises(RunError, match=r"another process is training in .*name another folder"),
    ):
        runs.train(recipe, tmp_path, progress=False)
    assert [path.name for path in tmp_path.iterdir()] == ["run.lock"]
    runs.train(recipe, tmp_path, progress=False)


def test_a_run_that_came_and_went_meanwhile_is_left_alone(
    recipe: Recipe, unbroken: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look into the empty folder and the lock."""
    folder = tmp_path / "run"

    class Slow(FileLock):
        def acquire(self, *arguments: Any, **options: Any) -> Any:
            shutil.copytree(unbroken, folder, dirs_exist_ok=True)
            return super().acquire(*arguments, **options)

    monkeypatch.setattr(run_folder, "FileLock", Slow)
    with pytest.raises(RunError, match="run exists and is no empty folder"):
        runs.train(recipe, folder, progress=False)
    expected = remains(unbroken)
    assert {name: one for name, one in remains(folder).items() if name in expected} == expected


def test_a_failed_start_leaves_a_folder_that_can_be_used(
    recipe: Recipe, unbroken: Path, tmp_path: Path
) -> None:
    wrong = replace(recipe, model=recipe.model | {"heads": 3})
    with pytest.raises(ValueError, match="heads must divide d_model"):
        runs.train(wrong, tmp_path / "run", progress=False)
    runs.train(recipe, tmp_path / "run", progress=False)
    assert_same_run(tmp_path / "run", unbroken)


def test_no_training_pair_short_enough(recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"max_tokens must leave .* but 2 leaves none; raise it"):
        runs.train(replace(recipe, max_tokens=2), tmp_path / "run", progress=False)
