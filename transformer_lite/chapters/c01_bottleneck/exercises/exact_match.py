"""Exercise "exact-match": the share of sentences that are right from end to end."""

from collections.abc import Iterator
from itertools import takewhile

import torch

from transformer_lite.exercises.exercise import Arguments, Exercise, Mistake, Symptom

EOS = 2
Rows = list[list[int]]


def exact_match(predicted: Rows, reference: Rows, eos: int) -> float:
    """Share of predictions that, up to their first `eos`, are their reference."""
    right = 0
    for row, wanted in zip(predicted, reference, strict=True):
        written = list(takewhile(lambda token: token != eos, row))
        right += written == wanted
    return right / len(reference)


def cases(generator: torch.Generator) -> Iterator[Arguments]:
    """Each way to be right or wrong beside a right sentence, then all of them mixed."""

    def draw(low: int, high: int) -> int:
        return int(torch.randint(low, high, (1,), generator=generator))

    def sentence() -> list[int]:
        ids = torch.randperm(20, generator=generator)[: draw(3, 6)] + 10
        return [int(token) for token in ids]

    def pair(kind: str, eos: int) -> tuple[list[int], list[int]]:
        """What a model that is right or wrong in this way writes, and the reference."""
        words = sentence()
        written = {
            "right": [*words, eos],
            "right, then noise": [*words, eos, draw(10, 30)],
            "right, then noise with eos": [*words, eos, draw(10, 30), eos],
            "right, stopped by the limit": words,
            "one wrong": [*words[:-1], 40, eos, words[-1]],
            "first wrong": [40, *words[1:], eos],
            "too long": [*words, draw(10, 30), eos],
            "too short": [*words[:-1], eos, words[-1], eos],
            "never ends": [*words, draw(10, 30), words[0], words[1]],
            "nothing": [eos, *words],
            "other order": [*words[::-1], eos],
        }
        return written[kind], words

    def case(kinds: list[str], eos: int) -> Arguments:
        pairs = [pair(kind, eos) for kind in kinds]
        return [written for written, _ in pairs], [words for _, words in pairs], eos

    kinds = [
        "right, then noise", "right, then noise with eos", "one wrong", "too long", "too short",
        "never ends", "other order", "nothing", "right, stopped by the limit", "first wrong",
    ]  # fmt: skip
    for kind in kinds:
        yield case(["right", kind], EOS)
    yield case(kinds, EOS)
    yield case(["one wrong", "nothing", "too long"], EOS)
    # An id of `eos` that is neither the usual one nor smaller than every other.
    yield case([*kinds[2:5], "right, then noise"], 35)


def _cut(row: list[int], eos: int) -> list[int]:
    return row[: row.index(eos)] if eos in row else row


def _hits(row: list[int], wanted: list[int]) -> int:
    return sum(ours == theirs for ours, theirs in zip(row, wanted, strict=False))


def _share(rights: list[bool]) -> float:
    return sum(rights) / len(rights)


def _token_accuracy(predicted: Rows, reference: Rows, eos: int) -> float:
    hits = sum(_hits(_cut(p, eos), r) for p, r in zip(predicted, reference, strict=True))
    return hits / sum(map(len, reference))


def _uncut_token_accuracy(predicted: Rows, reference: Rows, eos: int) -> float:
    hits = sum(_hits(p, r) for p, r in zip(predicted, reference, strict=True))
    return hits / sum(map(len, reference))


def _mean_of_accuracies(predicted: Rows, reference: Rows, eos: int) -> float:
    pairs = zip(predicted, reference, strict=True)
    return sum(_hits(_cut(p, eos), r) / len(r) for p, r in pairs) / len(reference)


def _mean_of_uncut_accuracies(predicted: Rows, reference: Rows, eos: int) -> float:
    pairs = zip(predicted, reference, strict=True)
    return sum(_hits(p, r) / len(r) for p, r in pairs) / len(reference)


def _uncut(predicted: Rows, reference: Rows, eos: int) -> float:
    return _share([p == r for p, r in zip(predicted, reference, strict=True)])


def _uncut_with_eos(predicted: Rows, reference: Rows, eos: int) -> float:
    return _share([p == [*r, eos] for p, r in zip(predicted, reference, strict=True)])


