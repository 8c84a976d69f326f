"""The references of the exercises of chapter 05 are right."""

import pytest
import torch

from transformer_lite.chapters.c05_positions.exercises import SHIFT
from transformer_lite.positions import sinusoidal


@pytest.mark.parametrize("k", [-9, -1, 0, 7])
def test_a_shift_leads_to_the_row_of_the_later_position(k: int) -> None:
    table, here = sinusoidal(40, 8), torch.arange(10, 30)
    frequencies = 10000 ** (-torch.arange(0, 8, 2) / 8)
    shifted = SHIFT.reference(table[here], frequencies, k)
    torch.testing.assert_close(shifted, table[here + k], rtol=0, atol=1e-5)
