"""The exercises of chapter 01: what passes, and which diagnosis each wrong answer gets."""

import ast
import copy
import inspect
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from transformer_lite.data.batching import Example, collate
from transformer_lite.data.vocabulary import BOS, EOS
from transformer_lite.exercises import check
from transformer_lite.exercises.bottleneck import EXERCISES
from transformer_lite.exercises.checking import examine
from transformer_lite.exercises.exercise import Exercise
from transformer_lite.exercises.running import same
from transformer_lite.exercises.verdict import WIDTH

# ---- Right answers, written as readers would write them


def shift_by_cat(target: Tensor, bos: int) -> Tensor:
    first = torch.full((target.shape[0], 1), bos)
    return torch.cat([first, target[:, :-1]], dim=1)


def shift_by_roll(target: Tensor, bos: int) -> Tensor:
    shifted = torch.roll(target, shifts=1, dims=1)
    shifted[:, 0] = bos
    return shifted


def match_by_index(predicted: list[list[int]], reference: list[list[int]], eos: int) -> float:
    correct = 0
    for p, r in zip(predicted, reference, strict=True):
        if eos in p:
            p = p[: p.index(eos)]
        if p == r:
            correct += 1
    return correct / len(predicted)


def match_as_tensor(predicted: list[list[int]], reference: list[list[int]], eos: int) -> Tensor:
    return torch.tensor(match_by_index(predicted, reference, eos))


def last_by_index(outputs: Tensor, lengths: Tensor) -> Tensor:
    return outputs[torch.arange(outputs.shape[0]), lengths - 1]


def last_by_gather(outputs: Tensor, lengths: Tensor) -> Tensor:
    index = (lengths - 1)[:, None, None].expand(-1, 1, outputs.shape[2])
    return outputs.gather(1, index).squeeze(1)


def last_by_loop(outputs: Tensor, lengths: Tensor) -> Tensor:
    return torch.stack([row[int(length) - 1] for row, length in zip(outputs, lengths, strict=True)])


def gru_by_chunks(x: Tensor, h: Tensor, weights: dict[str, Tensor]) -> Tensor:
    i_r, i_z, i_n = F.linear(x, weights["weight_ih"], weights["bias_ih"]).chunk(3, -1)
    h_r, h_z, h_n = F.linear(h, weights["weight_hh"], weights["bias_hh"]).chunk(3, -1)
    r, z = torch.sigmoid(i_r + h_r), torch.sigmoid(i_z + h_z)
    return (1 - z) * torch.tanh(i_n + r * h_n) + z * h


def gru_by_torch(x: Tensor, h: Tensor, weights: dict[str, Tensor]) -> Tensor:
    cell = torch.nn.GRUCell(x.shape[1], h.shape[1])
    cell.load_state_dict(weights)
    return cell(x, h)


def loss_by_ignore_index(logits: Tensor, target: Tensor, pad: int) -> Tensor:
    return F.cross_entropy(logits.flatten(0, 1), target.flatten(), ignore_index=pad)


def loss_by_mask(logits: Tensor, target: Tensor, pad: int) -> Tensor:
    keep = target != pad
    return F.cross_entropy(logits[keep], target[keep])


def loss_by_gather(logits: Tensor, target: Tensor, pad: int) -> Tensor:
    right = logits.log_softmax(-1).gather(-1, target.unsqueeze(-1)).squeeze(-1)
    mask = (target != pad).float()
    return -(right * mask).sum() / mask.sum()


RIGHT: dict[str, list[Callable[..., Any]]] = {
    "shift-right": [shift_by_cat, shift_by_roll],
    "exact-match": [match_by_index, match_as_tensor],
    "last-state": [last_by_index, last_by_gather, last_by_loop],
    "gru-step": [gru_by_chunks, gru_by_torch],
    "masked-loss": [loss_by_ignore_index, loss_by_mask, loss_by_gather],
}

WRONG = [
    pytest.param(exercise, mistake.misconception, answer, id=f"{mistake.misconception}-{number}")
    for exercise in EXERCISES
    for mistake in exercise.mistakes
    for number, answer in enumerate(mistake.answers)
]

every_exercise = pytest.mark.parametrize("exercise", EXERCISES, ids=lambda e: e.name)


def test_the_names_are_stable() -> None:
    assert [exercise.name for exercise in EXERCISES] == list(RIGHT)


@every_exercise
def test_right_answers_pass(exercise: Exercise) -> None:
    for answer in [exercise.reference, *RIGHT[exercise.name]]:
        verdict = check(exercise.name, answer)
        assert verdict.passed and verdict.misconception is None, verdict


@every_exercise
def test_the_task_fits_the_reference(exercise: Exercise) -> None:
    call = f"{exercise.reference.__name__}({', '.join(exercise.parameters)})"
    assert exercise.task.startswith(f"write {call}")
    assert exercise.reference.__name__ == exercise.name.replace("-", "_")


@every_exercise
def test_cases_are_the_same_in_every_run_and_nobody_edits_them(exercise: Exercise) -> None:
    torch.manual_seed(1)
    first = exercise.draw()
    torch.manual_seed(2)
    assert same(list(map(list, first)), list(map(list, exercise.draw())))
    for arguments in first:
        before = copy.deepcopy(arguments)
        exercise.reference(*arguments)
        for mistake in exercise.mistakes:
            for answer in mistake.answers:
                try:
                    answer(*arguments)
                except IndexError:
                    assert mistake.misconception in ("off-by-one", "every-length-for-every-row")
        assert same(list(before), list(arguments))


