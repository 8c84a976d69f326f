"""The exercises of chapter 13, decoding and BLEU; what they say is in `mistakes.toml`."""

import math
from collections import Counter
from collections.abc import Iterator

import torch
from jaxtyping import Float, Int
from torch import Tensor

from transformer_lite.exercises.exercise import Arguments, Exercise, Function, Symptom
from transformer_lite.exercises.families import close, rows_not_one

# ---- beam-step: which prefixes go on, and with which words


def beam_step(totals: Float[Tensor, " W"], log_probs: Float[Tensor, "W V"]) -> Int[Tensor, "W 2"]:
    """Prefix and word of the W most probable extensions, the most probable first."""
    extensions = []
    for prefix, total in enumerate(totals.tolist()):
        for word, log_probability in enumerate(log_probs[prefix].tolist()):
            extensions.append((total + log_probability, prefix, word))
    best = sorted(extensions, reverse=True)[: len(totals)]
    return torch.tensor([extension[1:] for extension in best])


def _beam_cases(generator: torch.Generator) -> Iterator[Arguments]:
    """Prefixes of nearly equal and of unequal probability; one alone; improbable, long ones."""
    sizes = [(2, 3, 1.0, 0.0), (2, 4, 0.2, 0.0), (1, 4, 1.0, 0.0), (3, 5, 0.5, 0.0)]
    for width, words, spread, long in [*sizes, (4, 6, 0.5, 0.0), (5, 9, 0.5, 0.0), (3, 7, 1, 130)]:
        totals = torch.rand(width, generator=generator) * spread - 2.0
        logits = torch.randn(width, words, generator=generator)
        yield totals.sort(descending=True).values - long, logits.log_softmax(-1)


def _wrong_beam(
    totals: Tensor, log_probs: Tensor, scores: str = "sum", pick: str = "best", kept: str = "both"
) -> Tensor:
    """The two put together otherwise; others picked, or in another order; indices misread."""
    width, words = log_probs.shape
    table = {
        "sum": totals[:, None] + log_probs,
        "last alone": log_probs,
        "product": totals[:, None] * log_probs,
        "sum of probabilities": totals.exp()[:, None] + log_probs.exp(),
        "a log and a probability": totals[:, None] + log_probs.exp(),
    }[scores]
    if pick == "of each":
        found = table.topk(width).indices + words * torch.arange(width)[:, None]
    elif pick in ("one of each", "one of each, sorted"):
        values, found = table.max(-1)
        found = found + words * torch.arange(width)
        found = found[values.argsort(descending=True)] if "sorted" in pick else found
    else:
        found = table.flatten().topk(width, largest=pick != "least").indices
    found = found.flatten().flip(0) if pick == "worst first" else found.flatten()
    divisor = width if kept == "divided by W" else words
    remainder = width if kept in ("divided by W", "remainder of W") else words
    prefix, word = found // divisor, found % remainder
    return torch.stack([word, prefix] if kept == "exchanged" else [prefix, word], 1)


def _changed_by_what_all_share(arguments: Arguments, value: Tensor, answer: Function) -> bool:
    totals, log_probs = arguments
    return not close(value, answer(totals - totals.max(), log_probs))


BEAM_STEP = Exercise(
    beam_step,
    _beam_cases,
    _wrong_beam,
    {
        "totals-ignored": [{"scores": "last alone"}],
        "not-added": [
            {"scores": how}
            for how in ("product", "sum of probabilities", "a log and a probability")
        ],
        "each-by-itself": [{"pick": "of each"}],
        "one-of-each": [{"pick": "one of each"}, {"pick": "one of each, sorted"}],
        "divided-by-prefixes": [{"kept": "divided by W"}, {"kept": "remainder of W"}],
        "exchanged": [{"kept": "exchanged"}],
        "worst-first": [{"pick": "worst first"}],
        "least-probable": [{"pick": "least"}],
    },
    (Symptom("rounded-to-0", _changed_by_what_all_share),),
)

