"""The exercises of chapter 01, the bottleneck; what they say is in `mistakes.toml`."""

from collections.abc import Callable, Iterator
from itertools import takewhile

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from transformer_lite.exercises.exercise import Arguments, Exercise, Function, Symptom
from transformer_lite.exercises.families import altered, batch_mixing, changes_with, turned

EOS = 2
Rows = list[list[int]]
Weights = dict[str, Tensor]
Map = Callable[[Tensor], Tensor]

# ---- shift-right: from the target to what the decoder reads


def shift_right(target: Int[Tensor, "B T"], bos: int) -> Int[Tensor, "B T"]:
    """The decoder input of a target whose rows end with `<eos>`."""
    shifted = torch.empty_like(target)
    for position in range(target.shape[1]):
        shifted[:, position] = bos if position == 0 else target[:, position - 1]
    return shifted


def _shift_cases(generator: torch.Generator) -> Iterator[Arguments]:
    """Targets of several sizes, and a `bos` that is not always 1."""
    sizes = [(1, 3, 1), (2, 4, 1), (2, 3, 5), (1, 1, 1), (3, 6, 0), (4, 2, 1), (2, 9, 7)]
    for rows, length, bos in sizes:
        target = torch.randint(10, 100, (rows, length), generator=generator)
        target[:, -1] = EOS
        yield target, bos


def _wrong_shift(target: Tensor, bos: int, parts: str, cut: bool = True) -> Tensor:
    """The named parts beside each other, as many columns as the target has."""
    columns = {
        "bos": torch.full_like(target[:, :1], bos),
        "zero": torch.zeros_like(target[:, :1]),
        "one": torch.ones_like(target[:, :1]),
        "first": target[:, :1],
        "last": target[:, -1:],
        "body": target[:, :-1],
        "rest": target[:, 1:],
        "all": target,
    }
    joined = torch.cat([columns[part] for part in parts.split()], dim=1)
    return joined[:, : target.shape[1]] if cut else joined


SHIFT_RIGHT = Exercise(
    shift_right,
    _shift_cases,
    _wrong_shift,
    {
        "not-shifted": [{"parts": "all"}],
        "shifted-twice": [{"parts": "bos bos all"}],
        "shifted-left": [{"parts": "rest first"}, {"parts": "rest bos"}, {"parts": "rest"}],
        "eos-first": [{"parts": "last body"}],
        "bos-missing": [{"parts": "body"}],
        "eos-kept": [{"parts": "bos all", "cut": False}],
        "first-token-lost": [{"parts": "bos rest"}],
        "bos-fixed": [{"parts": "zero body"}, {"parts": "one body"}],
    },
    (batch_mixing(1),),
)

# ---- exact-match: the share of sentences that are right from end to end


def exact_match(predicted: Rows, reference: Rows, eos: int) -> float:
    """Share of predictions that, up to their first `eos`, are their reference."""
    right = 0
    for row, wanted in zip(predicted, reference, strict=True):
        written = list(takewhile(lambda token: token != eos, row))
        right += written == wanted
    return right / len(reference)


# What a model writes, from the words of the reference, `eos` and a token that is not among them.
WRITTEN: dict[str, Callable[[list[int], int, int], list[int]]] = {
    "right": lambda words, eos, noise: [*words, eos],
    "right, then noise": lambda words, eos, noise: [*words, eos, noise],
    "right, then noise with eos": lambda words, eos, noise: [*words, eos, noise, eos],
    "one wrong": lambda words, eos, noise: [*words[:-1], 40, eos, words[-1]],
    "too long": lambda words, eos, noise: [*words, noise, eos],
    "too short": lambda words, eos, noise: [*words[:-1], eos, words[-1], eos],
    "never ends": lambda words, eos, noise: [*words, noise, words[0], words[1]],
    "other order": lambda words, eos, noise: [*words[::-1], eos],
    "nothing": lambda words, eos, noise: [eos, *words],
    "right, stopped by the limit": lambda words, eos, noise: words,
    "first wrong": lambda words, eos, noise: [40, *words[1:], eos],
}


