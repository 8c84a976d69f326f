"""The exercises of chapter 06, many heads; what they say is in `mistakes.toml`."""

# ruff: noqa: N803, N806  W_Q, W_K, W_V and W_O are what the field calls them.

from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from transformer_lite.exercises.exercise import Arguments, Exercise, Function, Symptom
from transformer_lite.exercises.families import batch_mixing, close, tenths

# ---- split-heads: the width of every token cut into heads


def split_heads(x: Float[Tensor, "B T D"], heads: int) -> Float[Tensor, "B H T K"]:
    """Head h has columns hK … (h + 1)K − 1 of every token, K = D / H.

    Source: Vaswani et al. 2017, section 3.2.2.
    """
    batch, steps, d_model = x.shape
    width = d_model // heads
    split = torch.zeros(batch, heads, steps, width)
    for head in range(heads):
        for column in range(width):
            split[:, head, :, column] = x[:, :, head * width + column]
    return split


def _split_cases(generator: torch.Generator) -> Iterator[Arguments]:
    """Every number says where it stood; sizes that differ and agree, one head, heads of width 1."""
    sizes = [
        (1, 2, 2, 2), (2, 3, 2, 3), (1, 4, 2, 1), (3, 2, 3, 2), (2, 2, 4, 3), (2, 3, 1, 4),
        (4, 4, 4, 4),
    ]  # fmt: skip
    for batch, steps, heads, width in sizes:
        shape = batch, steps, heads * width
        yield torch.arange(batch * steps * heads * width).float().view(shape), heads


def _wrong_split(x: Tensor, heads: int, how: str = "right") -> Tensor:
    """Other axes, other columns, or something else that is cut."""
    batch, steps, d_model = x.shape
    if how == "words":  # apart from the others: not every number of words can be divided
        return x.reshape(batch, heads, -1, d_model)
    blocks = x.reshape(batch, steps, heads, -1)  # B T H K
    in_turn = x.reshape(batch, steps, -1, heads)  # B T K H
    return {
        "right": blocks.transpose(1, 2),
        "view": x.reshape(batch, heads, steps, -1),
        "view of columns": x.mT.reshape(batch, heads, steps, -1),
        "in turn": in_turn.permute(0, 3, 1, 2),
        "whole": x[:, None].expand(-1, heads, -1, -1),
        "K for H": in_turn.transpose(1, 2),
        "K before T": blocks.permute(0, 3, 1, 2),
        "T before H": blocks,
        "T last": blocks.permute(0, 2, 3, 1),
        "K before H": blocks.mT,
        "K for T": blocks.transpose(1, 3),
        "H before B": blocks.permute(2, 0, 1, 3),
    }[how]


def _token_mixing(misconception: str, axis: int) -> Symptom:
    """The symptom of a token that comes out differently when the one at place 0 changes.

    Args:
        misconception: its id.
        axis: where the result has the tokens of x.
    """

    def shows(arguments: Arguments, value: Tensor, answer: Function) -> bool:
        x, *rest = arguments
        other = x.clone()
        other[:, 0] += 1
        later = torch.arange(1, value.shape[axis])
        changed = answer(other, *rest).index_select(axis, later)
        return not close(changed, value.index_select(axis, later))

    return Symptom(misconception, shows)


SPLIT_HEADS = Exercise(
    split_heads,
    _split_cases,
    _wrong_split,
    {
        "view-for-transpose": [{"how": "view"}, {"how": "view of columns"}],
        "columns-dealt-out": [{"how": "in turn"}],
        "words-divided": [{"how": "words"}],
        "not-narrowed": [{"how": "whole"}],
        "width-for-heads": [{"how": "K for H"}, {"how": "K before T"}],
        "axes-not-exchanged": [{"how": "T before H"}],
        "other-axes-exchanged": [{"how": how} for how in ("T last", "K before H", "K for T")],
        "heads-before-sentences": [{"how": "H before B"}],
    },
    (
        batch_mixing(1),
        _token_mixing("reads-other-tokens", 2),
        Symptom(
            "numbers-changed",
            lambda arguments, value, answer: (
                not close(value.flatten().sort().values, arguments[0].flatten().sort().values)
            ),
        ),
    ),
)

# ---- multi-head: several heads side by side, and W_O behind them


