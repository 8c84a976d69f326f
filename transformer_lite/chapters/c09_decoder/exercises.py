"""The exercises of chapter 09, the decoder; what they say is in `mistakes.toml`.

Their models are tables, which remember one token: row i holds the logits of what follows token i.
"""

import math
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from transformer_lite.exercises.exercise import Arguments, Exercise, Function, Symptom
from transformer_lite.exercises.families import batch_mixing, changes_with, tenths


def _ranks(generator: torch.Generator, bos: int, *shape: int) -> Float[Tensor, "*shape"]:
    """Tables whose rows hold 0, 1, 2, … in some order, but −1 at `bos`, which nothing leads to."""
    order = torch.rand(shape, generator=generator).argsort(-1).float()
    order[..., bos] = -1.0
    return order


# ---- log-probability: of a whole sentence, token by token


def log_probability(
    table: Float[Tensor, "V V"], sentence: Int[Tensor, " T"], bos: int, eos: int
) -> float:
    """Natural log of the probability of writing this sentence, from `bos` on, and then `eos`."""
    total, before = 0.0, bos
    for token in [*sentence.tolist(), eos]:
        odds = table[before].exp()
        total += math.log(odds[token] / odds.sum())
        before = token
    return total


def _probability_cases(generator: torch.Generator) -> Iterator[Arguments]:
    """Of no word, of several, and of so many that no float holds their probability."""
    for size, length, bos, eos in [
        (4, 1, 0, 3), (4, 2, 1, 0), (4, 0, 2, 1), (5, 4, 0, 1), (7, 3, 6, 2), (9, 6, 3, 8),
        (9, 300, 4, 1),
    ]:  # fmt: skip
        words = torch.tensor([token for token in range(size) if token not in (bos, eos)])
        drawn = torch.randint(len(words), (length,), generator=generator)
        yield tenths(generator, 30, size, size), words[drawn], bos, eos


def _wrong_probability(
    table: Tensor,
    sentence: Tensor,
    bos: int,
    eos: int,
    ends: str = "bos eos",
    reads: str = "before",
    scores: str = "log softmax",
    how: str = "sum",
) -> float:
    """Another path through the table, other numbers in it, or something else made of them."""
    first, last = [bos] if "bos" in ends else [], [eos] if "eos" in ends else []
    path = torch.tensor([*first, *sentence.tolist(), *last], dtype=torch.long)
    before = path[1:] if reads == "itself" else path[:-1]
    logs = {
        "log softmax": table.log_softmax(-1),
        "of columns": table.log_softmax(0),
        "columns read": table.T.log_softmax(-1),
        "logits": table,
    }[scores][before, path[1:]]
    number = {
        "sum": logs.sum(),
        "mean": logs.mean(),
        "negative": -logs.sum(),
        "negative mean": -logs.mean(),
        "product": logs.sum().exp(),
        "log of product": logs.exp().prod().log(),
        "sum of probabilities": logs.exp().sum(),
        "mean of probabilities": logs.exp().mean(),
    }[how]
    return number.item()


LOG_PROBABILITY = Exercise(
    log_probability,
    _probability_cases,
    _wrong_probability,
    {
        "an-end-forgotten": [{"ends": ends} for ends in ("bos", "eos", "")],
        "reads-what-it-writes": [{"reads": "itself"}],
        "read-by-column": [{"scores": "of columns"}, {"scores": "columns read"}],
        "no-softmax": [{"scores": "logits"}],
        "no-logarithm": [
            {"how": how} for how in ("product", "sum of probabilities", "mean of probabilities")
        ],
        "product-rounded-to-0": [{"how": "log of product"}],
        "loss": [{"how": how} for how in ("mean", "negative", "negative mean")],
    },
    (changes_with("not-normalised", lambda table, *rest: (table + 3, *rest)),),
)

# ---- greedy-loop: one token after the other, until each sentence has ended


def greedy_loop(
    tables: Float[Tensor, "B V V"], bos: int, eos: int, most: int
) -> Int[Tensor, "B most"]:
    """The most probable token, again and again, in each row; `eos` behind the first `eos`."""
    written = torch.full((len(tables), most), eos)
    for row, table in enumerate(tables):
        token = bos
        for step in range(most):
            token = int(table[token].argmax())
            written[row, step] = token
            if token == eos:
                break
    return written


def _loop_cases(generator: torch.Generator) -> Iterator[Arguments]:
    """A table alone, then several: some end at once, some late, some never."""
    for rows, size, bos, eos, most in [
        (1, 4, 2, 3, 4), (2, 5, 1, 0, 3), (3, 5, 4, 2, 6), (4, 5, 0, 1, 5), (5, 6, 2, 4, 8),
        (2, 9, 8, 5, 2),
    ]:  # fmt: skip
        yield _ranks(generator, bos, rows, size, size), bos, eos, most


