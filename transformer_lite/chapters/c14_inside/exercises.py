"""The exercises of chapter 14, looking inside; what they say is in `mistakes.toml`."""

from collections.abc import Iterator
from functools import reduce

import torch
from jaxtyping import Float
from torch import Tensor

from transformer_lite.exercises.exercise import Arguments, Exercise, Function, Symptom
from transformer_lite.exercises.families import close, rows_not_one, tenths


def _maps(generator: torch.Generator, *shape: int) -> Float[Tensor, "... S"]:
    """Attention weights that a reader can follow: shares in whole parts, each row of sum 1."""
    parts = torch.randint(1, 6, shape, generator=generator)
    return parts / parts.sum(-1, keepdim=True)


# ---- leave-one-out: what comes out when one word is hidden


def leave_one_out(
    query: Float[Tensor, " K"], keys: Float[Tensor, "S K"], values: Float[Tensor, "S D"]
) -> Float[Tensor, "S D"]:
    """Row j is the output of the attention when key j is hidden; S is at least 2."""
    outputs = []
    for hidden in range(len(keys)):
        others = [place for place in range(len(keys)) if place != hidden]
        shares = torch.exp(keys[others] @ query / len(query) ** 0.5)
        outputs.append(shares @ values[others] / shares.sum())
    return torch.stack(outputs)


def _leave_cases(generator: torch.Generator) -> Iterator[Arguments]:
    """Two words, of which one is left; sizes that differ and agree."""
    for size, width, d in [(2, 1, 1), (3, 2, 2), (3, 4, 1), (4, 2, 3), (5, 3, 5), (4, 4, 4)]:
        yield (*(tenths(generator, 20, *shape) for shape in [(width,), (size, width), (size, d)]),)


def _wrong_leave(
    query: Tensor,
    keys: Tensor,
    values: Tensor,
    gone: str = "key",
    divisor: str = "√K",
    result: str = "output",
) -> Tensor:
    """Something else taken away, another divisor, or another number made of the outputs."""
    size, width = keys.shape
    energies = keys @ query / {"√K": width**0.5, "K": width, "1": 1, "√S": size**0.5}[divisor]
    own, full = torch.eye(size, dtype=torch.bool), energies.softmax(-1)
    seen = {"nothing": own | ~own, "the others": own}.get(gone, ~own)
    weights = energies.where(seen, -torch.inf).softmax(-1)  # S S, a row for each hidden key
    if gone == "value":
        weights = full * ~own
    elif gone == "energy":
        weights = (energies * ~own).softmax(-1)
    elif gone == "difference of energies":
        weights = energies.where(~own, -torch.inf).softmax(0)
    output = weights @ values
    return {
        "output": output,
        "change": output - full @ values,
        "loss": full @ values - output,
        "handed over": full[:, None] * values,
    }[result]


def _hidden_matters(arguments: Arguments, value: Tensor, answer: Function) -> bool:
    """Row j still reads what stands at place j."""
    query, *tensors = arguments
    for place in range(len(value)):
        keys, values = (tensor.clone() for tensor in tensors)
        keys[place] += 1
        values[place] += 1
        if not close(answer(query, keys, values)[place], value[place]):
            return True
    return False


def _shares_not_one(arguments: Arguments, value: Tensor, answer: Function) -> bool:
    query, keys, values = arguments
    return not close(answer(query, keys, torch.ones_like(values)), torch.ones_like(values))


LEAVE_ONE_OUT = Exercise(
    leave_one_out,
    _leave_cases,
    _wrong_leave,
    {
        "value-emptied": [{"gone": "value"}],
        "energy-0": [{"gone": "energy"}],
        "difference": [{"result": "change"}, {"result": "loss"}],
        "only-what-was-hidden": [{"gone": "the others"}, {"result": "handed over"}],
        "nothing-hidden": [{"gone": "nothing"}],
        "wrong-axis": [{"gone": "difference of energies"}],
        "scaled-by-other-number": [{"divisor": divisor} for divisor in ("1", "K", "√S")],
    },
    (Symptom("rows-not-one", _shares_not_one), Symptom("still-seen", _hidden_matters)),
)

