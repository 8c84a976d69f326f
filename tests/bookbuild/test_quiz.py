"""The source of a quiz question is read strictly."""

import pytest

from bookbuild.quiz import parse_quiz

SOURCE = """\
What is
left?

Think of $c$.

- [ ] All states,
  every one.
  : No. One.

    Only one.
- [x] The last.
  : Yes.
""".splitlines()


def test_a_question_has_options_that_explain_themselves() -> None:
    quiz = parse_quiz(SOURCE)
    assert quiz.question.text == "What is left?"
    assert (quiz.details.text, quiz.details.offset) == ("\nThink of $c$.\n", 2)
    assert [option.right for option in quiz.options] == [False, True]
    assert [option.text.text for option in quiz.options] == ["All states, every one.", "The last."]
    first, second = (option.explanation for option in quiz.options)
    assert (first.text, first.offset) == ("No. One.\n\nOnly one.", 7)
    assert (second.text, second.offset) == ("Yes.", 11)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda rows: rows[:5], "at least two options, got 0"),
        (lambda rows: rows[5:], "expected a question"),
        (lambda rows: [row for row in rows if "Yes" not in row], "'The last.' does not explain"),
        (lambda rows: [row.replace("[x]", "[ ]") for row in rows], "one right option.*got 0"),
        (lambda rows: [row.replace("[ ]", "[x]") for row in rows], "one right option.*got 2"),
    ],
)
def test_what_is_missing_is_said(change, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        parse_quiz(change(SOURCE))
