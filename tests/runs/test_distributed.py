"""Several processes that train one model do what one process does."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from every_model import KINDS
from safetensors.torch import load_file
from two_processes import CONFIG, examples, outcome

from transformer_lite.data.batching import epoch_batches
from transformer_lite.runs import distributed
from transformer_lite.training import seed_for


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes wrote, each trained on its share of the batches."""
    folder = tmp_path_factory.mktemp("two")
    driver = Path(__file__).parents[1] / "helpers" / "two_processes.py"
    done = subprocess.run(
        [sys.executable, driver, folder], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("number", range(len(KINDS)), ids=list(KINDS))
def test_two_processes_follow_one(number: int, two: Path) -> None:
    """In float64 and without dropout: losses and weights to 1e-9, by addition order alone."""
    expected = outcome(list(KINDS)[number])
    first, second = (load_file(two / f"{number}.{rank}.safetensors") for rank in (0, 1))
    assert first.keys() == second.keys() == expected.keys()
    for name, tensor in expected.items():
        torch.testing.assert_close(first[name], tensor, rtol=1e-9, atol=1e-9, msg=name)
        assert torch.equal(first[name], second[name]), f"{name}: the processes differ"


def test_each_process_draws_its_own_dropout(two: Path) -> None:
    for rank in (0, 1):
        expected = seed_for(CONFIG.seed, CONFIG.steps, rank)
        assert (two / f"seed.{rank}").read_text() == str(expected)


def test_some_batches_leave_a_process_without_rows() -> None:
    """So that the test above holds this case too."""
    batches = epoch_batches(examples(), batch_tokens=CONFIG.batch_tokens, seed=CONFIG.seed, epoch=0)
    sizes = [len(batch) for batch in batches[: CONFIG.steps]]
    assert 1 in sizes and max(sizes) > 1 and any(size % 2 for size in sizes if size > 1)


def test_a_process_alone_is_all_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "8")  # as other launchers set it
    monkeypatch.setenv("RANK", "3")
    module = torch.nn.Linear(2, 2)
    with distributed.processes(distributed.own_device("cpu")):
        assert not torch.distributed.is_initialized()
        assert (distributed.rank(), distributed.process_count()) == (0, 1)
        assert distributed.is_first() and distributed.share_gradients(module) is module
        assert distributed.totals(2.0, 3.5) == [2.0, 3.5]
        assert distributed.any_process(True) and not distributed.any_process(False)
        assert distributed.together(lambda: 7) == 7
        with pytest.raises(OSError, match="no room"):
            distributed.together(lambda: (_ for _ in ()).throw(OSError("no room")))


def test_devices_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match='device must be "cpu" or "cuda", but it is \'abacus\''):
        distributed.own_device("abacus")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert distributed.own_device("cuda") == torch.device("cuda", 0)
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "test")
    monkeypatch.setenv("LOCAL_RANK", "1")
    with pytest.raises(ValueError, match=r"at least 2, but PyTorch finds 1; start fewer process"):
        distributed.own_device("cuda")
