"""The references of the exercises of chapter 10 are right.

Those of `embed-at` and `tied-logits` meet the package as right answers.
"""

import pytest

from transformer_lite.chapters.c10_transformer.exercises import TRANSFORMER_PARAMETERS


@pytest.mark.parametrize(("shared", "total"), [(True, 63_082_496), (False, 100_970_496)])
def test_the_papers_base_model_with_a_vocabulary_of_37000(shared: bool, total: int) -> None:
    """The paper gives 65 million (Vaswani et al. 2017, table 3), with matrices shared."""
    assert TRANSFORMER_PARAMETERS.reference(37_000, 512, 2048, 6, shared) == total
