"""Answers to the exercises of chapter 11, right and wrong, as readers would write them."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from transformer_lite.training import label_smoothed_loss


def loss_by_parts(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    logs, real = logits.log_softmax(dim=-1), target != 0
    right = logs.gather(-1, target.unsqueeze(-1)).squeeze(-1)
    every = logs[:, :, 1:].mean(dim=-1)
    losses = -(1 - smoothing) * right - smoothing * every
    return losses[real].mean()


def loss_by_target(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    """The Annotated Transformer's way, with this chapter's uniform part."""
    size = logits.size(-1)
    wanted = torch.full_like(logits, smoothing / (size - 1))
    right = torch.nn.functional.one_hot(target, size) * (1 - smoothing)
    wanted = (wanted + right) * (target > 0).unsqueeze(-1)
    wanted[:, :, 0] = 0
    return -(wanted * F.log_softmax(logits, -1)).sum() / (target > 0).sum()


def loss_by_torch(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    """PyTorch's takes a distribution as the target, too."""
    real = target != 0
    one_hot = F.one_hot(target[real], logits.shape[-1])
    uniform = torch.ones(logits.shape[-1]) / (logits.shape[-1] - 1)
    uniform[0] = 0.0
    return F.cross_entropy(logits[real], (1 - smoothing) * one_hot + smoothing * uniform)


