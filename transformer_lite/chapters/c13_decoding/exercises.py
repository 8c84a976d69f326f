"""The exercises of chapter 13, decoding and BLEU; what they say is in `mistakes.toml`."""

import math
from collections import Counter
from collections.abc import Callable, Iterator
from functools import reduce
from operator import or_

import torch
from jaxtyping import Float, Int
from torch import Tensor

from transformer_lite.exercises.exercise import Arguments, Exercise, Function, Symptom
from transformer_lite.exercises.families import close, rows_not_one

# ---- beam-step: which prefixes go on, and with which words, if none may stutter


def beam_step(
    totals: Float[Tensor, " W"], log_probs: Float[Tensor, "W V"], last: Int[Tensor, " W"]
) -> Int[Tensor, "W 2"]:
    """Prefix and word of the W most probable extensions that write no word twice in a row."""
    extensions = []
    for prefix, total in enumerate(totals.tolist()):
        for word, log_probability in enumerate(log_probs[prefix].tolist()):
            if word != last[prefix]:
                extensions.append((total + log_probability, prefix, word))
    best = sorted(extensions, reverse=True)[: len(totals)]
    return torch.tensor([extension[1:] for extension in best])


def _beam_cases(generator: torch.Generator) -> Iterator[Arguments]:
    """Prefixes that are likely to stutter; one alone that does not; improbable, long ones."""
    sizes = [(2, 3, 1.0, 0.0), (2, 4, 0.2, 0.0), (1, 4, 1.0, 0.0), (3, 5, 0.5, 0.0)]
    for width, words, spread, long in [*sizes, (4, 6, 0.5, 0.0), (5, 9, 0.5, 0.0), (3, 7, 1, 130)]:
        totals = torch.rand(width, generator=generator) * spread - 2.0
        logits = torch.randn(width, words, generator=generator)
        logits[:, torch.randint(words, (1,), generator=generator)] += 0.5
        likely = torch.rand(width, generator=generator) < 0.6 * (width > 1)
        drawn = torch.randint(words, (width,), generator=generator)
        last = logits.argmax(-1).where(likely, drawn)
        yield totals.sort(descending=True).values - long, logits.log_softmax(-1), last


