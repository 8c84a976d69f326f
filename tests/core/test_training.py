import copy
import math
from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from every_model import FAMILIES, KINDS, SOURCE_VOCAB, TARGET_VOCAB, Model, build
from hypothesis import given
from hypothesis import strategies as st

from transformer_lite.data.batching import Example, collate, epoch_batches
from transformer_lite.data.vocabulary import BOS, EOS, PAD
from transformer_lite.decoding import greedy
from transformer_lite.training import (
    Trainer,
    TrainingConfig,
    batch_loss,
    fit,
    label_smoothed_loss,
    learning_rate,
    seed_for,
)


def examples(number: int = 12, seed: int = 0, longest: int = 6) -> list[Example]:
    generator = torch.Generator().manual_seed(seed)

    def ids(vocab: int, shortest: int) -> list[int]:
        length = int(torch.randint(shortest, longest, (1,), generator=generator))
        return torch.randint(4, vocab, (length,), generator=generator).tolist()

    return [Example([*ids(SOURCE_VOCAB, 1), EOS], ids(TARGET_VOCAB, 1)) for _ in range(number)]


def weights(model: Model) -> list[torch.Tensor]:
    return [parameter.detach().clone() for parameter in model.parameters()]


def equal(ours: list[torch.Tensor], theirs: list[torch.Tensor]) -> bool:
    return all(torch.equal(one, other) for one, other in zip(ours, theirs, strict=True))


# The loss


@given(rows=st.integers(1, 5), smoothing=st.sampled_from([0.0, 0.1, 0.5]), seed=st.integers(0, 999))
def test_the_smoothed_loss_is_cross_entropy_against_its_target(
    rows: int, smoothing: float, seed: int
) -> None:
    """Against F.cross_entropy with a whole distribution as target, written down entry by entry."""
    torch.manual_seed(seed)
    vocab = 7
    logits = torch.randn(rows, vocab, dtype=torch.float64)
    target = torch.randint(1, vocab, (rows,))
    distribution = torch.zeros(rows, vocab, dtype=torch.float64)
    for row in range(rows):
        for entry in range(vocab):
            share = 0.0 if entry == PAD else smoothing / (vocab - 1)
            distribution[row, entry] = share + (1 - smoothing) * (entry == int(target[row]))
    expected = F.cross_entropy(logits, distribution, reduction="sum")
    torch.testing.assert_close(label_smoothed_loss(logits, target, smoothing), expected)


def test_without_smoothing_it_is_plain_cross_entropy() -> None:
    torch.manual_seed(0)
    logits, target = torch.randn(6, 5), torch.randint(0, 5, (6,))
    expected = F.cross_entropy(logits, target, reduction="sum")
    torch.testing.assert_close(label_smoothed_loss(logits, target, 0.0), expected)


def test_torchs_own_smoothing_differs_by_the_padding_alone() -> None:
    logits, target = torch.randn(6, 5), torch.randint(1, 5, (6,))
    theirs = F.cross_entropy(logits, target, label_smoothing=0.2, reduction="sum")
    assert not torch.isclose(label_smoothed_loss(logits, target, 0.2), theirs)
    without = F.cross_entropy(
        torch.where(torch.arange(5) == PAD, -1e9, logits)[:, 1:], target - 1,
        label_smoothing=0.2, reduction="sum",
    )  # fmt: skip
    with_pad_impossible = torch.where(torch.arange(5) == PAD, -30.0, logits)
    ours = label_smoothed_loss(with_pad_impossible, target, 0.2)
    torch.testing.assert_close(ours, without, rtol=1e-4, atol=1e-4)


def test_smoothing_never_asks_for_padding() -> None:
    logits = torch.zeros(1, 5, requires_grad=True)
    label_smoothed_loss(logits, torch.tensor([3]), 0.4).backward()
    assert logits.grad is not None
    # The gradient is the model's probability less the target's: at <pad> the target has none.
    torch.testing.assert_close(
        logits.grad[0], 0.2 - torch.tensor([0.0, 0.1, 0.1, 0.7, 0.1]), rtol=0, atol=1e-6
    )


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.3])
def test_the_floor_of_the_loss_is_the_entropy_of_its_target(smoothing: float) -> None:
    vocab = 10
    target = torch.full((1, vocab), smoothing / (vocab - 1), dtype=torch.float64)
    target[0, PAD] = 0.0
    target[0, 4] += 1 - smoothing
    entropy = -sum(p * math.log(p) for p in target[0].tolist() if p)
    best = label_smoothed_loss(target.clamp(min=1e-300).log(), torch.tensor([4]), smoothing)
    assert best.item() == pytest.approx(entropy, abs=1e-9)
    torch.manual_seed(0)
    for _ in range(200):
        logits = 5 * torch.randn(1, vocab, dtype=torch.float64)
        assert label_smoothed_loss(logits, torch.tensor([4]), smoothing) >= entropy


