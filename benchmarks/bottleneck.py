"""Exact match against length, without attention and with it: the runs of chapters 01 and 02.

    python benchmarks/bottleneck.py            # what is missing in the results file
    python benchmarks/bottleneck.py --list     # which runs there are

Every run trains on random strings of 1 to 20 letters and is then scored on 200 new strings of
exactly 5, 10, 15 and 20 letters; with attention also of 25 and 30, longer than any it was trained
on. Results go to transformer_lite/chapters/c01_bottleneck/bottleneck.json.
"""

import time
from dataclasses import dataclass

import torch
from stored import run_missing
from torch import Tensor, nn

from transformer_lite import Seq2Seq, Seq2SeqConfig, data
from transformer_lite.data import Pair, build_tokenizers, encode_pairs
from transformer_lite.evaluation import decode_all, exact_match, teacher_forced
from transformer_lite.recurrent import Attend
from transformer_lite.results import CHAPTERS
from transformer_lite.training import TrainingConfig, fit, seed_for

LENGTHS = (5, 10, 15, 20)
LONGER = (25, 30)  # than any string in training; only asked of models with attention
TESTS = 200  # strings of each length
SAMPLES = 4  # of them kept with the model's output, for the reader to look at
SHORTEST = [Pair(letter, letter) for letter in "kqtx"]
RESULTS = CHAPTERS / "c01_bottleneck" / "bottleneck.json"


@dataclass(frozen=True)
class Setting:
    """One run: what is varied between the curves of the chapter."""

    task: str  # "reverse", or "copy": the same strings without the source reversed
    context: str  # "start", "each_step", or "cell": at each step, with the output of "start"
    hidden: int
    steps: int
    seed: int
    attention: str | None = None
    bidirectional: bool = False


def settings() -> list[Setting]:
    """All runs: form × width × seed, the longer control, the source's order, and attention."""
    grid = [
        Setting("reverse", context, hidden, 3000, seed)
        for seed in (1, 2)
        for context in ("start", "each_step", "cell")
        for hidden in (64, 128, 256)
    ]
    control = [
        Setting("reverse", context, 128, 12000, seed=1) for context in ("start", "each_step")
    ]
    order = [Setting("copy", "start", 128, 3000, seed) for seed in (1, 2)]
    attention = [
        Setting("reverse", "start", hidden, 3000, seed, "additive", bidirectional)
        for seed in (1, 2)
        for hidden, bidirectional in ((64, False), (128, False), (256, False), (128, True))
    ]
    # All states kept, and no step chooses: the control of attention.
    mean = [
        Setting("reverse", "start", hidden, 3000, seed, "uniform")
        for seed in (1, 2)
        for hidden in (64, 128)
    ]
    return [*grid, *control, *order, *attention, *mean]


# Whose samples the page of chapter 01 shows.
SHOWN = [Setting("reverse", "start", hidden, 3000, 1) for hidden in (64, 128, 256)]
SHOWN.append(Setting("copy", "start", 128, 3000, 1))


class CellOnly(nn.Module):
    """Sees the context at every step in its cell; the output layer sees the state alone."""

    def __init__(self, d_input: int, width: int) -> None:
        super().__init__()
        self.cell = nn.GRU(d_input, width, batch_first=True)

    def forward(self, words: Tensor, hidden: Tensor, attend: Attend) -> tuple[Tensor, Tensor]:
        """As `BahdanauDecoder` does, without its last layer."""
        context = attend(hidden[-1][:, None]).expand(-1, words.shape[1], -1)  # N T D
        states, hidden = self.cell(torch.cat([words, context], dim=-1), hidden)
        return states, hidden


def run(setting: Setting) -> dict[str, object]:
    """Train and score one setting."""
    corpus = data.load(setting.task, shortest=1, longest=20, train=100_000, seed=0)
    source, target = build_tokenizers(corpus)
    torch.manual_seed(seed_for(setting.seed, 0))
    model = Seq2Seq(
        Seq2SeqConfig(
            len(source),
            len(target),
            attention=setting.attention,
            context="each_step" if setting.context == "cell" else setting.context,
            hidden=setting.hidden,
            bidirectional=setting.bidirectional,
        )
    )
    if setting.context == "cell":
        model.decoder = CellOnly(model.config.d_embedding + setting.hidden, setting.hidden)
    training = TrainingConfig(
        steps=setting.steps, batch_tokens=1024, peak_rate=3e-3, warmup=200, seed=setting.seed
    )
    began = time.perf_counter()
    history = fit(model, encode_pairs(corpus.train, source, target), training)
    seconds = time.perf_counter() - began
    exact, forced, samples = {}, {}, []
    longer = LONGER if setting.attention else ()
    for length in (*range(1, LENGTHS[-1] + 1), *longer):
        test = data.load(
            setting.task, shortest=length, longest=length, train=1, valid=1, test=TESTS, seed=99
        ).test if length > 1 else SHORTEST  # fmt: skip
        examples = encode_pairs(test, source, target)
        decoded = [list(one.tokens) for one in decode_all(model, examples)]
        samples += [
            {"source": pair.source, "target": pair.target, "output": target.decode(tokens)}
            for pair, tokens in zip(test[:SAMPLES], decoded[:SAMPLES], strict=True)
        ]
        if length in (*LENGTHS, *longer):
            exact[length] = exact_match(decoded, [one.target for one in examples])
            forced[length] = teacher_forced(model, examples).accuracy
    return {
        "exact_match": exact,
        "teacher_forced_accuracy": forced,
        "samples": samples if setting in SHOWN else [],
        "loss": sum(step.loss for step in history[-100:]) / 100,
        "target_tokens": sum(step.target_tokens for step in history),
        "parameters": sum(p.numel() for p in model.parameters()),
        "seconds": round(seconds, 1),
    }


if __name__ == "__main__":
    run_missing(RESULTS, __doc__.splitlines()[0], settings(), run)