@pytest.mark.parametrize(("exercise", "misconception", "answer"), WRONG)
def test_each_wrong_answer_has_its_own_diagnosis(
    exercise: Exercise, misconception: str, answer: Callable[..., Any]
) -> None:
    verdict = examine(exercise, answer, 5.0)
    assert not verdict.passed
    assert verdict.misconception == misconception, verdict
    message = next(m.message for m in exercise.mistakes if m.misconception == misconception)
    assert message in verdict.message
    assert max(map(len, str(verdict).split("\n"))) <= WIDTH


@every_exercise
def test_the_order_of_the_catalogue_decides_nothing(exercise: Exercise) -> None:
    """No two ideas compute the same, so that reversing the list changes no diagnosis."""
    turned = copy.copy(exercise)
    object.__setattr__(turned, "mistakes", exercise.mistakes[::-1])
    for mistake in exercise.mistakes:
        for answer in mistake.answers:
            assert examine(turned, answer, 5.0).misconception == mistake.misconception


def test_ids_are_unique_within_an_exercise_and_well_formed() -> None:
    for exercise in EXERCISES:
        ids = [m.misconception for m in (*exercise.mistakes, *exercise.symptoms)]
        assert len(set(ids)) == len(ids)
        assert all(one == one.lower() and " " not in one for one in ids)


# ---- Symptoms: wrong in a way that no catalogued answer computes


def two_tokens_past_the_end(outputs: Tensor, lengths: Tensor) -> Tensor:
    width = outputs.shape[1]
    return outputs[torch.arange(len(outputs)), (lengths + 1).clamp(max=width - 1)] * 0.5


def half_of_the_loss_of_all(logits: Tensor, target: Tensor, pad: int) -> Tensor:
    return F.cross_entropy(logits.flatten(0, 1), target.flatten()) / 2


def rows_of_equal_length(predicted: list[list[int]], reference: list[list[int]], eos: int) -> float:
    pairs = zip(predicted, reference, strict=True)
    return sum(len(p) == len(r) + 1 for p, r in pairs) / len(reference)


@pytest.mark.parametrize(
    ("name", "answer", "misconception"),
    [
        ("last-state", two_tokens_past_the_end, "reads-padding"),
        ("masked-loss", half_of_the_loss_of_all, "reads-padding"),
        ("exact-match", rows_of_equal_length, "reads-past-eos"),
        ("last-state", lambda outputs, lengths: last_by_index(outputs, lengths) + 1, None),
        ("masked-loss", lambda logits, target, pad: loss_by_mask(logits, target, pad) + 1, None),
        ("exact-match", lambda p, r, eos: match_by_index(p, r, eos) / 2, None),
        ("last-state", lambda outputs, lengths: outputs.sum(), None),
    ],
)
def test_symptoms(name: str, answer: Callable[..., Any], misconception: str | None) -> None:
    verdict = check(name, answer)
    assert not verdict.passed
    assert verdict.misconception == misconception, verdict


# ---- The references are right


def test_the_shift_is_the_one_of_the_batches() -> None:
    batch = collate([Example([9, EOS], [5, 6, 7]), Example([8, EOS], [7, 5, 9])])
    shifted = EXERCISES[0].reference(batch.target_out, BOS)
    assert torch.equal(shifted, batch.target_in)


def test_the_gru_is_the_one_of_torch() -> None:
    exercise = next(e for e in EXERCISES if e.name == "gru-step")
    for arguments in exercise.draw():
        torch.testing.assert_close(exercise.reference(*arguments), gru_by_torch(*arguments))


def test_the_loss_is_the_one_of_torch() -> None:
    exercise = next(e for e in EXERCISES if e.name == "masked-loss")
    for arguments in exercise.draw():
        torch.testing.assert_close(exercise.reference(*arguments), loss_by_ignore_index(*arguments))


def test_the_last_state_is_the_one_of_a_packed_encoder() -> None:
    outputs, lengths = torch.randn(3, 5, 4), torch.tensor([5, 2, 1])
    gru = torch.nn.GRU(4, 6, batch_first=True)
    states, _ = gru(outputs)
    packed = torch.nn.utils.rnn.pack_padded_sequence(outputs, lengths, batch_first=True)
    exercise = next(e for e in EXERCISES if e.name == "last-state")
    torch.testing.assert_close(exercise.reference(states, lengths), gru(packed)[1][0])


# ---- No message gives the solution away


def fragments(answer: Callable[..., Any]) -> set[str]:
    """Every expression of a right answer that is code rather than a word or a name."""
    tree = ast.parse(inspect.getsource(answer))
    code = (ast.Call, ast.Subscript, ast.BinOp, ast.Compare, ast.Slice, ast.keyword)
    found = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, code)}
    return {text for text in found if len(text) > 4}


@every_exercise
def test_no_message_holds_a_piece_of_a_solution(exercise: Exercise) -> None:
    messages = [m.message for m in (*exercise.mistakes, *exercise.symptoms)]
    messages += [
        str(check(exercise.name, wrong))
        for wrong in (lambda *_: torch.zeros(7), lambda *_: 3.5, lambda *_: [1])
    ]
    messages += [str(check(exercise.name)), exercise.task]
    pieces = set().union(*map(fragments, [exercise.reference, *RIGHT[exercise.name]]))
    assert len(pieces) >= 10
    for message in messages:
        plain = " ".join(message.split())
        # The dictionary's keys are part of the task.
        assert [piece for piece in pieces if piece in plain] == []