def _wrong_loop(
    tables: Tensor,
    bos: int,
    eos: int,
    most: int,
    read: str = "row",
    ended: str = "each",
    filler: str = "eos",
    kept: str = "",
) -> Tensor:
    """Reads or ends elsewhere, has something else behind the end, bos in front, or is shorter."""
    rows, written = torch.arange(len(tables)), [torch.full((len(tables),), bos)]
    for _ in range(most):
        token = written[-1]
        choices = {"row": tables[rows, token], "column": tables[rows, :, token]}
        written.append((tables[:, bos] if read == "bos" else choices[read]).argmax(-1))
    words = torch.stack(written[1:], dim=1)
    ends = (words == eos).int()
    behind, active = ends.cumsum(1) > ends, ends.cumsum(1) == 0
    where = {"each": behind, "any": behind.any(0).expand_as(behind), "never": behind & False}
    words = words.masked_fill(where[ended], {"eos": eos, "bos": bos, "zero": 0}[filler])
    with_bos = F.pad(words, (1, 0), value=bos)
    return {
        "": words,
        "in time": with_bos[:, :most],
        "too long": with_bos,
        "until all end": words[:, : int(active.any(0).sum()) + 1],
        "until one ends": words[:, : int(active.all(0).sum()) + 1],
    }[kept]


def _first_word_wrong(arguments: Arguments, value: Tensor, answer: Function) -> bool:
    tables, bos, *_ = arguments
    return not torch.equal(value[:, 0], tables[:, bos].argmax(-1))


GREEDY_LOOP = Exercise(
    greedy_loop,
    _loop_cases,
    _wrong_loop,
    {
        "goes-on": [{"ended": "never"}],
        "all-stop-together": [{"ended": "any"}, {"kept": "until one ends"}],
        "narrower-than-most": [
            {"kept": "until all end"},
            {"kept": "until all end", "ended": "never"},
        ],
        "always-reads-bos": [{"read": "bos"}, {"read": "bos", "ended": "never"}],
        "read-by-column": [{"read": "column"}, {"read": "column", "ended": "never"}],
        "filled-otherwise": [{"filler": "zero"}, {"filler": "bos"}],
        "bos-kept": [{"kept": "in time"}, {"kept": "too long"}],
    },
    (batch_mixing(1), Symptom("first-word-wrong", _first_word_wrong)),
)

# ---- forced-and-free: one model, read the right past and its own


def forced_and_free(
    table: Float[Tensor, "V V"], reference: Int[Tensor, " T"], bos: int
) -> Float[Tensor, "2"]:
    """Share of right answers under teacher forcing, and that of a free run of the same length."""
    forced = free = 0
    before = own = bos
    for wanted in reference.tolist():
        own = int(table[own].argmax())
        free += own == wanted
        forced += int(table[before].argmax()) == wanted
        before = wanted
    return torch.tensor([forced, free]) / len(reference)


def _share_cases(generator: torch.Generator) -> Iterator[Arguments]:
    """References of which the model knows a part, and one that it knows by heart."""
    for size, length, bos, lowest in [
        (4, 5, 2, 0), (4, 6, 0, 0), (6, 8, 3, 6), (5, 7, 1, 0), (9, 16, 5, 0), (12, 14, 2, 0),
    ]:  # fmt: skip
        table, reference = _ranks(generator, bos, size, size), [bos]
        for token in torch.randint(lowest, 2 * size, (length,), generator=generator).tolist():
            known = token >= size or token == bos
            reference.append(int(table[reference[-1]].argmax()) if known else token)
        yield table, torch.tensor(reference[1:]), bos


def _wrong_shares(
    table: Tensor,
    reference: Tensor,
    bos: int,
    pasts: tuple[str, str] = ("right", "own"),
    counted: str = "all",
    axis: int = 1,
) -> Tensor:
    """Other pasts for the two runs; something else counted; columns read."""
    if counted == "behind the first":
        bos, reference = int(reference[0]), reference[1:]

    def hits(past: str) -> Tensor:
        before, last, best, found = bos, bos, table.argmax(axis).tolist(), []
        for wanted in reference.tolist():
            before = wanted if past == "not shifted" else before
            found.append(best[before] == wanted)
            answers = {"right": wanted, "forced answers": best[last]}
            before, last = answers.get(past, best[before]), wanted
        return torch.tensor(found).float()

    forced, free = map(hits, pasts)
    both = forced.mean(), free.mean()
    shares = {
        "up to an error": (both[0], free.cumprod(0).mean()),
        "free whole": (both[0], free.prod()),
        "both whole": (forced.prod(), free.prod()),
        "of one fewer": (forced.sum() / (len(forced) - 1), free.sum() / (len(free) - 1)),
    }
    return torch.stack(shares.get(counted, both))


FORCED_AND_FREE = Exercise(
    forced_and_free,
    _share_cases,
    _wrong_shares,
    {
        "one-run-twice": [{"pasts": ("right", "right")}, {"pasts": ("own", "own")}],
        "forced-answers-read": [{"pasts": ("right", "forced answers")}],
        "read-by-column": [{"axis": 0}],
        "exchanged": [{"pasts": ("own", "right")}],
        "not-shifted": [{"pasts": ("not shifted", "own")}],
        "nothing-behind-an-error": [{"counted": "up to an error"}],
        "all-or-nothing": [{"counted": "free whole"}, {"counted": "both whole"}],
        "a-place-too-few": [{"counted": "behind the first"}, {"counted": "of one fewer"}],
    },
    (Symptom("perfect-in-one-only", lambda case, value, answer: int((value == 1).sum()) == 1),),
)

EXERCISES = (LOG_PROBABILITY, GREEDY_LOOP, FORCED_AND_FREE)
