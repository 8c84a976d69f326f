"""What the exercises of chapter 08 say."""

from transformer_lite.exercises import check


def test_a_case_shows_the_order_as_a_word() -> None:
    assert 'order = "post"' in check("residual", lambda x, W, order: x).message  # noqa: N803
