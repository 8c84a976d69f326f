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
    query: Tensor,
    key: Tensor,
    value: Tensor,
    heads: int,
    cut: str = "right",
    divisor: str = "K",
    mask: str = "right",
    merge: str = "right",
) -> Tensor:
    """Heads cut or merged by shape alone, another divisor, a mask elsewhere or of other words."""
    batch, steps, d_model = query.shape
    width = d_model // heads

    def split(x: Tensor) -> Tensor:
        by_token = x.reshape(batch, steps, heads, width)
        poured = x.reshape(batch, heads, steps, width)
        return {"right": by_token.transpose(1, 2), "T before H": by_token, "view": poured}[cut]

    energies = split(query) @ split(key).mT
    energies /= {"K": width, "D": d_model, "K²": width**2, "H": heads, "none": 1}[divisor] ** 0.5
    place = torch.arange(steps)
    past = place <= place[:, None]
    seen = {
        "inverted": ~past,
        "turned": past.T,
        "one ahead": place <= place[:, None] + 1,
        "before": place < place[:, None],
        "none": past | True,
    }.get(mask, past)
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

# ---- prefix-gap: whether words that are not there yet have been seen


def prefix_gap(whole: Float[Tensor, "T V"], parts: list[Tensor]) -> float:
    """The largest |row of a part − the row of `whole` at its place|."""
    gaps = []
    for part in parts:
        for alone, together in zip(part.tolist(), whole.tolist(), strict=False):
            gaps += [abs(a - b) for a, b in zip(alone, together, strict=True)]
    return max(gaps)


def _gap_cases(generator: torch.Generator) -> Iterator[Arguments]:
    """A right model's logits; then a number that is off, at any place, up or down; all off."""
    for steps, vocab, off in [
        (2, 2, (0, 0, 1)), (3, 2, None), (3, 3, (1, 1, -2)), (4, 3, (2, 1, 1)),
        (4, 2, (3, 0, -1)), (5, 4, (2, 0, -3)), (5, 3, (3, 3, 2)),
    ]:  # fmt: skip
        whole = tenths(generator, 50, steps, vocab)
        parts = [whole[: end + 1].clone() for end in range(steps)]
        if off:
            part, row, by = off
            parts[part][row, 0] += by
        yield whole, parts
    parts = [tenths(generator, 50, end + 1, vocab) for end in range(steps)]
    yield tenths(generator, 50, steps, vocab), parts


def _wrong_gap(
    whole: Tensor,
    parts: list[Tensor],
    rows: str = "all",
    distance: str = "absolute",
    of_part: Function = torch.max,
    of_all: Function = torch.max,
) -> float:
    """Other rows compared, another distance, or another number made of the distances."""
    gaps = []
    for part in {"first part": parts[:1], "last part": parts[-1:]}.get(rows, parts):
        size = len(part)
        there = whole[-size:] if rows == "from the end" else whole[:size]
        kept = {"last": slice(size - 1, None), "first": slice(1)}.get(rows, slice(None))
        apart = part[kept] - there[kept]
        measured = {
            "absolute": apart.abs(),
            "signed": apart,
            "other sign": -apart,
            "squares": apart**2,
            "norms": apart.norm(dim=-1),
            "best words": (part.argmax(-1) != there.argmax(-1)).float(),
        }[distance]
        gaps.append(of_part(measured))
    number: float = of_all(torch.stack(gaps)).item()
    return number


def _gap_without_a_bug(arguments: Arguments, value: Any, answer: Function) -> bool:
    whole, parts = arguments
    return not close(0.0, answer(whole, [whole[: len(part)].clone() for part in parts]))


def _gap_missed(arguments: Arguments, value: Any, answer: Function) -> bool:
    """Of one row that is far off, wherever it stands, the answer must be large."""
    whole, parts = arguments
    for end, row in torch.ones(len(parts), len(parts)).tril().nonzero().tolist():
        other = [part.clone() for part in parts]
        other[end][row] += 100
        if abs(float(answer(whole, other))) < 50:
            return True
    return False


SUMMARIES = (torch.max, torch.mean, torch.sum)

PREFIX_GAP = Exercise(
    prefix_gap,
    _gap_cases,
    _wrong_gap,
    {
        "last-rows-only": [{"rows": "last"}],
        "first-rows-only": _each(rows=("first", "first part")),
        "last-part-only": [{"rows": "last part"}],
        "from-the-end": [{"rows": "from the end"}],
        "mean-for-maximum": _each(of_part=SUMMARIES, of_all=SUMMARIES)[1:],
        "no-absolute-value": _each(distance=("signed", "other sign")),
        "other-distance": _each(distance=("squares", "norms")),
        "words-compared": [
            {"distance": "best words", "of_part": one, "of_all": one} for one in SUMMARIES
        ],
    },
    (
        Symptom("gap-without-a-bug", _gap_without_a_bug),
        Symptom("gap-missed", _gap_missed),
    ),
)

EXERCISES = (MEND_ATTENTION, MEND_LOSS, PREFIX_GAP)
