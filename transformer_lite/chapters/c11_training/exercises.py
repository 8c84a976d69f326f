"""The exercises of chapter 11, training; what they say is in `mistakes.toml`."""

from collections.abc import Callable, Iterator
from itertools import pairwise

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
    logits: Tensor,
    target: Tensor,
    smoothing: float,
    scores: str = "logits",
    spread: str = "all but padding",
    floor: str = "kept",
    mean: str = "of tokens",
) -> Tensor:
    """Another softmax; ε over other words; less its floor; another mean."""
    size, real = logits.shape[-1], target != PAD
    logs = {
        "logits": logits.log_softmax(-1),
        "probabilities": logits.softmax(-1).log_softmax(-1),
        "along the sentence": logits.log_softmax(1),
        "along the batch": logits.log_softmax(0),
    }[scores]
    right = F.one_hot(target, size).float()
    words = (torch.arange(size) != PAD).float()
    uniform = {
        "all but padding": words / (size - 1),
        "all": torch.full((size,), 1 / size),
        "the others": (1 - right) * words / (size - 2),
        "the others and padding": (1 - right) / (size - 1),
    }[spread]
    wanted = (1 - smoothing) * right + smoothing * uniform
    losses = -(wanted * logs).sum(-1)  # B T
    if floor == "subtracted":
        losses -= torch.special.entr(wanted).sum(-1)
    total, tokens = losses[real].sum(), real.sum()
    return {
        "of tokens": total / tokens,
        "of places": losses.mean(),
        "divided by places": total / real.numel(),
        "places divided by tokens": losses.sum() / tokens,
        "of sentences": ((losses * real).sum(1) / real.sum(1)).mean(),
        "none": total,
        "divided by sentences": total / len(target),
    }[mean]


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
            {"mean": how} for how in ("of places", "divided by places", "places divided by tokens")
        ],
        "mean-of-means": [{"mean": "of sentences"}],
        "summed": [{"mean": "none"}, {"mean": "divided by sentences"}],
        "spread-over-padding": [{"spread": "all"}],
        "spread-over-others": [
            {"spread": "the others"},
            {"spread": "the others", "floor": "subtracted"},  # the Annotated Transformer's
            {"spread": "the others and padding"},
        ],
        "floor-subtracted": [{"floor": "subtracted"}],
        "softmax-twice": [{"scores": "probabilities"}],
        "softmax-of-another-axis": [
            {"scores": f"along the {what}"} for what in ("sentence", "batch")
        ],
    },
    (
        changes_with("reads-padding", lambda x, y, eps: (x * (y != PAD)[..., None], y, eps)),
        same_with("smoothing-ignored", lambda *case: (*case[:2], case[2] + 0.1)),
        changes_with("not-normalised", lambda logits, *rest: (logits + 3, *rest)),
        Symptom("right-word-kept-whole", _right_word_counts_at_1),
        Symptom("negative", lambda case, value, answer: bool(value < 0)),
    ),
)

# ---- adam-step: one update of every parameter


def adam_step(
    parameter: Float[Tensor, " N"],
    gradient: Float[Tensor, " N"],
    m: Float[Tensor, " N"],
    v: Float[Tensor, " N"],
    step: int,
    rate: float,
) -> Float[Tensor, " N"]:
    """The parameters after update number `step` of Adam, with the paper's β and ε.

    Source: Kingma & Ba 2015, algorithm 1; Vaswani et al. 2017, section 5.3.
    """
    beta1, beta2, epsilon = 0.9, 0.98, 1e-9
    updated = parameter.clone()
    for place, g in enumerate(gradient):
        mean = beta1 * m[place] + (1 - beta1) * g
        square = beta2 * v[place] + (1 - beta2) * g * g
        corrected = mean / (1 - beta1**step)
        size = (square / (1 - beta2**step)) ** 0.5
        updated[place] -= rate * corrected / (size + epsilon)
    return updated


def _adam_cases(generator: torch.Generator) -> Iterator[Arguments]:
    """A first step, later ones, and one of gradients so small that ε matters, or 0."""
    for numbers, step, rate in [(2, 1, 0.1), (3, 2, 0.1), (4, 3, 0.5), (5, 40, 0.2), (9, 7, 0.01)]:
        parameter, gradient, m, spare = tenths(generator, 20, 4, numbers)
        v = m**2 + spare**2 + 0.01
        first = step == 1
        yield parameter, gradient, m * (not first), v * (not first), step, rate
    nothing = torch.zeros(3)
    yield torch.tensor([1.0, -0.5, 0.2]), torch.tensor([0.0, 3e-9, -0.5]), nothing, nothing, 1, 0.1


def _wrong_adam(
    parameter: Tensor,
    gradient: Tensor,
    m: Tensor,
    v: Tensor,
    step: int,
    rate: float,
    betas: tuple[float, float] = (0.9, 0.98),
    kept: tuple[float, float] | None = None,
    old: str = "",
    corrected: str = "m v",
    counted: int = 0,
    power: float = 0.5,
    epsilon: str = "behind the root",
    sign: int = -1,
) -> Tensor:
    """Other averages; not corrected, or otherwise; another denominator; uphill."""
    keep1, keep2 = kept or betas
    mean = m if "m" in old else keep1 * m + (1 - keep1) * gradient
    square = v if "v" in old else keep2 * v + (1 - keep2) * gradient**2
    first, second = (1 - beta ** (step + counted) for beta in betas)
    mean = mean / (first if "m" in corrected else 1)
    square = square / (second if "v" in corrected else 1)
    if epsilon == "under the root":
        bottom = (square + 1e-9) ** power
    else:
        bottom = square**power + 1e-9 / (second**0.5 if epsilon == "before the correction" else 1)
    return parameter + sign * rate * mean / bottom