# ---- bleu: one number for a corpus


def bleu(candidates: list[list[int]], references: list[list[int]]) -> float:
    """Corpus BLEU, 0 to 100, with one reference each and no smoothing.

    Source: Papineni et al. 2002, section 2.3.
    """
    logs = 0.0
    for size in range(1, 5):
        hits = total = 0
        for pair in zip(candidates, references, strict=True):
            ours, theirs = (
                Counter(tuple(words[i : i + size]) for i in range(len(words) - size + 1))
                for words in pair
            )
            hits += (ours & theirs).total()
            total += ours.total()
        if not hits:
            return 0.0
        logs += math.log(hits / total)
    written, wanted = sum(map(len, candidates)), sum(map(len, references))
    return 100 * min(1.0, math.exp(1 - wanted / written)) * math.exp(logs / 4)


def _bleu_cases(generator: torch.Generator) -> Iterator[Arguments]:
    """A stutter; a corpus too long; no four words in a row; then drawn ones, short and long."""
    yield [[5, 3, 8, 2, 2]], [[5, 3, 8, 2, 7, 4]]
    yield [[4, 6, 1], [2, 7, 5, 3, 9, 8]], [[4, 6, 1], [2, 7, 5, 3, 9]]
    yield [[1, 2, 3, 9, 4, 5, 6]], [[1, 2, 3, 8, 4, 5, 6]]
    for copies, lengths in [(0, (3, 8, 6)), (2, (9, 2, 9)), (0, (12, 3, 9, 9)), (2, (12, 9, 3))]:
        references = [torch.randint(1, 9, (n,), generator=generator).tolist() for n in lengths]
        candidates: list[list[int]] = []
        for reference in references:
            candidates.append([])
            draws = torch.randint(9, (len(reference),), generator=generator).tolist()
            for word, draw in zip(reference, draws, strict=True):
                candidates[-1] += {0: [word] * copies, 1: [9]}.get(draw, [word])
        yield candidates, references


def _wrong_bleu(
    candidates: list[list[int]],
    references: list[list[int]],
    apart: bool = False,
    counted: str = "clipped",
    penalty: str = "of short ones",
    mean: str = "geometric",
    most: int = 4,
    scale: float = 100.0,
) -> float:
    """Of each sentence; other counts, penalties, means and sizes; on another scale."""
    pairs = list(zip(candidates, references, strict=True))
    if apart:
        return sum(_wrong_bleu([ours], [theirs]) for ours, theirs in pairs) / len(pairs)
    precisions = []
    for size in range(1, most + 1):
        hits = total = 0
        for pair in pairs:
            ours, theirs = (
                Counter(zip(*(words[i:] for i in range(size)), strict=False)) for words in pair
            )
            if counted == "once":
                ours, theirs = Counter(set(ours)), Counter(set(theirs))
            unclipped = sum(number for gram, number in ours.items() if gram in theirs)
            hits += unclipped if counted == "all" else (ours & theirs).total()
            total += ours.total()
        precisions.append(hits / max(total, 1))
    written, wanted = sum(map(len, candidates)), sum(map(len, references))
    factor = {
        "of short ones": math.exp(min(0.0, 1 - wanted / written)),
        "of long ones": math.exp(min(0.0, 1 - written / wanted)),
        "reward of long ones": math.exp(1 - wanted / written),
        "none": 1.0,
    }[penalty]
    product, plain = math.prod(precisions), sum(precisions) / most
    average = {"geometric": product ** (1 / most), "arithmetic": plain, "product": product}[mean]
    return scale * factor * average if product else 0.0


def _exchanged(arguments: Arguments, value: float, answer: Function) -> bool:
    right = bleu(*arguments)
    return not close(value, right) and close(answer(*reversed(arguments)), right)