def loss_by_package(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    real = target > 0
    return label_smoothed_loss(logits[real], target[real], smoothing) / real.sum()


def adamw_in_lines(
    parameter: Tensor, gradient: Tensor, m: Tensor, v: Tensor, step: int, rate: float, decay: float
) -> Tensor:
    m = 0.9 * m + 0.1 * gradient
    v = 0.98 * v + 0.02 * gradient.square()
    m_hat, v_hat = m / (1 - 0.9**step), v / (1 - 0.98**step)
    parameter = parameter * (1 - rate * decay)
    return parameter - rate * m_hat / (v_hat.sqrt() + 1e-9)


def adamw_by_lerp(
    parameter: Tensor, gradient: Tensor, m: Tensor, v: Tensor, step: int, rate: float, decay: float
) -> Tensor:
    """The corrections in the rate and in ε, as in PyTorch."""
    averages = m.lerp(gradient, 0.1), v.lerp(gradient**2, 0.02)
    scale = (1 - 0.98**step) ** 0.5
    denominator = averages[1] ** 0.5 / scale + 1e-9
    left = torch.lerp(parameter, torch.zeros_like(parameter), rate * decay)
    return torch.addcdiv(left, averages[0], denominator, value=-rate / (1 - 0.9**step))


def by_optimizer(
    parameter: Tensor,
    gradient: Tensor,
    m: Tensor,
    v: Tensor,
    step: int,
    rate: float,
    decay: float,
    optimizer: type[torch.optim.Adam] = torch.optim.AdamW,
    **options: Any,
) -> Tensor:
    """PyTorch's, put in the state after `step` − 1 updates."""
    weight = nn.Parameter(parameter.clone())
    weight.grad = gradient
    settings = {"betas": (0.9, 0.98), "eps": 1e-9, "weight_decay": decay} | options
    adam = optimizer([weight], rate, **settings)
    state = {"step": torch.tensor(step - 1.0), "exp_avg": m.clone(), "exp_avg_sq": v.clone()}
    adam.state[weight] = state
    adam.step()
    return weight.detach()


def batches_by_list(lengths: list[int], most: int) -> Tensor:
    order = sorted(range(len(lengths)), key=lambda i: lengths[i])
    batches: list[list[int]] = [[]]
    for i in order:
        if (len(batches[-1]) + 1) * lengths[i] <= most:
            batches[-1].append(i)
        else:
            batches.append([i])
    numbers = torch.empty(len(lengths), dtype=torch.long)
    for number, batch in enumerate(batches):
        numbers[batch] = number
    return numbers


def batches_by_argsort(lengths: list[int], most: int) -> Tensor:
    values, order = torch.tensor(lengths).sort(stable=True)
    numbers, start, number = torch.zeros_like(order), 0, 0
    for end in range(len(lengths)):
        if (end + 1 - start) * values[end] > most:
            start, number = end, number + 1
        numbers[order[end]] = number
    return numbers


def batches_by_rank(lengths: list[int], most: int) -> Tensor:
    order = torch.argsort(torch.tensor(lengths), stable=True)
    numbers = [0]
    inside = 1
    for rank in order[1:].tolist():
        fits = (inside + 1) * lengths[rank] <= most
        inside = inside + 1 if fits else 1
        numbers.append(numbers[-1] + (0 if fits else 1))
    return torch.tensor(numbers)[order.argsort()]


RIGHT: dict[str, list[Callable[..., Any]]] = {
    "smoothed-loss": [loss_by_parts, loss_by_target, loss_by_torch, loss_by_package],
    "adamw-step": [adamw_in_lines, adamw_by_lerp, by_optimizer],
    "fill-batches": [batches_by_list, batches_by_argsort, batches_by_rank],
}

# ---- Mistakes as readers write them


def loss_with_options(logits: Tensor, target: Tensor, smoothing: float, **options: Any) -> Tensor:
    """PyTorch's own smoothing, which spreads ε over `<pad>`, too."""
    flat = logits.flatten(0, 1), target.flatten()
    settings = {"ignore_index": 0, "label_smoothing": smoothing} | options
    return F.cross_entropy(*flat, **settings)


def loss_of_annotated(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    """The Annotated Transformer's: ε over the other words, KL divergence."""
    x, y = logits.flatten(0, 1).log_softmax(-1), target.flatten()
    wanted = torch.full_like(x, smoothing / (x.size(1) - 2))
    wanted.scatter_(1, y[:, None], 1 - smoothing)
    wanted[:, 0] = 0
    wanted[y == 0] = 0
    return F.kl_div(x, wanted, reduction="sum") / (y != 0).sum()


def loss_of_overwritten(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    """The right word's share of ε is written over."""
    wanted = torch.full_like(logits, smoothing / (logits.shape[-1] - 1))
    wanted[..., 0] = 0
    wanted.scatter_(-1, target[..., None], 1 - smoothing)
    return -(wanted * logits.log_softmax(-1)).sum(-1)[target != 0].mean()


def loss_masked_and_averaged(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    """Padding costs nothing and is divided by."""
    logs = logits.log_softmax(-1)
    right = logs.gather(-1, target[..., None])[..., 0]
    losses = -(1 - smoothing) * right - smoothing * logs[..., 1:].mean(-1)
    return (losses * (target != 0)).mean()


def loss_by_sentence(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    pairs = zip(logits[:, None], target[:, None], strict=True)
    return torch.stack([loss_by_parts(*pair, smoothing) for pair in pairs]).mean()


def loss_as_divergence(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    logs, real = logits.log_softmax(-1), target != 0
    wanted = F.one_hot(target, logits.shape[-1]) * (1 - smoothing)
    wanted[..., 1:] += smoothing / (logits.shape[-1] - 1)
    return F.kl_div(logs[real], wanted[real], reduction="batchmean")


def loss_of_softmax(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    return loss_by_parts(logits.softmax(-1), target, smoothing)


def loss_of_flattened(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    """A softmax without an axis in mind: the middle one."""
    logs = F.log_softmax(logits, dim=1)
    return loss_by_logs(logs, target, smoothing)


def loss_by_logs(logs: Tensor, target: Tensor, smoothing: float) -> Tensor:
    right = logs.gather(-1, target[..., None])[..., 0]
    losses = -(1 - smoothing) * right - smoothing * logs[..., 1:].mean(-1)
    return losses[target != 0].mean()


def adamw_uncorrected(
    parameter: Tensor, gradient: Tensor, m: Tensor, v: Tensor, step: int, rate: float, decay: float
) -> Tensor:
    m = 0.9 * m + 0.1 * gradient
    v = 0.98 * v + 0.02 * gradient**2
    return parameter - rate * decay * parameter - rate * m / (v.sqrt() + 1e-9)


def adamw_of_section_2(
    parameter: Tensor, gradient: Tensor, m: Tensor, v: Tensor, step: int, rate: float, decay: float
) -> Tensor:
    """The faster order of Adam's paper, section 2, which has another ε."""
    m = 0.9 * m + 0.1 * gradient
    v = 0.98 * v + 0.02 * gradient**2
    faster = rate * (1 - 0.98**step) ** 0.5 / (1 - 0.9**step)
    return parameter * (1 - rate * decay) - faster * m / (v.sqrt() + 1e-9)


def adamw_averaged_afterwards(
    parameter: Tensor, gradient: Tensor, m: Tensor, v: Tensor, step: int, rate: float, decay: float
) -> Tensor:
    parameter = parameter * (1 - rate * decay)
    parameter = parameter - rate * (m / (1 - 0.9**step)) / ((v / (1 - 0.98**step)).sqrt() + 1e-9)
    m = 0.9 * m + 0.1 * gradient
    v = 0.98 * v + 0.02 * gradient**2
    return parameter


def adamw_without_epsilon(
    parameter: Tensor, gradient: Tensor, m: Tensor, v: Tensor, step: int, rate: float, decay: float
) -> Tensor:
    m_hat = (0.9 * m + 0.1 * gradient) / (1 - 0.9**step)
    v_hat = (0.98 * v + 0.02 * gradient**2) / (1 - 0.98**step)
    return parameter * (1 - rate * decay) - rate * m_hat / v_hat.sqrt()


def adamw_under_the_root(
    parameter: Tensor, gradient: Tensor, m: Tensor, v: Tensor, step: int, rate: float, decay: float
) -> Tensor:
    m_hat = (0.9 * m + 0.1 * gradient) / (1 - 0.9**step)
    v_hat = (0.98 * v + 0.02 * gradient**2) / (1 - 0.98**step)
    return parameter * (1 - rate * decay) - rate * m_hat / (v_hat + 1e-9).sqrt()


def adamw_without_root(
    parameter: Tensor, gradient: Tensor, m: Tensor, v: Tensor, step: int, rate: float, decay: float
) -> Tensor:
    m_hat = (0.9 * m + 0.1 * gradient) / (1 - 0.9**step)
    v_hat = (0.98 * v + 0.02 * gradient**2) / (1 - 0.98**step)
    return parameter * (1 - rate * decay) - rate * m_hat / (v_hat + 1e-9)


def adamw_uphill(
    parameter: Tensor, gradient: Tensor, m: Tensor, v: Tensor, step: int, rate: float, decay: float
) -> Tensor:
    return by_optimizer(parameter, -gradient, -m, v, step, rate, decay)


def adamw_then_decay(
    parameter: Tensor, gradient: Tensor, m: Tensor, v: Tensor, step: int, rate: float, decay: float
) -> Tensor:
    return adamw_in_lines(parameter, gradient, m, v, step, rate, 0.0) * (1 - rate * decay)


def adam_with_l2(*case: Any) -> Tensor:
    """PyTorch's Adam, whose decay is the older one."""
    return by_optimizer(*case, optimizer=torch.optim.Adam)


def batches_of_tokens(lengths: list[int], most: int) -> Tensor:
    numbers, number, tokens = torch.zeros(len(lengths), dtype=torch.long), 0, 0
    for i in sorted(range(len(lengths)), key=lambda i: lengths[i]):
        if tokens + lengths[i] > most:
            number, tokens = number + 1, 0
        tokens += lengths[i]
        numbers[i] = number
    return numbers


def batches_as_given(lengths: list[int], most: int) -> Tensor:
    numbers, number, inside, longest = [], 0, 0, 0
    for length in lengths:
        inside, longest = inside + 1, max(longest, length)
        if inside * longest > most:
            number, inside, longest = number + 1, 1, length
        numbers.append(number)
    return torch.tensor(numbers)


def batches_as_sorted(lengths: list[int], most: int) -> Tensor:
    return batches_by_list(sorted(lengths), most)


def batches_looked_up(lengths: list[int], most: int) -> Tensor:
    order = sorted(range(len(lengths)), key=lambda i: lengths[i])
    return batches_as_sorted(lengths, most)[order]


def batches_closed_when_full(lengths: list[int], most: int) -> Tensor:
    """Takes a sentence, then looks."""
    numbers, number, inside = torch.zeros(len(lengths), dtype=torch.long), 0, 0
    for i in sorted(range(len(lengths)), key=lambda i: lengths[i]):
        numbers[i] = number
        inside += 1
        if inside * lengths[i] > most:
            number, inside = number + 1, 0
    return numbers


def batches_from_long_to_short(lengths: list[int], most: int) -> Tensor:
    numbers, number, inside, width = torch.zeros(len(lengths), dtype=torch.long), 0, 0, 0
    for i in sorted(range(len(lengths)), key=lambda i: lengths[i], reverse=True):
        width = width or lengths[i]
        if (inside + 1) * width > most:
            number, inside, width = number + 1, 0, lengths[i]
        numbers[i] = number
        inside += 1
    return numbers


def batches_of_one_size(lengths: list[int], most: int) -> Tensor:
    size = most // max(lengths)
    numbers = torch.zeros(len(lengths), dtype=torch.long)
    for rank, i in enumerate(sorted(range(len(lengths)), key=lambda i: lengths[i])):
        numbers[i] = rank // size
    return numbers


# ---- Symptoms: wrong in a way that no row computes


def loss_of_places_by_sentence(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    """Padding is asked for `<pad>`, and one divides by the number of sentences."""
    return loss_with_options(logits, target, smoothing, ignore_index=-1, reduction="sum") / len(
        logits
    )


def loss_kept_whole(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    hard, soft = (loss_by_parts(logits, target, epsilon) for epsilon in (0.0, 1.0))
    return hard + smoothing * soft


def adamw_of_whole_gradient(
    parameter: Tensor, gradient: Tensor, m: Tensor, v: Tensor, step: int, rate: float, decay: float
) -> Tensor:
    """Clipped first."""
    return adamw_in_lines(parameter, gradient / max(gradient.norm(), 1.0), m, v, step, rate, decay)


def momentum(
    parameter: Tensor, gradient: Tensor, m: Tensor, v: Tensor, step: int, rate: float, decay: float
) -> Tensor:
    return parameter * (1 - rate * decay) - rate * (0.9 * m + 0.1 * gradient) / (1 - 0.9**step)


NAMED: list[tuple[str, Callable[..., Any], str | None]] = [
    ("smoothed-loss", loss_with_options, "spread-over-padding"),
    ("smoothed-loss", loss_masked_and_averaged, "padding-counted"),
    ("smoothed-loss", loss_by_sentence, "mean-of-means"),
    ("smoothed-loss", lambda x, y, eps: loss_by_parts(x, y, eps) * (y > 0).sum(), "summed"),
    ("smoothed-loss", loss_as_divergence, "floor-subtracted"),
    ("smoothed-loss", loss_of_softmax, "softmax-twice"),
    ("smoothed-loss", loss_of_flattened, "softmax-of-another-axis"),
    ("smoothed-loss", lambda x, *rest: loss_by_logs(x.softmax(-1).log(), *rest), "not-finite"),
    ("smoothed-loss", loss_of_annotated, "spread-over-others"),
    ("smoothed-loss", loss_of_overwritten, "spread-over-others"),
    ("smoothed-loss", loss_of_places_by_sentence, "reads-padding"),
    (
        "smoothed-loss",
        lambda *case: loss_with_options(*case, label_smoothing=0.0),
        "smoothing-ignored",
    ),
    ("smoothed-loss", loss_by_logs, "not-normalised"),
    ("smoothed-loss", loss_kept_whole, "right-word-kept-whole"),
    ("smoothed-loss", lambda *case: -loss_by_parts(*case), "negative"),
    ("smoothed-loss", lambda x, *rest: loss_by_logs(x.softmax(-1), *rest), "negative"),
    ("smoothed-loss", lambda *case: loss_by_parts(*case).item(), None),
    ("adamw-step", lambda *case: by_optimizer(*case, weight_decay=0.0), "decay-forgotten"),
    ("adamw-step", adam_with_l2, "decay-in-gradient"),
    ("adamw-step", lambda *case: by_optimizer(*case[:6], case[6] / case[5]), "decay-without-rate"),
    ("adamw-step", adamw_then_decay, "decay-afterwards"),
    ("adamw-step", lambda *case: adamw_in_lines(*case[:6], -case[6]), "wrong-sign"),
    ("adamw-step", adamw_uphill, "wrong-sign"),
    ("adamw-step", adamw_uncorrected, "not-corrected"),
    ("adamw-step", adamw_averaged_afterwards, "old-averages"),
    ("adamw-step", lambda *case: by_optimizer(*case, betas=(0.98, 0.9)), "shares-exchanged"),
    ("adamw-step", adamw_without_epsilon, "not-finite"),
    ("adamw-step", adamw_of_whole_gradient, "depends-on-batch-mates"),
    ("adamw-step", lambda *case: by_optimizer(*case, weight_decay=0.7), "decayed-otherwise"),
    ("adamw-step", lambda *case: adamw_in_lines(*case) - case[0], "decayed-otherwise"),
    ("adamw-step", momentum, "size-of-gradients-kept"),
    ("adamw-step", adamw_without_root, "size-of-gradients-kept"),
    (
        "adamw-step",
        lambda *case: by_optimizer(*case[:4], case[4] + 1, *case[5:]),
        "first-step-not-the-rate",
    ),
    ("adamw-step", lambda *case: by_optimizer(*case, maximize=True), "first-step-not-the-rate"),
    ("adamw-step", adamw_of_section_2, "epsilon-misplaced"),
    ("adamw-step", adamw_under_the_root, "epsilon-misplaced"),
    ("adamw-step", lambda *case: by_optimizer(*case, eps=1e-8), "epsilon-misplaced"),
    ("adamw-step", lambda *case: by_optimizer(*case, betas=(0.9, 0.999)), None),
    ("fill-batches", batches_of_tokens, "padding-forgotten"),
    ("fill-batches", batches_as_given, "not-sorted"),
    ("fill-batches", batches_as_sorted, "sorted-order"),
    ("fill-batches", batches_looked_up, "sorted-order"),
    ("fill-batches", batches_closed_when_full, "next-not-counted"),
    ("fill-batches", lambda lengths, most: batches_by_list(lengths, most - 1), "never-full"),
    ("fill-batches", batches_from_long_to_short, "longest-first"),
    ("fill-batches", batches_of_one_size, "one-size-for-all"),
    ("fill-batches", lambda *case: batches_by_list(*case).tolist(), None),
    ("fill-batches", lambda *case: batches_by_list(*case) + 1, "numbers-skipped"),
    ("fill-batches", lambda *case: batches_by_list(*case) // 2, "too-large"),
    (
        "fill-batches",
        lambda *case: batches_by_list(*case).max() - batches_by_list(*case),
        "unsorted",
    ),
    (
        "fill-batches",
        lambda lengths, most: batches_by_list(lengths, max(lengths)),
        "closed-too-early",
    ),
]

# ---- Mutants of the references: which names take each other's place, what changes nothing

NAMES = {
    "row": "column",
    "column": "row",
    "right": "of_words",
    "m": "v",
    "v": "m",
    "beta1": "beta2",
    "beta2": "beta1",
    "mean": "square",
    "corrected": "mean",
    "gradient": "parameter",
    "rate": "decay",
    "decay": "rate",
    "batch": "inside",
    "inside": "batch",
    "sentence": "inside",
}

EQUIVALENT: list[tuple[str, str]] = []
