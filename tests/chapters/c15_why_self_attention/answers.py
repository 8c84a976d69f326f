"""Answers to the exercises of chapter 15, right and wrong, as readers would write them."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


def steps_by_rounds(sees: Tensor) -> Tensor:
    known = torch.eye(len(sees), dtype=torch.bool)
    layers = torch.full(sees.shape, -1)
    for depth in range(len(sees)):
        layers[known & (layers < 0)] = depth
        known = sees.float() @ known.float() > 0
    return layers


def steps_by_counting(sees: Tensor) -> Tensor:
    """In how many rounds they do not depend yet."""
    size = len(sees)
    known = [torch.eye(size)]
    for _ in range(size):
        known.append((known[-1] @ sees.float()).clamp(max=1))
    late = torch.stack(known) == 0
    return late.sum(0).where(~late[-1], -1)


def steps_by_middle_places(sees: Tensor) -> Tensor:
    """Floyd's way: shorter by each place in between."""
    far = len(sees)
    layers = torch.where(sees, 1, far).fill_diagonal_(0)
    for middle in range(len(sees)):
        layers = torch.minimum(layers, layers[:, middle : middle + 1] + layers[middle])
    return layers.masked_fill(layers >= far, -1)


def merge_by_softmax(largest: Tensor, sums: Tensor, outputs: Tensor) -> Tensor:
    return (largest + sums.log()).softmax(dim=0) @ outputs


def merge_by_page(largest: Tensor, sums: Tensor, outputs: Tensor) -> Tensor:
    shares = torch.exp(largest - largest.max()) * sums
    return (shares[:, None] * outputs).sum(0) / shares.sum()


def merge_one_by_one(largest: Tensor, sums: Tensor, outputs: Tensor) -> Tensor:
    """As a program does that meets the blocks one after another."""
    top, total, output = largest[0], sums[0], outputs[0]
    for m, z, o in zip(largest[1:], sums[1:], outputs[1:], strict=True):
        higher = torch.maximum(top, m)
        before, new = total * torch.exp(top - higher), z * torch.exp(m - higher)
        output = (before * output + new * o) / (before + new)
        top, total = higher, before + new
    return output


def count_by_formula(n: int, d: int, kernel: int) -> Tensor:
    square = n * d**2
    return torch.tensor([4 * square + 2 * n**2 * d, 6 * square, kernel * square, 8 * square])


def count_by_layers(n: int, d: int, kernel: int) -> Tensor:
    """The numbers in torch's matrices, met by each word, and both products."""
    attention = torch.nn.MultiheadAttention(d, 1, bias=False)
    layers = (
        attention,
        torch.nn.GRU(d, d, bias=False),
        torch.nn.Conv1d(d, d, kernel, bias=False),
        torch.nn.Sequential(
            torch.nn.Linear(d, 4 * d, bias=False), torch.nn.Linear(4 * d, d, bias=False)
        ),
    )
    counts = [n * sum(it.numel() for it in layer.parameters()) for layer in layers]
    counts[0] += 2 * d * n * n
    return torch.tensor(counts)


RIGHT: dict[str, list[Callable[..., Any]]] = {
    "steps-to-reach": [steps_by_rounds, steps_by_counting, steps_by_middle_places],
    "merge-blocks": [merge_by_softmax, merge_by_page, merge_one_by_one],
    "count-layer": [count_by_formula, count_by_layers],
}

# ---- Mistakes as readers write them


def steps_without_first(sees: Tensor) -> Tensor:
    """Every later layer writes over the number."""
    known, layers = torch.eye(len(sees)), torch.full(sees.shape, -1)
    for depth in range(len(sees)):
        layers[known > 0] = depth
        known = (known @ sees.float()).clamp(max=1)
    return layers


def steps_by_squares(sees: Tensor) -> Tensor:
    known, depth = sees, 1
    layers = torch.full(sees.shape, -1).fill_diagonal_(0)
    while depth < len(sees):
        layers[known & (layers < 0)] = depth
        known = known.float() @ known.float() > 0
        depth += 1
    return layers


def steps_of_one_layer(sees: Tensor) -> Tensor:
    return torch.where(sees, 1, -1).fill_diagonal_(0)


def steps_on_the_line(sees: Tensor) -> Tensor:
    places = torch.arange(len(sees))
    return torch.where(steps_by_rounds(sees) < 0, -1, (places[:, None] - places).abs())


def merge_with_large_exponentials(largest: Tensor, sums: Tensor, outputs: Tensor) -> Tensor:
    shares = sums * largest.exp()
    return shares / shares.sum() @ outputs


def merge_by_argmax(largest: Tensor, sums: Tensor, outputs: Tensor) -> Tensor:
    return outputs[largest.argmax()]


def merge_undivided(largest: Tensor, sums: Tensor, outputs: Tensor) -> Tensor:
    """As if the outputs were sums of exp times value."""
    factors = torch.exp(largest - largest.max())
    return factors @ outputs / (factors @ sums)


def merge_by_all_sums(largest: Tensor, sums: Tensor, outputs: Tensor) -> Tensor:
    return (largest - largest.max()).exp() * sums / sums.sum() @ outputs


def count_of_the_table(n: int, d: int, kernel: int) -> Tensor:
    """Without projections, as the paper's table has self-attention."""
    _, *others = count_by_formula(n, d, kernel).tolist()
    return torch.tensor([2 * n * n * d, *others])


def count_with(place: int, number: Callable[[int, int, int], int]) -> Callable[..., Tensor]:
    """One of the four numbers is another."""

    def count(n: int, d: int, kernel: int) -> Tensor:
        counts = count_by_formula(n, d, kernel)
        counts[place] = number(n, d, kernel)
        return counts

    return count


