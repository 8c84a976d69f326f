"""Speed and memory beside torch.nn.Transformer and Hugging Face's Marian, in one run.

    make bench                                 # or: python benchmarks/speed.py
    python benchmarks/speed.py --save          # also writes benchmarks/speed.json
    python benchmarks/speed.py --profile       # instead: where our time goes
    OMP_WAIT_POLICY=active make bench          # threads that spin: for a quiet machine

The contestants take turns, round by round, after a warm-up: whatever else the machine does hits all
of them. Two ratios are shown: of the medians, and of the minima, which other work disturbs least.
Marian takes part where the library transformers is installed and, in decoding, what we export to
CTranslate2 where that is; benchmarks/peers.py adds others, one at a time. How threads wait for each
other is left as the package sets it (transformer_lite/threads.py): that is what its readers get,
and it is the same for all.
"""

import argparse
import importlib.metadata
import importlib.util
import json
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from contestants import (
    BEAM,
    CONTESTANTS,
    EXPORTED,
    INNER,
    LAYERS,
    VOCABULARY,
    WIDTH,
    YARDSTICK,
    Contestant,
    Ours,
    OursOwnRecipe,
)
from peers import PEERS
from stored import has_amx, machine
from torch import Tensor

from transformer_lite.data.batching import Batch, Example, collate
from transformer_lite.data.vocabulary import EOS

FILE = Path(__file__).with_suffix(".json")
PAIRS, SHORTEST, LONGEST = 64, 8, 24
TOKENS = 40  # written by greedy decoding
THREADS = 2
GOALS = {
    ("training step, float32", "ours"): 2.0,
    ("training step, float32", "ours, own recipe"): 2.5,
    ("training step, bfloat16", "ours, own recipe"): 3.5,
    (f"greedy decoding, batch {PAIRS}", "ours"): 8.0,
    ("greedy decoding, batch 1", "ours"): 3.5,
}
MEMORY_GOAL = 0.55
BEAM_GOAL = 4.0
Row = dict[str, Any]


def random_batch(pairs: int, seed: int) -> Batch:
    """Pairs of 8 to 24 tokens a side, `<eos>` (or `<bos>`) counted in."""
    generator = np.random.default_rng(seed)

    def ids(length: int) -> list[int]:
        return generator.integers(4, VOCABULARY, length - 1).tolist()

    lengths = generator.integers(SHORTEST, LONGEST + 1, (pairs, 2))
    return collate([Example([*ids(source), EOS], ids(target)) for source, target in lengths])


def training_step(contestant: Contestant, precision: str = "float32") -> Callable[[], None]:
    """One update, as training makes it: the same batch, clipping and Adam for all."""
    model = contestant.model.train()
    optimizer = torch.optim.Adam(model.parameters(), 1e-4, betas=(0.9, 0.98), fused=True)
    batch = random_batch(PAIRS, seed=0)

    def step() -> None:
        optimizer.zero_grad()
        contestant.loss(batch, precision).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    return step


def decoding(decode: Callable[[Batch, int], Tensor], pairs: int) -> Callable[[], None]:
    """Greedy decoding of TOKENS tokens for every row; no row stops early."""
    batch = random_batch(pairs, seed=1)

    def turn() -> None:
        written = decode(batch, TOKENS)
        assert written.shape == (pairs, TOKENS), "a row stopped early"

    return turn


