"""What a model can be asked without a right answer at hand, and which bugs answer how.

A low loss does not show that a model is right: some bugs make it lower. These checks ask for what
every right model does, whatever it has learned, and need nothing but the model contract.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from transformer_lite.checks import MOST_SHOWN, check_at_least, shortened
from transformer_lite.data.batching import Batch, Example, collate
from transformer_lite.data.vocabulary import BOS, EOS, SPECIALS
from transformer_lite.decoding import greedy
from transformer_lite.model import SequenceModel
from transformer_lite.training import batch_loss

Model = SequenceModel[Any, Any]
Loss = Callable[[Model, Batch], Float[Tensor, ""]]
WORDS = 6  # of the longest sentence that a model is asked about
STILL, MOVED = 1e-3, 1e-4  # rows that moved less are the same, rows that moved more are not
STEPS, RATE, WARMUP = 300, 3e-3, 20  # to learn one batch by heart


@dataclass(frozen=True)
class Check:
    """What one check found.

    Attributes:
        name: of the check.
        measured: the number; NaN where the model raised an error.
        found: a sentence with the number in it, or the error.
        passed: whether a right model may be like that.
        suspects: bugs that show so.
    """

    name: str
    measured: float
    found: str
    passed: bool
    suspects: str


@dataclass(frozen=True, repr=False)
class Diagnosis:
    """What all checks found; printed, a line for each, and suspects below those that failed."""

    checks: tuple[Check, ...]

    @property
    def failed(self) -> tuple[str, ...]:
        """The names of the checks that a right model passes and this one does not."""
        return tuple(check.name for check in self.checks if not check.passed)

    def __repr__(self) -> str:
        lines = []
        for check in self.checks:
            lines.append(f"{'✓' if check.passed else '✗'} {check.name:16} {check.found}")
            if not check.passed:
                lines.append(f"{'':19}shows so: {check.suspects}")
        return "\n".join(lines)


def mean_loss(model: Model, batch: Batch) -> Float[Tensor, ""]:
    """Mean loss of a real target token, in nats: what `training` brings down."""
    return batch_loss(model, batch, smoothing=0.0) / batch.target_tokens


def diagnose(
    model: Model, examples: Sequence[Example] | None = None, loss: Loss = mean_loss
) -> Diagnosis:
    """Run all checks on a copy of `model`, new or trained; seconds for a small one.

    How far rows of logits move is told in standard deviations of the logits. Dropout is off.

    Args:
        model: any model of the contract.
        examples: a few pairs, whose loss is measured and brought down; random ones if None (which
            a trained model may call surprising: it then fails "first loss").
        loss: what your training brings down, a mean over target tokens.

    Raises:
        ValueError: a vocabulary of fewer than 10 ids.
    """
    check_at_least(len(SPECIALS) + WORDS, model, "source_vocab target_vocab")
    with torch.random.fork_rng():
        subject = _Subject(model, examples, loss)
        return Diagnosis(tuple(rule(subject) for rule in RULES))


class _Subject:
    """A copy of a model without dropout, sentences to ask it about and a batch to learn."""

    def __init__(self, model: Model, examples: Sequence[Example] | None, loss: Loss) -> None:
        self.model, self.loss = deepcopy(model).eval(), loss
        for part in self.model.modules():
            if isinstance(part, nn.Dropout):
                part.p = 0.0
            elif isinstance(getattr(part, "dropout", None), float):
                part.dropout = 0.0
        draw = torch.Generator().manual_seed(0)

        def example(source: int, target: int) -> Example:
            return Example(
                [*_words(model.source_vocab, source, draw), EOS],
                _words(model.target_vocab, target, draw),
            )

        device = next(model.parameters()).device
        self.asked = collate([example(length, WORDS) for length in (WORDS, 3, 5)]).to(device)
        pairs = examples or [example(2 + n % 4, 2 + n % 5) for n in range(8)]
        self.batch = collate(list(pairs)).to(device)
        self.rows = self.logits()  # B T V

    @torch.no_grad()
    def logits(
        self, source: Tensor | None = None, target: Tensor | None = None, row: int | None = None
    ) -> Float[Tensor, "B T V"]:
        """Logits of the sentences, or of one; another source may be longer, by padding."""
        torch.manual_seed(0)
        source = self.asked.source if source is None else source
        target = self.asked.target_in if target is None else target
        mask = F.pad(self.asked.source_mask, (0, source.shape[1] - self.asked.source.shape[1]))
        chosen = slice(None) if row is None else slice(row, row + 1)
        return self.model(source[chosen], mask[chosen], target[chosen])

    def moved(self, ours: Tensor, theirs: Tensor) -> Float[Tensor, "*rows"]:
        """How far each row of logits is from another, in standard deviations of logits."""
        return (ours - theirs).abs().amax(-1) / self.rows.std()


def _words(vocab: int, count: int, draw: torch.Generator) -> list[int]:
    """So many different words."""
    return (torch.randperm(vocab - 4, generator=draw)[:count] + 4).tolist()


def _other(ids: Int[Tensor, "B T"], vocab: int, places: slice) -> Int[Tensor, "B T"]:
    """Other words at these places."""
    changed = ids.clone()
    changed[:, places] = 4 + (ids[:, places] - 3) % (vocab - 4)
    return changed


# How far rows move


def _prefix(subject: _Subject) -> Iterator[Tensor]:
    target = subject.asked.target_in
    for end in range(1, target.shape[1]):
        yield subject.moved(subject.logits(target=target[:, :end]), subject.rows[:, :end])


def _future(subject: _Subject) -> Iterator[Tensor]:
    target, vocab = subject.asked.target_in, subject.model.target_vocab
    for training in (True, False):  # a mask may be there in one mode only
        subject.model.train(training)
        rows = subject.logits()
        for place in range(1, target.shape[1]):
            changed = subject.logits(target=_other(target, vocab, slice(place, None)))
            yield subject.moved(changed, rows)[:, :place]


def _past(subject: _Subject) -> Iterator[Tensor]:
    target, vocab = subject.asked.target_in, subject.model.target_vocab
    for place in range(target.shape[1] - 1):
        changed = subject.logits(target=_other(target, vocab, slice(place, place + 1)))
        yield subject.moved(changed, subject.rows)[:, -1]


def _source(subject: _Subject) -> Iterator[Tensor]:
    source, vocab = subject.asked.source, subject.model.source_vocab
    for place in range(WORDS):
        changed = subject.logits(_other(source, vocab, slice(place, place + 1)), row=0)
        yield subject.moved(changed, subject.rows[:1]).amax()


def _order(subject: _Subject) -> Iterator[Tensor]:
    for place in range(WORDS - 1):
        swapped = subject.asked.source.clone()
        swapped[:, [place, place + 1]] = swapped[:, [place + 1, place]]
        yield subject.moved(subject.logits(swapped, row=0), subject.rows[:1]).amax()


def _padding(subject: _Subject) -> Iterator[Tensor]:
    source = subject.asked.source
    for word in (4, 5):  # what stands there must not matter
        yield subject.moved(subject.logits(F.pad(source, (0, 3), value=word)), subject.rows)


def _mates(subject: _Subject) -> Iterator[Tensor]:
    for row in range(len(subject.rows)):
        yield subject.moved(subject.logits(row=row), subject.rows[row : row + 1])


@torch.no_grad()
def _steps(subject: _Subject) -> Iterator[Tensor]:
    model, asked = subject.model, subject.asked
    state = model.start(model.encode(asked.source, asked.source_mask))
    for place, token in enumerate(asked.target_in.T):
        logits, state = model.step(state, token)
        yield subject.moved(logits, subject.rows[:, place])


@torch.no_grad()
def _hypotheses(subject: _Subject) -> Iterator[Tensor]:
    """Two of each sentence, which change places in the middle."""
    model, asked = subject.model, subject.asked
    state = model.start(model.encode(asked.source, asked.source_mask))
    twice = torch.arange(len(subject.rows), device=asked.source.device).repeat_interleave(2)
    other = _other(asked.target_in, model.target_vocab, slice(1, None))
    written = torch.stack([asked.target_in, other], 1).flatten(0, 1)  # 2B T
    rows = torch.stack([subject.rows, subject.logits(target=other)], 1).flatten(0, 1)  # 2B T V
    state = state.select(twice)
    turned = torch.arange(len(twice), device=twice.device).view(-1, 2).flip(1).flatten()
    for place in range(written.shape[1]):
        if place == 3:
            state, written, rows = state.select(turned), written[turned], rows[turned]
        logits, state = model.step(state, written[:, place])
        yield subject.moved(logits, rows[:, place])


# What the loss reaches, and what becomes of it


def _unreached(subject: _Subject) -> list[str]:
    """Parts without a gradient, and tensors with one that `parameters()` does not know."""
    subject.model.zero_grad()
    loss = subject.loss(subject.model, subject.batch)
    loss.backward()
    names = [
        name
        for name, part in subject.model.named_modules()
        if (own := [one for one in part.parameters(recurse=False) if one.requires_grad])
        and not any(one.grad is not None and one.grad.any() for one in own)
    ]
    known = {id(one) for one in subject.model.parameters()}
    nodes, seen = [loss.grad_fn], set()
    while nodes:
        node = nodes.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        nodes += [before for before, _ in node.next_functions]
        if hasattr(node, "variable") and id(node.variable) not in known:
            names.append(f"a tensor {tuple(node.variable.shape)} that is no parameter")
    return names


def _shared(subject: _Subject) -> list[str]:
    """Layers that stand in two places; embeddings may."""
    first: dict[nn.Module, str] = {}
    return [
        f"{name} is {first[part]}"
        for name, part in subject.model.named_modules(remove_duplicate=False)
        if first.setdefault(part, name) != name
        and any(True for _ in part.parameters(recurse=False))
        and not isinstance(part, nn.Embedding)
    ]


@torch.no_grad()
def _first_loss(subject: _Subject) -> float:
    loss = subject.loss(subject.model, subject.batch).item()
    return loss - math.log(subject.model.target_vocab)


@torch.no_grad()
def _loss_of_padding(subject: _Subject) -> float:
    batch = subject.batch
    tensors = {name: F.pad(tensor, (0, 3)) for name, tensor in vars(batch).items()}
    longer = subject.loss(subject.model, Batch(**tensors))
    return (longer - subject.loss(subject.model, batch)).abs().item()


def _one_batch(subject: _Subject) -> float:
    """The copy is trained: what is measured afterwards is what this made of it."""
    model = subject.model.train()
    adam = torch.optim.Adam(model.parameters(), betas=(0.9, 0.98))
    for step in range(1, STEPS + 1):
        adam.param_groups[0]["lr"] = RATE * min(1, step / WARMUP)
        loss = subject.loss(model, subject.batch)
        if loss < 0.02:
            break
        adam.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        adam.step()
    model.eval()
    return loss.item()


def _written(subject: _Subject) -> float:
    batch, most = subject.batch, subject.batch.target_in.shape[1]
    written = greedy(
        subject.model, batch.source, batch.source_mask, bos=BOS, eos=EOS, max_length=most
    )
    targets = [row[mask].tolist() for row, mask in zip(batch.target_out, batch.target_mask)]
    right = [[*one.tokens, EOS] == target for one, target in zip(written, targets, strict=True)]
    return sum(right) / len(right)


@dataclass(frozen=True)
class _Rule:
    """A check: what is measured, and what a right model may show.

    Attributes:
        name: of the check.
        measure: gives movements of rows, of which the largest counts, or the smallest where
            something must move; or names of parts, whose number counts; or a number.
        finds: a sentence, with {} for the number.
        least, most: what a right model has.
        suspects: bugs that show so.
    """

    name: str
    measure: Callable[[_Subject], Iterator[Tensor] | list[str] | float]
    finds: str
    suspects: str
    least: float = 0.0
    most: float = math.inf

    def __call__(self, subject: _Subject) -> Check:
        """Measure and judge; a model that raises an error has failed."""
        subject.model.eval()
        try:
            measured = self.measure(subject)
            number, found = self._number(measured)
        except Exception as error:
            found = f"{type(error).__name__}: {shortened(str(error), MOST_SHOWN)}"
            return Check(self.name, math.nan, found, False, self.suspects)
        passed = self.least <= number <= self.most
        return Check(self.name, number, found, passed, self.suspects)

    def _number(self, measured: Iterator[Tensor] | list[str] | float) -> tuple[float, str]:
        if isinstance(measured, float):
            return measured, self.finds.format(f"{measured:.2g}")
        if isinstance(measured, list):
            names = "".join(f"; {name}" for name in measured[:3])
            return len(measured), self.finds.format(len(measured)) + names
        moved = torch.cat([one.flatten() for one in measured])
        number = (moved.min() if self.least else moved.max()).item()
        return number, self.finds.format(f"{number:.1e}")


RULES = (
    _Rule("prefix", _prefix, "rows move by {} when the words after them are cut off",
          "X", most=STILL),
    _Rule("future", _future, "rows move by {} when the words after them are changed",
          "X", most=STILL),
    _Rule("past", _past, "the last row moves by {} when a word before it is changed",
          "X", least=MOVED),
    _Rule("source", _source, "rows move by {} when a word of the source is changed",
          "X", least=MOVED),
    _Rule("order", _order, "rows move by {} when two words of the source change places",
          "X", least=MOVED),
    _Rule("padding", _padding, "rows move by {} when the source is padded", "X", most=STILL),
    _Rule("batch mates", _mates, "rows move by {} when their sentence is alone", "X", most=STILL),
    _Rule("steps", _steps, "a step gives rows that are off by {}", "X", most=STILL),
    _Rule("hypotheses", _hypotheses, "off by {} when two hypotheses change places", "X", most=STILL),
    _Rule("gradient", _unreached, "{} parts are not learned", "X", most=0),
    _Rule("own layers", _shared, "{} parts stand in two places", "X", most=0),
    _Rule("first loss", _first_loss, "the loss is {} above that of guessing, ln V", "X",
          least=-math.inf, most=1.0),
    _Rule("loss of padding", _loss_of_padding, "the loss moves by {} when the batch is padded", "X", most=STILL),
    _Rule("one batch", _one_batch, "the loss of one batch can be brought down to {}", "X", most=0.1),
    _Rule("written", _written, "{} of its targets are then written", "X", least=1.0),
)  # fmt: skip
