"""The exercises of chapter 12, when the loss lies; what they say is in `mistakes.toml`.

Two are to be mended: the page shows the function with bugs in it. The rows of its wrong function
are the bugs that may be left, alone and together, and some that come in while others are mended.
"""

from collections.abc import Iterator
from itertools import product
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from transformer_lite.data.vocabulary import BOS, EOS, PAD
from transformer_lite.exercises.exercise import Arguments, Exercise, Function, Symptom
from transformer_lite.exercises.families import batch_mixing, changes_with, close, tenths


def _each(**settings: tuple[Any, ...]) -> list[dict[str, Any]]:
    """The rows of all combinations of these settings."""
    return [dict(zip(settings, values, strict=True)) for values in product(*settings.values())]


# ---- mend-attention: causal attention with heads, without projections


def mend_attention(
    query: Float[Tensor, "B T D"],
    key: Float[Tensor, "B T D"],
    value: Float[Tensor, "B T D"],
    heads: int,
) -> Float[Tensor, "B T D"]:
    """Head h attends with columns hK … (h + 1)K − 1, from each token to itself and those before.

    Source: Vaswani et al. 2017, sections 3.2.1 to 3.2.3.
    """
    width = query.shape[-1] // heads
    beside = torch.zeros_like(query)
    for head in range(heads):
        mine = slice(head * width, (head + 1) * width)
        for row, asking in enumerate(query):
            for step in range(len(asking)):
                past = row, slice(step + 1), mine
                shares = torch.exp(key[past] @ asking[step, mine] / width**0.5)
                beside[row, step, mine] = shares @ value[past] / shares.sum()
    return beside


def _attention_cases(generator: torch.Generator) -> Iterator[Arguments]:
    """Sizes that differ, and sizes that agree, where a bug goes unnoticed; one head; one token."""
    for batch, steps, heads, width in [
        (1, 2, 2, 1), (1, 3, 1, 2), (2, 3, 2, 2), (2, 1, 2, 3), (1, 4, 2, 3), (3, 2, 2, 2),
        (2, 4, 4, 1), (2, 6, 3, 4),
    ]:  # fmt: skip
        query, key, value = (tenths(generator, 20, batch, steps, heads * width) for _ in range(3))
        yield query, key, value, heads


def _wrong_attention(
    *case: Any, cut: str = "right", divisor: str = "K", mask: str = "right", merge: str = "right"
) -> Tensor:
    """Heads cut or merged by shape alone, another divisor, a mask elsewhere or of other words."""
    query, key, value, heads = case
    batch, steps, d_model = query.shape
    width = d_model // heads

    def split(x: Tensor) -> Tensor:
        by_token = x.reshape(batch, steps, heads, width)
        poured = x.reshape(batch, heads, steps, width)
        return {"right": by_token.transpose(1, 2), "T before H": by_token, "view": poured}[cut]

    energies = split(query) @ split(key).mT
    energies /= {"K": width, "D": d_model, "K²": width**2, "H": heads, "none": 1}[divisor] ** 0.5
    ahead = {"one ahead": 1, "before": -1, "none": steps}.get(mask, 0)
    past = torch.ones(steps, steps, dtype=torch.bool).tril(ahead)
    seen = {"inverted": ~past, "turned": past.T}.get(mask, past)
    late, early = energies.softmax(-1) * seen, (energies * seen).softmax(-1)
    hidden = energies.masked_fill(~seen, -torch.inf).softmax(-1)
    weights = {"after": late, "factor": early}.get(mask, hidden)
    blends = weights @ split(value)
    return (blends.transpose(1, 2) if merge == "right" else blends).reshape(query.shape)


def _future_seen(arguments: Arguments, result: Tensor, answer: Function) -> bool:
    query, key, value, heads = arguments
    key, value = key.clone(), value.clone()
    key[:, -1] += 1
    value[:, -1] += 1
    return not close(answer(query, key, value, heads)[:, :-1], result[:, :-1])


def _sums_not_one(arguments: Arguments, result: Tensor, answer: Function) -> bool:
    query, key, value, heads = arguments
    return not close(answer(query, key, torch.ones_like(value), heads), torch.ones_like(value))


# What may be left of the page's bugs behind the first: the mask's and the divisor's.
LATER: dict[str, Any] = {"mask": ("right", "after"), "divisor": ("K", "D")}