def _match_cases(generator: torch.Generator) -> Iterator[Arguments]:
    """Each way to be right or wrong beside a right sentence, then all of them mixed."""
    kinds = [*WRITTEN][1:]
    batches = [(["right", kind], EOS) for kind in kinds] + [(kinds, EOS)]
    # An id of `eos` that is neither the usual one nor smaller than every other.
    batches += [(["right, then noise", "nothing", "too long"], 35)]
    for batch, eos in batches:
        predicted, reference = [], []
        for kind in batch:
            length = int(torch.randint(4, 7, (), generator=generator))
            *words, noise = (torch.randperm(20, generator=generator)[:length] + 10).tolist()
            predicted.append(WRITTEN[kind](words, eos, noise))
            reference.append(words)
        yield predicted, reference, eos
    # The last batch once more: a right sentence in another place is wrong.
    yield predicted, reference[::-1], eos


def _wrong_match(
    predicted: Rows,
    reference: Rows,
    eos: int,
    cut: str = "first",
    closed: bool = False,
    points: str = "all right",
    scale: str = "share",
) -> float:
    """Cuts elsewhere, closes references with `eos`, counts or scales otherwise than asked."""

    def end(row: list[int]) -> int:
        if eos not in row or cut == "nowhere":
            return len(row)
        first, last = row.index(eos), len(row) - 1 - row[::-1].index(eos)
        return {"first": first, "last": last, "behind": first + 1}[cut]

    got = possible = 0.0
    for row, wanted in zip(predicted, reference, strict=True):
        ours, theirs = row[: end(row)], [*wanted, eos] if closed else wanted
        hits = sum(a == b for a, b in zip(ours, theirs, strict=False))
        gain, most = {
            "all right": (ours == theirs, 1),
            "per wanted": (hits, len(theirs)),
            "per longer": (hits, max(len(ours), len(theirs))),
            "per shorter": (hits, min(len(ours), len(theirs))),
            "per written": (hits, len(ours)),
            "shares": (hits / len(theirs), 1),
            "beginning": (ours[: len(theirs)] == theirs, 1),
            "shorter": (hits == min(len(ours), len(theirs)), 1),
            "any order": (sorted(ours) == sorted(theirs), 1),
        }[points]
        got, possible = got + gain, possible + most
    share = got / possible
    return {"share": share, "count": got, "percent": 100 * share, "errors": 1 - share}[scale]


EXACT_MATCH = Exercise(
    exact_match,
    _match_cases,
    _wrong_match,
    {
        "token-accuracy": [
            {"points": points, "cut": cut}
            for points in ("per wanted", "per longer", "per shorter", "per written", "shares")
            for cut in ("first", "nowhere")
        ],
        "keeps-eos": [{"cut": "behind"}],
        "needs-eos": [{"cut": "behind", "closed": True}, {"cut": "nowhere", "closed": True}],
        "cut-at-last-eos": [{"cut": "last"}],
        "prefix-only": [{"points": "beginning"}, {"points": "beginning", "cut": "nowhere"}],
        "shorter-decides": [{"points": "shorter"}],
        "any-order": [{"points": "any order"}],
        "not-a-share": [{"scale": scale} for scale in ("count", "percent", "errors")],
    },
    (
        changes_with(
            "reads-past-eos",
            lambda ours, theirs, eos: ([row + [77] * (eos in row) for row in ours], theirs, eos),
        ),
    ),
)

# ---- last-state: the encoder's message, taken at the last real token


def last_state(outputs: Float[Tensor, "B S D"], lengths: Int[Tensor, " B"]) -> Float[Tensor, "B D"]:
    """The output at the last real token of every sentence."""
    return torch.stack([row[n - 1] for row, n in zip(outputs, lengths, strict=True)])