@pytest.mark.parametrize("kind", KINDS)
def test_padding_is_not_counted(kind: str) -> None:
    """A batch's loss is the sum of its sentences' losses, and longer padding changes nothing."""
    model, pairs = build(kind), examples(5)
    loss = batch_loss(model, collate(pairs), smoothing=0.1)
    alone = sum(batch_loss(model, collate([pair]), smoothing=0.1) for pair in pairs)
    torch.testing.assert_close(loss, alone)
    long = Example([5] * 11 + [EOS], [6] * 12)
    padded = batch_loss(model, collate([*pairs, long]), smoothing=0.1)
    torch.testing.assert_close(padded - batch_loss(model, collate([long]), 0.1), loss)


# The schedule and the seeds


def test_learning_rates() -> None:
    def rates(*steps: int, **fields: Any) -> list[float]:
        config = TrainingConfig(steps=110, warmup=10, peak_rate=0.5, **fields)
        return [learning_rate(step, config) for step in steps]

    for schedule in ("constant", "cosine", "inverse_sqrt"):
        assert rates(1, 5, 10, schedule=schedule) == pytest.approx([0.05, 0.25, 0.5])
    assert rates(11, 60, 110, schedule="constant") == [0.5, 0.5, 0.5]
    cosine = rates(35, 60, 85, 110, schedule="cosine")
    half = math.sqrt(0.5)
    expected = [0.25 * (1 + half), 0.25, 0.25 * (1 - half), 0.0]
    assert cosine == pytest.approx(expected, abs=1e-12)
    assert rates(40, 90, 1000, schedule="inverse_sqrt") == pytest.approx([0.25, 0.5 / 3, 0.05])


def test_inverse_square_root_is_the_papers_schedule() -> None:
    """d^−0.5 · min(step^−0.5, step · warmup^−1.5), at the peak that the paper's base model has."""
    paper = lambda step: 512**-0.5 * min(step**-0.5, step * 4000**-1.5)  # noqa: E731
    config = TrainingConfig(warmup=4000, schedule="inverse_sqrt", peak_rate=paper(4000))
    for step in (1, 100, 3999, 4000, 4001, 100_000):
        assert learning_rate(step, config) == pytest.approx(paper(step))


def test_without_warmup_the_first_rate_is_the_peak() -> None:
    for schedule in ("constant", "inverse_sqrt"):
        config = TrainingConfig(warmup=0, schedule=schedule, peak_rate=0.5)  # type: ignore[arg-type]
        assert learning_rate(1, config) == 0.5


def test_every_step_rank_and_run_has_a_seed_of_its_own() -> None:
    seeds = {seed_for(run, step, rank) for run in range(5) for step in range(50) for rank in (0, 1)}
    assert len(seeds) == 5 * 50 * 2
    assert seed_for(3, 7) == seed_for(3, 7)
    torch.manual_seed(max(seeds))  # all are seeds that torch accepts


# The loop

SHORT = TrainingConfig(steps=8, batch_tokens=30, warmup=2, peak_rate=0.01, label_smoothing=0.1)


@pytest.mark.parametrize("kind", ["rnn, additive, bahdanau", "transformer, pre, learned"])
def test_two_unbroken_runs_agree_bit_for_bit(kind: str) -> None:
    runs = []
    for drawn_before in (0, 7):
        model = build(kind, dropout=0.3).float()
        torch.rand(drawn_before)  # what happened outside a run does not matter to it
        runs.append((fit(model, examples(), SHORT, progress=False), weights(model)))
    assert runs[0][0] == runs[1][0]
    assert equal(runs[0][1], runs[1][1])
    other = build(kind, dropout=0.3).float()
    fit(other, examples(), TrainingConfig(**(vars(SHORT) | {"seed": 1})), progress=False)
    assert not equal(weights(other), runs[0][1])


