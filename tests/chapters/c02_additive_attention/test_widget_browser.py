"""The decoder stepper in a browser: by mouse, by keyboard, and in step with Python."""

from collections.abc import Callable
from typing import Any

import pytest
from untrained import TEXTS

from transformer_lite.chapters.c02_additive_attention.widget import DecoderStepper
from transformer_lite.widgets.drawing import decimal

Make = Callable[..., DecoderStepper]


def status(page: Any) -> str:
    return page.get_by_role("status").inner_text()


def heard(page: Any) -> list[str]:
    """What a screen reader says of each source token."""
    return [one.get_attribute("aria-label") for one in page.get_by_role("radio").all()]


def expected(widget: DecoderStepper) -> list[str]:
    now = widget.now
    measured = zip(range(len(now.source)), now.energies, now.weights, strict=True)
    return [
        f"{now.name(place)}, energy {decimal(energy, 1)}, weight {weight:.2f}"
        for place, energy, weight in measured
    ]


def is_covered(page: Any) -> bool:
    return not (
        page.locator(".made").is_visible()
        or any("weight" in words for words in heard(page))
        or any(page.locator(".column i").evaluate_all("bars => bars.map(bar => bar.offsetHeight)"))
    )


def press(page: Any, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def test_predict_and_look_by_mouse(show: Any, make_stepper: Make) -> None:
    widget = make_stepper()
    with show(widget) as page:
        assert not page.locator(".widget-still").is_visible()
        assert is_covered(page)
        assert page.locator(".written").inner_text().split() == ["Written", "?"]
        page.get_by_role("button", name="Look").click()
        assert status(page) == "Choose a source token first."
        assert is_covered(page)
        page.locator(".choice label").nth(3).click()
        assert is_covered(page)
        page.get_by_role("button", name="Look").click()
        assert heard(page) == expected(widget)
        assert page.locator(".heaviest .token").inner_text() == widget.now.source[9]
        weight = widget.weights[3]
        assert status(page).splitlines() == [
            widget.now.sentence(),
            f"✗ You predicted {widget.now.name(3)}; its weight is {weight:.2f}.",
        ]
        assert page.locator(".written b").inner_text() == widget.now.written
        assert page.get_by_role("radio").nth(5).is_disabled()
        page.get_by_role("button", name="Next step").click()
        assert page.get_by_role("slider").get_attribute("aria-valuetext") == "2 of 5"
        assert is_covered(page)
        assert status(page) == ""
        assert page.locator("input:checked:not([type=checkbox])").count() == 0
        assert page.locator(".written").inner_text().split() == ["Written", "0", "?"]


def test_predict_and_look_by_keyboard(show: Any, make_stepper: Make) -> None:
    widget = make_stepper()
    with show(widget) as page:
        press(page, "Tab", "Tab", "ArrowRight")  # source, step
        assert page.get_by_role("slider").get_attribute("aria-valuetext") == "2 of 5"
        press(page, "ArrowLeft", "Tab")  # the first source token
        press(page, *["ArrowRight"] * 8, "ArrowDown", "Enter")
        assert widget.now.heaviest == 9
        assert status(page).splitlines() == [widget.now.sentence(), "✓ You predicted exactly that."]
        assert page.evaluate("document.activeElement.textContent") == "Next step"
        press(page, "Enter")
        assert is_covered(page)
        # On to the next guess, from where the most weight just was.
        assert page.evaluate("document.activeElement.value") == "9"
        press(page, "Enter")
        widget.step = 1
        assert heard(page) == expected(widget)


def test_the_first_token_needs_no_arrow(show: Any, make_stepper: Make) -> None:
    with show(make_stepper()) as page:
        press(page, "Tab", "Tab", "Tab", "Enter")
        assert "You predicted “9”, token 1 of 13" in status(page)


@pytest.mark.parametrize("text", [0, 1])
def test_both_sides_compute_alike(show: Any, make_stepper: Make, text: int) -> None:
    widget = make_stepper(text=text, ask=False)
    with show(widget) as page:
        for step in range(len(widget.recorded[text]["steps"])):
            widget.step = step
            page.get_by_role("slider").fill(str(step + 1))
            assert status(page) == widget.now.sentence()
            assert heard(page) == expected(widget)
            context = page.locator(".sum .context td").all_inner_texts()
            assert context == [decimal(number, 2) for number in widget.context]
            rows = page.locator(".likely tr").all()
            likely = [(row.locator("th"), row.locator("td").last) for row in rows]
            assert [(token.inner_text(), chance.inner_text()) for token, chance in likely] == [
                (token, f"{chance:.2f}") for token, chance in widget.now.likely
            ]
            assert page.locator(".written :is(span, b)").all_inner_texts()[1:] == widget.written


def test_the_sum_can_be_checked_by_hand(show: Any, make_stepper: Make) -> None:
    """What the table shows adds up: three weights times three rows, and the row of the others."""
    widget = make_stepper(ask=False)
    with show(widget) as page:
        rows = [
            [float(cell.replace("−", "-")) for cell in row.locator("td").all_inner_texts()]
            for row in page.locator(".sum tr").all()
        ]
        names = page.locator(".sum th").all_inner_texts()
    order = sorted(range(13), key=lambda place: -widget.weights[place])[:3]
    for name, row, place in zip(names, rows, order, strict=False):
        shown = "␣" if widget.now.source[place] == " " else widget.now.source[place]
        assert name == f"{widget.weights[place]:.2f} × {shown}"
        assert row == [round(number, 2) for number in widget.now.values[place]]
    assert names[3:] == ["the other 10, weighted", "= context"]
    weights = [float(name.split(" × ")[0]) for name in names[:3]]
    for column in range(8):
        total = sum(weight * row[column] for weight, row in zip(weights, rows, strict=False))
        assert total + rows[3][column] == pytest.approx(rows[4][column], abs=0.03)


def test_sources_can_be_chosen_and_follow_each_other(show: Any, make_stepper: Make) -> None:
    with show(make_stepper(ask=False, step=4)) as page:
        assert page.locator("option").all_inner_texts() == TEXTS
        page.get_by_role("button", name="Next source").click()
        assert page.get_by_label("Source").input_value() == "1"
        assert page.get_by_role("slider").get_attribute("aria-valuetext") == "1 of 9"
        assert len(heard(page)) == 37
        page.get_by_label("Source").select_option(TEXTS[0])
        assert page.get_by_role("slider").get_attribute("aria-valuetext") == "1 of 5"
        assert len(heard(page)) == 13
    with show(make_stepper(texts=1, ask=False, step=4)) as page:
        page.get_by_role("button", name="From the start").click()
        assert page.get_by_role("slider").get_attribute("aria-valuetext") == "1 of 5"


def test_pictures_follow_the_controls(show: Any, make_stepper: Make) -> None:
    with show(make_stepper()) as page:
        tokens = page.locator(".choice")
        seen = {tokens.screenshot()}
        page.get_by_label("Ask me before the answer").uncheck()
        assert page.get_by_role("button", name="Next step").is_visible()
        seen |= {tokens.screenshot(), page.locator(".made").screenshot()}
        slider = page.get_by_role("slider")
        box = slider.bounding_box()
        page.mouse.click(box["x"] + box["width"] - 2, box["y"] + box["height"] / 2)
        assert slider.get_attribute("aria-valuetext") == "5 of 5"
        seen |= {tokens.screenshot(), page.locator(".made").screenshot()}
        page.get_by_label("Ask me before the answer").check()
        assert is_covered(page)
        assert len(seen) == 5


def test_python_can_set_the_view(show: Any, make_stepper: Make) -> None:
    widget = make_stepper(text=1, step=3, prediction=36)
    widget.revealed = True
    with show(widget) as page:
        assert status(page).splitlines()[0] == widget.now.sentence()
        assert page.get_by_role("radio").nth(36).is_checked()


# What a kernel sends arrives one name after the other.
ONE_BY_ONE = """async () => {
  const saved = JSON.parse(document.querySelector("script[type*=state]").textContent);
  const { state } = Object.values(saved.state).find((one) => one.state._esm);
  Object.assign(state, { text: 1, step: 8, prediction: 30, revealed: true });
  const url = URL.createObjectURL(new Blob([state._esm], { type: "text/javascript" }));
  const module = await import(url);
  let tell;
  const model = {
    get: (name) => state[name],
    set() {},
    on: (_, listener) => (tell = listener),
    save_changes() {},
  };
  const el = document.querySelector("main");
  module.default.render({ model, el });
  state.text = 0;
  tell();
  await Promise.resolve();
  return [...el.querySelectorAll("input[type=range]")].at(-1).getAttribute("aria-valuetext");
}"""


def test_a_text_may_come_before_its_step(show: Any, make_stepper: Make) -> None:
    with show(make_stepper()) as page:
        assert page.evaluate(ONE_BY_ONE) == "5 of 5"