def _wrong_beam(
    totals: Tensor,
    log_probs: Tensor,
    last: Tensor,
    struck: str = "own",
    pick: str = "best",
    added: bool = True,
    kept: str = "both",
) -> Tensor:
    """Others struck out, or too late; others picked, in another order; indices misread."""
    width, words = log_probs.shape
    own = last[:, None] == torch.arange(words)
    out = {"own": own, "of all": own.any(0).expand_as(own)}.get(struck, torch.zeros_like(own))
    table = (totals[:, None] * added + log_probs).masked_fill(out, -torch.inf)
    if pick == "best":
        found = table.flatten().topk(width + (struck == "of one more")).indices
    else:
        found = table.argmax(-1) + words * torch.arange(width)
        if pick == "one of each, sorted":
            found = found[table.amax(-1).argsort(descending=True)]
    if struck in ("afterwards", "of one more"):
        found = found[~own.flatten()[found]][:width]
    elif struck == "replaced":
        second = table.masked_fill(own, -torch.inf).argmax(-1)[found // words]
        found = torch.where(own.flatten()[found], found // words * words + second, found)
    divisor = width if kept == "divided by W" else words
    remainder = width if kept in ("divided by W", "remainder of W") else words
    columns = [found // divisor, found % remainder]
    pairs = torch.stack(columns[::-1] if kept == "exchanged" else columns, 1)
    return pairs.flipud() if kept == "worst first" else pairs


def _stutters(arguments: Arguments, value: Tensor, _: Function) -> bool:
    return bool((arguments[2][value[:, 0]] == value[:, 1]).any())


def _changed_by_what_all_share(arguments: Arguments, value: Tensor, answer: Function) -> bool:
    totals, *rest = arguments
    return not close(value, answer(totals - totals.max(), *rest))


BEAM_STEP = Exercise(
    beam_step,
    _beam_cases,
    _wrong_beam,
    {
        "stutter-allowed": [{"struck": "nothing"}],
        "struck-for-all": [{"struck": "of all"}],
        "struck-too-late": [{"struck": how} for how in ("afterwards", "of one more", "replaced")],
        "totals-ignored": [{"added": False}],
        "one-of-each": [{"pick": "one of each"}, {"pick": "one of each, sorted"}],
        "divided-by-prefixes": [{"kept": "divided by W"}, {"kept": "remainder of W"}],
        "exchanged": [{"kept": "exchanged"}],
        "worst-first": [{"kept": "worst first"}],
    },
    (Symptom("still-stutters", _stutters), Symptom("not-added", _changed_by_what_all_share)),
)

# ---- bleu-many: one number for a corpus with several references


def bleu_many(candidates: list[list[int]], references: list[list[list[int]]]) -> float:
    """Corpus BLEU, 0 to 100, with one or more references each and no smoothing.

    Source: Papineni et al. 2002, sections 2.1 to 2.3.
    """
    written = wanted = 0
    for sentence, several in zip(candidates, references, strict=True):
        written += len(sentence)
        wanted += min((abs(len(words) - len(sentence)), len(words)) for words in several)[1]
    logs = 0.0
    for size in range(1, 5):
        hits = total = 0
        for sentence, several in zip(candidates, references, strict=True):
            ours, *theirs = (
                Counter(tuple(words[i : i + size]) for i in range(len(words) - size + 1))
                for words in [sentence, *several]
            )
            for gram, number in ours.items():
                hits += min(number, max(counts[gram] for counts in theirs))
                total += number
        if not hits:
            return 0.0
        logs += math.log(hits / total)
    return 100 * min(1.0, math.exp(1 - wanted / written)) * math.exp(logs / 4)


def _bleu_cases(generator: torch.Generator) -> Iterator[Arguments]:
    """A stutter; ties; a corpus too long; no four words in a row; then drawn ones."""
    yield [[5, 3, 8, 2, 2, 2]], [[[5, 3, 8, 2, 7], [4, 2, 6, 2, 9, 1, 3]]]
    yield [[1, 2, 3, 4, 5, 6]], [[[3] * 9, [1, 2, 3, 4, 5, 7, 8, 6], [1, 2, 3, 4]]]
    yield [[4, 6, 1], [2, 7, 5, 3, 9, 8]], [[[4, 6, 1]], [[7, 5, 3, 9], [2, 7, 5, 3, 9]]]
    yield [[1, 2, 3, 9, 4, 5, 6]], [[[1, 2, 3, 8, 4, 5, 6], [1, 9, 4, 5]]]
    for lengths in [(3, 8, 6), (9, 2, 12), (12, 3, 9, 9), (12, 9, 3)]:
        told = [torch.randint(1, 9, (length,), generator=generator).tolist() for length in lengths]
        several = [
            [_reworded(words, generator) for _ in range(1 + (place + len(told)) % 3)]
            for place, words in enumerate(told)
        ]
        yield [_reworded(words, generator) for words in told], several


def _reworded(words: list[int], generator: torch.Generator) -> list[int]:
    """With words left out, said twice or replaced, one of eight each; never empty."""
    draws = torch.randint(8, (len(words),), generator=generator).tolist()
    changed: list[int] = []
    for word, draw in zip(words, draws, strict=True):
        changed += {0: [], 1: [word, word], 2: [9]}.get(draw, [word])
    return changed or words


_LENGTHS: dict[str, Callable[[list[int], int], float]] = {
    "closest": lambda lengths, own: min(lengths, key=lambda one: (abs(one - own), one)),
    "longer at a tie": lambda lengths, own: min(lengths, key=lambda one: (abs(one - own), -one)),
    "first at a tie": lambda lengths, own: min(lengths, key=lambda one: abs(one - own)),
    "shortest": lambda lengths, _: min(lengths),
    "longest": lambda lengths, _: max(lengths),
    "mean": lambda lengths, _: sum(lengths) / len(lengths),
}


def _wrong_bleu(
    candidates: list[list[int]],
    references: list[list[list[int]]],
    of: str = "corpus",
    clip: str = "most",
    length: str = "closest",
    penalty: str = "of short ones",
    scale: float = 100.0,
) -> float:
    """Of something else; clipped otherwise; other lengths and penalties; on another scale."""
    sets = list(zip(candidates, references, strict=True))
    if of == "sentences":
        return sum(_wrong_bleu([ours], [theirs]) for ours, theirs in sets) / len(sets)
    if of == "pairs":
        sets = [(ours, [one]) for ours, theirs in sets for one in theirs]
    score = scale
    for size in range(1, 5):
        hits = total = 0
        for several in ([sentence, *theirs] for sentence, theirs in sets):
            ours, *theirs = (
                Counter(zip(*(words[i:] for i in range(size)), strict=False)) for words in several
            )
            most = {
                "most": reduce(or_, theirs),
                "sum": sum(theirs, Counter()),
                "best": max(theirs, key=lambda one: (ours & one).total()),
                "nothing": Counter({gram: ours[gram] for one in theirs for gram in one}),
            }[clip]
            hits += (ours & most).total()
            total += ours.total()
        score *= (hits / max(total, 1)) ** 0.25
    written = sum(len(ours) for ours, _ in sets)
    wanted = sum(_LENGTHS[length]([*map(len, theirs)], len(ours)) for ours, theirs in sets)
    exponent = 1 - wanted / written
    exponent = {"of short ones": min(0.0, exponent), "of all": exponent, "none": 0.0}[penalty]
    return score * math.exp(exponent)


def _changed_by_order(arguments: Arguments, value: float, answer: Function) -> bool:
    turned = [several[::-1] for several in arguments[1]]
    return not close(value, answer(arguments[0], turned))


def _not_100_for_references(arguments: Arguments, _: float, answer: Function) -> bool:
    return not close(answer([several[0] for several in arguments[1]], arguments[1]), 100.0)


BLEU_MANY = Exercise(
    bleu_many,
    _bleu_cases,
    _wrong_bleu,
    {
        "clipped-by-sum": [{"clip": "sum"}],
        "one-at-a-time": [{"clip": "best"}, {"of": "pairs"}],
        "not-clipped": [{"clip": "nothing"}],
        "another-length": [{"length": which} for which in ("shortest", "longest", "mean")],
        "tie": [{"length": "longer at a tie"}, {"length": "first at a tie"}],
        "another-penalty": [{"penalty": "none"}, {"penalty": "of all"}],
        "mean-of-sentences": [{"of": "sentences"}],
        "from-0-to-1": [{"scale": 1.0}],
    },
    (
        Symptom("smoothed", lambda case, value, _: bleu_many(*case) == 0 < value),
        Symptom("order-matters", _changed_by_order),
        Symptom("reference-not-100", _not_100_for_references),
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

EXERCISES = (BEAM_STEP, BLEU_MANY, SHARPEN)