def test_a_run_can_be_taken_up_at_any_step() -> None:
    """With the model, the optimiser and `steps_done` put back, nothing tells the difference."""
    unbroken = build("transformer, post, sinusoidal", dropout=0.3).float()
    expected = fit(unbroken, examples(), SHORT, progress=False)
    for stop in (1, 3, 7):
        model = build("transformer, post, sinusoidal", dropout=0.3).float()
        first = Trainer(model, examples(), SHORT)
        results = [first.step() for _ in range(stop)]
        second = Trainer(copy.deepcopy(model), examples(), SHORT)
        second.optimizer.load_state_dict(copy.deepcopy(first.optimizer.state_dict()))
        second.steps_done = first.steps_done
        results += [second.step() for _ in range(SHORT.steps - stop)]
        assert results == expected
        assert equal(weights(second.model), weights(unbroken))


def test_steps_taken_back_are_taken_again_from_the_same_examples() -> None:
    trainer = Trainer(build("rnn, context start"), examples(), SHORT)
    there = [trainer.rows(step) for step in range(1, 40)]
    assert [trainer.rows(step) for step in range(39, 0, -1)] == there[::-1]


def test_weight_decay_takes_its_share_of_the_matrices_and_of_nothing_else() -> None:
    """Beside what Adam does: θ ← θ − rate · λ · θ (Loshchilov & Hutter 2019, algorithm 2)."""
    after = {}
    for decay in (0.0, 0.5):
        model = build("transformer, pre, learned").double()
        before = weights(model)
        fit(model, examples(), replace(SHORT, steps=1, weight_decay=decay), progress=False)
        after[decay] = weights(model)
    rate = learning_rate(1, SHORT)
    for start, plain, decayed in zip(before, after[0.0], after[0.5], strict=True):
        share = rate * 0.5 if start.ndim == 2 else 0.0
        torch.testing.assert_close(decayed, plain - share * start)
    assert {start.ndim for start in before} == {1, 2}


def test_dropout_differs_from_step_to_step() -> None:
    config = TrainingConfig(steps=2, batch_tokens=1000, peak_rate=1e-12, warmup=0)
    model = build("transformer, pre, sinusoidal", dropout=0.5)
    first, second = fit(model, examples(), config, progress=False)  # one batch, the same twice
    assert first.target_tokens == second.target_tokens
    assert abs(first.loss - second.loss) > 1e-3


def test_every_example_once_an_epoch_in_batches_within_the_budget() -> None:
    pairs = examples(50)
    config = TrainingConfig(batch_tokens=30, steps=1000)
    trainer = Trainer(build("rnn, context start"), pairs, config)
    batches = [trainer.batch(trainer.rows(step)) for step in range(1, 61)]
    seen, epochs = 0, []
    while seen < len(batches):
        expected = epoch_batches(pairs, batch_tokens=30, seed=0, epoch=len(epochs))
        here = batches[seen : seen + len(expected)]
        if len(here) < len(expected):
            break
        rows = sorted(row.tolist() for batch in here for row in trimmed(batch))
        assert rows == sorted([BOS, *pair.target] for pair in pairs)
        for batch in here:
            assert max(batch.source.numel(), batch.target_in.numel()) <= 30
        epochs.append([batch.target_in.tolist() for batch in here])
        seen += len(expected)
    assert len(epochs) >= 2 and epochs[0] != epochs[1]


def trimmed(batch: Any) -> list[torch.Tensor]:
    return [row[mask] for row, mask in zip(batch.target_in, batch.target_mask, strict=True)]


def test_the_loss_reported_is_the_mean_over_real_tokens_before_the_update() -> None:
    model, pairs = build("rnn, general, luong"), examples(3)
    batch = collate(pairs)
    expected = batch_loss(model, batch, SHORT.label_smoothing).item() / batch.target_tokens
    config = TrainingConfig(**(vars(SHORT) | {"batch_tokens": 1000}))
    (result, *_) = fit(model, pairs, config, progress=False)
    assert result.loss == pytest.approx(expected, rel=1e-9)
    assert result.target_tokens == sum(len(pair.target) + 1 for pair in pairs)
    assert (result.step, result.rate) == (1, SHORT.peak_rate / 2)


def test_the_old_gradients_are_gone_while_the_loss_is_formed() -> None:
    """They are as large as the model, and the memory of a step is at its peak there."""
    model = build("transformer, pre, sinusoidal")
    trainer = Trainer(model, examples(), SHORT)
    trainer.step()
    held = []
    model.output.register_forward_pre_hook(
        lambda *_: held.extend(p for p in model.parameters() if p.grad is not None)
    )
    trainer.step()
    assert held == []


@pytest.mark.parametrize("clip", [0.0, 1e-3])
def test_clipping_bounds_the_gradient(clip: float) -> None:
    model = build("rnn, dot, luong")
    trainer = Trainer(model, examples(), TrainingConfig(clip=clip, batch_tokens=1000))
    trainer.step()
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    norm = torch.stack([gradient.norm() for gradient in gradients]).norm()
    assert (norm <= 1.001e-3) == (clip > 0)