# ---- rollout: what places of the last layer take from the first inputs


def rollout(maps: Float[Tensor, "L H S S"]) -> Float[Tensor, "S S"]:
    """Row t is what place t of the last layer takes from each input, if residuals are halves.

    Source: Abnar and Zuidema 2020, "Quantifying attention flow in Transformers", section 3.
    """
    size = maps.shape[-1]
    flow = torch.eye(size)
    for layer in maps:
        above = torch.zeros(size, size)
        for place in range(size):
            above[place] = flow[place] / 2
            for other in range(size):
                share = sum(head[place, other] for head in layer) / len(layer)
                above[place] += share * flow[other] / 2
        flow = above
    return flow


def _rollout_cases(generator: torch.Generator) -> Iterator[Arguments]:
    """Two layers of one head; one layer; more of both, one of them causal."""
    for shape in [(2, 1, 2, 2), (1, 2, 2, 2), (2, 2, 3, 3), (3, 1, 3, 3), (2, 3, 3, 3)]:
        yield (_maps(generator, *shape),)
    causal = _maps(generator, 4, 2, 5, 5).tril()
    yield (causal / causal.sum(-1, keepdim=True),)


def _wrong_rollout(
    maps: Tensor,
    heads: str = "mean",
    residual: str = "half",
    order: str = "last first",
    layers: str = "product",
    turned: bool = False,
) -> Tensor:
    """Heads, residual connections or layers that are put together in another way."""
    own = torch.eye(maps.shape[-1])
    if heads == "layers":
        maps = maps.transpose(0, 1)  # H L S S
    elif heads == "multiplied":
        maps = torch.stack([reduce(torch.matmul, layer.flip(0)) for layer in maps])[:, None]
    by_layer = maps.transpose(0, 1) if heads == "apart" else maps.mean(1)[None]  # H or 1, L S S
    mixed = {"half": (by_layer + own) / 2, "none": by_layer, "whole": by_layer + own}[residual]
    ways = mixed.unbind(1)[:: -1 if order == "last first" else 1]
    flow = {
        "product": reduce(torch.matmul, ways),
        "mean": mixed.mean(1),
        "sum": mixed.sum(1),
        "place by place": mixed.prod(1),
        "last": mixed[:, -1],
        "first": mixed[:, 0],
    }[layers].mean(0)
    return flow.T if turned else flow


def _layer_ignored(arguments: Arguments, value: Tensor, answer: Function) -> bool:
    """A layer that looks elsewhere, and nothing changes."""
    for layer in range(len(arguments[0])):
        maps = arguments[0].clone()
        maps[layer] = maps[layer].roll(1, -1)
        if close(answer(maps), value):
            return True
    return False


def _changed_by_order_of_heads(arguments: Arguments, value: Tensor, answer: Function) -> bool:
    return not close(answer(arguments[0].flip(1)), value)


ROLLOUT = Exercise(
    rollout,
    _rollout_cases,
    _wrong_rollout,
    {
        "first-layer-last": [{"order": "first first"}],
        "residual-left-out": [{"residual": "none"}],
        "residual-whole": [{"residual": "whole"}],
        "heads-multiplied": [{"heads": "layers"}, {"heads": "multiplied"}],
        "heads-apart": [{"heads": "apart"}],
        "layers-added": [{"layers": how} for how in ("mean", "sum", "place by place")],
        "one-layer": [{"layers": "last"}, {"layers": "first"}],
        "columns-ask": [{"turned": True}],
    },
    (
        Symptom("layer-ignored", _layer_ignored),
        Symptom("order-of-heads-matters", _changed_by_order_of_heads),
        rows_not_one(),
    ),
)

# ---- handed-over: how large the vector is that one place hands to another


