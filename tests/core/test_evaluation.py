from typing import Any

import pytest
import sacrebleu
import torch
from every_model import BOS, EOS, SOURCE_VOCAB, TARGET_VOCAB, Model, build
from torch import Tensor, nn

from transformer_lite import AttentionRecord, evaluation
from transformer_lite.data.batching import Example, collate
from transformer_lite.decoding import beam, greedy
from transformer_lite.evaluation import (
    alignment_by_layer,
    alignment_error_rate,
    attention_links,
    batches_by_length,
    bleu,
    decode_all,
    exact_match,
    free_running,
    longest_translation,
    teacher_forced,
)
from transformer_lite.model import SequenceModel

Links = frozenset[tuple[int, int]]


def examples(number: int, seed: int = 0) -> list[Example]:
    generator = torch.Generator().manual_seed(seed)

    def ids(vocab: int) -> list[int]:
        length = int(torch.randint(1, 7, (1,), generator=generator))
        return torch.randint(4, vocab, (length,), generator=generator).tolist()

    return [Example([*ids(SOURCE_VOCAB), EOS], ids(TARGET_VOCAB)) for _ in range(number)]


def test_exact_match_counts_whole_sequences() -> None:
    assert exact_match([[1, 2], [3], []], [[1, 2], [3, 4], []]) == pytest.approx(2 / 3)
    assert exact_match(["a b"], ["a  b"]) == 0.0
    for wrong in (([1], [1, 2]), ([], [])):
        with pytest.raises(ValueError, match="hypotheses and references must be equally many"):
            exact_match(*wrong)


HYPOTHESES = ["A dog runs through the snow.", "two men are talking", "A child ."]
REFERENCES = ["A dog runs through snow.", "Two men are talking to a woman.", "A child sleeps."]


@pytest.mark.parametrize("lowercase", [False, True])
@pytest.mark.parametrize("tokenize", ["13a", "char"])
def test_bleu_is_sacrebleus_with_its_signature(lowercase: bool, tokenize: Any) -> None:
    ours = bleu(HYPOTHESES, REFERENCES, lowercase=lowercase, tokenize=tokenize)
    theirs = sacrebleu.corpus_bleu(HYPOTHESES, [REFERENCES], lowercase=lowercase, tokenize=tokenize)
    assert ours.score == theirs.score and 0 < ours.score < 100
    case = "lc" if lowercase else "mixed"
    assert ours.signature == (
        f"nrefs:1|case:{case}|eff:no|tok:{tokenize}|smooth:exp|version:{sacrebleu.__version__}"
    )


def test_bleu_of_the_references_is_100_and_needs_as_many_texts() -> None:
    assert bleu(REFERENCES, REFERENCES).score == pytest.approx(100)
    with pytest.raises(ValueError, match="2 hypotheses and 3 references"):
        bleu(HYPOTHESES[:2], REFERENCES)


def test_attention_links_take_the_largest_weight_of_each_row() -> None:
    weights = torch.tensor([[0.1, 0.7, 0.2], [0.5, 0.3, 0.2]])
    assert attention_links(weights) == {(0, 1), (1, 0)}


def links(*pairs: tuple[int, int]) -> Links:
    return frozenset(pairs)


@pytest.mark.parametrize(
    ("found", "sure", "possible", "expected"),
    [
        # 1 − (|A∩S| + |A∩P|) / (|A| + |S|), worked by hand
        (links((0, 0), (1, 1)), links((0, 0), (1, 1)), links((0, 0), (1, 1)), 0.0),
        (links((0, 1), (1, 0)), links((0, 0), (1, 1)), links((0, 0), (1, 1)), 1.0),
        (links((0, 0), (1, 0)), links((0, 0), (1, 1)), links((0, 0), (1, 1)), 1 - 2 / 4),
        (links((0, 0), (1, 1)), links((0, 0)), links((0, 0), (1, 1)), 1 - 3 / 3),
        (links((0, 0), (1, 2), (2, 1)), links((0, 0)), links((0, 0), (1, 2)), 1 - 3 / 4),
        (links((0, 0)), links((0, 0), (1, 1)), links((0, 0), (1, 1)), 1 - 2 / 3),
    ],
)
def test_alignment_error_rate_by_hand(
    found: Links, sure: Links, possible: Links, expected: float
) -> None:
    assert alignment_error_rate([found], [sure], [possible]) == pytest.approx(expected)