def _state_cases(generator: torch.Generator) -> Iterator[Arguments]:
    """Batches of unequal lengths, with and without a column that is padding in every row."""
    batches = [
        ([2, 4], 4, 2), ([3], 3, 2), ([1, 3], 5, 3), ([5, 2, 3], 5, 4), ([2, 2], 4, 3),
        ([4, 1, 6, 3], 7, 5),
    ]  # fmt: skip
    for lengths, size, width in batches:
        # Padding holds numbers like any other: looking for zeros there is no way to find it.
        outputs = torch.randint(-99, 100, (len(lengths), size, width), generator=generator) / 10
        yield outputs, torch.tensor(lengths)


def _is_real(outputs: Tensor, lengths: Tensor) -> Tensor:
    return (torch.arange(outputs.shape[1]) < lengths[:, None])[:, :, None]  # B S 1


def _wrong_state(
    outputs: Tensor, lengths: Tensor, at: str, every_row: bool = False, mask: str = "right"
) -> Tensor:
    """The outputs at other positions; or the mean or sum over all positions in a mask."""
    size = outputs.shape[1]
    kept = altered(_is_real(outputs, lengths), mask)
    total = (outputs * kept).sum(1)
    if at in ("mean", "sum"):
        return total / kept.sum(1) if at == "mean" else total
    positions: dict[str, Tensor | int] = {
        "end": lengths - 1,
        "one further": lengths,
        "one further, at most the last": lengths.clamp(max=size - 1),
        "one before": lengths - 2,
        "one before, at least the first": (lengths - 2).clamp(min=0),
        "last": size - 1,
        "first": 0,
        "end of the longest": lengths.max() - 1,
        "end of row 0": lengths[0] - 1,
    }
    return outputs[slice(None) if every_row else torch.arange(len(outputs)), positions[at]]


LAST_STATE = Exercise(
    last_state,
    _state_cases,
    _wrong_state,
    {
        "after-padding": [{"at": "last"}],
        "off-by-one": [{"at": "one further"}, {"at": "one further, at most the last"}],
        "one-too-early": [{"at": "one before"}, {"at": "one before, at least the first"}],
        "every-length-for-every-row": [
            {"at": position, "every_row": True} for position in ("end", "one further")
        ],
        "one-length-for-all": [{"at": "end of the longest"}, {"at": "end of row 0"}],
        "first-position": [{"at": "first"}],
        "mean-over-time": [{"at": "mean"}, {"at": "sum"}],
        "mean-with-padding": [{"at": "mean", "mask": "none"}, {"at": "sum", "mask": "none"}],
    },
    (
        changes_with(
            "reads-padding",
            lambda outputs, lengths: (outputs + 1.0 * ~_is_real(outputs, lengths), lengths),
        ),
        batch_mixing(2),
    ),
)

# ---- gru-step: one step of a gated recurrent unit, gate by gate


def gru_step(
    x: Float[Tensor, "B E"], h: Float[Tensor, "B D"], weights: Weights
) -> Float[Tensor, "B D"]:
    """The next state; weights in the layout of `torch.nn.GRUCell` (reset, update, proposal).

    Source: Cho et al. 2014, equations 5 to 8, with the reset gate where PyTorch has it, behind the
    linear map.
    """
    width = h.shape[1]
    rows = []
    for words, state in zip(x, h, strict=True):
        from_input = weights["weight_ih"] @ words + weights["bias_ih"]
        from_state = weights["weight_hh"] @ state + weights["bias_hh"]
        reset = 1 / (1 + torch.exp(-from_input[:width] - from_state[:width]))
        middle = slice(width, 2 * width)
        keep = 1 / (1 + torch.exp(-from_input[middle] - from_state[middle]))
        proposal = torch.tanh(from_input[2 * width :] + reset * from_state[2 * width :])
        rows.append(proposal + keep * (state - proposal))
    return torch.stack(rows)


