import math

import pytest
import torch
from every_model import assert_same

from transformer_lite.positions import LearnedPositions, SinusoidalPositions, sinusoidal


@pytest.mark.parametrize("width", [1, 2, 5, 8])
def test_sinusoidal_follows_the_formula(width: int) -> None:
    table = sinusoidal(50, width)
    assert table.shape == (50, width)
    for t in range(50):
        for column in range(width):
            angle = t / 10000 ** (2 * (column // 2) / width)
            expected = math.cos(angle) if column % 2 else math.sin(angle)
            assert table[t, column].item() == pytest.approx(expected, abs=1e-5)


def test_a_shift_is_one_rotation_everywhere() -> None:
    table, shift = sinusoidal(40, 6).double(), 7
    for pair in range(3):
        angle = shift * 10000 ** (-2 * pair / 6)
        rotation = torch.tensor(
            [[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]]
        ).double()
        here = table[:-shift, 2 * pair : 2 * pair + 2]
        there = table[shift:, 2 * pair : 2 * pair + 2]
        torch.testing.assert_close(here @ rotation.T, there, rtol=0, atol=1e-5)


def test_positions_start_where_they_are_told_and_longer_inputs_extend_the_table() -> None:
    positions = SinusoidalPositions(4, expected=3)
    assert not positions.state_dict(), "what can be computed again is not saved"
    x = torch.zeros(1, 10, 4)
    whole = positions(x)
    assert_same(whole[0], sinusoidal(10, 4))
    for t in range(10):
        assert_same(SinusoidalPositions(4, expected=3)(x[:, :1], t), whole[:, t : t + 1])


def test_the_table_moves_with_its_module() -> None:
    positions = SinusoidalPositions(4, expected=2).double()
    assert positions(torch.zeros(1, 9, 4, dtype=torch.float64)).dtype == torch.float64
    assert positions.table.dtype == torch.float64


def test_learned_positions_end() -> None:
    torch.manual_seed(0)
    positions = LearnedPositions(4, max_tokens=5)
    x = torch.randn(2, 3, 4)
    assert_same(positions(x, 2), x + positions.table[2:5])
    with pytest.raises(ValueError, match=r"at most 5 tokens .* but it has 6"):
        positions(x, 3)


def test_learned_positions_start_at_the_size_of_sines() -> None:
    torch.manual_seed(0)
    learned = LearnedPositions(64, 200).table.square().mean()
    assert learned.item() == pytest.approx(sinusoidal(200, 64).square().mean().item(), rel=0.05)