def handed_over(
    weights: Float[Tensor, "H T S"],
    values: Float[Tensor, "H S K"],
    output: Float[Tensor, "D H*K"],
) -> Float[Tensor, "T S"]:
    """Norm of the sum over the heads of weight times value times the head's part of W_O.

    Source: Kobayashi et al. 2020, "Attention is not only a weight", section 3.
    """
    heads, steps, size = weights.shape
    width = values.shape[-1]
    sizes = torch.zeros(steps, size)
    for step in range(steps):
        for place in range(size):
            handed = torch.zeros(len(output))
            for head in range(heads):
                mine = output[:, head * width : (head + 1) * width]
                handed += weights[head, step, place] * (mine @ values[head, place])
            sizes[step, place] = handed.square().sum().sqrt()
    return sizes


def _handed_cases(generator: torch.Generator) -> Iterator[Arguments]:
    """One head and several; as many steps as places, where an exchange goes unnoticed; D ≠ HK."""
    for heads, steps, size, width, d in [
        (1, 2, 2, 1, 2), (2, 2, 2, 2, 4), (2, 3, 2, 1, 2), (2, 3, 4, 2, 4), (3, 4, 4, 2, 6),
        (2, 2, 3, 3, 4), (4, 3, 5, 2, 8),
    ]:  # fmt: skip
        values = tenths(generator, 20, heads, size, width)
        yield _maps(generator, heads, steps, size), values, tenths(generator, 10, d, heads * width)


def _wrong_handed(
    weights: Tensor,
    values: Tensor,
    output: Tensor,
    columns: str = "side by side",
    together: str = "vectors",
    weighted: bool = True,
    measure: str = "norm",
) -> Tensor:
    """Another part of W_O or none, heads put together elsewhere, no weights, another size."""
    heads = len(weights)
    parts = {
        "side by side": output.unflatten(1, (heads, -1)).transpose(0, 1),  # H D K
        "dealt out": output.unflatten(1, (-1, heads)).permute(2, 0, 1),
    }.get(columns)
    if columns == "turned":  # for D = HK alone
        parts = output.T.unflatten(1, (heads, -1)).transpose(0, 1)
    if parts is None:  # the values side by side
        parts = torch.eye(output.shape[1]).unflatten(1, (heads, -1)).transpose(0, 1)
    vectors = values @ parts.mT  # H S D
    if together == "weights":
        return weights.mean(0) * vectors.sum(0).norm(dim=-1)
    shares = weights if weighted else torch.ones_like(weights)
    handed = shares[..., None] * vectors[:, None]  # H T S D
    if together.startswith("sizes"):
        apart = handed.norm(dim=-1)
        added = apart.mean(0) if together == "sizes, mean" else apart.sum(0)
        return apart.amax(0) if together == "sizes, largest" else added
    handed = handed.sum(0) / (heads if together == "mean" else 1)
    return {
        "norm": handed.norm(dim=-1),
        "square": handed.square().sum(-1),
        "absolute": handed.abs().sum(-1),
        "sum": handed.sum(-1),
    }[measure]


def _other_words_count(arguments: Arguments, value: Tensor, answer: Function) -> bool:
    """The size of what one place hands over changes with the value of another."""
    weights, values, output = arguments
    other = values.clone()
    other[:, 0] += 1
    return not close(answer(weights, other, output)[:, 1:], value[:, 1:])


def _not_twice_as_large(arguments: Arguments, value: Tensor, answer: Function) -> bool:
    weights, values, output = arguments
    return not close(2 * value, answer(2 * weights, values, output))


HANDED_OVER = Exercise(
    handed_over,
    _handed_cases,
    _wrong_handed,
    {
        "sizes-added": [{"together": how} for how in ("sizes", "sizes, mean", "sizes, largest")],
        "weights-averaged": [{"together": "weights"}],
        "heads-averaged": [{"together": "mean"}],
        "output-left-out": [{"columns": "none"}],
        "columns-dealt-out": [{"columns": "dealt out"}],
        "output-turned": [{"columns": "turned"}],
        "weights-left-out": [{"weighted": False}],
        "another-size": [{"measure": measure} for measure in ("square", "absolute", "sum")],
    },
    (
        Symptom("other-words-count", _other_words_count),
        Symptom("not-in-step-with-weights", _not_twice_as_large),
    ),
)

EXERCISES = (LEAVE_ONE_OUT, ROLLOUT, HANDED_OVER)