def _gru_cases(generator: torch.Generator) -> Iterator[Arguments]:
    """Cells of several widths, with weights large enough for the gates to matter."""

    def draw(*shape: int) -> Tensor:
        return torch.randint(-15, 16, shape, generator=generator) / 10

    for rows, d_input, width in [(1, 2, 2), (2, 3, 2), (3, 2, 4), (2, 4, 4)]:
        weights = {
            "weight_ih": draw(3 * width, d_input),
            "weight_hh": draw(3 * width, width),
            "bias_ih": draw(3 * width),
            "bias_hh": draw(3 * width),
        }
        yield draw(rows, d_input), draw(rows, width), weights


def _wrong_gru(
    x: Tensor,
    h: Tensor,
    weights: Weights,
    turn: str = "transpose",
    order: str = "rup",
    without: tuple[str, ...] = (),
    sigmoid: Map = torch.sigmoid,
    tanh: Map = torch.tanh,
    reset_on: str = "map of the state",
    blend: str = "keep",
) -> Tensor:
    """Weights turned by `view`, blocks in another `order`, biases or gates that act elsewhere."""
    bias_x, bias_h = (weights[f"bias_{side}"] * (side not in without) for side in ("ih", "hh"))
    from_x = (x @ turned(weights["weight_ih"][None], turn)[0] + bias_x).chunk(3, dim=1)
    from_h = (h @ turned(weights["weight_hh"][None], turn)[0] + bias_h).chunk(3, dim=1)
    r, u, p = map(order.index, "rup")
    reset, update = sigmoid(from_x[r] + from_h[r]), sigmoid(from_x[u] + from_h[u])
    matrix, bias = weights["weight_hh"].chunk(3)[p], bias_h.chunk(3)[p]
    proposal = tanh(
        {
            "map of the state": from_x[p] + reset * from_h[p],
            "state": from_x[p] + (reset * h) @ matrix.T + bias,
            "product": from_x[p] + reset * (h @ matrix.T) + bias,
            "everything": reset * (from_x[p] + from_h[p]),
            "nothing": from_x[p] + from_h[p],
        }[reset_on]
    )
    return {
        "keep": update * h + (1 - update) * proposal,
        "replace": (1 - update) * h + update * proposal,
        "weakened": (1 - update) * proposal,
        "lose": proposal,
    }[blend]


GRU_STEP = Exercise(
    gru_step,
    _gru_cases,
    _wrong_gru,
    {
        "view-for-transpose": [{"turn": "view"}],
        "gates-in-wrong-order": [{"order": order} for order in ("rpu", "urp", "upr", "pru", "pur")],
        "reset-before-linear": [{"reset_on": "state"}],
        "reset-misplaced": [{"reset_on": place} for place in ("product", "everything", "nothing")],
        "update-inverted": [{"blend": "replace"}, {"blend": "replace", "reset_on": "state"}],
        "old-state-lost": [{"blend": "weakened"}, {"blend": "lose"}],
        "wrong-function": [
            *({"tanh": function} for function in (torch.sigmoid, torch.clone, torch.relu)),
            *({"sigmoid": function} for function in (torch.tanh, torch.clone)),
        ],
        "bias-forgotten": [{"without": sides} for sides in (("ih",), ("hh",), ("ih", "hh"))],
    },
    (batch_mixing(2),),
)

# ---- masked-loss: cross-entropy over the real tokens of a padded batch


def masked_loss(
    logits: Float[Tensor, "B T V"], target: Int[Tensor, "B T"], pad: int
) -> Float[Tensor, ""]:
    """Mean of −log p(target) over the positions where target is not `pad`, in nats."""
    total, tokens = torch.zeros(()), 0
    for row, column in (target != pad).nonzero().tolist():
        scores = logits[row, column]
        shifted = scores - scores.max()
        total = total + shifted.exp().sum().log() - shifted[target[row, column]]
        tokens += 1
    return total / tokens


