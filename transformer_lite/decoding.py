"""From logits to text: greedy decoding and beam search, for any model of the contract."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from transformer_lite.checks import check_whole, shown
from transformer_lite.model import SequenceModel

Model = SequenceModel[Any, Any]
MOST_TOKENS, MOST_PREFIXES, MOST_ALPHA = 2**16, 1000, 10.0


@dataclass(frozen=True)
class Hypothesis:
    """One decoded target.

    Attributes:
        tokens: the ids, without `<bos>` and `<eos>`.
        log_probability: natural log of the probability of the tokens (and of `<eos>`, if finished).
        score: what beam search ranks by: `log_probability` over the length penalty.
        finished: False when `max_length` cut it off before `<eos>`.
    """

    tokens: tuple[int, ...]
    log_probability: float
    score: float
    finished: bool


def length_penalty(length: int, alpha: float) -> float:
    """((5 + length) / 6)^alpha; alpha = 0 ranks by plain log probability.

    Source: Wu et al. 2016 (GNMT), equation 14.
    """
    return float(((5 + length) / 6) ** alpha)


@torch.inference_mode()
def greedy(
    model: Model,
    source: Int[Tensor, "B S"],
    source_mask: Bool[Tensor, "B S"],
    *,
    bos: int,
    eos: int,
    max_length: int,
) -> list[Hypothesis]:
    """Write the most probable token, again and again, until `<eos>`.

    Args:
        model: any model of the contract; it is put in evaluation mode meanwhile.
        source, source_mask: the encoded sources; True = real token, padding on the right.
        bos, eos: ids of `<bos>` and `<eos>`.
        max_length: largest number of tokens to write, `<eos>` counted in.

    Returns:
        One `Hypothesis` for each source row.

    Raises:
        ValueError: `bos`, `eos` or `max_length` do not fit the model.
        FloatingPointError: the model gives no probabilities.
    """
    _check(model, bos, eos, max_length)
    with evaluation_mode(model):
        state = model.start(model.encode(source, source_mask), capacity=max_length)
        rows = len(source)
        token = torch.full((rows,), bos, device=source.device)
        total = torch.zeros(rows, device=source.device)
        active = torch.ones(rows, dtype=torch.bool, device=source.device)
        written = []
        for _ in range(max_length):
            logits, state = model.step(state, token)
            log_probability, token = logits.float().log_softmax(-1).max(-1)
            total = total + log_probability * active
            token = torch.where(active, token, eos)
            written.append(token)
            active = active & (token != eos)
            if not active.any():
                break
    _check_numbers(total)
    tokens = torch.stack(written, 1).tolist()
    return [
        _hypothesis(row, value, eos, alpha=0.0)
        for row, value in zip(tokens, total.tolist(), strict=True)
    ]


def _hypothesis(tokens: list[int], log_probability: float, eos: int, alpha: float) -> Hypothesis:
    finished = eos in tokens
    length = tokens.index(eos) + 1 if finished else len(tokens)
    return Hypothesis(
        tokens=tuple(tokens[: length - 1 if finished else length]),
        log_probability=log_probability,
        score=log_probability / length_penalty(length, alpha),
        finished=finished,
    )


@torch.inference_mode()
def beam(
    model: Model,
    source: Int[Tensor, "B S"],
    source_mask: Bool[Tensor, "B S"],
    *,
    bos: int,
    eos: int,
    max_length: int,
    beam_size: int = 5,
    alpha: float = 1.0,
) -> list[list[Hypothesis]]:
    """Keep the `beam_size` most probable prefixes of every sentence at every length.

    A hypothesis that ends among the best `beam_size` is set aside; a sentence is done when that
    many have ended, or at `max_length`, where the unfinished ones join the list. A beam of 1 is
    greedy decoding. A narrow beam CAN end with a less probable target than greedy decoding does.

    Args:
        model, source, source_mask, bos, eos, max_length: as in `greedy`.
        beam_size: number of prefixes kept; at least 1.
        alpha: exponent of the length penalty; 0 ranks by plain log probability.

    Returns:
        For each source row up to `beam_size` hypotheses, finished before unfinished, best first.

    Raises:
        ValueError: arguments that do not fit the model, or are out of their limits.
        FloatingPointError: the model gives no probabilities.
    """
    _check(model, bos, eos, max_length)
    check_whole("beam_size", beam_size, 1, MOST_PREFIXES)
    if not abs(alpha) <= MOST_ALPHA:
        raise ValueError(
            f"alpha must lie in [-{MOST_ALPHA}, {MOST_ALPHA}], but it is {shown(alpha)}"
        )
    search = _Beam(len(source), beam_size, bos, eos, alpha, source.device)
    with evaluation_mode(model):
        state = model.start(model.encode(source, source_mask), capacity=max_length)
        state = state.select(
            torch.arange(len(source)).repeat_interleave(beam_size).to(source.device)
        )
        for _ in range(max_length):
            logits, state = model.step(state, search.last)
            kept = search.extend(logits.float().log_softmax(-1))
            if kept is None:
                break
            state = state.select(kept)
    return search.results()


class _Beam:
    """The prefixes of a batch: `live` sentences × `size` rows, side by side."""

    def __init__(
        self, sentences: int, size: int, bos: int, eos: int, alpha: float, device: torch.device
    ) -> None:
        self.size, self.eos, self.alpha, self.device = size, eos, alpha, device
        self.last = torch.full((sentences * size,), bos, device=device)
        self.tokens = torch.empty(sentences * size, 0, dtype=torch.long, device=device)
        # All rows of a sentence begin alike: only the first may be extended, or all stay alike.
        self.totals = torch.full((sentences, size), -torch.inf, device=device)
        self.totals[:, 0] = 0.0
        self.live = list(range(sentences))
        self.ended: list[list[Hypothesis]] = [[] for _ in range(sentences)]

    def extend(self, log_probabilities: Float[Tensor, "N V"]) -> Int[Tensor, " M"] | None:
        """Add one token; returns the rows to go on with, or None when every sentence is done."""
        sentences, size = self.totals.shape
        vocabulary = log_probabilities.shape[1]
        scores = self.totals[:, :, None] + log_probabilities.view(sentences, size, vocabulary)
        # Each prefix ends in one way: of twice the size at most half end, and `size` go on.
        count = min(2 * size, size * vocabulary)
        totals, places = scores.flatten(1).topk(count)
        tokens = places % vocabulary
        rows = places // vocabulary + torch.arange(sentences, device=self.device)[:, None] * size
        ends = tokens == self.eos
        self._set_aside(rows, totals, ends)
        # The extensions to keep: the best `size` that do not end, still best first.
        order = ends.to(torch.int8).argsort(dim=1, stable=True)[:, :size]
        alive = [i for i, index in enumerate(self.live) if len(self.ended[index]) < size]
        if not alive:
            self.live = []
            return None
        kept = torch.tensor(alive, device=self.device)
        self.live = [self.live[i] for i in alive]
        self.totals = totals.gather(1, order)[kept]
        self.totals[ends.gather(1, order)[kept]] = -torch.inf  # a vocabulary too small to fill it
        chosen = rows.gather(1, order)[kept].flatten()
        self.last = tokens.gather(1, order)[kept].flatten()
        self.tokens = torch.cat([self.tokens[chosen], self.last[:, None]], dim=1)
        return chosen

    def _set_aside(self, rows: Tensor, totals: Tensor, ends: Tensor) -> None:
        """Move what ended among the best `size` of each sentence to `ended`."""
        for i, place in (ends[:, : self.size] & totals[:, : self.size].isfinite()).nonzero():
            ended = self.ended[self.live[i]]
            if len(ended) < self.size:
                tokens = [*self.tokens[rows[i, place]].tolist(), self.eos]
                total = float(totals[i, place])
                ended.append(_hypothesis(tokens, total, self.eos, self.alpha))

    def results(self) -> list[list[Hypothesis]]:
        """All hypotheses, best first; where too few ended, unfinished prefixes follow."""
        _check_numbers(self.totals)
        tokens = self.tokens.view(*self.totals.shape, -1) if self.live else self.tokens
        for i, index in enumerate(self.live):
            for j in self.totals[i].isfinite().nonzero()[:, 0].tolist():
                prefix = tokens[i, j].tolist()
                total = float(self.totals[i, j])
                self.ended[index].append(_hypothesis(prefix, total, self.eos, self.alpha))
        return [
            sorted(one, key=lambda each: (each.finished, each.score), reverse=True)[: self.size]
            for one in self.ended
        ]


# For every module in evaluation mode for now: in how many `with` blocks, and its mode before.
_EVALUATED: dict[torch.nn.Module, tuple[int, bool]] = {}
_LOCK = Lock()


@contextmanager
def evaluation_mode(model: torch.nn.Module) -> Iterator[None]:
    """Switch dropout off inside a `with` block, and every module back to what it was.

    Blocks may overlap, in one thread or several: a module goes back when the last of them ends.
    """
    modules = list(model.modules())
    with _LOCK:
        for module in modules:
            blocks, mode = _EVALUATED.get(module, (0, module.training))
            _EVALUATED[module] = blocks + 1, mode
        model.eval()
    try:
        yield
    finally:
        with _LOCK:
            for module in modules:
                blocks, mode = _EVALUATED.pop(module)
                if blocks > 1:
                    _EVALUATED[module] = blocks - 1, mode
                else:
                    module.training = mode


def _check(model: Model, bos: int, eos: int, max_length: int) -> None:
    check_whole("bos", bos, 0, model.target_vocab - 1)
    check_whole("eos", eos, 0, model.target_vocab - 1)
    check_whole("max_length", max_length, 1, MOST_TOKENS)


def _check_numbers(log_probabilities: Tensor) -> None:
    if log_probabilities.isnan().any():
        raise FloatingPointError(
            "the probabilities of the model must be numbers, but some are not (NaN): its weights "
            "are damaged or its training diverged; use another checkpoint"
        )
