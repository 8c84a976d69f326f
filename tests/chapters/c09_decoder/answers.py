"""Answers to the exercises of chapter 09, right and wrong, as readers would write them."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


def moved(sentence: Tensor, bos: int, eos: int) -> tuple[Tensor, Tensor]:
    """What the decoder reads, and what it must write."""
    return F.pad(sentence, (1, 0), value=bos), F.pad(sentence, (0, 1), value=eos)


def probability_by_index(table: Tensor, sentence: Tensor, bos: int, eos: int) -> Tensor:
    target_in, target_out = moved(sentence, bos, eos)
    return table.log_softmax(dim=-1)[target_in, target_out].sum()


def probability_by_loss(table: Tensor, sentence: Tensor, bos: int, eos: int) -> float:
    target_in, target_out = moved(sentence, bos, eos)
    return -F.cross_entropy(table[target_in], target_out, reduction="sum").item()


def probability_by_pairs(table: Tensor, sentence: Tensor, bos: int, eos: int) -> float:
    tokens = [bos, *(int(token) for token in sentence), eos]
    return sum(float(table[a, b] - table[a].logsumexp(0)) for a, b in pairwise(tokens))


def loop_of_batch(tables: Tensor, bos: int, eos: int, most: int) -> Tensor:
    rows = torch.arange(len(tables))
    token = torch.full((len(tables),), bos)
    active = torch.ones(len(tables), dtype=torch.bool)
    written = []
    for _ in range(most):
        token = torch.where(active, tables[rows, token].argmax(-1), eos)
        written.append(token)
        active = active & (token != eos)
    return torch.stack(written, 1)


def loop_by_rows(tables: Tensor, bos: int, eos: int, most: int) -> Tensor:
    sentences = []
    for table in tables:
        tokens = [bos]
        while len(tokens) <= most and eos not in tokens:
            tokens.append(int(table[tokens[-1]].argmax()))
        sentences.append(torch.tensor(tokens[1:] + [eos] * (most + 1 - len(tokens))))
    return torch.stack(sentences)


def loop_by_closed_tables(tables: Tensor, bos: int, eos: int, most: int) -> Tensor:
    """Behind eos comes eos: then nobody has to watch for the end."""
    following = tables.argmax(-1)
    following[:, eos] = eos
    token, columns = following[:, [bos]], []
    for _ in range(most):
        columns.append(token)
        token = following.gather(1, token)
    return torch.cat(columns, dim=1)


def shares_in_parallel(table: Tensor, reference: Tensor, bos: int) -> Tensor:
    best = table.argmax(-1)
    forced = best[F.pad(reference[:-1], (1, 0), value=bos)]
    free, token = [], torch.tensor(bos)
    for _ in reference:
        token = best[token]
        free.append(token)
    return (torch.stack([forced, torch.stack(free)]) == reference).float().mean(1)


def shares_of_two_loops(table: Tensor, reference: Tensor, bos: int) -> Tensor:
    def share(is_free: bool) -> float:
        right, token = 0, bos
        for wanted in reference:
            answer = table[token].argmax()
            right += int(answer == wanted)
            token = int(answer if is_free else wanted)
        return right / len(reference)

    return torch.tensor([share(False), share(True)])


RIGHT: dict[str, list[Callable[..., Any]]] = {
    "log-probability": [probability_by_index, probability_by_loss, probability_by_pairs],
    "greedy-loop": [loop_of_batch, loop_by_rows, loop_by_closed_tables],
    "forced-and-free": [shares_in_parallel, shares_of_two_loops],
}

# ---- Mistakes as readers write them


def mean_loss(table: Tensor, sentence: Tensor, bos: int, eos: int) -> Tensor:
    target_in, target_out = moved(sentence, bos, eos)
    return F.cross_entropy(table[target_in], target_out)


def probability_of_words(table: Tensor, sentence: Tensor, bos: int, eos: int) -> Tensor:
    """The sentence ends where its words end."""
    path = torch.tensor([bos, *sentence.tolist()])
    return table.log_softmax(-1)[path[:-1], path[1:]].sum()


def product_of_softmax(table: Tensor, sentence: Tensor, bos: int, eos: int) -> Tensor:
    target_in, target_out = moved(sentence, bos, eos)
    return table.softmax(-1)[target_in, target_out].prod()


def log_of_product(table: Tensor, sentence: Tensor, bos: int, eos: int) -> Tensor:
    return product_of_softmax(table.double(), sentence, bos, eos).log()


def loop_without_end(tables: Tensor, bos: int, eos: int, most: int) -> Tensor:
    rows, token = torch.arange(len(tables)), torch.full((len(tables),), bos)
    written = torch.full((len(tables), most), eos)
    for step in range(most):
        token = tables[rows, token].argmax(-1)
        written[:, step] = token
    return written


def loop_until_one_ends(tables: Tensor, bos: int, eos: int, most: int) -> Tensor:
    rows, token = torch.arange(len(tables)), torch.full((len(tables),), bos)
    written = torch.full((len(tables), most), eos)
    for step in range(most):
        token = tables[rows, token].argmax(-1)
        written[:, step] = token
        if (token == eos).any():
            break
    return written


def loop_until_all_end(tables: Tensor, bos: int, eos: int, most: int) -> Tensor:
    """As on the page: what stands behind an end is cut off later."""
    written = loop_without_end(tables, bos, eos, most)
    idle = ((written == eos).cumsum(1) > 0).all(0)  # most; the loop sees the first of these
    return written[:, : most - max(int(idle.sum()) - 1, 0)]


def loop_with_bos(tables: Tensor, bos: int, eos: int, most: int) -> Tensor:
    tokens = torch.full((len(tables), 1), bos)
    return torch.cat([tokens, loop_of_batch(tables, bos, eos, most)], 1)


def loop_filled_with_zeros(tables: Tensor, bos: int, eos: int, most: int) -> Tensor:
    written = torch.zeros(len(tables), most, dtype=torch.long)
    for row, table in enumerate(tables):
        token = bos
        for step in range(most):
            token = int(table[token].argmax())
            written[row, step] = token
            if token == eos:
                break
    return written


def loop_sampled(tables: Tensor, bos: int, eos: int, most: int) -> Tensor:
    rows, token, written = torch.arange(len(tables)), torch.full((len(tables),), bos), []
    for _ in range(most):
        token = tables[rows, token].softmax(-1).multinomial(1)[:, 0]
        written.append(token)
    return torch.stack(written, 1)


def shares_not_moved(table: Tensor, reference: Tensor, bos: int) -> Tensor:
    forced = (table.argmax(-1)[reference] == reference).float().mean()
    return torch.stack([forced, shares_in_parallel(table, reference, bos)[1]])


def shares_in_one_call(table: Tensor, reference: Tensor, bos: int) -> Tensor:
    """Free running without a loop: the forced answers are read once."""
    best = table.argmax(-1)
    forced = best[F.pad(reference[:-1], (1, 0), value=bos)]
    free = best[F.pad(forced[:-1], (1, 0), value=bos)]
    return (torch.stack([forced, free]) == reference).float().mean(1)


def shares_without_bos(table: Tensor, reference: Tensor, bos: int) -> Tensor:
    """The first token is given to both runs, and not counted."""
    return shares_in_parallel(table, reference[1:], int(reference[0]))


# ---- Symptoms: wrong in a way that no row computes


def probability_by_sigmoid(table: Tensor, sentence: Tensor, bos: int, eos: int) -> Tensor:
    """Each token is probable or not, whatever the others are."""
    return F.logsigmoid(table)[moved(sentence, bos, eos)].sum()


def loop_of_first_table(tables: Tensor, bos: int, eos: int, most: int) -> Tensor:
    return loop_of_batch(tables[:1].expand_as(tables), bos, eos, most)


def shares_reading_bos(table: Tensor, reference: Tensor, bos: int) -> Tensor:
    """The free run begins again at every place."""
    forced, _ = shares_in_parallel(table, reference, bos)
    return torch.stack([forced, (table[bos].argmax() == reference).float().mean()])


NAMED: list[tuple[str, Callable[..., Any], str | None]] = [
    ("log-probability", mean_loss, "loss"),
    ("log-probability", lambda *case: -probability_by_loss(*case), "loss"),
    ("log-probability", probability_of_words, "an-end-forgotten"),
    ("log-probability", product_of_softmax, "no-logarithm"),
    ("log-probability", log_of_product, "product-rounded-to-0"),
    ("log-probability", lambda *case: log_of_product(*case).item(), "product-rounded-to-0"),
    (
        "log-probability",
        lambda table, *rest: probability_by_index(table.T, *rest),
        "read-by-column",
    ),
    ("greedy-loop", loop_without_end, "goes-on"),
    ("greedy-loop", loop_until_one_ends, "all-stop-together"),
    ("greedy-loop", loop_until_all_end, "narrower-than-most"),
    ("greedy-loop", loop_with_bos, "bos-kept"),
    ("greedy-loop", lambda *case: loop_with_bos(*case)[:, :-1], "bos-kept"),
    ("greedy-loop", loop_filled_with_zeros, "filled-otherwise"),
    ("greedy-loop", loop_sampled, "not-repeatable"),
    ("forced-and-free", shares_not_moved, "not-shifted"),
    ("forced-and-free", shares_in_one_call, "forced-answers-read"),
    ("forced-and-free", lambda table, *rest: shares_in_parallel(table.T, *rest), "read-by-column"),
    ("forced-and-free", shares_without_bos, "a-place-too-few"),
    ("forced-and-free", lambda *case: shares_in_parallel(*case).flip(0), "exchanged"),
    ("log-probability", probability_by_sigmoid, "not-normalised"),
    ("log-probability", lambda *case: probability_by_loss(*case) / 2, None),
    ("greedy-loop", loop_of_first_table, "depends-on-batch-mates"),
    (
        "greedy-loop",
        lambda tables, bos, eos, most: loop_of_batch(tables, eos, eos, most),
        "first-word-wrong",
    ),
    ("greedy-loop", lambda *case: loop_of_batch(*case).cummax(1).values, None),
    ("forced-and-free", shares_reading_bos, "perfect-in-one-only"),
    ("forced-and-free", lambda *case: 1 - shares_in_parallel(*case), None),
]

# ---- Mutants of the references: which names take each other's place, what changes nothing

NAMES = {
    "bos": "eos",
    "eos": "bos",
    "before": "token",
    "token": "before",
    "row": "step",
    "step": "row",
    "argmax": "argmin",
    "own": "before",
    "forced": "free",
    "free": "forced",
}

EQUIVALENT: list[tuple[str, str]] = []