def test_a_loss_that_is_no_number_stops_before_the_update() -> None:
    model = build("transformer, pre, sinusoidal")
    trainer = Trainer(model, examples(), SHORT)
    trainer.step()
    with torch.no_grad():
        next(iter(model.parameters())).view(-1)[:] = math.nan
    before, optimizer = weights(model), copy.deepcopy(trainer.optimizer.state_dict())
    with pytest.raises(
        FloatingPointError,
        match=r"loss became nan at step 2 .*, in batch 2 of epoch 1, which holds the training",
    ):
        trainer.step()
    assert trainer.steps_done == 1
    for now, then in zip(weights(model), before, strict=True):
        torch.testing.assert_close(now, then, rtol=0, atol=0, equal_nan=True)
    assert str(trainer.optimizer.state_dict()) == str(optimizer)


@pytest.mark.parametrize("clip", [0.0, 1.0])
def test_a_gradient_that_is_no_number_stops_before_the_update(clip: float) -> None:
    """The loss can still be finite, and the weights would be lost all the same."""
    model = build("rnn, context start")
    trainer = Trainer(model, examples(), TrainingConfig(clip=clip))
    before = weights(model)
    assert isinstance(model.output, torch.nn.Linear)
    model.output.bias.register_hook(lambda gradient: gradient * math.inf)
    with pytest.raises(FloatingPointError, match=r"gradient became .* at step 1"):
        trainer.step()
    assert equal(weights(model), before) and trainer.steps_done == 0


@pytest.mark.parametrize("kind", ["rnn, additive, bahdanau", *FAMILIES[-2:]])
def test_bfloat16_learns_what_float32_learns(kind: str) -> None:
    """Its losses stay within 5 % of those of float32, and all that is kept stays float32."""
    sizes = {"d_model": 16, "d_ff": 32} if kind.startswith("transformer") else {"hidden": 16}
    config = TrainingConfig(steps=30, peak_rate=0.005, warmup=5, batch_tokens=40)
    losses = {}
    for precision in ("float32", "bfloat16"):
        model = build(kind, **sizes).float()
        trainer = Trainer(model, examples(), replace(config, precision=precision))  # type: ignore[arg-type]
        losses[precision] = [trainer.step().loss for _ in range(config.steps)]
        assert {one.dtype for one in weights(model)} == {torch.float32}
        state = trainer.optimizer.state_dict()["state"]
        assert {one["exp_avg"].dtype for one in state.values()} == {torch.float32}
    assert losses["bfloat16"] == pytest.approx(losses["float32"], rel=0.05)
    assert losses["bfloat16"] != losses["float32"]
    assert losses["bfloat16"][-1] < 0.9 * losses["bfloat16"][0]


@pytest.mark.parametrize("kind", FAMILIES)
def test_every_model_can_learn_one_batch_by_heart(kind: str) -> None:
    pairs = examples(3, longest=4)
    if kind.startswith("transformer"):
        model, rate = build(kind, d_model=16, d_ff=32, layers=1).float(), 0.01
    else:
        model, rate = build(kind, hidden=24).float(), 0.03
    config = TrainingConfig(steps=60, peak_rate=rate, warmup=5, batch_tokens=1000)
    results = fit(model, pairs, config, progress=False)
    assert results[-1].loss < 0.1 < results[0].loss
    batch = collate(pairs)
    found = greedy(model, batch.source, batch.source_mask, bos=BOS, eos=EOS, max_length=9)
    assert [list(one.tokens) for one in found] == [pair.target for pair in pairs]
    assert not model.training


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"steps": 0}, "steps must be at least 1"),
        ({"batch_tokens": 0}, "batch_tokens must be at least 1"),
        ({"label_smoothing": 1.0}, "label_smoothing must lie in"),
        ({"label_smoothing": -0.1}, "label_smoothing must lie in"),
        ({"peak_rate": 0.0}, "peak_rate must be above 0"),
        ({"warmup": -1}, "warmup must be at least 0"),
        ({"clip": -1.0}, "clip must be at least 0"),
        ({"weight_decay": -0.1}, "weight_decay must be at least 0"),
        ({"seed": -1}, "seed must be at least 0"),
    ],
)
def test_settings_that_cannot_be_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TrainingConfig(**fields)


def test_training_needs_examples() -> None:
    with pytest.raises(ValueError, match="examples must hold at least one pair"):
        Trainer(build("rnn, context start"), [], SHORT)
