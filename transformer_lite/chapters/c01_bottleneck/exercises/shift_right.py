"""Exercise "shift-right": from the target to what the decoder reads."""

from collections.abc import Iterator

import torch
from jaxtyping import Int
from torch import Tensor

from transformer_lite.exercises.exercise import Arguments, Exercise, Mistake

EOS = 2


def shift_right(target: Int[Tensor, "B T"], bos: int) -> Int[Tensor, "B T"]:
    """The decoder input of a target whose rows end with `<eos>`."""
    shifted = torch.empty_like(target)
    for position in range(target.shape[1]):
        shifted[:, position] = bos if position == 0 else target[:, position - 1]
    return shifted


def cases(generator: torch.Generator) -> Iterator[Arguments]:
    """Targets of several sizes, and a `bos` that is not always 1."""
    sizes = [(1, 3, 1), (2, 4, 1), (2, 3, 5), (1, 1, 1), (3, 6, 0), (4, 2, 1), (2, 9, 7)]
    for rows, length, bos in sizes:
        target = torch.randint(10, 100, (rows, length), generator=generator)
        target[:, -1] = EOS
        yield target, bos


def _begin(target: Tensor, bos: int) -> Tensor:
    return torch.full_like(target[:, :1], bos)


def _shifted_twice(target: Tensor, bos: int) -> Tensor:
    start = _begin(target, bos)
    return torch.cat([start, start, target], dim=1)[:, : target.shape[1]]


MISTAKES = (
    Mistake(
        "not-shifted",
        "You hand the target back unshifted: at every position the decoder reads the very token "
        "that it is asked for. Training then looks perfect, because copying is enough; at "
        "translation time there is nothing to copy.",
        (lambda target, bos: target,),
    ),
    Mistake(
        "shifted-twice",
        "Your input lags two places behind the target, not one, so the model would have to guess "
        "two tokens ahead. This happens when both sides are shifted, or one side twice.",
        (_shifted_twice,),
    ),
    Mistake(
        "shifted-left",
        "You shift the wrong way: each position shows a token from the future, the one AFTER the "
        "token that the decoder is asked for there.",
        (
            lambda target, bos: target.roll(-1, 1),
            lambda target, bos: torch.cat([target[:, 1:], _begin(target, bos)], dim=1),
            lambda target, bos: target[:, 1:],
        ),
    ),
    Mistake(
        "eos-first",
        "The tokens that leave on the right come in again on the left: your input begins with "
        "`<eos>`. A decoder starts before anything was said; `<bos>` is the token that says so.",
        (lambda target, bos: target.roll(1, 1),),
    ),
    Mistake(
        "bos-missing",
        "Your input begins with the first word and is one token too short. To predict that first "
        "word the decoder has to read something, too: `<bos>` is missing.",
        (lambda target, bos: target[:, :-1],),
    ),
    Mistake(
        "eos-kept",
        "Your input is one token longer than the target: `<eos>` is still there. Nothing comes "
        "after it, so no prediction needs it as input.",
        (lambda target, bos: torch.cat([_begin(target, bos), target], dim=1),),
    ),
    Mistake(
        "first-token-lost",
        "You write `<bos>` over the first token and leave the others where they are: the first "
        "word is lost, and every later position still sees the token it is asked for.",
        (lambda target, bos: torch.cat([_begin(target, bos), target[:, 1:]], dim=1),),
    ),
    Mistake(
        "bos-last",
        "You replace the last token by `<bos>` and shift nothing. `<bos>` is what the decoder "
        "reads first.",
        (lambda target, bos: torch.cat([target[:, :-1], _begin(target, bos)], dim=1),),
    ),
    Mistake(
        "bos-fixed",
        "Your input begins with the id 1 whatever `bos` is. Another vocabulary has another id "
        "there: use the argument.",
        (lambda target, bos: shift_right(target, 1),),
    ),
)

SHIFT_RIGHT = Exercise(
    name="shift-right",
    task="write shift_right(target, bos): what the decoder reads, Int[B, T], when it is to produce "
    "target, Int[B, T], whose rows all end with <eos>.",
    reference=shift_right,
    cases=cases,
    mistakes=MISTAKES,
)