MEND_ATTENTION = Exercise(
    mend_attention,
    _attention_cases,
    _wrong_attention,
    {
        "untouched": [{"cut": "view", "mask": "after", "divisor": "D"}],
        "heads-split-wrong": [
            *_each(cut=("view",), **LATER)[:-1],  # the last is untouched
            *_each(cut=("view",), merge=("view",), **LATER),
        ],
        "axes-not-exchanged": _each(cut=("T before H",), merge=("right", "view"), **LATER),
        "heads-merged-wrong": _each(merge=("view",), **LATER),
        "mask-after-softmax": _each(mask=("after",), divisor=("K", "D")),
        "mask-as-factor": _each(mask=("factor",), divisor=("K", "D")),
        "other-words-hidden": _each(
            mask=("inverted", "turned", "one ahead", "before", "none"), divisor=("K", "D")
        ),
        "scaled-by-other-width": _each(divisor=("D", "K²", "H", "none")),
    },
    (
        batch_mixing(3),
        Symptom("future-seen", _future_seen),
        Symptom("sums-not-one", _sums_not_one),
    ),
)

# ---- mend-loss: what the words that were written cost


def mend_loss(logits: Float[Tensor, "B T V"], target: Int[Tensor, "B words"]) -> Float[Tensor, ""]:
    """Mean of −log p over the words behind `<bos>`, `<eos>` with them; words = T + 1."""
    losses = []
    for rows, ids in zip(logits, target, strict=True):
        for scores, wanted in zip(rows, ids[1:].tolist(), strict=True):
            if wanted != PAD:
                losses.append(torch.logsumexp(scores, 0) - scores[wanted])
    return torch.stack(losses).mean()


def _loss_cases(generator: torch.Generator) -> Iterator[Arguments]:
    """Batches with and without padding, and a sentence of no word."""
    for lengths, vocab in [([1], 5), ([2, 0], 6), ([2, 2], 7), ([1, 4, 2], 9), ([0], 6)]:
        steps = max(lengths) + 1 + (len(lengths) == 1)  # alone, it is padded, too
        target = torch.full((len(lengths), steps + 1), PAD)
        for row, length in zip(target, lengths, strict=True):
            words = torch.randint(EOS + 1, vocab, (length,), generator=generator)
            row[: length + 2] = torch.tensor([BOS, *words.tolist(), EOS])
        yield tenths(generator, 30, len(lengths), steps, vocab), target


def _wrong_loss(
    logits: Tensor,
    target: Tensor,
    shift: int = 1,
    counted: str = "words",
    softmax: bool = False,
    mean: str = "of words",
) -> Tensor:
    """Other words wanted, other places counted, a softmax before the loss, another mean."""
    steps = logits.shape[1]
    wanted = F.pad(target[:, shift:], (0, max(0, shift - 1)))[:, :steps]
    scores = logits.softmax(-1) if softmax else logits
    losses = F.cross_entropy(scores.mT, wanted, reduction="none")  # B T
    real = {
        "words": wanted != PAD,
        "all": wanted == wanted,
        "what was read": target[:, :steps] != PAD,
        "no eos": (wanted != PAD) & (wanted != EOS),
    }[counted] & (torch.arange(steps) <= steps - shift)
    kept = losses * real
    return {
        "of words": kept.sum() / real.sum(),
        "sum": kept.sum(),
        "of places": kept.mean(),
        "of sentences": kept.sum() / len(kept),
        "of means": (kept.sum(1) / real.sum(1)).mean(),
    }[mean]


MEND_LOSS = Exercise(
    mend_loss,
    _loss_cases,
    _wrong_loss,
    {
        "untouched": [{"shift": 0, "counted": "all", "softmax": True}],
        "not-shifted": _each(shift=(0,), counted=("words", "all"), softmax=(False, True))[:-1],
        "shifted-twice": _each(shift=(2,), counted=("words", "all"), softmax=(False, True)),
        "padding-counted": _each(counted=("all",), softmax=(False, True)),
        "what-was-read-counted": _each(counted=("what was read",), softmax=(False, True)),
        "eos-not-counted": _each(counted=("no eos",), softmax=(False, True)),
        "wrong-mean": _each(
            mean=("sum", "of places", "of sentences", "of means"), softmax=(False, True)
        ),
        "softmax-first": [{"softmax": True}],
    },
    (
        changes_with(
            "not-normalised",
            lambda logits, target: (logits + torch.arange(logits.shape[1])[:, None], target),
        ),
        changes_with(
            "reads-padding",
            lambda logits, target: (logits * (target[:, 1:] != PAD)[..., None], target),
        ),
    ),
)

# ---- mates-gap: whether sentences of a batch change each other