def _parameter_not_kept(arguments: Arguments, value: Tensor, answer: Function) -> bool:
    """What is taken off does not depend on where the parameters are."""
    parameter, *rest = arguments
    return not close(answer(2 * parameter, *rest), value + parameter)


def _size_of_gradients_kept(arguments: Arguments, value: Tensor, answer: Function) -> bool:
    """Looked for where squares are so large that ε does not count."""
    parameter, gradient, m, v, *rest = arguments
    larger = answer(parameter, 10 * gradient, 10 * m, 100 * v, *rest)
    return bool((v > 0).all()) and not close(value, larger)


ADAM_STEP = Exercise(
    adam_step,
    _adam_cases,
    _wrong_adam,
    {
        "not-corrected": [{"corrected": which} for which in ("", "m", "v")],
        "no-root": [{"power": 1.0}],
        "epsilon-misplaced": [
            {"epsilon": where} for where in ("under the root", "before the correction")
        ],
        "step-miscounted": [{"counted": -1}, {"counted": 1}],
        "betas-exchanged": [{"betas": (0.98, 0.9)}],
        "shares-exchanged": [{"kept": (0.1, 0.02)}],
        "old-averages": [{"old": which} for which in ("m v", "m", "v")],
        "uphill": [{"sign": 1}],
    },
    (
        batch_mixing(4),
        Symptom("parameter-not-kept", _parameter_not_kept),
        Symptom("size-of-gradients-kept", _size_of_gradients_kept),
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
    lengths: list[int],
    most: int,
    order: str = "shortest first",
    counted: str = "positions",
    count: int = 1,
    width: str = "with the next",
    room: int = 0,
    returns: str = "as given",
) -> Tensor:
    """Another order; something else counted; the next one not counted; numbers elsewhere."""
    ordered = sorted(range(len(lengths)), key=lengths.__getitem__)
    places = {
        "shortest first": ordered,
        "as given": list(range(len(lengths))),
        "longest first": sorted(ordered, key=lambda sentence: -lengths[sentence]),
        "backwards": ordered[::-1],
    }[order]
    batch, inside, numbers = 0, list[int](), torch.zeros(len(lengths), dtype=torch.long)
    for rank, sentence in enumerate(places):
        longest = max(inside, default=0)
        after = [*inside, lengths[sentence]]
        columns = {
            "with the next": max(after), "of the next": after[-1], "so far": longest,
            "of all": max(lengths),
        }[width]  # fmt: skip
        rows = len(inside) + count
        size = {"positions": rows * columns, "tokens": sum(after), "sentences": rows}[counted]
        if size > most - room:
            batch, after = batch + 1, after[-1:]
        inside = after
        numbers[{"as given": sentence}.get(returns, rank)] = batch
    return numbers[torch.tensor(places)] if returns == "looked up" else numbers


def _groups(arguments: Arguments, value: Tensor) -> list[list[int]]:
    """Lengths in each batch."""
    lengths, numbers = arguments[0], value.tolist()
    pairs = list(zip(lengths, numbers, strict=True))
    return [[length for length, at in pairs if at == batch] for batch in sorted(set(numbers))]


def _between_two(misconception: str, shows: Callable[[list[int], list[int], int], bool]) -> Symptom:
    """The symptom of what is wrong with a batch and the one behind it, given `most`."""

    def anywhere(arguments: Arguments, value: Tensor, answer: Function) -> bool:
        pairs = pairwise(_groups(arguments, value))
        return any(shows(batch, behind, arguments[1]) for batch, behind in pairs)

    return Symptom(misconception, anywhere)


def _too_large(arguments: Arguments, value: Tensor, answer: Function) -> bool:
    return any(len(batch) * max(batch) > arguments[1] for batch in _groups(arguments, value))


def _numbers_skipped(arguments: Arguments, value: Tensor, answer: Function) -> bool:
    return value.unique().tolist() != list(range(len(value.unique())))


FILL_BATCHES = Exercise(
    fill_batches,
    _filling_cases,
    _wrong_filling,
    {
        "padding-forgotten": [{"counted": "tokens"}],
        "sentences-counted": [{"counted": "sentences"}],
        "next-not-counted": [{"width": "so far", "count": n} for n in (0, 1)] + [{"count": 0}],
        "never-full": [{"room": 1}],
        "not-sorted": [{"order": "as given"}, {"order": "as given", "width": "of the next"}],
        "longest-first": [{"order": how} for how in ("longest first", "backwards")],
        "sorted-order": [{"returns": "sorted"}, {"returns": "looked up"}],
        "one-size-for-all": [{"width": "of all"}],
    },
    (
        Symptom("numbers-skipped", _numbers_skipped),
        Symptom("too-large", _too_large),
        _between_two("unsorted", lambda batch, behind, most: max(batch) > min(behind)),
        _between_two(
            "closed-too-early",
            lambda batch, behind, most: (len(batch) + 1) * min(behind) <= most,
        ),
    ),
)

EXERCISES = (SMOOTHED_LOSS, ADAM_STEP, FILL_BATCHES)
