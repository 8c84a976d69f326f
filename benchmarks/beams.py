"""Width against score and length, and beams step by step: the stored searches of chapter 13.

    python benchmarks/beams.py

One model, the recipe `multi30k` with seed 1, trained in runs/benchmark (about 10 minutes, once),
translates the test captions by beams of several widths and length penalties. Beside these runs
stand `below_greedy`, the captions for which a beam of 2 ends with a less probable translation than
greedy decoding does, and `trees`, the beams over a few captions step by step (`trace`). Results go
to transformer_lite/chapters/c13_decoding/beams.json.
"""

import json
import platform
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import sacrebleu
import torch

from transformer_lite import data, runs
from transformer_lite.data import BOS, EOS, Example, collate, encode_pairs
from transformer_lite.evaluation import decode_all, longest_translation
from transformer_lite.results import CHAPTERS
from transformer_lite.runs import checkpoint
from transformer_lite.runs.checkpoint import SavedModel
from transformer_lite.runs.recipe import Recipe

RESULTS = CHAPTERS / "c13_decoding" / "beams.json"
WIDTHS, ALPHAS = (1, 2, 3, 5, 10, 20), (0.0, 0.6, 1.0)
SHOWN = (
    24,
    26,
    32,
    40,
    96,
    104,
    118,
    167,
    176,
    180,
    202,
    210,
    392,
    470,
    498,
    537,
    588,
    618,
    891,
    968,
)
TREES, TREE_WIDTHS = (470, 618, 588), (1, 2, 3, 5)  # these, too, are numbers of captions, from 0
ROUNDING = 1e-3  # log probabilities that differ by less count as equal


@torch.inference_mode()
def trace(saved: SavedModel, source: list[int], width: int) -> list[list[dict[str, Any]]]:
    """A beam over one source: for each step its 2 · width best candidates, best first.

    The fate of a prefix is to be kept, ended or dropped; when `width` have ended nobody goes on.
    """
    batch = collate([Example(source, [])])
    state = saved.model.start(saved.model.encode(batch.source, batch.source_mask))
    totals, newest, prefixes = torch.zeros(1), torch.tensor([BOS]), [[]]
    steps: list[list[dict[str, Any]]] = []
    ended = 0
    while ended < width and len(steps) < longest_translation(len(source)):
        logits, state = saved.model.step(state, newest)
        sums = totals[:, None] + logits.log_softmax(-1)
        totals, places = sums.flatten().topk(2 * width)
        rows, tokens = places // logits.shape[1], places % logits.shape[1]
        prefixes = [
            [*prefixes[row], *saved.target.tokens([token])]
            for row, token in zip(rows.tolist(), tokens.tolist(), strict=True)
        ]
        kept = (tokens != EOS).nonzero()[:width, 0].tolist()
        leaving = (tokens[:width] == EOS).nonzero()[: width - ended, 0].tolist()
        fates = dict.fromkeys(kept, "kept") | dict.fromkeys(leaving, "ended")
        steps.append(
            [
                {
                    "prefix": " ".join(prefix),
                    "log_probability": round(total, 4),
                    "fate": fates.get(place, "dropped"),
                }
                for place, (prefix, total) in enumerate(zip(prefixes, totals.tolist(), strict=True))
            ]
        )
        ended += len(leaving)
        state, totals, newest = state.select(rows[kept]), totals[kept], tokens[kept]
        prefixes = [prefixes[place] for place in kept]
    return steps


def left_at(steps: list[list[dict[str, Any]]], tokens: list[str]) -> int | None:
    """The step, from 1, at which the prefix of these tokens leaves a beam; None: it never does."""
    for number, step in enumerate(steps[: len(tokens)], start=1):
        if all(
            one["fate"] == "dropped" or one["prefix"] != " ".join(tokens[:number]) for one in step
        ):
            return number
    return None


@torch.inference_mode()
def probabilities(saved: SavedModel, source: list[int], target: list[int]) -> list[float]:
    """The log probability of each prefix of a target, all in one call."""
    batch = collate([Example(source, target)])
    logits = saved.model(batch.source, batch.source_mask, batch.target_in)[0]
    of_right = logits.log_softmax(-1).gather(1, batch.target_out.T)[:, 0]
    return [round(total, 4) for total in of_right.cumsum(0).tolist()]


def main() -> None:
    """Train where it was not done, search, store."""
    torch.set_num_threads(1)
    recipe = Recipe.load("multi30k")
    recipe = replace(recipe, machine=replace(recipe.machine, threads=1))
    folder = Path("runs/benchmark/multi30k-1")
    saved = checkpoint.load(runs.train(recipe, folder, resume=runs.holds_run(folder)))
    pairs = data.load("multi30k").test
    examples = encode_pairs(pairs, saved.source, saved.target)
    references = [pair.target for pair in pairs]
    found = {
        (width, alpha): decode_all(saved.model, examples, beam_size=width, alpha=alpha)
        for width, alpha in product(WIDTHS, ALPHAS)
    }
    greedy = found[1, 0.0]
    rows = []
    for (width, alpha), chosen in found.items():
        logs = [one.log_probability for one in chosen]
        gains = [log - one.log_probability for log, one in zip(logs, greedy, strict=True)]
        texts = [saved.target.decode(one.tokens) for one in chosen]
        bleu = sacrebleu.BLEU(lowercase=True).corpus_score(texts, [references])
        rows.append(
            {
                "width": width,
                "alpha": alpha,
                "bleu": round(bleu.score, 2),
                "length_ratio": round(bleu.sys_len / bleu.ref_len, 4),
                "log_probability": round(sum(logs) / len(logs), 4),
                "above_greedy": sum(gain > ROUNDING for gain in gains),
                "below_greedy": sum(gain < -ROUNDING for gain in gains),
                "unfinished": sum(not one.finished for one in chosen),
                "shown": {str(number): texts[number] for number in SHOWN},
            }
        )
    below = []
    for number, (one, other) in enumerate(zip(greedy, found[2, 0.0], strict=True)):
        loss = one.log_probability - other.log_probability
        if one.finished and other.finished and loss > ROUNDING:
            source, both = examples[number].source, {"greedy": one, "beam": other}
            tokens = {name: saved.target.tokens([*it.tokens, EOS]) for name, it in both.items()}
            logs = {name: probabilities(saved, source, [*it.tokens]) for name, it in both.items()}
            left = left_at(trace(saved, source, 2), tokens["greedy"])
            case = {
                "sentence": number,
                "left_at": left,
                "tokens": tokens,
                "log_probabilities": logs,
            }
            below.append(case)
    stored = {
        "command": "python benchmarks/beams.py",
        "versions": {"torch": torch.__version__, "python": platform.python_version()},
        "runs": rows,
        "below_greedy": below,
        "captions": {str(n): [pairs[n].source, pairs[n].target] for n in SHOWN},
        "trees": {
            str(n): {str(width): trace(saved, examples[n].source, width) for width in TREE_WIDTHS}
            for n in TREES
        },
    }
    RESULTS.write_text(json.dumps(stored, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
