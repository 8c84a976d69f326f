"""What a model can be asked without a right answer at hand.

A low loss does not show that a model is right: some bugs make it lower. These checks ask for what
every right model does, whatever it has learned, and need nothing but the model contract. Most
change something and look which rows move: a row is the logits of one target position.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from random import Random
from typing import Any

import pandas as pd
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from transformer_lite.checks import MOST_SHOWN, check_at_least, shortened
from transformer_lite.data.batching import Batch, Example, collate
from transformer_lite.data.vocabulary import BOS, EOS, SPECIALS
from transformer_lite.decoding import greedy
from transformer_lite.model import SequenceModel
from transformer_lite.tables import table
from transformer_lite.training import batch_loss

Model = SequenceModel[Any, Any]
Ids = Tensor | None
Loss = Callable[[Model, Batch], Float[Tensor, ""]]
WORDS = 6  # of the longest sentence that a model is asked about
ALL = slice(None)
STEPS, RATE, WARMUP = 300, 3e-3, 20  # to learn one batch by heart


@dataclass(frozen=True)
class Check:
    """What one check found: a number (NaN where there is none), and a sentence with it."""

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

    def _repr_html_(self) -> str:
        columns = ("passed", "check", "found", "shows so")
        rows = [
            ("✓" if one.passed else "✗", one.name, one.found, "" if one.passed else one.suspects)
            for one in self.checks
        ]
        failed = f"{len(self.failed)} of {len(rows)} checks failed"
        return table(pd.DataFrame(rows, columns=columns), failed).html


def mean_loss(model: Model, batch: Batch) -> Float[Tensor, ""]:
    """Mean loss of a real target token, in nats: what `training` brings down."""
    return batch_loss(model, batch, smoothing=0.0) / batch.target_tokens


# A check's name, also that of a method below; the least and the most that a right model shows; what
# is found; bugs that show less or more.
Rule = tuple[str, tuple[float, float], str, str]
LIKE, UNLIKE = (0.0, 1e-3), (1e-4, math.inf)  # how far rows move that stay the same, and others
RULES: tuple[Rule, ...] = (
    ("prefix", LIKE, "rows move by {} when the words behind them are cut off",
     "a causal mask that is missing, wrong or too late (after the softmax); heads split or merged "
     "in the wrong order; a softmax over the queries; a norm over the words"),
    ("future", LIKE, "rows move by {} when the words behind them are changed",
     "a causal mask that is there in one mode only; most of what \"prefix\" sees"),
    ("past", UNLIKE, "the last row moves by {} when a word before it is changed",
     "a causal mask inverted or hiding all words; a sentence cut into heads; a norm over a batch"),
    ("source", UNLIKE, "rows move by {} when a word of the source is changed",
     "a padding mask that hides every word or is inverted; a memory that nobody reads"),
    ("order", UNLIKE, "rows move by {} when two words of the source change places", "no positions"),
    ("padding", LIKE, "rows move by {} when padding is added to the source",
     "a padding mask that is missing, inverted or too late (after the softmax); heads in the wrong "
     "order; a softmax over the queries; a norm over the words"),
    ("batch mates", LIKE, "rows move by {} when their sentence is alone",
     "a norm over the batch; a mask or positions laid along the batch"),
    ("steps", LIKE, "rows written step by step are off by {}",
     "positions that begin again; a mask that steps do not know; a cache without the newest token"),
    ("hypotheses", LIKE, "off by {} when two of a sentence change places",
     "a cache that is not re-ordered; what \"steps\" sees"),
    ("gradient", (0.0, 0.0), "parts that are not learned: {}",
     "layers in a Python list; parts that nothing calls; a mask that hides every word"),
    ("own layers", (0.0, 0.0), "parts that stand in two places: {}", "[layer] * n"),
    ("first loss", (0.0, 2.0), "the loss is {} times that of guessing, ln V",
     "embeddings or an output that start too large"),
    ("loss of padding", LIKE, "the loss moves by {} when the batch is padded",
     "padding counted in the loss; what \"future\" and \"padding\" see"),
    ("one batch", (0.0, 0.1), "one batch is learned down to a loss of {}",
     "a softmax before the cross-entropy; what \"gradient\" sees; too few steps for a large model"),
    ("written", (1.0, 1.0), "and then it writes, freely, this share of the targets: {}",
     "a target that is not shifted; training and use that differ, as \"prefix\" and \"steps\" see"),
)  # fmt: skip
NAN = "a word that may see nothing, by energies of −∞; a mask of the other convention"


def diagnose(model: Model, examples: Sequence[Example] = (), loss: Loss | None = None) -> Diagnosis:
    """Run all checks on a copy of `model`, new or trained; seconds for a small one.

    How far rows move is told in standard deviations of the logits. Dropout is off.

    Args:
        model: any model of the contract.
        examples: a few pairs to learn by heart; without them random ones, whose first loss may be
            too high for a trained model.
        loss: what your training brings down, a mean over target tokens; `mean_loss` if None.

    Raises:
        ValueError: a vocabulary of fewer than 10 ids, or logits that are all equal.
    """
    check_at_least(len(SPECIALS) + WORDS, model, "source_vocab target_vocab")
    with torch.random.fork_rng(), torch.no_grad():
        subject = _Subject(model, examples, loss or mean_loss)
        return Diagnosis(tuple(_judge(subject, rule) for rule in RULES))


def _judge(subject: "_Subject", rule: Rule) -> Check:
    """Measure, and compare with what a right model has; one that raises an error has failed."""
    name, (least, most), finds, suspects = rule
    parts: list[str] = []
    subject.model.eval()
    try:
        measured = getattr(subject, name.replace(" ", "_"))()
        if isinstance(measured, float):
            number = measured
        elif isinstance(measured, list):  # names of parts
            number, parts = float(len(measured)), measured[:2] + ["…"] * (len(measured) > 2)
        else:  # how far rows moved; where all must move, the least counts
            rows = torch.cat([one.flatten() for one in measured])
            number = (rows.min() if least else rows.max()).item()
    except Exception as error:
        found = f"{type(error).__name__}: {shortened(str(error), MOST_SHOWN)}"
        return Check(name, math.nan, found, False, suspects)
    found = "; ".join([finds.format(f"{number:.2g}"), *parts])
    suspects = NAN if math.isnan(number) else suspects
    return Check(name, number, found, least <= number <= most, suspects)


class _Subject:
    """A copy of a model without dropout, sentences to ask it about, and what can be measured."""

    def __init__(self, model: Model, examples: Sequence[Example], loss: Loss) -> None:
        self.model, self.loss = deepcopy(model).eval(), loss
        for part in self.model.modules():
            if isinstance(part, nn.Dropout):
                part.p = 0.0
            elif isinstance(vars(part).get("dropout"), float):
                vars(part).update(dropout=0.0)
        draw = Random(0)
        self.words = range(len(SPECIALS), min(model.source_vocab, model.target_vocab))

        def example(source: int, target: int) -> Example:
            return Example([*draw.sample(self.words, source), EOS], draw.sample(self.words, target))

        device = next(model.parameters()).device
        asked = collate([example(length, WORDS) for length in (WORDS, 3, 5)]).to(device)
        self.asked, self.mask, self.target = asked.source, asked.source_mask, asked.target_in
        self.examples = examples or [example(2 + n % 4, 2 + n % 5) for n in range(8)]
        self.batch = collate(self.examples).to(device)
        self.rows = self.logits()  # B T V
        if not self.rows.std() > 0 and not self.rows.isnan().any():
            raise ValueError(
                "the logits must differ, but they are all equal, so nothing can be seen to move; "
                "start the output with other numbers, or train a little first"
            )

    def logits(self, source: Ids = None, target: Ids = None, some: slice = ALL) -> Tensor:
        """Of some sentences, B T V, with another source (maybe padded) or another target."""
        torch.manual_seed(0)
        source = self.asked if source is None else source
        target = self.target if target is None else target
        mask = F.pad(self.mask, (0, source.shape[1] - self.mask.shape[1]))
        return self.model(source[some], mask[some], target[some])

    def distance(self, ours: Tensor, theirs: Tensor) -> Tensor:
        """How far each row is from another, in standard deviations of the logits."""
        return (ours - theirs).abs().amax(-1) / self.rows.std()

    def moved(self, source: Ids = None, target: Ids = None, some: slice = ALL) -> Tensor:
        """How far each row moves, B T, when this is read."""
        logits = self.logits(source, target, some)
        return self.distance(logits, self.rows[some, : logits.shape[1]])

    def other(self, ids: Tensor, first: int, end: int | None = None) -> Tensor:
        """Other words from `first` to `end`."""
        changed = ids.clone()
        changed[:, first:end] = self.words[0] + ids[:, first:end] % len(self.words)
        return changed

    # How far rows move

    def prefix(self) -> Iterator[Tensor]:
        return (self.moved(target=self.target[:, :end]) for end in range(1, WORDS + 1))

    def future(self) -> Iterator[Tensor]:
        for training in (True, False):  # a mask may be there in one mode only
            self.model.train(training)
            rows = self.logits()
            for place in range(1, WORDS + 1):
                changed = self.logits(target=self.other(self.target, place))
                yield self.distance(changed, rows)[:, :place]

    def past(self) -> Iterator[Tensor]:
        for place in range(WORDS):
            yield self.moved(target=self.other(self.target, place, place + 1))[:, -1]

    def source(self) -> Iterator[Tensor]:
        for place in range(WORDS):
            yield self.moved(self.other(self.asked, place, place + 1), some=slice(1)).max()

    def order(self) -> Iterator[Tensor]:
        for place in range(WORDS - 1):
            swapped = self.asked.clone()
            swapped[:, [place, place + 1]] = self.asked[:, [place + 1, place]]
            yield self.moved(swapped, some=slice(1)).max()

    def padding(self) -> Iterator[Tensor]:
        for word in (4, 5):  # what stands there must not matter
            yield self.moved(F.pad(self.asked, (0, 3), value=word))

    def batch_mates(self) -> Iterator[Tensor]:
        return (self.moved(some=slice(n, n + 1)) for n in range(len(self.rows)))

    def steps(self) -> Iterator[Tensor]:
        state = self.model.start(self.model.encode(self.asked, self.mask))
        for place in range(WORDS + 1):
            logits, state = self.model.step(state, self.target[:, place])
            yield self.distance(logits, self.rows[:, place])

    def hypotheses(self) -> Iterator[Tensor]:
        """Two of each sentence, which change places in the middle."""
        other = self.other(self.target, 1)
        written = torch.stack([self.target, other], 1).flatten(0, 1)  # 2B T
        rows = torch.stack([self.rows, self.logits(target=other)], 1).flatten(0, 1)  # 2B T V
        number = torch.arange(len(rows), device=rows.device)
        state = self.model.start(self.model.encode(self.asked, self.mask)).select(number // 2)
        for place in range(WORDS + 1):
            if place == 3:
                turned = number ^ 1  # 1 0 3 2 5 4
                state, written, rows = state.select(turned), written[turned], rows[turned]
            logits, state = self.model.step(state, written[:, place])
            yield self.distance(logits, rows[:, place])

    # What the loss reaches, and what becomes of it

    @torch.enable_grad()
    def gradient(self) -> list[str]:
        loss = self.loss(self.model.train(), self.batch)
        self.model.zero_grad()
        loss.backward()
        known = {id(one) for one in self.model.parameters()}
        names = [
            f"a tensor of shape {tuple(leaf.shape)} that parameters() does not list"
            for leaf in _leaves(loss)
            if id(leaf) not in known
        ]
        for name, part in self.model.named_modules():
            own = [one for one in part.parameters(recurse=False) if one.requires_grad]
            if own and not any(one.grad is not None and one.grad.any() for one in own):
                names.append(name)
        return names

    def own_layers(self) -> list[str]:
        """Embeddings and parts without parameters may stand in two places."""
        first: dict[nn.Module, str] = {}
        return [
            f"{name} is {first[part]}"
            for name, part in self.model.named_modules(remove_duplicate=False)
            if [*part.parameters(recurse=False)] and not isinstance(part, nn.Embedding)
            if first.setdefault(part, name) != name
        ]

    def first_loss(self) -> float:
        return self.loss(self.model, self.batch).item() / math.log(self.model.target_vocab)

    def loss_of_padding(self) -> float:
        padded = Batch(**{name: F.pad(ids, (0, 3)) for name, ids in vars(self.batch).items()})
        return abs(self.loss(self.model, padded).item() - self.loss(self.model, self.batch).item())

    @torch.enable_grad()
    def one_batch(self) -> float:
        """Trains the copy, which stays like that."""
        model = self.model.train()
        adam = torch.optim.Adam(model.parameters(), betas=(0.9, 0.98), fused=True)
        for step in range(1, STEPS + 1):
            adam.param_groups[0]["lr"] = RATE * min(1, step / WARMUP)
            loss = self.loss(model, self.batch)
            if not loss >= 0.02:  # learned, or no number
                break
            adam.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            adam.step()
        return loss.item()

    def written(self) -> float:
        source, longest = (self.batch.source, self.batch.source_mask), self.batch.target_in.shape[1]
        written = greedy(self.model, *source, bos=BOS, eos=EOS, max_length=longest)
        pairs = zip(written, self.examples, strict=True)
        return sum([*one.tokens] == wanted.target for one, wanted in pairs) / len(written)


def _leaves(loss: Tensor) -> list[Tensor]:
    """The tensors from which a loss was computed and which a gradient can change."""
    nodes: list[Any] = [loss.grad_fn]
    seen = {None, loss.grad_fn}
    for node in nodes:  # the list grows meanwhile
        for before, _ in node.next_functions:
            if before not in seen:
                seen.add(before)
                nodes.append(before)
    return [node.variable for node in nodes if hasattr(node, "variable")]