def mates_gap(together: Float[Tensor, "B T V"], alone: list[Tensor]) -> float:
    """The largest |logit in the batch − logit of the same word alone|; padding has no partner."""
    gaps = []
    for padded, own in zip(together.tolist(), alone, strict=True):
        for here, there in zip(padded, own.tolist(), strict=False):
            gaps += [abs(a - b) for a, b in zip(here, there, strict=True)]
    return max(gaps)


def _gap_cases(generator: torch.Generator) -> Iterator[Arguments]:
    """A right model's logits; then a number that is off, in any sentence, up or down; all off."""
    for lengths, vocab, off in [
        ((1, 2), 2, (0, 0, 0)), ((2, 1), 2, (0, 1, 1)), ((2, 3), 2, (1, 2, -2)),
        ((2, 2), 3, (1, 0, 2)), ((3, 1, 2), 3, (2, 0, -3)), ((3, 2), 3, (0, 1, -1)),
        ((1, 4, 2), 4, (1, 1, 3)),
    ]:  # fmt: skip
        together = tenths(generator, 50, len(lengths), max(lengths), vocab) + 0.05  # never 0
        alone = [row[:length].clone() for row, length in zip(together, lengths, strict=True)]
        sentence, row, by = off
        alone[sentence][row, 0] += by
        yield together, alone
    yield together, [tenths(generator, 50, length, vocab) + 0.05 for length in lengths]


ALL, FIRST, LAST = slice(None), slice(1), slice(-1, None)
SUMMARIES = (torch.max, torch.mean, torch.sum)


def _wrong_gap(
    *case: Any, place: str = "beginning", rows: slice = ALL, sentences: slice = ALL,
    distance: str = "absolute", of_sentence: Function = torch.flatten, of_all: Function = torch.max,
) -> float:  # fmt: skip
    """Other rows or sentences compared, another distance, another number made of the distances."""
    together, alone = case
    gaps = []
    for padded, own in zip(together[sentences], alone[sentences], strict=True):
        size, more = len(own), len(padded) - len(own)
        own = F.pad(own, (0, 0, 0, more * (place == "padding, too")))[rows]
        there = {"beginning": padded[:size], "end": padded[more:]}.get(place, padded)[rows]
        apart = own - there
        measured = {
            "absolute": apart.abs(),
            "signed": apart,
            "other sign": -apart,
            "squares": apart**2,
            "norms": apart.norm(dim=-1),
            "relative": apart.abs() / own.abs(),
            "of spread": apart.abs() / together.std(),
            "best logits": (own.amax(-1) - there.amax(-1)).abs(),
            "best words": (own.argmax(-1) != there.argmax(-1)).float(),
        }[distance]
        gaps.append(of_sentence(measured).flatten())
    number: float = of_all(torch.cat(gaps)).item()
    return number


def _other_padding(together: Tensor, alone: list[Tensor]) -> Arguments:
    together = together.clone()
    for padded, own in zip(together, alone, strict=True):
        padded[len(own) :] += 100
    return together, alone


def _gap_missed(arguments: Arguments, value: Any, answer: Function) -> bool:
    """Of one row that is far off, wherever it stands, the answer must be large."""
    together, alone = arguments
    for sentence, own in enumerate(alone):
        for row, by in product(range(len(own)), (100, -100)):
            other = together.clone()
            other[sentence, row] += by
            if abs(float(answer(other, alone))) < 50:
                return True
    return False


MATES_GAP = Exercise(
    mates_gap,
    _gap_cases,
    _wrong_gap,
    {
        "padding-compared": _each(place=("padding, too", "wherever it fits")),
        "one-row-only": [{"rows": FIRST}, *_each(rows=(LAST,), place=("beginning", "end"))],
        "one-sentence-only": _each(sentences=(FIRST, LAST)),
        "from-the-end": [{"place": "end"}],
        "mean-for-maximum": [
            *_each(of_sentence=SUMMARIES, of_all=SUMMARIES)[1:],
            {"of_all": torch.mean},
        ],
        "no-absolute-value": _each(distance=("signed", "other sign")),
        "other-distance": _each(distance=("squares", "norms", "relative", "of spread")),
        "best-words-only": [
            {"distance": "best logits"},
            *_each(distance=("best words",), of_sentence=SUMMARIES, of_all=SUMMARIES),
        ],
    },
    (changes_with("reads-padding", _other_padding), Symptom("gap-missed", _gap_missed)),
)

EXERCISES = (MEND_ATTENTION, MEND_LOSS, MATES_GAP)
