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
NAN = "a word that may see nothing, by energies of −∞; a mask of the other convention"
STEPS, RATE, WARMUP = 300, 3e-3, 20  # to learn one batch by heart


@dataclass(frozen=True)
class Check:
    """What one check found.

    Attributes:
        name: of the check.
        measured: the number; NaN where the model gave NaN or raised an error.
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
        examples: a few pairs to learn by heart; random ones if None, whose first loss may be too
            high for a trained model.
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
            elif isinstance(vars(part).get("dropout"), float):
                vars(part).update(dropout=0.0)
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


def _other(ids: Int[Tensor, "B T"], vocab: int, places: slice | list[int]) -> Int[Tensor, "B T"]:
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
        changed = subject.logits(target=_other(target, vocab, [place]))
        yield subject.moved(changed, subject.rows)[:, -1]


def _source(subject: _Subject) -> Iterator[Tensor]:
    source, vocab = subject.asked.source, subject.model.source_vocab
    for place in range(WORDS):
        changed = subject.logits(_other(source, vocab, [place]), row=0)
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


def _unlearned(subject: _Subject) -> list[str]:
    loss = subject.loss(subject.model.train(), subject.batch)
    subject.model.zero_grad()
    loss.backward()
    known = {id(one) for one in subject.model.parameters()}
    names = [
        f"a tensor of shape {tuple(leaf.shape)} that parameters() does not list"
        for leaf in _leaves(loss)
        if id(leaf) not in known
    ]
    for name, part in subject.model.named_modules():
        own = [one for one in part.parameters(recurse=False) if one.requires_grad]
        if own and not any(one.grad is not None and one.grad.any() for one in own):
            names.append(name)
    return names


def _leaves(loss: Tensor) -> Iterator[Tensor]:
    """The tensors from which a loss was computed and which a gradient can change."""
    nodes: list[Any] = [loss.grad_fn]
    seen = {None}
    while nodes:
        node = nodes.pop()
        if node not in seen:
            seen.add(node)
            nodes += [before for before, _ in node.next_functions]
            if hasattr(node, "variable"):
                yield node.variable


def _repeated(subject: _Subject) -> list[str]:
    """Embeddings and parts without parameters may stand in two places."""
    first: dict[nn.Module, str] = {}
    return [
        f"{name} is {first[part]}"
        for name, part in subject.model.named_modules(remove_duplicate=False)
        if [*part.parameters(recurse=False)] and not isinstance(part, nn.Embedding)
        if first.setdefault(part, name) != name
    ]


@torch.no_grad()
def _first_loss(subject: _Subject) -> float:
    loss = subject.loss(subject.model, subject.batch).item()
    return loss / math.log(subject.model.target_vocab)


@torch.no_grad()
def _loss_of_padding(subject: _Subject) -> float:
    padded = Batch(**{name: F.pad(ids, (0, 3)) for name, ids in vars(subject.batch).items()})
    loss = [subject.loss(subject.model, batch).item() for batch in (subject.batch, padded)]
    return abs(loss[1] - loss[0])


def _one_batch(subject: _Subject) -> float:
    """Trains the copy, which stays like that."""
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
    return loss.item()


def _written(subject: _Subject) -> float:
    batch = subject.batch
    written = greedy(
        subject.model, batch.source, batch.source_mask,
        bos=BOS, eos=EOS, max_length=batch.target_in.shape[1],
    )  # fmt: skip
    wanted = zip(batch.target_out, batch.target_mask, strict=True)
    targets = [ids[real].tolist() for ids, real in wanted]
    right = [[*one.tokens, EOS] == target for one, target in zip(written, targets, strict=True)]
    return sum(right) / len(right)


@dataclass(frozen=True)
class _Rule:
    """What a check measures, and what a right model may show.

    Attributes:
        name: of the check.
        measure: gives a number; or movements, of which the largest counts, or the smallest where
            something must move; or names of parts, whose number counts.
        finds: a sentence, with {} for the number.
        suspects: bugs that show so.
        least, most: what a right model has.
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
            number, names = self._number(self.measure(subject))
        except Exception as error:
            found = f"{type(error).__name__}: {shortened(str(error), MOST_SHOWN)}"
            return Check(self.name, math.nan, found, False, self.suspects)
        found = "; ".join([self.finds.format(f"{number:.2g}"), *names])
        suspects = NAN if math.isnan(number) else self.suspects
        return Check(self.name, number, found, self.least <= number <= self.most, suspects)

    def _number(self, measured: Iterator[Tensor] | list[str] | float) -> tuple[float, list[str]]:
        """The number that counts, and the first names."""
        if isinstance(measured, float):
            return measured, []
        if isinstance(measured, list):
            return float(len(measured)), measured[:2] + ["…"] * (len(measured) > 2)
        moved = torch.cat([one.flatten() for one in measured])
        return (moved.min() if self.least else moved.max()).item(), []


RULES = (
    _Rule("prefix", _prefix, "rows move by {} when the words behind them are cut off",
          "a causal mask that is missing, wrong or too late (after the softmax); heads split or "
          "merged in the wrong order; a softmax over the queries; a norm over the words",
          most=STILL),
    _Rule("future", _future, "rows move by {} when the words behind them are changed",
          "a causal mask that is missing, wrong, too late or there in one mode only; heads "
          "merged in the wrong order; a softmax over the queries; a norm over the words",
          most=STILL),
    _Rule("past", _past, "the last row moves by {} when a word before it is changed",
          "a causal mask that hides every word or is inverted; a sentence cut into heads; a "
          "norm over the batch", least=MOVED),
    _Rule("source", _source, "rows move by {} when a word of the source is changed",
          "a padding mask that hides every word or is inverted; a memory that nobody reads",
          least=MOVED),
    _Rule("order", _order, "rows move by {} when two words of the source change places",
          "no positions", least=MOVED),
    _Rule("padding", _padding, "rows move by {} when padding is added to the source",
          "a padding mask that is missing or inverted; a mask after the softmax; a softmax over "
          "the queries; heads in the wrong order; a norm over the words", most=STILL),
    _Rule("batch mates", _mates, "rows move by {} when their sentence is alone",
          "a norm over the batch; a mask or positions laid along the batch", most=STILL),
    _Rule("steps", _steps, "rows written step by step are off by {}",
          "positions that begin again at each step; a cache without the current token; a causal "
          "mask that steps do not know", most=STILL),
    _Rule("hypotheses", _hypotheses, "off by {} when two of a sentence change places",
          "a cache that is not re-ordered; what \"steps\" sees", most=STILL),
    _Rule("gradient", _unlearned, "parts that are not learned: {}",
          "layers in a Python list; parts that nothing calls; a mask that hides every word",
          most=0.0),
    _Rule("own layers", _repeated, "parts that stand in two places: {}",
          "[layer] * n", most=0.0),
    _Rule("first loss", _first_loss, "the loss is {} times that of guessing, ln V",
          "embeddings or an output that start too large", most=2.0),
    _Rule("loss of padding", _loss_of_padding, "the loss moves by {} when the batch is padded",
          "padding counted in the loss; what \"future\" and \"padding\" see", most=STILL),
    _Rule("one batch", _one_batch, "one batch is learned down to a loss of {}",
          "a softmax before the cross-entropy; what \"gradient\" sees; too few steps for a large "
          "model", most=0.1),
    _Rule("written", _written, "and then it writes, freely, this share of the targets: {}",
          "a target that is not shifted; training and use that differ, as \"prefix\" and "
          "\"steps\" see", least=1.0),
)  # fmt: skip
