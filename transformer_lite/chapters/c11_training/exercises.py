"""The exercises of chapter 11, training; what they say is in `mistakes.toml`."""

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from transformer_lite.data.vocabulary import PAD
from transformer_lite.exercises.exercise import Arguments, Exercise, Function, Symptom
from transformer_lite.exercises.families import (
    batch_mixing,
    changes_with,
    close,
    same_with,
    tenths,
)

# ---- smoothed-loss: of real tokens, against words that are nearly certain


def smoothed_loss(
    logits: Float[Tensor, "B T V"], target: Int[Tensor, "B T"], smoothing: float
) -> Float[Tensor, ""]:
    """Mean cross-entropy of the real tokens against (1 − ε) · one-hot + ε · uniform.

    Source: Szegedy et al. 2016, section 7; `<pad>` is left out as in the package.
    """
    surprises = -logits.log_softmax(-1)
    losses = []
    for row, column in target.nonzero().tolist():
        of_words = surprises[row, column]
        right = of_words[target[row, column]]
        losses.append((1 - smoothing) * right + smoothing * of_words[1:].mean())
    return torch.stack(losses).mean()


def _loss_cases(generator: torch.Generator) -> Iterator[Arguments]:
    """Without padding and with it; hard targets; axes of one size; a model sure of everything."""
    for lengths, words, smoothing, most in [
        ([2], 3, 0.5, 20), ([2, 1], 3, 0.2, 20), ([1, 3], 4, 0.0, 20), ([3, 1, 2], 3, 0.4, 20),
        ([2, 5, 4], 7, 0.1, 30), ([4, 2], 9, 0.1, 2000),
    ]:  # fmt: skip
        shape = len(lengths), max(lengths)
        target = torch.randint(1, words, shape, generator=generator)
        target *= torch.arange(shape[1]) < torch.tensor(lengths)[:, None]
        yield tenths(generator, most, *shape, words), target, smoothing


def _wrong_loss(
    *case: Any, axes: tuple[int, ...] = (-1,), spread: str = "right", mean: str = "tokens / tokens"
) -> Tensor:
    """Other softmaxes, the last one first; ε over other words; less its floor; another mean."""
    logits, target, smoothing = case
    for axis in axes[1:]:
        logits = logits.softmax(axis)
    right, real = F.one_hot(target, logits.shape[-1]).float(), target != PAD
    shares = torch.ones_like(right)
    shares[..., PAD] = "padding" in spread
    words = shares.sum(-1, keepdim=True)
    if "right" not in spread:
        shares *= 1 - right
    uniform = shares / (words if "lost" in spread else shares.sum(-1, keepdim=True))
    wanted = (1 - smoothing) * right + smoothing * uniform
    losses = -(wanted * logits.log_softmax(axes[0])).sum(-1)  # B T
    if "floor" in spread:
        losses -= torch.special.entr(wanted).sum(-1)
    added, over = mean.split(" / ")
    if added == "tokens":
        losses *= real
    if over == "tokens of each sentence":
        return (losses.sum(1) / real.sum(1)).mean()
    counts = {"tokens": real.sum(), "places": real.numel(), "sentences": len(target), "1": 1}
    return losses.sum() / counts[over]


def _right_word_counts_at_1(arguments: Arguments, value: Tensor, answer: Function) -> bool:
    """With ε = 1 the target is the same for every word."""
    logits, target, _ = arguments
    other = (target % (logits.shape[-1] - 1) + 1) * (target != PAD)
    return not close(answer(logits, target, 1.0), answer(logits, other, 1.0))


SMOOTHED_LOSS = Exercise(
    smoothed_loss,
    _loss_cases,
    _wrong_loss,
    {
        "padding-counted": [
            {"mean": how} for how in ("places / places", "tokens / places", "places / tokens")
        ],
        "mean-of-means": [{"mean": "tokens / tokens of each sentence"}],
        "summed": [{"mean": "tokens / 1"}, {"mean": "tokens / sentences"}],
        "spread-over-padding": [{"spread": "right, padding"}],
        # "floor" is the Annotated Transformer's
        "spread-over-others": [{"spread": how} for how in ("", "floor", "padding", "lost")],
        "floor-subtracted": [{"spread": "right, floor"}],
        "softmax-twice": [{"axes": (-1, -1)}],
        "softmax-of-another-axis": [{"axes": (1,)}, {"axes": (0,)}],
    },
    (
        changes_with("reads-padding", lambda x, y, eps: (x * (y != PAD)[..., None], y, eps)),
        same_with("smoothing-ignored", lambda *case: (*case[:2], case[2] + 0.1)),
        changes_with("not-normalised", lambda logits, *rest: (logits + 3, *rest)),
        Symptom("right-word-kept-whole", _right_word_counts_at_1),
        Symptom("negative", lambda case, value, answer: bool(value < 0)),
    ),
)