def multi_head(
    x: Float[Tensor, "B T D"],
    y: Float[Tensor, "B S D"],
    W_Q: Float[Tensor, "D D"],
    W_K: Float[Tensor, "D D"],
    W_V: Float[Tensor, "D D"],
    W_O: Float[Tensor, "D D"],
    heads: int,
) -> Float[Tensor, "B T D"]:
    """softmax(x W_Q (y W_K)ᵀ / √K) y W_V with columns hK … of each matrix; all heads times W_O.

    Source: Vaswani et al. 2017, section 3.2.2.
    """
    width = len(W_O) // heads
    beside = torch.zeros_like(x)
    for head in range(heads):
        mine = slice(head * width, (head + 1) * width)
        for row, answering in enumerate(y):
            for step in range(x.shape[1]):
                query = x[row, step] @ W_Q[:, mine]
                shares = torch.exp(answering @ W_K[:, mine] @ query / width**0.5)
                beside[row, step, mine] = shares @ answering @ W_V[:, mine] / shares.sum()
    return beside @ W_O


def _multi_head_cases(generator: torch.Generator) -> Iterator[Arguments]:
    """Sizes that differ, and sizes that agree, where a wrong idea goes unnoticed."""
    draw = partial(tenths, generator, 12)
    sizes = [
        (1, 2, 2, 2, 2), (2, 2, 3, 2, 2), (1, 4, 2, 2, 3), (2, 3, 3, 3, 2), (2, 1, 4, 4, 1),
        (2, 3, 5, 1, 4), (3, 2, 4, 2, 4),
    ]  # fmt: skip
    for batch, steps, size, heads, width in sizes:
        d_model = heads * width
        matrices = (draw(d_model, d_model) for _ in range(4))
        yield draw(batch, steps, d_model), draw(batch, size, d_model), *matrices, heads