BLEU = Exercise(
    bleu,
    _bleu_cases,
    _wrong_bleu,
    {
        "mean-of-sentences": [{"apart": True}],
        "not-clipped": [{"counted": "all"}],
        "counted-once": [{"counted": "once"}],
        "no-penalty": [{"penalty": "none"}],
        "another-penalty": [{"penalty": "of long ones"}, {"penalty": "reward of long ones"}],
        "another-mean": [{"mean": "arithmetic"}, {"mean": "product"}],
        "other-sizes": [{"most": 3}, {"most": 2}, {"most": 1}, {"most": 5}],
        "from-0-to-1": [{"scale": 1.0}],
    },
    (
        Symptom("exchanged", _exchanged),
        Symptom("smoothed", lambda case, value, answer: bleu(*case) == 0 < value),
        Symptom(
            "perfect-not-100", lambda case, _, answer: not close(answer(case[1], case[1]), 100.0)
        ),
    ),
)

# ---- sharpen: the distribution from which the next word is drawn


def sharpen(logits: Float[Tensor, " V"], temperature: float, most: int) -> Float[Tensor, " V"]:
    """Probabilities with the logits divided by the temperature, of the `most` best words alone."""
    numbers = logits.tolist()
    least, largest = sorted(numbers)[-most], max(numbers)
    odds = [math.exp((x - largest) / temperature) if x >= least else 0.0 for x in numbers]
    return torch.tensor(odds) / sum(odds)


def _sharpen_cases(generator: torch.Generator) -> Iterator[Arguments]:
    """Sharper and flatter; all words kept, or one; logits whose exponentials no float holds."""
    for words, unit, temperature, most in [
        (4, 0.1, 0.5, 2), (3, 0.1, 2.0, 3), (5, 0.1, 1.0, 3), (5, 0.1, 0.4, 1), (8, 0.1, 1.5, 4),
        (6, 10.0, 10.0, 3), (6, 40.0, 0.5, 2), (20, 0.1, 0.7, 10),
    ]:  # fmt: skip
        different = torch.randperm(41, generator=generator)[:words] - 20
        yield different * unit, temperature, most


def _wrong_sharpen(
    logits: Tensor, temperature: float, most: int, on: str = "divided", keep: str = "best"
) -> Tensor:
    """The temperature elsewhere; other words kept, or kept otherwise."""
    count = most + {"one more": 1, "one fewer": -1}.get(keep, 0)
    kept = torch.zeros_like(logits, dtype=torch.bool)
    kept[logits.topk(count, largest=keep != "least").indices] = True
    hidden = 0.0 if keep == "others at 0" else -torch.inf
    of_all = keep == "cut afterwards"
    cut = logits if of_all else logits.masked_fill(~kept, hidden)
    probabilities = cut.softmax(-1)
    result = {
        "divided": (cut / temperature).softmax(-1),
        "multiplied": (cut * temperature).softmax(-1),
        "not at all": probabilities,
        "probabilities divided": probabilities / temperature,
        "softmax of probabilities": (probabilities / temperature).softmax(-1),
        "power": probabilities ** (1 / temperature),
    }[on]
    return result * kept if of_all else result


def _right_elsewhere(arguments: Arguments, value: Tensor, answer: Function) -> bool:
    right = sharpen(*arguments)
    return not close(value, right) and close(value.sort().values, right.sort().values)


SHARPEN = Exercise(
    sharpen,
    _sharpen_cases,
    _wrong_sharpen,
    {
        "multiplied": [{"on": "multiplied"}],
        "temperature-ignored": [{"on": "not at all"}],
        "temperature-on-probabilities": [
            {"on": how} for how in ("probabilities divided", "power", "softmax of probabilities")
        ],
        "cut-not-shared-out": [{"keep": "cut afterwards"}],
        "one-too-few": [{"keep": "one fewer"}],
        "one-too-many": [{"keep": "one more"}],
        "smallest-kept": [{"keep": "least"}],
        "cut-to-logit-0": [{"keep": "others at 0"}],
    },
    (
        rows_not_one(),
        Symptom("order-lost", _right_elsewhere),
    ),
)

EXERCISES = (BEAM_STEP, BLEU, SHARPEN)
