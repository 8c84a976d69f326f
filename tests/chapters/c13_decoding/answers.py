"""Answers to the exercises of chapter 13, right and wrong, as readers would write them."""

import math
from collections import Counter
from collections.abc import Callable
from itertools import product
from typing import Any

import sacrebleu
import torch
import torch.nn.functional as F
from torch import Tensor

Corpus = list[list[int]]


def beam_by_topk(totals: Tensor, log_probs: Tensor) -> Tensor:
    scores = totals[:, None] + log_probs
    places = scores.flatten().topk(len(totals)).indices
    return torch.stack([places // log_probs.shape[1], places % log_probs.shape[1]], dim=1)


def beam_by_sort(totals: Tensor, log_probs: Tensor) -> Tensor:
    table = totals.unsqueeze(1).expand_as(log_probs) + log_probs
    order = table.view(-1).argsort(descending=True)[: table.shape[0]]
    return torch.stack(torch.unravel_index(order, table.shape), -1)


def beam_in_two_rounds(totals: Tensor, log_probs: Tensor) -> Tensor:
    """No prefix can go on more than W times."""
    width = len(totals)
    scores, words = (totals[:, None] + log_probs).topk(width)
    chosen = scores.flatten().topk(width).indices
    return torch.stack([chosen.div(width, rounding_mode="floor"), words.flatten()[chosen]], 1)


def beam_by_loop(totals: Tensor, log_probs: Tensor) -> Tensor:
    scores = totals[:, None] + log_probs
    pairs = list(product(*map(range, scores.shape)))
    pairs.sort(key=lambda pair: -scores[pair].item())
    return torch.tensor(pairs[: len(totals)])


def grams(words: list[int], size: int) -> Counter[tuple[int, ...]]:
    return Counter(zip(*(words[start:] for start in range(size)), strict=False))


def bleu_by_zip(candidates: Corpus, references: Corpus) -> float:
    pairs = list(zip(candidates, references, strict=True))
    shares = []
    for n in (1, 2, 3, 4):
        found = sum((grams(ours, n) & grams(theirs, n)).total() for ours, theirs in pairs)
        shares.append(found / max(1, sum(grams(ours, n).total() for ours in candidates)))
    c, r = sum(len(ours) for ours in candidates), sum(len(theirs) for theirs in references)
    brevity = 1 if c >= r else math.exp(1 - r / c)
    return 100 * brevity * math.prod(shares) ** 0.25


def bleu_by_lists(candidates: Corpus, references: Corpus) -> Tensor:
    found, there = torch.zeros(4), torch.zeros(4)
    for ours, theirs in zip(candidates, references, strict=True):
        for n in range(1, 5):
            left = [theirs[k : k + n] for k in range(len(theirs) - n + 1)]
            for k in range(len(ours) - n + 1):
                there[n - 1] += 1
                if ours[k : k + n] in left:
                    left.remove(ours[k : k + n])
                    found[n - 1] += 1
    lengths = [sum(map(len, corpus)) for corpus in (references, candidates)]
    log_brevity = min(0, 1 - lengths[0] / lengths[1])
    return 100 * torch.exp((found / there).log().mean() + log_brevity)


def as_texts(corpus: Corpus) -> list[str]:
    return [" ".join(map(str, words)) for words in corpus]


def bleu_by_sacrebleu(candidates: Corpus, references: Corpus) -> float:
    metric = sacrebleu.BLEU(tokenize="none", smooth_method="none")
    return float(metric.corpus_score(as_texts(candidates), [as_texts(references)]).score)


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
    "beam-step": [beam_by_topk, beam_by_sort, beam_in_two_rounds, beam_by_loop],
    "bleu": [bleu_by_zip, bleu_by_lists, bleu_by_sacrebleu],
    "sharpen": [sharpen_by_mask, sharpen_by_scatter, sharpen_by_shares],
}

# ---- Mistakes as readers write them


def beam_of_words(totals: Tensor, log_probs: Tensor) -> Tensor:
    return beam_by_topk(torch.zeros_like(totals), log_probs)


def beam_of_products(totals: Tensor, log_probs: Tensor) -> Tensor:
    scores = totals.unsqueeze(1).mul(log_probs)
    order = scores.flatten().argsort(descending=True)[: len(totals)]
    return torch.stack(torch.unravel_index(order, scores.shape), 1)


def beam_of_greedy_searches(totals: Tensor, log_probs: Tensor) -> Tensor:
    return torch.stack([torch.arange(len(totals)), log_probs.argmax(-1)], 1)


def beam_divided_by_width(totals: Tensor, log_probs: Tensor) -> Tensor:
    width, places = len(totals), (totals[:, None] + log_probs).flatten().topk(len(totals)).indices
    return torch.stack([places // width, places % width], 1)


def beam_sorted_upwards(totals: Tensor, log_probs: Tensor) -> Tensor:
    scores = totals[:, None] + log_probs
    pairs = sorted(product(*map(range, scores.shape)), key=lambda pair: scores[pair].item())
    return torch.tensor(pairs[: len(totals)])


def bleu_by_nested_mean(candidates: Corpus, references: Corpus) -> float:
    scores = [
        bleu_by_zip([ours], [theirs]) for ours, theirs in zip(candidates, references, strict=True)
    ]
    return sum(scores) / len(scores)


def bleu_by_membership(candidates: Corpus, references: Corpus) -> float:
    logs = 0.0
    for n in range(1, 5):
        found = there = 0
        for ours, theirs in zip(candidates, references, strict=True):
            left = [theirs[k : k + n] for k in range(len(theirs) - n + 1)]
            hits = [ours[k : k + n] in left for k in range(len(ours) - n + 1)]
            found, there = found + sum(hits), there + len(hits)
        if found == 0:
            return 0.0
        logs += math.log(found / there) / 4
    c, r = sum(map(len, candidates)), sum(map(len, references))
    return 100 * math.exp(logs + min(0, 1 - r / c))


def bleu_without_guard_of_length(candidates: Corpus, references: Corpus) -> float:
    c, r = sum(map(len, candidates)), sum(map(len, references))
    return bleu_by_zip(candidates, references) * math.exp(max(0, 1 - r / c))


def sharpen_by_strict_comparison(logits: Tensor, temperature: float, most: int) -> Tensor:
    least = logits.sort(descending=True).values[most - 1]
    return (logits / temperature).where(logits > least, -torch.inf).softmax(0)


def sharpen_by_product(logits: Tensor, temperature: float, most: int) -> Tensor:
    kept = torch.zeros_like(logits).scatter(0, logits.topk(most).indices, 1.0)
    return (logits * kept / temperature).softmax(0)


# ---- Symptoms: wrong in a way that no row computes


def beam_of_multiplied_probabilities(totals: Tensor, log_probs: Tensor) -> Tensor:
    """Right, until the probabilities of long prefixes are rounded to 0."""
    places = (totals.exp()[:, None] * log_probs.exp()).flatten().topk(len(totals)).indices
    return torch.stack([places // log_probs.shape[1], places % log_probs.shape[1]], 1)


def bleu_plus_one(candidates: Corpus, references: Corpus) -> float:
    """Lin and Och's smoothing: one more hit of one more n-gram."""
    metric = sacrebleu.BLEU(tokenize="none", smooth_method="add-k", smooth_value=1)
    return float(metric.corpus_score(as_texts(candidates), [as_texts(references)]).score)


def bleu_by_words(candidates: Corpus, references: Corpus) -> float:
    """As many pairs, triples and quadruples as words."""
    c, factor = sum(map(len, candidates)), 1.0
    for n in range(1, 5):
        there = sum(max(0, len(ours) - n + 1) for ours in candidates)
        factor *= there / c
    return bleu_by_zip(candidates, references) * factor**0.25


def sharpen_sorted(logits: Tensor, temperature: float, most: int) -> Tensor:
    """In the order of topk."""
    values, _ = logits.topk(most)
    return F.pad((values / temperature).softmax(0), (0, len(logits) - most))


def sharpen_by_sigmoid(logits: Tensor, temperature: float, most: int) -> Tensor:
    least = logits.topk(most).values[-1]
    return (logits / temperature).sigmoid() * (logits >= least)


NAMED: list[tuple[str, Callable[..., Any], str | None]] = [
    ("beam-step", beam_of_words, "totals-ignored"),
    ("beam-step", beam_of_products, "not-added"),
    ("beam-step", lambda *case: beam_by_topk(case[0], case[1].exp()), "not-added"),
    ("beam-step", beam_of_greedy_searches, "one-of-each"),
    ("beam-step", beam_divided_by_width, "divided-by-prefixes"),
    ("beam-step", lambda *case: beam_by_loop(*case)[:, [1, 0]], "exchanged"),
    ("beam-step", lambda *case: beam_by_loop(*case).flipud(), "worst-first"),
    ("beam-step", beam_sorted_upwards, "least-probable"),
    ("bleu", bleu_by_nested_mean, "mean-of-sentences"),
    ("bleu", bleu_by_membership, "not-clipped"),
    ("bleu", bleu_without_guard_of_length, "another-penalty"),
    ("bleu", lambda *case: bleu_by_zip(*case) / 100, "from-0-to-1"),
    ("sharpen", sharpen_by_strict_comparison, "one-too-few"),
    ("sharpen", lambda x, t, most: sharpen_by_mask(x, t, most + 1), "one-too-many"),
    ("sharpen", lambda x, t, most: sharpen_by_mask(x, 1 / t, most), "multiplied"),
    ("sharpen", lambda x, t, most: sharpen_by_mask(x, 1.0, most), "temperature-ignored"),
    ("sharpen", sharpen_by_product, "cut-to-logit-0"),
    ("beam-step", beam_of_multiplied_probabilities, "rounded-to-0"),
    ("beam-step", lambda *case: beam_by_loop(*case).sort(0).values, None),
    ("bleu", lambda ours, theirs: bleu_by_zip(theirs, ours), "exchanged"),
    ("bleu", bleu_plus_one, "smoothed"),
    ("bleu", bleu_by_words, "perfect-not-100"),
    ("bleu", lambda *case: bleu_by_zip(*case) ** 2 / 100, None),
    ("sharpen", sharpen_by_sigmoid, "rows-not-one"),
    ("sharpen", sharpen_sorted, "order-lost"),
    ("sharpen", lambda x, t, most: sharpen_by_mask(x, t * t, most), None),
]

# ---- Mutants of the references: which names take each other's place, what changes nothing

NAMES = {
    "prefix": "word",
    "word": "prefix",
    "total": "log_probability",
    "candidates": "references",
    "references": "candidates",
    "ours": "theirs",
    "theirs": "ours",
    "hits": "total",
    "written": "wanted",
    "wanted": "written",
    "least": "largest",
    "largest": "least",
}

EQUIVALENT: list[tuple[str, str]] = []