def test_alignment_error_rate_pools_links_and_does_not_average_sentences() -> None:
    long = links(*((i, i) for i in range(8)))
    wrong, right = links((0, 1)), links((0, 0))
    rate = alignment_error_rate([long, wrong], [long, right], [long, right])
    assert rate == pytest.approx(1 - 16 / 18)


def test_alignments_that_make_no_sense_are_refused() -> None:
    one = links((0, 0))
    with pytest.raises(ValueError, match="but in sentence 0 it is not"):
        alignment_error_rate([one], [one], [links()])
    with pytest.raises(ValueError, match="must hold a link"):
        alignment_error_rate([links()], [links()], [one])
    with pytest.raises(ValueError, match=r"shorter|longer"):
        alignment_error_rate([one, one], [one], [one])


class ScriptedModel(SequenceModel[Any, Any]):
    """A model whose attention is written down beforehand, by the first source id of a row."""

    def __init__(self, script: dict[int, list[int]]) -> None:
        super().__init__(SOURCE_VOCAB, TARGET_VOCAB)
        self.script = script
        self.unused = nn.Parameter(torch.zeros(1))

    def features(
        self, source: Tensor, source_mask: Tensor, target_in: Tensor,
        record: AttentionRecord | None = None,
    ) -> Tensor:  # fmt: skip
        rows, columns, length = len(source), source.shape[1], target_in.shape[1]
        if record is not None:
            straight = torch.zeros(rows, 2, length, columns)
            for row in range(rows):
                looks = self.script[int(source[row, 0])]
                for t, column in enumerate(looks):
                    # Two heads that disagree: their mean decides.
                    straight[row, 0, t, column] = 1.0
                    straight[row, 1, t, column] = 0.4
                    straight[row, 1, t, (column + 1) % columns] += 0.6
            record["decoder.0.cross"] = straight
            record["decoder.0.self"] = torch.zeros(rows, 2, length, length)
            record["decoder.1.cross"] = straight.roll(1, dims=3)
        return torch.zeros(rows, length, 1)

    def project(self, features: Tensor) -> Tensor:
        return features.expand(*features.shape[:-1], TARGET_VOCAB)

    def encode(self, source: Tensor, source_mask: Tensor) -> Any:
        raise NotImplementedError

    def start(self, memory: Any, capacity: int | None = None) -> Any:
        raise NotImplementedError

    def advance(self, state: Any, token: Tensor, record: AttentionRecord | None) -> Any:
        raise NotImplementedError


def test_alignment_by_layer_on_attention_written_by_hand() -> None:
    # The second sentence is shorter and is decoded first; the order of the results must not change.
    pairs = [Example([5, 6, 7, 8, EOS], [4, 5, 6]), Example([6, 7, EOS], [4, 5])]
    model = ScriptedModel({5: [2, 0, 1, 4], 6: [1, 0, 2]})
    gold = [links((0, 2), (1, 0), (2, 1)), links((0, 1), (1, 1))]
    possible = [gold[0], gold[1] | links((0, 0), (1, 0))]
    errors = alignment_by_layer(model, pairs, gold, possible)
    assert set(errors) == {"decoder.0.cross", "decoder.1.cross"}
    # Found: all three of the first; (0, 1) sure and (1, 0) only possible of the second.
    assert errors["decoder.0.cross"] == pytest.approx(1 - (3 + 1 + 3 + 2) / (5 + 5))
    # One column to the right: (0,3) (1,1) (2,2) and (0,2→<eos>, not counted as a column) …
    second = attention_links(torch.tensor([[0.3, 0.0], [0.0, 0.7]]))
    shifted = [links((0, 3), (1, 1), (2, 2)), second]
    assert errors["decoder.1.cross"] == alignment_error_rate(shifted, gold, possible)