def _wrong_multi_head(
    x: Tensor,
    y: Tensor,
    *rest: Any,
    reads: str = "xyy",
    cut: str = "right",
    part: str = "all",
    divisor: str = "K",
    summed: bool = False,
    axis: int = -1,
    merge: str = "side by side",
    last: str = "right",
) -> Tensor:
    """Queries, keys and values of other sequences or pieces; other weights; another way out."""
    *matrices, W_O, heads = rest
    d_model, size = len(W_O), y.shape[1]
    blocks = torch.block_diag(*[torch.ones(d_model // heads, d_model // heads)] * heads)
    queries, keys, values = (
        _wrong_split({"x": x, "y": y}[read] @ (W * blocks if part == "width" else W), heads, cut)
        for read, W in zip(reads, matrices, strict=True)
    )
    energies = queries @ keys.mT  # B H T S
    width = queries.shape[-1]
    energies /= {"K": width, "K²": width**2, "D": d_model, "H": heads, "none": 1}[divisor] ** 0.5
    if part == "words":  # a piece of y for each head, as `chunk` makes them
        owner = torch.arange(size) // -(-size // heads)
        energies = energies.masked_fill(owner != torch.arange(heads)[:, None, None], -torch.inf)
    if summed:
        energies = energies.sum(1, keepdim=True)
    blends = energies.softmax(axis) @ values  # B H T K
    beside = blends.transpose(1, 2).flatten(2)
    merged = {
        "side by side": beside,
        "view": blends.reshape(len(x), -1, d_model),
        "sum": blends.sum(1),
        "mean": blends.mean(1),
        "mean, repeated": blends.mean(1).repeat(1, 1, heads),
        "divided": beside / heads,
    }[merge]
    if last == "none":
        return merged
    matrix = {"right": W_O, "square": W_O * blocks, "columns": W_O.mT}[last]
    return merged @ matrix[: merged.shape[-1]]


def _right_when_transposed(arguments: Arguments, value: Tensor, answer: Function) -> bool:
    x, y, *matrices, heads = arguments
    turned = (W.mT for W in matrices)
    return close(answer(x, y, *turned, heads), multi_head(*arguments))


def _shares_not_one(arguments: Arguments, value: Tensor, answer: Function) -> bool:
    """Where all tokens of y are alike, each head has one value to blend."""
    x, y, *rest, W_V, W_O, heads = arguments
    alike = y[:, :1].expand_as(y)
    expected = (alike[:, :1] @ W_V @ W_O).expand_as(value)
    return not close(answer(x, alike, *rest, W_V, W_O, heads), expected)


def _heads_meet(arguments: Arguments, value: Tensor, answer: Function) -> bool:
    """Head 0 asks otherwise, and W_O, which may mix, leaves all as it is."""
    x, y, W_Q, W_K, W_V, W_O, heads = arguments
    width = len(W_O) // heads
    other = W_Q.clone()
    other[:, :width] += 1
    before, after = (answer(x, y, W, W_K, W_V, torch.eye(len(W)), heads) for W in (W_Q, other))
    return not close(before[..., width:], after[..., width:])


MULTI_HEAD = Exercise(
    multi_head,
    _multi_head_cases,
    _wrong_multi_head,
    {
        "scaled-by-other-width": [{"divisor": how} for how in ("K²", "D", "H", "none")],
        "one-softmax-for-all": [{"summed": True}, {"summed": True, "divisor": "D"}, {"axis": 1}],
        "heads-added-up": [{"merge": how} for how in ("sum", "mean", "mean, repeated", "divided")],
        "not-transposed": [
            {"merge": "view"},
            *({"cut": cut, "merge": "view"} for cut in ("view", "T before H")),
            {"cut": "view"},
        ],
        "output-left-out": [{"last": "none"}],
        "output-cut-wrongly": [{"last": "square"}, {"last": "columns"}],
        "input-divided": [{"part": "words"}, {"cut": "words", "merge": "view"}, {"part": "width"}],
        "wrong-sequence": [{"reads": reads} for reads in ("xxx", "xxy", "xyx", "yyy", "yxx")],
    },
    (
        batch_mixing(2),
        _token_mixing("depends-on-other-queries", 1),
        Symptom("matrices-transposed", _right_when_transposed),
        Symptom("rows-not-one", _shares_not_one),
        Symptom("heads-meet", _heads_meet),
    ),
)

# ---- without-head: what one head does, by taking it away


def without_head(W_O: Float[Tensor, "D D"], head: int, heads: int) -> Float[Tensor, "D D"]:
    """A copy of W_O in which the K rows that read `head`, counted from 0, are 0."""
    width = len(W_O) // heads
    without = W_O.clone()
    for row in range(head * width, (head + 1) * width):
        without[row] = 0
    return without


def _without_cases(generator: torch.Generator) -> Iterator[Arguments]:
    """First, last and middle heads; heads as wide as they are many, and of width 1."""
    sizes = [(2, 2, 1), (2, 2, 0), (3, 2, 1), (2, 3, 0), (4, 1, 2), (3, 3, 2), (4, 2, 1)]
    for heads, width, head in sizes:
        yield tenths(generator, 20, heads * width, heads * width), head, heads


def _wrong_without(
    W_O: Tensor, head: int, heads: int, which: str = "right", how: str = "rows"
) -> Tensor:
    """Other rows, or something else done with them."""
    number = torch.arange(len(W_O))
    owner = number // (len(W_O) // heads)
    mine = {
        "right": owner == head,
        "one": number == head,
        "first of its rows": number == head * len(W_O) // heads,
        "head before": owner == head - 1,
        "in turn": number % heads == head,
        "others": owner != head,
    }[which]
    rows = W_O.masked_fill(mine[:, None], 0.0)
    return {
        "rows": rows,
        "columns": W_O.masked_fill(mine, 0.0),
        "rows and columns": rows.masked_fill(mine, 0.0),
        "square": W_O.masked_fill(mine[:, None] & mine, 0.0),
        "taken out": W_O[~mine],
        "scaled up": rows * heads / (heads - 1),
    }[how]


def _rows(arguments: Arguments, value: Tensor, own: bool) -> Tensor:
    """The rows of a result that belong to the head, or all others."""
    W_O, head, heads = arguments
    return value[(torch.arange(len(W_O)) // (len(W_O) // heads) == head) == own]


WITHOUT_HEAD = Exercise(
    without_head,
    _without_cases,
    _wrong_without,
    {
        "columns-for-rows": [{"how": how} for how in ("columns", "rows and columns", "square")],
        "one-row": [{"which": "one"}, {"which": "first of its rows"}],
        "counts-from-one": [{"which": "head before"}],
        "rows-dealt-out": [{"which": "in turn"}],
        "others-removed": [{"which": "others"}, {"which": "others", "how": "taken out"}],
        "rows-taken-out": [{"how": "taken out"}],
        "scaled-up": [{"how": "scaled up"}],
    },
    (
        Symptom(
            "others-changed",
            lambda arguments, value, answer: (
                not close(_rows(arguments, value, False), _rows(arguments, arguments[0], False))
            ),
        ),
        Symptom(
            "head-still-heard",
            lambda arguments, value, answer: bool(_rows(arguments, value, True).any()),
        ),
    ),
)

EXERCISES = (SPLIT_HEADS, MULTI_HEAD, WITHOUT_HEAD)
