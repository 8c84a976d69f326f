"""Answers to the exercises of chapter 13, right and wrong, as readers would write them."""

import math
from collections import Counter
from collections.abc import Callable
from itertools import product, zip_longest
from typing import Any

import sacrebleu
import torch
import torch.nn.functional as F
from sacrebleu.metrics.bleu import BLEUScore
from torch import Tensor

Corpus = list[list[int]]
References = list[Corpus]


def beam_by_mask(totals: Tensor, log_probs: Tensor, last: Tensor) -> Tensor:
    width, words = log_probs.shape
    repeated = last[:, None] == torch.arange(words)
    scores = (totals[:, None] + log_probs).masked_fill(repeated, -torch.inf)
    places = scores.flatten().topk(width).indices
    return torch.stack([places // words, places % words], dim=1)


def beam_by_copy(totals: Tensor, log_probs: Tensor, last: Tensor) -> Tensor:
    table = log_probs + totals.unsqueeze(1)
    for row, word in zip(table, last, strict=True):
        row[word] = -torch.inf
    order = table.view(-1).argsort(descending=True)[: table.shape[0]]
    return torch.stack(torch.unravel_index(order, table.shape), -1)


def beam_of_twice_as_many(totals: Tensor, log_probs: Tensor, last: Tensor) -> Tensor:
    """Each prefix repeats itself in one way only, so that enough are left."""
    width, words = log_probs.shape
    places = (totals[:, None] + log_probs).flatten().topk(2 * width).indices
    prefixes, chosen = places.div(words, rounding_mode="floor"), places % words
    allowed = chosen != last[prefixes]
    return torch.stack([prefixes[allowed], chosen[allowed]], 1)[:width]


def beam_by_loop(totals: Tensor, log_probs: Tensor, last: Tensor) -> Tensor:
    scores = totals[:, None] + log_probs
    pairs = [pair for pair in product(*map(range, scores.shape)) if pair[1] != last[pair[0]]]
    pairs.sort(key=lambda pair: -scores[pair].item())
    return torch.tensor(pairs[: len(totals)])


def grams(words: list[int], size: int) -> Counter[tuple[int, ...]]:
    return Counter(zip(*(words[start:] for start in range(size)), strict=False))


def bleu_by_union(candidates: Corpus, references: References) -> float:
    pairs = list(zip(candidates, references, strict=True))
    shares = []
    for n in (1, 2, 3, 4):
        found = there = 0
        for ours, several in pairs:
            allowed: Counter[tuple[int, ...]] = Counter()
            for theirs in several:
                allowed |= grams(theirs, n)
            found += (grams(ours, n) & allowed).total()
            there += max(0, len(ours) - n + 1)
        shares.append(found / max(1, there))
    c, r = sum(len(ours) for ours, _ in pairs), 0
    for ours, several in pairs:
        r += min(map(len, several), key=lambda length: (abs(length - len(ours)), length))
    brevity = 1 if c >= r else math.exp(1 - r / c)
    return 100 * brevity * math.prod(shares) ** 0.25


def bleu_by_lists(candidates: Corpus, references: References) -> Tensor:
    found, there, wanted = torch.zeros(4), torch.zeros(4), 0
    for ours, several in zip(candidates, references, strict=True):
        # Sorted, the shorter one is met first.
        wanted += min(sorted(map(len, several)), key=lambda length: abs(length - len(ours)))
        for n in range(1, 5):
            runs = [ours[k : k + n] for k in range(len(ours) - n + 1)]
            there[n - 1] += len(runs)
            for run in {tuple(run) for run in runs}:
                most = max(
                    sum(tuple(theirs[k : k + n]) == run for k in range(len(theirs)))
                    for theirs in several
                )
                found[n - 1] += min(most, runs.count(list(run)))
    log_brevity = min(0, 1 - wanted / sum(map(len, candidates)))
    return 100 * torch.exp((found / there).log().mean() + log_brevity)


def as_text(words: list[int]) -> str:
    return " ".join(map(str, words))


def score_of_sacrebleu(candidates: Corpus, references: References, **smoothing: Any) -> BLEUScore:
    """Its streams hold the first references, the second ones, …; None where there is none."""
    metric = sacrebleu.BLEU(tokenize="none", **smoothing)
    texts = [[as_text(words) for words in several] for several in references]
    streams = [list(stream) for stream in zip_longest(*texts)]
    return metric.corpus_score([as_text(words) for words in candidates], streams)


def bleu_by_sacrebleu(candidates: Corpus, references: References) -> float:
    return float(score_of_sacrebleu(candidates, references, smooth_method="none").score)


def sharpen_by_mask(logits: Tensor, temperature: float, most: int) -> Tensor:
    least = logits.topk(most).values[-1]
    return (logits / temperature).masked_fill(logits < least, -torch.inf).softmax(-1)


def sharpen_by_scatter(logits: Tensor, temperature: float, most: int) -> Tensor:
    values, words = logits.topk(most)
    return torch.zeros_like(logits).scatter(0, words, F.softmax(values / temperature, dim=0))


def sharpen_by_shares(logits: Tensor, temperature: float, most: int) -> Tensor:
    """Cut behind the softmax, and shared out again."""
    probabilities = F.softmax(logits / temperature, dim=-1)
    probabilities[logits.argsort()[: len(logits) - most]] = 0
    return probabilities / probabilities.sum()


RIGHT: dict[str, list[Callable[..., Any]]] = {
    "beam-step": [beam_by_mask, beam_by_copy, beam_of_twice_as_many, beam_by_loop],
    "bleu-many": [bleu_by_union, bleu_by_lists, bleu_by_sacrebleu],
    "sharpen": [sharpen_by_mask, sharpen_by_scatter, sharpen_by_shares],
}

# ---- Mistakes as readers write them


def best(scores: Tensor) -> Tensor:
    order = scores.flatten().argsort(descending=True)[: len(scores)]
    return torch.stack(torch.unravel_index(order, scores.shape), 1)


def beam_that_stutters(totals: Tensor, log_probs: Tensor, last: Tensor) -> Tensor:
    return best(totals[:, None] + log_probs)


def beam_without_columns(totals: Tensor, log_probs: Tensor, last: Tensor) -> Tensor:
    scores = totals[:, None] + log_probs
    scores[:, last] = -torch.inf
    return best(scores)


def beam_cleaned_up(totals: Tensor, log_probs: Tensor, last: Tensor) -> Tensor:
    pairs = beam_that_stutters(totals, log_probs, last).tolist()
    return torch.tensor([[prefix, word] for prefix, word in pairs if word != last[prefix]])


def beam_with_one_to_spare(totals: Tensor, log_probs: Tensor, last: Tensor) -> Tensor:
    width, words = log_probs.shape
    places = (totals[:, None] + log_probs).flatten().topk(width + 1).indices.tolist()
    pairs = [divmod(place, words) for place in places]
    return torch.tensor([pair for pair in pairs if pair[1] != last[pair[0]]][:width])


def beam_mended(totals: Tensor, log_probs: Tensor, last: Tensor) -> Tensor:
    """A prefix that stutters takes its second word."""
    pairs = beam_that_stutters(totals, log_probs, last)
    for prefix, word in pairs:
        if word == last[prefix]:
            liked = log_probs[prefix].argsort(descending=True)
            word.copy_(liked[liked != word][0])
    return pairs


def beam_of_greedy_searches(totals: Tensor, log_probs: Tensor, last: Tensor) -> Tensor:
    words = log_probs.scatter(1, last[:, None], -torch.inf).argmax(-1)
    return torch.stack([torch.arange(len(totals)), words], 1)


def beam_divided_by_width(totals: Tensor, log_probs: Tensor, last: Tensor) -> Tensor:
    scores = (totals[:, None] + log_probs).scatter(1, last[:, None], -torch.inf)
    width, places = len(totals), scores.flatten().topk(len(totals)).indices
    return torch.stack([places // width, places % width], 1)


def beam_on_the_spot(totals: Tensor, log_probs: Tensor, last: Tensor) -> Tensor:
    log_probs[torch.arange(len(last)), last] = -torch.inf
    return best(totals[:, None] + log_probs)


def bleu_by_concatenation(candidates: Corpus, references: References) -> float:
    """All runs of all references in one bag; the lengths are right."""
    logs = 0.0
    for n in range(1, 5):
        found = there = 0
        for ours, several in zip(candidates, references, strict=True):
            left = [theirs[k : k + n] for theirs in several for k in range(len(theirs) - n + 1)]
            for k in range(len(ours) - n + 1):
                there += 1
                if ours[k : k + n] in left:
                    left.remove(ours[k : k + n])
                    found += 1
        if found == 0:
            return 0.0
        logs += math.log(found / there) / 4
    return 100 * math.exp(logs) * brevity_of(candidates, references)


def brevity_of(candidates: Corpus, references: References) -> float:
    score: float = score_of_sacrebleu(candidates, references).bp
    return score


def bleu_by_membership(candidates: Corpus, references: References) -> float:
    logs = 0.0
    for n in range(1, 5):
        hits: list[bool] = []
        for ours, several in zip(candidates, references, strict=True):
            seen = {gram for theirs in several for gram in grams(theirs, n)}
            hits += [tuple(ours[k : k + n]) in seen for k in range(len(ours) - n + 1)]
        if not any(hits):
            return 0.0
        logs += math.log(sum(hits) / len(hits)) / 4
    return 100 * math.exp(logs) * brevity_of(candidates, references)


def bleu_against(candidates: Corpus, references: References, r: float) -> float:
    """With another length of the references."""
    brevity = math.exp(min(0, 1 - r / sum(map(len, candidates))))
    plain = bleu_by_union(candidates, references) / brevity_of(candidates, references)
    return plain * brevity


def bleu_by_nearest(candidates: Corpus, references: References) -> float:
    """Whichever of two equally near lengths is met first."""
    nearest = [
        min((len(theirs) for theirs in several), key=lambda length: abs(length - len(ours)))
        for ours, several in zip(candidates, references, strict=True)
    ]
    return bleu_against(candidates, references, sum(nearest))


def bleu_of_each(candidates: Corpus, references: References) -> float:
    """Every reference with a copy of the candidate."""
    copies = [ours for ours, several in zip(candidates, references, strict=True) for _ in several]
    return bleu_by_union(copies, [[theirs] for several in references for theirs in several])


def bleu_by_nested_mean(candidates: Corpus, references: References) -> float:
    scores = [
        bleu_by_union([ours], [several])
        for ours, several in zip(candidates, references, strict=True)
    ]
    return sum(scores) / len(scores)


def sharpen_by_strict_comparison(logits: Tensor, temperature: float, most: int) -> Tensor:
    least = logits.sort(descending=True).values[most - 1]
    return (logits / temperature).where(logits > least, -torch.inf).softmax(0)


def sharpen_by_product(logits: Tensor, temperature: float, most: int) -> Tensor:
    kept = torch.zeros_like(logits).scatter(0, logits.topk(most).indices, 1.0)
    return (logits * kept / temperature).softmax(0)


# ---- Symptoms: wrong in a way that no row computes


def beam_struck_with_0(totals: Tensor, log_probs: Tensor, last: Tensor) -> Tensor:
    return best(totals[:, None] + log_probs.scatter(1, last[:, None], 0.0))


def beam_of_multiplied_probabilities(totals: Tensor, log_probs: Tensor, last: Tensor) -> Tensor:
    """Right, until the probabilities of long prefixes are rounded to 0."""
    return best(totals.exp()[:, None] * log_probs.exp().scatter(1, last[:, None], -1.0))


def beam_shared_out(totals: Tensor, log_probs: Tensor, last: Tensor) -> Tensor:
    """What the forbidden words had goes to the others."""
    kept = log_probs.scatter(1, last[:, None], -torch.inf)
    return best(totals[:, None] + kept.log_softmax(-1))


def bleu_plus_one(candidates: Corpus, references: References) -> float:
    """Lin and Och's smoothing: one more hit of one more n-gram."""
    return float(
        score_of_sacrebleu(candidates, references, smooth_method="add-k", smooth_value=1).score
    )


def bleu_of_first(candidates: Corpus, references: References) -> float:
    return bleu_by_union(candidates, [several[:1] for several in references])


def bleu_with_first_length(candidates: Corpus, references: References) -> float:
    return bleu_against(candidates, references, sum(len(several[0]) for several in references))


def bleu_by_words(candidates: Corpus, references: References) -> float:
    """As many pairs, triples and quadruples as words."""
    c, factor = sum(map(len, candidates)), 1.0
    for n in range(1, 5):
        there = sum(max(0, len(ours) - n + 1) for ours in candidates)
        factor *= there / c
    return bleu_by_union(candidates, references) * factor**0.25


def sharpen_sorted(logits: Tensor, temperature: float, most: int) -> Tensor:
    """In the order of topk."""
    values, _ = logits.topk(most)
    return F.pad((values / temperature).softmax(0), (0, len(logits) - most))


def sharpen_by_sigmoid(logits: Tensor, temperature: float, most: int) -> Tensor:
    least = logits.topk(most).values[-1]
    return (logits / temperature).sigmoid() * (logits >= least)


NAMED: list[tuple[str, Callable[..., Any], str | None]] = [
    ("beam-step", beam_that_stutters, "stutter-allowed"),
    ("beam-step", beam_without_columns, "struck-for-all"),
    ("beam-step", beam_cleaned_up, "struck-too-late"),
    ("beam-step", beam_with_one_to_spare, "struck-too-late"),
    ("beam-step", beam_mended, "struck-too-late"),
    ("beam-step", lambda x, p, w: beam_by_loop(torch.zeros_like(x), p, w), "totals-ignored"),
    ("beam-step", beam_of_greedy_searches, "one-of-each"),
    ("beam-step", beam_divided_by_width, "divided-by-prefixes"),
    ("beam-step", lambda *case: beam_by_loop(*case)[:, [1, 0]], "exchanged"),
    ("beam-step", lambda *case: beam_by_loop(*case).flipud(), "worst-first"),
    ("beam-step", beam_on_the_spot, "changes-input"),
    ("bleu-many", bleu_by_concatenation, "clipped-by-sum"),
    ("bleu-many", bleu_by_membership, "not-clipped"),
    ("bleu-many", bleu_of_each, "one-at-a-time"),
    ("bleu-many", bleu_by_nearest, "tie"),
    (
        "bleu-many",
        lambda ours, theirs: bleu_against(ours, theirs, sum(min(map(len, x)) for x in theirs)),
        "another-length",
    ),
    ("bleu-many", lambda ours, theirs: bleu_against(ours, theirs, 0), "another-penalty"),
    ("bleu-many", bleu_by_nested_mean, "mean-of-sentences"),
    ("bleu-many", lambda *case: bleu_by_union(*case) / 100, "from-0-to-1"),
    ("sharpen", sharpen_by_strict_comparison, "one-too-few"),
    ("sharpen", lambda x, t, most: sharpen_by_mask(x, t, most + 1), "one-too-many"),
    ("sharpen", lambda x, t, most: sharpen_by_mask(x, 1 / t, most), "multiplied"),
    ("sharpen", lambda x, t, most: sharpen_by_mask(x, 1.0, most), "temperature-ignored"),
    ("sharpen", sharpen_by_product, "cut-to-logit-0"),
    ("beam-step", beam_struck_with_0, "still-stutters"),
    ("beam-step", beam_of_multiplied_probabilities, "not-added"),
    ("beam-step", beam_shared_out, None),
    ("bleu-many", bleu_plus_one, "smoothed"),
    ("bleu-many", bleu_with_first_length, "order-matters"),
    ("bleu-many", bleu_of_first, "order-matters"),
    ("bleu-many", bleu_by_words, "reference-not-100"),
    ("bleu-many", lambda *case: bleu_by_union(*case) ** 2 / 100, None),
    ("sharpen", sharpen_by_sigmoid, "rows-not-one"),
    ("sharpen", sharpen_sorted, "order-lost"),
    ("sharpen", lambda x, t, most: sharpen_by_mask(x, t * t, most), None),
]

# ---- Mutants of the references: which names take each other's place, what changes nothing

NAMES = {
    "prefix": "word",
    "word": "prefix",
    "total": "log_probability",
    "hits": "total",
    "written": "wanted",
    "wanted": "written",
    "min": "max",
    "number": "total",
    "least": "largest",
    "largest": "least",
}

EQUIVALENT: list[tuple[str, str]] = []