def test_a_model_without_attention_has_no_alignment() -> None:
    pairs = examples(3)
    nothing = [links()] * 3
    assert alignment_by_layer(build("rnn, context start").float(), pairs, nothing, nothing) == {}


def test_free_running_counts_what_the_model_writes_by_itself() -> None:
    model = build("rnn, additive, bahdanau").float()
    pairs = examples(8)
    written = [list(one.tokens) for one in decode_all(model, pairs)]
    own = [Example(pair.source, tokens) for pair, tokens in zip(pairs, written, strict=True)]
    assert free_running(model, own) == 1.0
    own[0] = Example(own[0].source, [*written[0], 4])
    assert free_running(model, own) == 7 / 8
    with pytest.raises(ValueError, match="must be equally many"):
        free_running(model, [])


KIND = "rnn, general, luong"


def test_teacher_forced_does_not_depend_on_the_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    model, pairs = build(KIND, dropout=0.5).train(), examples(20)
    whole = teacher_forced(model, pairs)
    assert model.training
    for rows in (1, 3):
        monkeypatch.setattr(
            evaluation, "batches_by_length", lambda m, e, n=rows: batches_by_length(m, e, n)
        )
        again = teacher_forced(model, pairs)
        assert again.loss == pytest.approx(whole.loss, rel=1e-6)
        assert again.accuracy == whole.accuracy


def test_teacher_forced_is_the_mean_over_real_tokens() -> None:
    model, pairs = build(KIND), examples(6)
    total, right, tokens = 0.0, 0, 0
    for pair in pairs:
        source = torch.tensor([pair.source])
        with torch.no_grad():
            logits = model(source, source >= 0, torch.tensor([[BOS, *pair.target]]))[0]
        target = torch.tensor([*pair.target, EOS])
        total += nn.functional.cross_entropy(logits, target, reduction="sum").item()
        right += int((logits.argmax(-1) == target).sum())
        tokens += len(target)
    result = teacher_forced(model, pairs)
    assert result.loss == pytest.approx(total / tokens, rel=1e-6)
    assert result.accuracy == right / tokens


def test_teacher_forced_needs_examples() -> None:
    with pytest.raises(ValueError, match="examples must hold at least one pair"):
        teacher_forced(build(KIND), [])


def test_batches_by_length_hold_every_example_once() -> None:
    pairs = examples(20)
    batches = list(batches_by_length(build(KIND), pairs, rows=6))
    order = [index for indices, _ in batches for index in indices]
    assert sorted(order) == list(range(20))
    lengths = [len(pairs[index].source) for index in order]
    assert lengths == sorted(lengths)
    for indices, batch in batches:
        assert len(indices) <= 6 and batch.source_mask.all(), "sources of two lengths in a batch"
        for row, index in enumerate(indices):
            assert batch.source[row, : len(pairs[index].source)].tolist() == pairs[index].source


@pytest.mark.parametrize("beam_size", [1, 3])
def test_decode_all_gives_each_sentence_what_it_gets_alone(beam_size: int) -> None:
    """In the order given, and cut off where the sentence itself says, not its batch mates."""
    model: Model = build("rnn, context start", seed=0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3)
    pairs = examples(12)
    together = decode_all(model, pairs, beam_size=beam_size)
    assert {one.finished for one in together} == {True, False}, "the limit is not tested"
    for pair, found in zip(pairs, together, strict=True):
        batch = collate([pair])
        source = (batch.source, batch.source_mask)
        limit = longest_translation(len(pair.source))
        if beam_size == 1:
            (alone,) = greedy(model, *source, bos=BOS, eos=EOS, max_length=limit)
        else:
            ((alone, *_),) = beam(
                model, *source, bos=BOS, eos=EOS, max_length=limit, beam_size=beam_size
            )
        assert found.tokens == alone.tokens