def interleaved(turns: dict[str, Callable[[], None]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each turn; all take part in every round, after two rounds of warm-up."""
    seconds: dict[str, list[float]] = {name: [] for name in turns}
    for index in range(rounds + 2):
        for name, turn in turns.items():
            began = time.perf_counter()
            turn()
            if index >= 2:
                seconds[name].append(time.perf_counter() - began)
    return seconds


def matrix_peak(dtype: torch.dtype = torch.float32, size: int = 2048) -> float:
    """The best rate of a large matrix product here, in floating-point operations a second."""
    a, b = torch.randn(2, size, size).to(dtype)
    best = min(interleaved({"product": partial(torch.mm, a, b)}, rounds=8)["product"])  # type: ignore[dict-item]
    return 2 * size**3 / best


def useful_operations() -> float:
    """Of one training step: products with weight matrices, for real tokens, there and back."""
    batch = random_batch(PAIRS, seed=0)
    square, wide = WIDTH * WIDTH, WIDTH * INNER
    source = LAYERS * (4 * square + 2 * wide) + LAYERS * 2 * square  # cross keys and values too
    target = LAYERS * (6 * square + 2 * wide) + WIDTH * VOCABULARY
    # Backwards twice as much: a product for the gradient of the input, one for that of the matrix.
    return 6.0 * (int(batch.source_mask.sum()) * source + batch.target_tokens * target)


def memory_added(name: str) -> dict[str, float]:
    """MiB of three training steps, in a process of their own: the peak after less that before.

    The median of five such processes: they differ by up to 5 %.
    """
    command = [sys.executable, __file__, "--memory-of", name]
    found: list[dict[str, float]] = [
        json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        for _ in range(5)
    ]
    return sorted(found, key=lambda one: one["added"])[len(found) // 2]


def measure_memory(name: str) -> None:
    """What `memory_added` runs, on Linux."""

    def peak() -> float:
        # What getrusage calls the peak counts the process that started this one, too.
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))

    step = training_step((CONTESTANTS | PEERS)[name]())
    before = peak()
    for _ in range(3):
        step()
    print(json.dumps({"added": peak() - before, "peak": peak()}))


def rows_of(measure: str, seconds: dict[str, list[float]]) -> list[Row]:
    """What one measure says of each contestant, with its ratios to the yardstick."""
    base = seconds[YARDSTICK]
    return [
        {
            "measure": measure,
            "name": name,
            "median_ms": 1000 * median(own),
            "minimum_ms": 1000 * min(own),
            "ratio_of_medians": median(base) / median(own),
            "ratio_of_minima": min(base) / min(own),
            "goal": GOALS.get((measure, name)),
        }
        for name, own in seconds.items()
    ]


def show(row: Row) -> None:
    """One line of the table."""
    goal = "" if row["goal"] is None else f"≥ {row['goal']:.1f}"
    print(
        f"{row['measure']:30} {row['name']:18} {row['median_ms']:8.0f} {row['minimum_ms']:8.0f}"
        f" {row['ratio_of_medians']:8.2f} {row['ratio_of_minima']:8.2f}  {goal}",
        flush=True,
    )


def beam_row(ours: Ours, pairs: int, rounds: int) -> Row:
    """What a beam of BEAM costs, in greedy decodings of the same sentences."""
    batch = random_batch(pairs, seed=1)
    turns: dict[str, Callable[[], None]] = {
        "greedy": decoding(ours.decode, pairs),
        "beam": partial(ours.search, batch, TOKENS),
    }
    seconds = interleaved(turns, rounds)
    cost = median(seconds["beam"]) / median(seconds["greedy"])
    print(
        f"a beam of {BEAM}, batch {pairs}: {cost:.1f} times greedy decoding "
        f"(goal: at most {BEAM_GOAL:.0f})",
        flush=True,
    )
    return {"measure": f"beam of {BEAM}, batch {pairs}", "name": "ours", "times_greedy": cost}


def compare(rounds: int, peer: str | None) -> Row:
    """Run and print everything."""
    names = [name for name in CONTESTANTS if name != "Marian" or _installed("transformers")]
    facts = machine()
    command = "python benchmarks/speed.py --save"
    if peer is not None:
        names.append(peer)
        facts[peer] = importlib.metadata.version(peer)
        command = f"python benchmarks/peers.py {peer} --save"
    built = {name: (CONTESTANTS | PEERS)[name]() for name in names}
    print(", ".join(f"{key} {value}" for key, value in facts.items()))
    if "Marian" not in built:
        print("Marian takes no part: pip install transformers sentencepiece")
    exported = EXPORTED if _installed("ctranslate2") else {}
    if not exported:
        print("CTranslate2 takes no part: pip install ctranslate2")
    counts = {
        name: sum(p.numel() for p in one.model.parameters() if p.requires_grad)
        for name, one in built.items()
    }
    print("parameters:", ", ".join(f"{name} {count:,}" for name, count in counts.items()))
    columns = ("median", "minimum", "ratio", "(minima)")
    print(f"{'milliseconds':30} {'':18} " + " ".join(f"{one:>8}" for one in columns) + "  goal")
    rows: list[Row] = []

    def record(measure: str, turns: dict[str, Callable[[], None]], rounds: int) -> None:
        rows.extend(rows_of(measure, interleaved(turns, rounds)))
        for row in rows[-len(turns) :]:
            show(row)

    for precision in ("float32", "bfloat16"):
        if precision == "bfloat16" and not has_amx():
            print("training step, bfloat16        not measured: this processor has no AMX")
            continue
        steps = {name: training_step(one, precision) for name, one in built.items()}
        record(f"training step, {precision}", steps, rounds)
    del built["ours, own recipe"]  # another dropout changes nothing in decoding
    for name, one in built.items():
        if one.decode is None:
            print(f"greedy decoding                {name}: no decoding")
    decoders = {name: one.decode for name, one in built.items() if one.decode}
    decoders |= {name: make().decode for name, make in exported.items()}
    for pairs in (PAIRS, 1):
        turns = {name: decoding(decode, pairs) for name, decode in decoders.items()}
        record(f"greedy decoding, batch {pairs}", turns, max(3, rounds // 2))
    print("(nn.Transformer has no cache: its decoder runs again over all that is written)")
    ours = built["ours"]
    assert isinstance(ours, Ours)
    rows.extend(beam_row(ours, pairs, max(3, rounds // 2)) for pairs in (PAIRS, 1))
    peak, work = matrix_peak(), useful_operations()
    print(f"matrix product: {peak / 1e9:.0f} GFLOP/s; useful in a step: {work / 1e9:.1f} GFLOP")
    for row in rows[: len(counts)]:
        row["share_of_peak"] = work / (row["minimum_ms"] / 1000) / peak
        print(f"  {row['name']:18} {row['share_of_peak']:.0%} of that rate (fastest step)")
    memory = {name: memory_added(name) for name in names}
    print(f"MiB added by three steps (goal: at most {MEMORY_GOAL} of the yardstick's), and peak")
    for name, found in memory.items():
        found["ratio"] = found["added"] / memory[YARDSTICK]["added"]
        print(f"  {name:18} {found['added']:6.0f}  {found['ratio']:.2f}   {found['peak']:6.0f}")
    return {
        "command": command, "machine": facts, "parameters": counts,
        "rows": rows, "matrix_product": peak, "useful_operations": work, "memory": memory,
    }  # fmt: skip


def profile() -> None:
    """Where our time goes, by operation of PyTorch, without its callees."""
    ours = OursOwnRecipe()
    turns = {"training step": training_step(ours)}
    for pairs in (PAIRS, 1):
        turns[f"greedy decoding, batch {pairs}"] = decoding(ours.decode, pairs)
    for name, turn in turns.items():
        for _ in range(2):
            turn()
        with torch.profiler.profile() as found:
            for _ in range(5):
                turn()
        events = sorted(found.key_averages(), key=lambda one: -one.self_cpu_time_total)
        total = sum(one.self_cpu_time_total for one in events)
        print(f"{name}: {total / 5000:.0f} ms, of which")
        for one in events[:20]:
            print(f"  {one.self_cpu_time_total / total:6.1%}  {one.count // 5:5} ×  {one.key}")


def _installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=11, help="rounds of each measure")
    parser.add_argument("--threads", type=int, default=THREADS, help="CPU threads")
    parser.add_argument("--save", action="store_true", help=f"write {FILE.name}")
    parser.add_argument("--profile", action="store_true", help="where our time goes")
    parser.add_argument("--peer", choices=PEERS, help="one more, where benchmarks/peers.py put it")
    parser.add_argument("--memory-of", choices=[*CONTESTANTS, *PEERS], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore", message=".*nested tensors")  # PyTorch, about its encoder
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    if arguments.memory_of:
        measure_memory(arguments.memory_of)
        return
    if arguments.profile:
        profile()
        return
    found = compare(arguments.rounds, arguments.peer)
    if arguments.save:
        file = FILE.with_stem(f"speed-{arguments.peer}") if arguments.peer else FILE
        file.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
