"""How good is a model? Loss, exact match, BLEU, alignment error."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import sacrebleu
import torch
from jaxtyping import Float
from torch import Tensor

from transformer_lite.data.batching import Batch, Example, collate
from transformer_lite.data.vocabulary import BOS, EOS
from transformer_lite.decoding import Hypothesis, beam, evaluation_mode, greedy
from transformer_lite.model import SequenceModel
from transformer_lite.progress import progress_bar
from transformer_lite.scope import AttentionRecord
from transformer_lite.training import label_smoothed_loss

Model = SequenceModel[Any, Any]
Links = frozenset[tuple[int, int]]


@dataclass(frozen=True)
class TeacherForced:
    """Quality when every right prefix is given.

    Attributes:
        loss: mean negative log probability of a real target token, in nats, unsmoothed.
        accuracy: share of real target tokens predicted right. It flatters: see `exact_match`.
    """

    loss: float
    accuracy: float


def longest_translation(source_length: int) -> int:
    """Where decoding stops, in tokens, for a source of `source_length` tokens."""
    return 2 * source_length + 10


def batches_by_length(
    model: Model, examples: Sequence[Example], rows: int = 64
) -> Iterator[tuple[list[int], Batch]]:
    """All examples in batches of one source length, on the model's device, with their indices.

    One length, not similar ones: where decoding stops depends on the length of the source, and a
    sentence must not be cut off later because its batch mates are longer.
    """

    def length(index: int) -> int:
        return examples[index].source_length

    device = next(model.parameters()).device
    for _, group in groupby(sorted(range(len(examples)), key=length), key=length):
        same = list(group)
        for start in range(0, len(same), rows):
            chunk = same[start : start + rows]
            yield chunk, collate([examples[index] for index in chunk]).to(device)


@torch.no_grad()
def teacher_forced(model: Model, examples: Sequence[Example]) -> TeacherForced:
    """Loss and token accuracy with the right prefix given at every step.

    Sums over tokens are divided once at the end, so that the batch size changes nothing.

    Raises:
        ValueError: there are no examples.
    """
    if not examples:
        raise ValueError("examples must hold at least one pair, but it is empty")
    total, right, tokens = 0.0, 0, 0
    with evaluation_mode(model):
        for _, batch in batches_by_length(model, examples):
            features = model.features(batch.source, batch.source_mask, batch.target_in)
            logits = model.project(features[batch.target_mask])
            target = batch.target_out[batch.target_mask]
            total += label_smoothed_loss(logits, target, smoothing=0.0).item()
            right += int((logits.argmax(-1) == target).sum())
            tokens += batch.target_tokens
    return TeacherForced(total / tokens, right / tokens)


def decode_all(
    model: Model,
    examples: Sequence[Example],
    *,
    beam_size: int = 1,
    alpha: float = 1.0,
    progress: bool = False,
) -> list[Hypothesis]:
    """The best hypothesis for every example, in the order given.

    Args:
        model: any model of the contract.
        examples: encoded pairs; the targets are not looked at.
        beam_size: 1 decodes greedily, more by beam search.
        alpha: length penalty of the beam.
        progress: show a bar.
    """
    results: list[Hypothesis | None] = [None] * len(examples)
    with progress_bar(len(examples), "sentence", shown=progress) as bar:
        for indices, batch in batches_by_length(model, examples):
            limit = longest_translation(batch.source.shape[1])
            source = (batch.source, batch.source_mask)
            if beam_size == 1:
                found = greedy(model, *source, bos=BOS, eos=EOS, max_length=limit)
            else:
                nbest = beam(
                    model, *source, bos=BOS, eos=EOS, max_length=limit,
                    beam_size=beam_size, alpha=alpha,
                )  # fmt: skip
                found = [hypotheses[0] for hypotheses in nbest]
            for index, hypothesis in zip(indices, found, strict=True):
                results[index] = hypothesis
            bar.update(len(indices))
    return [result for result in results if result is not None]


def free_running(model: Model, examples: Sequence[Example]) -> float:
    """Share of examples written without a mistake when the model decodes greedily by itself.

    Raises:
        ValueError: there are no examples.
    """
    written = [list(hypothesis.tokens) for hypothesis in decode_all(model, examples)]
    return exact_match(written, [list(example.target) for example in examples])


def exact_match(hypotheses: Sequence[object], references: Sequence[object]) -> float:
    """Share of hypotheses that equal their reference entirely.

    Raises:
        ValueError: different numbers of hypotheses and references, or none.
    """
    _check_pairs(hypotheses, references)
    pairs = zip(hypotheses, references, strict=True)
    return sum(ours == theirs for ours, theirs in pairs) / len(references)


@dataclass(frozen=True)
class Bleu:
    """A corpus BLEU score (0 to 100) and the sacreBLEU signature that makes it comparable."""

    score: float
    signature: str


def bleu(
    hypotheses: Sequence[str],
    references: Sequence[str],
    *,
    lowercase: bool = False,
    tokenize: str = "13a",
) -> Bleu:
    """Corpus BLEU by sacreBLEU, on plain untokenised text, one reference a sentence.

    Args:
        hypotheses, references: texts in the same order.
        lowercase: compare without case ("lc" in the signature).
        tokenize: sacreBLEU's tokenizer.

    Raises:
        ValueError: different numbers of hypotheses and references, or none.

    Source: Papineni et al. 2002; Post 2018 (signatures).
    """
    _check_pairs(hypotheses, references)
    metric = sacrebleu.BLEU(lowercase=lowercase, tokenize=tokenize)
    score = metric.corpus_score(list(hypotheses), [list(references)])
    return Bleu(float(score.score), str(metric.get_signature()))


@dataclass(frozen=True)
class Scores:
    """How good a model is on some pairs.

    Attributes:
        loss, token_accuracy: teacher forced, see `TeacherForced`.
        exact_match: free running, see `exact_match`.
        bleu: free running; None where it says nothing, as for strings of letters.
    """

    loss: float
    token_accuracy: float
    exact_match: float
    bleu: Bleu | None


def score(
    model: Model,
    examples: Sequence[Example],
    *,
    sentences: int | None = None,
    beam_size: int = 1,
    alpha: float = 1.0,
    to_text: Callable[[Sequence[int]], str] | None = None,
    references: Sequence[str] = (),
    lowercase: bool = True,
    progress: bool = False,
) -> Scores:
    """Score a model: teacher forced on all examples, free running on the first `sentences`.

    Args:
        model: any model of the contract.
        examples: the encoded pairs.
        sentences: how many are decoded; None takes all.
        beam_size, alpha, progress: as for `decode_all`.
        to_text: turns target ids into the text that BLEU compares; without it there is no BLEU.
        references: the target texts of the examples, for BLEU.
        lowercase: compare without case in BLEU.

    Raises:
        ValueError: there are no examples.
    """
    forced = teacher_forced(model, examples)
    sample = examples[:sentences]
    decoded = decode_all(model, sample, beam_size=beam_size, alpha=alpha, progress=progress)
    exact = exact_match([list(one.tokens) for one in decoded], [one.target for one in sample])
    found = None
    if to_text is not None:
        texts = [to_text(one.tokens) for one in decoded]
        found = bleu(texts, references[: len(sample)], lowercase=lowercase)
    return Scores(forced.loss, forced.accuracy, exact, found)


def attention_links(weights: Float[Tensor, "T S"]) -> Links:
    """The alignment an attention map draws: each target token to the source token it weighs most.

    Args:
        weights: one map; rows are the target tokens produced, columns the source tokens. Leave
            `<eos>` out of both.

    Returns:
        Links (target position, source position), one a row.
    """
    return frozenset(enumerate(weights.argmax(-1).tolist()))


def alignment_error_rate(
    found: Iterable[Links], sure: Iterable[Links], possible: Iterable[Links]
) -> float:
    """AER = 1 − (|A ∩ S| + |A ∩ P|) / (|A| + |S|), summed over all sentences.

    A holds the links found, S the sure gold links, P the possible ones (S is part of P). 0 is
    perfect, 1 is no link right.

    Args:
        found, sure, possible: for each sentence its links (target position, source position).

    Raises:
        ValueError: a sure link that is not possible, different numbers of sentences, or no links.

    Source: Och and Ney 2003 (evaluation methodology).
    """
    hits = links = 0
    for number, (ours, certain, allowed) in enumerate(zip(found, sure, possible, strict=True)):
        if not certain <= allowed:
            raise ValueError(
                f"sure must be a subset of possible, but in sentence {number} it is not"
            )
        hits += len(ours & certain) + len(ours & allowed)
        links += len(ours) + len(certain)
    if links == 0:
        raise ValueError("found and sure must hold a link, but they are empty in every sentence")
    return 1 - hits / links


@torch.no_grad()
def alignment_by_layer(
    model: Model, examples: Sequence[Example], sure: Sequence[Links], possible: Sequence[Links]
) -> dict[str, float]:
    """Alignment error rate of every cross-attention map, averaged over its heads.

    The right target is given (teacher forcing), so that gold links and rows speak of the same
    tokens. `<eos>` is left out on both sides.

    Returns:
        Error by map name ("decoder.0.cross", …); empty for a model without attention.
    """
    found: dict[str, dict[int, Links]] = {}
    with evaluation_mode(model):
        for indices, batch in batches_by_length(model, examples):
            record = AttentionRecord()
            model.features(batch.source, batch.source_mask, batch.target_in, record)
            for name, maps in record.items():
                if name.endswith(".cross"):
                    for row, index in enumerate(indices):
                        source, target = examples[index].source, examples[index].target
                        weights = maps[row].mean(0)[: len(target), : len(source) - 1]
                        found.setdefault(name, {})[index] = attention_links(weights)
    return {
        name: alignment_error_rate([links[i] for i in range(len(examples))], sure, possible)
        for name, links in found.items()
    }


def _check_pairs(hypotheses: Sequence[object], references: Sequence[object]) -> None:
    if len(hypotheses) != len(references) or not references:
        raise ValueError(
            "hypotheses and references must be equally many, at least one, but there are "
            f"{len(hypotheses)} hypotheses and {len(references)} references"
        )
