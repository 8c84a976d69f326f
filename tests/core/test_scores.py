import math
from collections.abc import Callable

import pytest
import torch
from every_model import assert_same
from torch import Tensor, nn

from transformer_lite.scores import (
    AdditiveScore,
    DotScore,
    GeneralScore,
    LocationScore,
    ScaledDotScore,
    Score,
    UniformScore,
    weighted_average,
)

SCORES: dict[str, Callable[[], Score]] = {
    "additive": lambda: AdditiveScore(4, 4, 3),
    "dot": DotScore,
    "scaled_dot": ScaledDotScore,
    "general": lambda: GeneralScore(4, 4),
    "location": lambda: LocationScore(4, 9),
    "uniform": UniformScore,
}
every_score = pytest.mark.parametrize("name", SCORES)


def made(name: str) -> tuple[Score, Tensor, Tensor]:
    torch.manual_seed(0)
    score = SCORES[name]().double()
    return score, torch.randn(2, 3, 4).double(), torch.randn(2, 5, 4).double()


@torch.no_grad()
def by_hand(name: str, score: Score, query: Tensor, keys: Tensor, position: int) -> float:
    """The energy of one query against the key at `position`, straight from the papers."""
    key = keys[position]
    match score:
        case AdditiveScore():
            inside = score.query.weight @ query + score.key.weight @ key
            return float(score.v.weight[0] @ inside.tanh())
        case GeneralScore():
            return float(query @ score.key.weight @ key)
        case LocationScore():
            return float((score.position.weight @ query)[position])
        case UniformScore():
            return 0.0
        case _:
            return float(query @ key) / (math.sqrt(4) if name == "scaled_dot" else 1)


@every_score
def test_energies_follow_the_formula(name: str) -> None:
    score, query, keys = made(name)
    energies = score(query, keys)
    assert energies.shape == (2, 3, 5)
    for b in range(2):
        for t in range(3):
            for s in range(5):
                expected = by_hand(name, score, query[b, t], keys[b], s)
                assert energies[b, t, s].item() == pytest.approx(expected, abs=1e-12)


def test_concat_is_the_additive_score() -> None:
    """Luong's v tanh(W[query; key]) with W = [W1 W2]."""
    score, query, keys = made("additive")
    assert isinstance(score, AdditiveScore)
    both = nn.Linear(8, 3, bias=False).double()
    both.weight.data = torch.cat([score.query.weight, score.key.weight], dim=1)
    pairs = torch.cat(
        [query[:, :, None].expand(-1, -1, 5, -1), keys[:, None].expand(-1, 3, -1, -1)], dim=-1
    )
    assert_same(score(query, keys), score.v(both(pairs).tanh()).squeeze(-1))


def test_which_scores_do_not_look_at_the_keys() -> None:
    for name in SCORES:
        score, query, keys = made(name)
        same = torch.equal(score(query, keys), score(query, torch.randn_like(keys)))
        assert same == (name in {"location", "uniform"})


def test_widths_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="they have 4 and 6; GeneralScore"):
        DotScore()(torch.randn(1, 2, 4), torch.randn(1, 3, 6))
    assert GeneralScore(4, 6)(torch.randn(1, 2, 4), torch.randn(1, 3, 6)).shape == (1, 2, 3)


def test_location_score_ends_where_its_positions_end() -> None:
    score = LocationScore(4, 5)
    assert score(torch.randn(1, 2, 4), torch.randn(1, 5, 4)).shape == (1, 2, 5)
    with pytest.raises(ValueError, match=r"at most 5 tokens .* but it has 6"):
        score(torch.randn(1, 2, 4), torch.randn(1, 6, 4))


def test_context_is_the_weighted_average() -> None:
    weights = torch.tensor([[[0.25, 0.75], [1.0, 0.0]]])
    values = torch.tensor([[[4.0, 0.0, 2.0], [8.0, 4.0, -2.0]]])
    assert weighted_average(weights, values).tolist() == [[[7.0, 3.0, -1.0], [4.0, 0.0, 2.0]]]
