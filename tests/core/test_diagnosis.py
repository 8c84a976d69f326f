"""Diagnosis: right models pass every check; the bugs planted in chapter 12 are in its tests."""

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from every_model import FAMILIES, TRANSFORMERS, Model, build
from torch import Tensor, nn

from transformer_lite import Translator, data
from transformer_lite.data import Batch, encode_pairs
from transformer_lite.diagnosis import diagnose, mean_loss
from transformer_lite.model import Uncached
from transformer_lite.positions import SinusoidalPositions

VOCABULARIES = {"source_vocab": 30, "target_vocab": 24}


def right(kind: str) -> Model:
    """A model of one kind, wide enough to learn a batch by heart; dropout must not disturb."""
    sizes = {"d_model": 32, "d_ff": 64} if kind in TRANSFORMERS else {"hidden": 32}
    return build(kind, dropout=0.3, **VOCABULARIES, **sizes).float()


@pytest.mark.parametrize("kind", FAMILIES)
def test_a_right_model_passes(kind: str) -> None:
    diagnosis = diagnose(right(kind))
    assert len(diagnosis.checks) == 15
    assert not diagnosis.failed, diagnosis


def test_a_trained_model_passes_on_what_it_learned() -> None:
    pocket = Translator.load("pocket")
    examples = encode_pairs(data.load("pocket").test[:8], pocket.source, pocket.target)
    diagnosis = diagnose(pocket.model, examples)
    assert not diagnosis.failed, diagnosis
    (first,) = [check for check in diagnosis.checks if check.name == "first loss"]
    assert first.measured < 0.1  # it knows these sentences


def test_the_model_and_random_numbers_are_left_alone() -> None:
    model = right("transformer, post, learned").train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    torch.manual_seed(5)
    diagnose(model)
    drawn = torch.rand(3)
    torch.manual_seed(5)
    assert torch.equal(drawn, torch.rand(3))
    assert all(part.training for part in model.modules())
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert {part.p for part in model.modules() if isinstance(part, nn.Dropout)} == {0.3}


def test_what_failed_is_printed_with_its_suspects() -> None:
    def counts_padding(model: Model, batch: Batch) -> Tensor:
        return mean_loss(model, replace(batch, target_mask=torch.ones_like(batch.target_mask)))

    diagnosis = diagnose(right("transformer, pre, sinusoidal"), loss=counts_padding)
    assert diagnosis.failed == ("loss of padding",)
    lines = repr(diagnosis).splitlines()
    assert len(lines) == 16
    (place,) = [n for n, line in enumerate(lines) if line.startswith("✗ loss of padding")]
    assert "shows so: padding counted in the loss" in lines[place + 1]
    html = diagnosis._repr_html_()
    assert "1 of 15 checks failed" in html
    assert html.count("✗") == html.count("padding counted in the loss") == 1


def test_a_model_that_raises_an_error_fails_the_check_and_no_other() -> None:
    class Unfinished(type(right("rnn, dot, luong"))):  # type: ignore[misc]
        def step(self, *arguments: Any) -> Any:
            raise NotImplementedError("steps are to come")

    model = right("rnn, dot, luong")
    model.__class__ = Unfinished
    diagnosis = diagnose(model)
    assert diagnosis.failed == ("steps", "hypotheses", "written")
    for check in diagnosis.checks:
        if not check.passed:
            assert check.found == "NotImplementedError: steps are to come"
            assert math.isnan(check.measured)


def test_what_is_no_number_has_suspects_of_its_own() -> None:
    model = right("transformer, pre, sinusoidal")
    nn.init.constant_(model.output.weight, math.nan)
    first = diagnose(model).checks[0]
    assert math.isnan(first.measured) and not first.passed and "−∞" in first.suspects


def test_logits_that_are_all_equal_are_refused() -> None:
    model = right("transformer, pre, sinusoidal")
    nn.init.zeros_(model.output.weight)
    with pytest.raises(ValueError, match="the logits must differ, but they are all equal"):
        diagnose(model)


def test_a_small_vocabulary_is_refused() -> None:
    with pytest.raises(ValueError, match="target_vocab must be at least 10, but it is 9"):
        diagnose(build("transformer, pre, sinusoidal"))


class TorchTransformer(Uncached):
    """`torch.nn.Transformer` behind the contract. Its masks are True where attention is hidden."""

    def __init__(self, vocab: int, width: int, norm_first: bool) -> None:
        super().__init__(vocab, vocab)
        self.tables = nn.ModuleList([nn.Embedding(vocab, width) for _ in range(2)])
        self.positions, self.output = SinusoidalPositions(width, 50), nn.Linear(width, vocab)
        self.inner = nn.Transformer(
            width, 4, 2, 2, 2 * width, batch_first=True, norm_first=norm_first
        )

    def encode(self, source: Tensor, source_mask: Tensor) -> tuple[Tensor, ...]:
        x = self.positions(self.tables[0](source))
        return self.inner.encoder(x, src_key_padding_mask=~source_mask), ~source_mask

    def decode(self, target_in: Tensor, memory: tuple[Tensor, ...]) -> Tensor:
        future = torch.ones(target_in.shape[1], target_in.shape[1]).triu(1).bool()
        x = self.positions(self.tables[1](target_in))
        states, hidden = memory
        return self.output(self.inner.decoder(x, states, future, memory_key_padding_mask=hidden))


@pytest.mark.filterwarnings("ignore:enable_nested_tensor", "ignore:The PyTorch API of nested")
@pytest.mark.parametrize("norm_first", [True, False])
def test_torchs_own_transformer_passes(norm_first: bool) -> None:
    torch.manual_seed(0)
    diagnosis = diagnose(TorchTransformer(30, 32, norm_first))
    assert not diagnosis.failed, diagnosis