def _cut_at_last(predicted: Rows, reference: Rows, eos: int) -> float:
    def cut(row: list[int]) -> list[int]:
        return row[: len(row) - 1 - row[::-1].index(eos)] if eos in row else row

    return _share([cut(p) == r for p, r in zip(predicted, reference, strict=True)])


def _prefix(predicted: Rows, reference: Rows, eos: int) -> float:
    return _share([p[: len(r)] == r for p, r in zip(predicted, reference, strict=True)])


def _shorter_decides(predicted: Rows, reference: Rows, eos: int) -> float:
    pairs = zip(predicted, reference, strict=True)
    return _share([all(a == b for a, b in zip(_cut(p, eos), r, strict=False)) for p, r in pairs])


def _any_order(predicted: Rows, reference: Rows, eos: int) -> float:
    pairs = zip(predicted, reference, strict=True)
    return _share([sorted(_cut(p, eos)) == sorted(r) for p, r in pairs])


def _what_follows_counts(arguments: Arguments, value: object, answer: object) -> bool:
    predicted, reference, eos = arguments
    assert callable(answer)
    longer = [[*row, eos, 77, 78] if eos not in row else [*row, 77, 78] for row in predicted]
    return bool(answer(longer, reference, eos) != answer(predicted, reference, eos))


MISTAKES = (
    Mistake(
        "token-accuracy",
        "You count right TOKENS. Exact match counts right SENTENCES: one wrong token makes the "
        "whole sentence wrong. With 95 % of the tokens right, and errors independent of each "
        f"other, {100 * 0.95**20:.0f} % of the sentences of twenty tokens are right.",
        (_token_accuracy, _uncut_token_accuracy),
    ),
    Mistake(
        "mean-sentence-accuracy",
        "You give each sentence its share of right tokens and average these shares. In exact match "
        "a sentence is right or wrong, there is nothing between.",
        (_mean_of_accuracies, _mean_of_uncut_accuracies),
    ),
    Mistake(
        "not-cut",
        "You compare all that was predicted. A decoder that runs freely goes on after `<eos>`, "
        "until it reaches its limit; the sentence ends at the first `<eos>`.",
        (_uncut, _uncut_with_eos),
    ),
    Mistake(
        "cut-at-last-eos",
        "You cut at the LAST `<eos>`. What a decoder writes after the first one is noise, and that "
        "noise may contain `<eos>` again.",
        (_cut_at_last,),
    ),
    Mistake(
        "prefix-only",
        "You compare only as many tokens as the reference has, so an output that goes on talking "
        "after a right beginning passes.",
        (_prefix, lambda p, r, eos: _prefix([_cut(row, eos) for row in p], r, eos)),
    ),
    Mistake(
        "shorter-decides",
        "You compare position by position and stop where the shorter sentence stops: an output "
        "that breaks off early, even an empty one, passes. The lengths have to agree, too.",
        (_shorter_decides,),
    ),
    Mistake(
        "any-order",
        "You compare which tokens occur, not where. A sentence with its words in another order is "
        "another sentence.",
        (_any_order,),
    ),
    Mistake(
        "count-not-share",
        "You return how many sentences are right. The share is comparable between test sets of "
        "different size: a number from 0 to 1.",
        (lambda p, r, eos: exact_match(p, r, eos) * len(r),),
    ),
    Mistake(
        "percent",
        "You return per cent. The share was asked for, a number from 0 to 1.",
        (lambda p, r, eos: 100 * exact_match(p, r, eos),),
    ),
    Mistake(
        "error-rate",
        "You return the share of sentences that are WRONG.",
        (lambda p, r, eos: 1 - exact_match(p, r, eos),),
    ),
)

EXACT_MATCH = Exercise(
    name="exact-match",
    task="write exact_match(predicted, reference, eos): the share, from 0 to 1, of sentences "
    "that are entirely right. Both are lists of lists of ids. A predicted sentence ends before its "
    "first eos, or at the end of the list where there is none; a reference contains no eos.",
    reference=exact_match,
    cases=cases,
    mistakes=MISTAKES,
    symptoms=(
        Symptom(
            "reads-past-eos",
            "Your result changes when only the tokens after the first `<eos>` change. They are no "
            "part of the sentence.",
            _what_follows_counts,
        ),
    ),
)