def _loss_cases(generator: torch.Generator) -> Iterator[Arguments]:
    """Rows of unequal lengths, and a `pad` that is not always 0."""
    batches = [([2, 1], 2, 3, 0), ([3], 3, 4, 0), ([4, 1], 5, 5, 0), ([2, 5, 3], 5, 4, 3)]
    batches += [([1, 6, 2, 4], 7, 9, 0), ([3, 1], 4, 6, 2)]
    for lengths, size, vocabulary, pad in batches:
        shape = (len(lengths), size)
        logits = torch.randint(-40, 41, (*shape, vocabulary), generator=generator) / 10
        # Any id but `pad`.
        target = torch.randint(vocabulary - 1, shape, generator=generator)
        target = target + (target >= pad)
        is_padding = torch.arange(size) >= torch.tensor(lengths)[:, None]
        yield logits, target.masked_fill(is_padding, pad), pad


def _wrong_loss(
    logits: Tensor,
    target: Tensor,
    pad: int,
    turn: str = "transpose",
    softmaxes: int = 1,
    mask: str = "right",
    divisor: str = "counted",
) -> Tensor:
    """Wrong axes, one softmax too many, another mask, another divisor."""
    scores = logits.softmax(-1) if softmaxes == 2 else logits
    losses = F.cross_entropy(turned(scores, turn), target, reduction="none")
    counted = target != 0 if mask == "not 0" else altered(target != pad, mask)
    rows = (losses * counted).sum(1)
    return {
        "counted": rows.sum() / counted.sum(),
        "tokens": rows.sum() / (target != pad).sum(),
        "positions": rows.sum() / target.numel(),
        "rows": rows.sum() / len(target),
        "one": rows.sum(),
        "each row's own": (rows / counted.sum(1)).mean(),
    }[divisor]


def _stays_small(arguments: Arguments, value: Tensor, answer: Function) -> bool:
    """Whether a model that is sure of every token but the right one has a small loss."""
    logits, target, pad = arguments
    return bool(abs(answer(logits.scatter(2, target[:, :, None], -100.0), target, pad)) < 2)


def _with_more_padding(logits: Tensor, target: Tensor, pad: int) -> Arguments:
    """Other logits at padding, and one more position of it."""
    blank = logits * (target != pad)[:, :, None]
    return F.pad(blank, (0, 0, 0, 1)), F.pad(target, (0, 1), value=pad), pad


MASKED_LOSS = Exercise(
    masked_loss,
    _loss_cases,
    _wrong_loss,
    {
        "pads-counted": [{"mask": "none"}],
        "inverted-mask": [{"mask": "inverted"}, {"mask": "inverted", "divisor": "tokens"}],
        "pad-fixed": [{"mask": "not 0"}],
        "not-transposed": [{"turn": "not"}, {"turn": "not", "mask": "none"}],
        "view-for-transpose": [{"turn": "view"}, {"turn": "view", "mask": "none"}],
        "softmax-first": [{"softmaxes": 2}, {"softmaxes": 2, "mask": "none"}],
        "mean-of-row-means": [{"divisor": "each row's own"}],
        "wrong-divisor": [{"divisor": divisor} for divisor in ("positions", "rows", "one")],
    },
    (
        # What is added to all logits of one position leaves a softmax over them as it was.
        changes_with(
            "no-softmax",
            lambda logits, target, pad: (logits + target[:, :, None], target, pad),
        ),
        changes_with("reads-padding", _with_more_padding),
        Symptom("no-logarithm", _stays_small),
        Symptom("wrong-sign", lambda arguments, value, answer: value < 0),
    ),
)

EXERCISES = (SHIFT_RIGHT, EXACT_MATCH, LAST_STATE, GRU_STEP, MASKED_LOSS)