# ---- adamw-step: one update of every parameter


def adamw_step(
    parameter: Float[Tensor, " N"],
    gradient: Float[Tensor, " N"],
    m: Float[Tensor, " N"],
    v: Float[Tensor, " N"],
    step: int,
    rate: float,
    decay: float,
) -> Float[Tensor, " N"]:
    """The parameters after update number `step` of AdamW, with the β and ε of the Transformer.

    Source: Loshchilov & Hutter 2019, algorithm 2, whose decay is multiplied by the rate as in
    PyTorch; Vaswani et al. 2017, section 5.3.
    """
    beta1, beta2, epsilon = 0.9, 0.98, 1e-9
    updated = parameter.clone()
    for place, g in enumerate(gradient):
        mean = beta1 * m[place] + (1 - beta1) * g
        square = beta2 * v[place] + (1 - beta2) * g * g
        corrected = mean / (1 - beta1**step)
        size = (square / (1 - beta2**step)) ** 0.5
        updated[place] -= rate * (corrected / (size + epsilon) + decay * parameter[place])
    return updated


def _adamw_cases(generator: torch.Generator) -> Iterator[Arguments]:
    """A first step, later ones, and one of gradients so small that ε matters, or 0."""
    for numbers, step, rate, decay in [
        (2, 1, 0.1, 0.5), (3, 2, 0.1, 0.2), (4, 3, 0.5, 0.1), (5, 40, 0.2, 0.3), (9, 7, 0.01, 0.4),
    ]:  # fmt: skip
        parameter, gradient, m, spare = tenths(generator, 20, 4, numbers)
        later = step > 1
        v = m**2 + spare**2 + 0.01
        yield parameter, gradient, m * later, v * later, step, rate, decay
    parameter, gradient = torch.tensor([[1.0, -0.5, 0.2], [0.0, 3e-9, -0.5]])
    yield parameter, gradient, torch.zeros(3), torch.zeros(3), 1, 0.1, 0.2


def _wrong_adamw(
    *case: Any, decayed: str = "before", swapped: str = "", old: str = "", corrected: str = "m v"
) -> Tensor:
    """Another decay, or of something else; other means; not corrected; uphill."""
    parameter, gradient, m, v, step, rate, decay = case
    if decayed == "gradient":
        gradient = gradient + decay * parameter
    betas = (0.98, 0.9) if swapped == "betas" else (0.9, 0.98)
    keep1, keep2 = (1 - beta if swapped == "shares" else beta for beta in betas)
    mean = m if "m" in old else keep1 * m + (1 - keep1) * gradient
    square = v if "v" in old else keep2 * v + (1 - keep2) * gradient**2
    first, second = (1 - beta**step for beta in betas)
    mean = mean / (first if "m" in corrected else 1)
    square = square / (second if "v" in corrected else 1)
    if decayed == "mean":
        mean = mean + decay * parameter
    move = rate * mean / (square**0.5 + 1e-9) * (1 if swapped == "sign" else -1)
    lost = {"before": rate * decay, "after": rate * decay, "grown": -rate * decay, "whole": decay}
    left = 1 - lost.get(decayed, 0.0)
    return left * (parameter + move) if decayed == "after" else left * parameter + move


def _decayed_otherwise(arguments: Arguments, value: Tensor, answer: Function) -> bool:
    """All but the decay does not depend on where the parameters are."""
    parameter, *rest, rate, decay = arguments
    twice = answer(2 * parameter, *rest, rate, decay)
    return not close(twice, value + (1 - rate * decay) * parameter)


def _size_of_gradients_kept(arguments: Arguments, value: Tensor, answer: Function) -> bool:
    """Looked for where squares are so large that ε does not count."""
    parameter, gradient, m, v, *rest = arguments
    larger = answer(parameter, 10 * gradient, 10 * m, 100 * v, *rest)
    return bool((v > 0).all()) and not close(value, larger)


def _first_step(misconception: str, gradient: float, moved: float) -> Symptom:
    """The symptom of a first step, with this gradient, that is not `moved` times the rate."""

    def shows(arguments: Arguments, value: Tensor, answer: Function) -> bool:
        zero, rate = torch.zeros_like(value), arguments[5]
        first = answer(zero, zero + gradient, zero, zero, 1, rate, 0.0)
        return not close(first / rate, zero - moved)

    return Symptom(misconception, shows)


