"""From the course to production: the same captions, here and in CTranslate2. Chapter 16's run.

    python benchmarks/production.py          # where it is missing in the results file
    python benchmarks/production.py --list   # which runs there are

The recipe `multi30k`, trained in runs/benchmark, translates the captions of test 2016 greedily:
in this package, and exported to CTranslate2 in float32 and in int8, each on one thread. `same` is
how many of 1,000 translations are those that this package writes one by one, `bleu` the score of
each, `speed` the captions a second, all at once (each forms its own batches, by length) and one by
one (the first 100), the median of ROUNDS rounds in which all take turns. Results go to
transformer_lite/chapters/c16_translation/production.json.
"""

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import ctranslate2
import torch
from inside import Setting as Trained
from inside import trained
from stored import machine, run_missing

from transformer_lite import data, evaluation
from transformer_lite.interop import to_ctranslate2
from transformer_lite.results import CHAPTERS
from transformer_lite.runs.checkpoint import SavedModel
from transformer_lite.translator import Translator

RESULTS = CHAPTERS / "c16_translation" / "production.json"
ROUNDS, FEW = 5, 100
Translate = Callable[[list[str]], list[str]]


@dataclass(frozen=True)
class Setting:
    """The model of one seed."""

    seed: int


def exported(translator: Translator, folder: Path, quantization: str) -> Translate:
    """The translator behind CTranslate2: texts to texts."""
    saved = SavedModel(
        translator.model, translator.source, translator.target, translator.longest_source
    )
    to_ctranslate2(saved, folder, quantization)
    engine = ctranslate2.Translator(str(folder), intra_threads=1, inter_threads=1)
    ids = {translator.target.token(index): index for index in range(len(translator.target))}

    def translate(texts: list[str]) -> list[str]:
        sources = [translator.source.tokens(translator.source.encode(text)) for text in texts]
        limits = [evaluation.longest_translation(len(source) + 1) for source in sources]
        found = engine.translate_batch(
            sources, beam_size=1, min_decoding_length=0, max_batch_size=64,
            max_decoding_length=max(limits),
        )  # fmt: skip
        written = [one.hypotheses[0][:limit] for one, limit in zip(found, limits, strict=True)]
        return [translator.target.decode([ids[token] for token in one]) for one in written]

    return translate


def run(setting: Setting) -> dict[str, Any]:
    """Translate with each, in turns."""
    began, translator = time.perf_counter(), trained(Trained("multi30k", setting.seed))
    torch.set_num_threads(1)
    pairs = data.load("multi30k").test
    texts, references = [pair.source for pair in pairs], [pair.target for pair in pairs]

    with tempfile.TemporaryDirectory() as folder:
        engines: dict[str, Translate] = {"this package": translator}
        for name in ("float32", "int8"):
            engines[f"CTranslate2, {name}"] = exported(translator, Path(folder) / name, name)
        written = {name: engine(texts) for name, engine in engines.items()}
        alone = [translator(text) for text in texts]
        speed: dict[str, dict[str, list[float]]] = {name: {} for name in engines}
        for _ in range(ROUNDS):
            for way, parts in (
                ("at once", [texts]),
                ("one by one", [[one] for one in texts[:FEW]]),
            ):
                for name, engine in engines.items():
                    start = time.perf_counter()
                    for part in parts:
                        engine(part)
                    rate = sum(map(len, parts)) / (time.perf_counter() - start)
                    speed[name].setdefault(way, []).append(rate)
    same = {name: sum(map(str.__eq__, found, alone)) for name, found in written.items()}
    return {
        "same": same,
        "bleu": {
            name: round(evaluation.bleu(found, references, lowercase=True).score, 2)
            for name, found in written.items()
        },
        "speed": {
            name: {batch: round(median(rates), 1) for batch, rates in rows.items()}
            for name, rows in speed.items()
        },
        "machine": machine(),
        "seconds": round(time.perf_counter() - began, 1),
    }


if __name__ == "__main__":
    run_missing(RESULTS, __doc__.splitlines()[0], [Setting(1), Setting(2)], run)