# ---- Symptoms: wrong in a way that no row computes


def steps_of_four_layers(sees: Tensor) -> Tensor:
    layers = steps_by_rounds(sees)
    return layers.masked_fill(layers > 4, -1)


def steps_with_loops_exchanged(sees: Tensor) -> Tensor:
    """Floyd's way with the place in between in the innermost loop."""
    far = len(sees)
    layers = torch.where(sees, 1, far).fill_diagonal_(0)
    for t in range(far):
        for s in range(far):
            layers[t, s] = min(layers[t, s], (layers[t] + layers[:, s]).min())
    return layers.masked_fill(layers >= far, -1)


def steps_depth_first(sees: Tensor) -> Tensor:
    """Each way is followed to its end before the next one is tried."""
    layers = torch.full(sees.shape, -1)

    def visit(start: int, place: int, depth: int) -> None:
        layers[start, place] = depth
        for other in sees[place].nonzero().flatten().tolist():
            if layers[start, other] < 0:
                visit(start, other, depth + 1)

    for start in range(len(sees)):
        visit(start, start, 0)
    return layers


def merge_without_division(largest: Tensor, sums: Tensor, outputs: Tensor) -> Tensor:
    """Shares of the largest energies, then the sums, and nothing divides them out."""
    return largest.softmax(0) * sums @ outputs


def merge_by_products(largest: Tensor, sums: Tensor, outputs: Tensor) -> Tensor:
    shares = (largest - largest.min() + 1 + largest.abs()) * sums
    return shares @ outputs / shares.sum()


def merge_against_the_first(largest: Tensor, sums: Tensor, outputs: Tensor) -> Tensor:
    """Nothing above the first block's largest energy counts for more than it."""
    shares = (largest - largest[0]).clamp(max=0).exp() * sums
    return shares / shares.sum() @ outputs


NAMED: list[tuple[str, Callable[..., Any], str | None]] = [
    ("steps-to-reach", lambda sees: steps_by_rounds(sees.T), "read-by-column"),
    ("steps-to-reach", lambda sees: steps_by_rounds(sees).clamp(min=0), "never-is-not-near"),
    ("steps-to-reach", lambda sees: steps_by_rounds(sees).fill_diagonal_(1), "counts-from-one"),
    ("steps-to-reach", steps_of_one_layer, "few-layers"),
    ("steps-to-reach", steps_without_first, "not-the-least"),
    ("steps-to-reach", steps_by_squares, "doubled"),
    ("steps-to-reach", steps_on_the_line, "distance-of-places"),
    ("merge-blocks", lambda m, z, o: o.mean(0), "plain-mean"),
    ("merge-blocks", lambda m, z, o: (z / z.sum()) @ o, "largest-left-out"),
    ("merge-blocks", lambda m, z, o: m.softmax(0) @ o, "sums-left-out"),
    ("merge-blocks", merge_by_argmax, "best-block-alone"),
    ("merge-blocks", merge_with_large_exponentials, "exponential-too-large"),
    ("merge-blocks", lambda m, z, o: merge_by_page(-m, z, o), "sign-turned"),
    ("merge-blocks", merge_undivided, "outputs-not-multiplied-up"),
    ("merge-blocks", merge_by_all_sums, "not-divided"),
    ("count-layer", count_of_the_table, "projections-missing"),
    ("count-layer", count_with(0, lambda n, d, k: 4 * n * d * d + n * n * d), "one-product"),
    ("count-layer", count_with(1, lambda n, d, k: 3 * n * d * d), "gates-missing"),
    ("count-layer", count_with(2, lambda n, d, k: n * d * k), "channels-apart"),
    (
        "count-layer",
        count_with(2, lambda n, d, k: d * d * sum(min(k, t + 1) for t in range(n))),
        "edges-left-out",
    ),
    ("count-layer", count_with(3, lambda n, d, k: n * d * 4 * d), "network-too-small"),
    ("count-layer", lambda *case: 2 * count_by_formula(*case), "counted-twice"),
    (
        "count-layer",
        lambda n, d, k: torch.tensor([4 * d * d, 6 * d * d, k * d * d, 8 * d * d]),
        "parameters-counted",
    ),
    ("steps-to-reach", steps_of_four_layers, "stops-early"),
    ("steps-to-reach", steps_with_loops_exchanged, "stops-early"),
    ("steps-to-reach", steps_depth_first, "longer-than-a-chain"),
    ("steps-to-reach", lambda sees: steps_by_rounds(sees | sees.T), None),
    ("merge-blocks", merge_without_division, "rows-not-one"),
    ("merge-blocks", merge_by_products, "changed-by-what-all-share"),
    ("merge-blocks", merge_against_the_first, "order-matters"),
    ("merge-blocks", lambda m, z, o: merge_by_page(m / 2, z, o), None),
    ("count-layer", count_with(1, lambda n, d, k: 6 * n * n * d * d), "not-twice-with-n"),
    ("count-layer", count_with(0, lambda n, d, k: 4 * n * d * d), "attention-in-step-with-n"),
    ("count-layer", count_with(3, lambda n, d, k: 8 * n * d), "not-fourfold-with-d"),
    ("count-layer", count_with(1, lambda n, d, k: 8 * n * d * d), None),
]

# ---- Mutants of the references: which names take each other's place, what changes nothing

NAMES = {
    "middle": "s",
    "other": "place",
    "n": "d",
    "d": "n",
    "above": "below",
    "matrix": "kernel",
    "total": "share",
}

EQUIVALENT: list[tuple[str, str]] = []