ADAMW_STEP = Exercise(
    adamw_step,
    _adamw_cases,
    _wrong_adamw,
    {
        "decay-forgotten": [{"decayed": "never"}],
        "decay-in-gradient": [{"decayed": "gradient"}, {"decayed": "mean"}],
        "decay-without-rate": [{"decayed": "whole"}],
        "decay-afterwards": [{"decayed": "after"}],
        "wrong-sign": [{"decayed": "grown"}, {"swapped": "sign"}],
        "not-corrected": [{"corrected": which} for which in ("", "m", "v")],
        "old-averages": [{"old": which} for which in ("m v", "m", "v")],
        "shares-exchanged": [{"swapped": "shares"}, {"swapped": "betas"}],
    },
    (
        batch_mixing(4),
        Symptom("decayed-otherwise", _decayed_otherwise),
        Symptom("size-of-gradients-kept", _size_of_gradients_kept),
        _first_step("first-step-not-the-rate", gradient=1.0, moved=1.0),
        _first_step("epsilon-misplaced", gradient=1e-9, moved=0.5),
    ),
)

# ---- fill-batches: sentences of like length, as many as there is room for


def fill_batches(lengths: list[int], most: int) -> Int[Tensor, " N"]:
    """Number of the batch of each sentence; a batch has at most `most` positions, padding too."""
    numbers = torch.zeros(len(lengths), dtype=torch.long)
    batch = inside = 0
    for sentence in sorted(range(len(lengths)), key=lengths.__getitem__):
        inside += 1
        if inside * lengths[sentence] > most:
            batch += 1
            inside = 1
        numbers[sentence] = batch
    return numbers


def _filling_cases(generator: torch.Generator) -> Iterator[Arguments]:
    """Batches that are exactly full, sentences of one length, more sentences than positions."""
    yield [3, 1, 2], 4
    yield [2, 2, 2, 2, 2], 6
    for sentences, longest, most in [(6, 5, 10), (12, 3, 6), (12, 9, 20), (40, 30, 100)]:
        yield torch.randint(1, longest + 1, (sentences,), generator=generator).tolist(), most


def _wrong_filling(
    lengths: list[int], most: int, order: str = "up", count: str = "positions", at: str = "given"
) -> Tensor:
    """Another order; something else counted; numbers elsewhere."""
    ordered = sorted(range(len(lengths)), key=lengths.__getitem__)
    places = {
        "up": ordered,
        "as given": list(range(len(lengths))),
        "down": sorted(ordered, key=lambda sentence: -lengths[sentence]),
        "backwards": ordered[::-1],
    }[order]
    batch, inside, numbers = 0, list[int](), torch.zeros(len(lengths), dtype=torch.long)
    for rank, sentence in enumerate(places):
        after = [*inside, lengths[sentence]]
        size = {
            "positions": len(after) * max(after),
            "tokens": sum(after),
            "sentences": len(after),
            "so far": len(inside) * max(inside, default=0),
            "width so far": len(after) * max(inside, default=0),
            "rows so far": len(inside) * max(after),
            "of the next": len(after) * after[-1],
            "of all": len(after) * max(lengths),
            "one more": len(after) * max(after) + 1,
        }[count]
        if size > most:
            batch, after = batch + 1, after[-1:]
        inside = after
        numbers[sentence if at == "given" else rank] = batch
    return numbers[torch.tensor(places)] if at == "looked up" else numbers


def _of_batches(misconception: str, shows: Callable[[list[list[int]], int], bool]) -> Symptom:
    """The symptom of what is wrong with the lengths in all batches, given `most`."""

    def anywhere(arguments: Arguments, value: Tensor, answer: Function) -> bool:
        lengths, most = torch.tensor(arguments[0]), arguments[1]
        return shows([lengths[value == batch].tolist() for batch in value.unique()], most)

    return Symptom(misconception, anywhere)


def _numbers_skipped(arguments: Arguments, value: Tensor, answer: Function) -> bool:
    return value.unique().tolist() != list(range(len(value.unique())))


FILL_BATCHES = Exercise(
    fill_batches,
    _filling_cases,
    _wrong_filling,
    {
        "padding-forgotten": [{"count": "tokens"}],
        "sentences-counted": [{"count": "sentences"}],
        "next-not-counted": [{"count": f"{what}so far"} for what in ("", "width ", "rows ")],
        "never-full": [{"count": "one more"}],
        "not-sorted": [{"order": "as given"}, {"order": "as given", "count": "of the next"}],
        "longest-first": [{"order": "down"}, {"order": "backwards"}],
        "sorted-order": [{"at": "rank"}, {"at": "looked up"}],
        "one-size-for-all": [{"count": "of all"}],
    },
    (
        Symptom("numbers-skipped", _numbers_skipped),
        _of_batches("too-large", lambda cut, most: any(len(a) * max(a) > most for a in cut)),
        _of_batches("unsorted", lambda cut, most: any(max(a) > min(b) for a, b in pairwise(cut))),
        _of_batches(
            "closed-too-early",
            lambda cut, most: any((len(a) + 1) * min(b) <= most for a, b in pairwise(cut)),
        ),
    ),
)

EXERCISES = (SMOOTHED_LOSS, ADAMW_STEP, FILL_BATCHES)
