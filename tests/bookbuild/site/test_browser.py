"""What the machinery adds to a page, as readers meet it, by mouse and by keyboard."""

from typing import Any

import pytest

from bookbuild.project import Project

DESKTOP = (1280, 900)


def test_a_widget_lives_without_a_kernel(visit: Any) -> None:
    with visit() as page:
        slider = page.get_by_label("Predict: what is twice this?")
        output = page.locator(".widget output")
        assert output.inner_text().strip() == "twice is 4"
        slider.focus()
        page.keyboard.press("ArrowRight")
        assert output.inner_text().strip() == "twice is 6"
        box = slider.bounding_box()
        page.mouse.click(box["x"] + box["width"] - 1, box["y"] + box["height"] / 2)
        assert output.inner_text().strip() == "twice is 20"
        assert output.evaluate("element => getComputedStyle(element).fontWeight") == "700"
        assert not page.locator(".widget-still").is_visible()


def test_without_scripts_there_is_a_picture(reader: Any, site: str) -> None:
    with reader.open(*DESKTOP, java_script_enabled=False) as page:
        page.goto(site + "01-sample.html")
        still = page.locator(".widget-still img")
        assert still.is_visible()
        assert still.get_attribute("alt") == 'A slider at 2 with the text "twice is 4".'
        # The quiz opens its explanations by hand.
        explanation = page.locator(".quiz details").nth(1)
        assert not explanation.get_by_text("The denominator").is_visible()
        explanation.locator("summary").click()
        assert explanation.get_by_text("The denominator").is_visible()


def test_a_widget_that_fails_keeps_its_picture(reader: Any, site: str) -> None:
    with reader.open(*DESKTOP) as page:
        page.route(
            "**/01-sample.html",
            lambda route: route.fulfill(
                body=route.fetch().text().replace("export default {", "export default { broken"),
                content_type="text/html",
            ),
        )
        page.goto(site + "01-sample.html")
        page.wait_for_selector('html[data-widgets="ready"]', state="attached")
        assert page.locator(".widget-still img").is_visible()


BUFFERS = """
const state = {
  a: { state: { _esm: `export default { render({ model, el }) {
         const seen = [model.get("numbers").getUint8(1), model.get("part").deep.getUint8(0)];
         el.id = "buffers"; el.textContent = seen.join(" "); } }`, part: {} },
       buffers: [{ encoding: "base64", path: ["numbers"], data: "AQI=" },
                 { encoding: "base64", path: ["part", "deep"], data: "Bw==" }] } };
const add = (type, value) => {
  const script = document.createElement("script");
  script.type = `application/vnd.jupyter.widget-${type}+json`;
  script.textContent = JSON.stringify(value);
  document.querySelector("article").append(script);
};
add("state", { state });
add("view", { model_id: "a" });
"""


def test_binary_values_reach_the_widget(reader: Any, site: str) -> None:
    with reader.open(*DESKTOP) as page:
        complaints = reader.watch(page)
        page.goto(site + "02-plain.html")
        page.evaluate(BUFFERS)
        page.add_script_tag(url=site + "_static/widget-host.js")
        page.wait_for_selector("#buffers")
        assert page.locator("#buffers").inner_text() == "2 7"
        assert complaints == []


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_a_quiz_explains_every_answer(visit: Any, reader: Any, mode: str) -> None:
    with visit(mode=mode) as page:
        quiz = page.get_by_role("group", name="What do the weights of softmax sum to?")
        feedback = quiz.get_by_role("status")
        assert feedback.inner_text() == ""
        quiz.get_by_label("3. That is how many").check()
        assert feedback.inner_text().startswith("✗ No.")
        assert "Each weight would be 1 then." in feedback.inner_text()
        page.keyboard.press("ArrowDown")
        assert feedback.inner_text().startswith("✓ Right.")
        assert "quiz-right" in feedback.get_attribute("class")
        page.keyboard.press("ArrowDown")
        assert "and the others small." in feedback.inner_text()
        assert reader.faults(page) == []


def test_every_icon_is_there(visit: Any, sample: Project) -> None:
    script = sample.build / "html" / "_static" / "scripts" / "fontawesome.js"
    assert script.stat().st_size < 200_000
    with visit() as page:
        page.wait_for_selector(".article-header-buttons svg[data-icon]")
        shown = page.locator("svg[data-icon]").evaluate_all(
            "icons => icons.map((icon) => [icon.dataset.icon, icon.querySelector('path') !== null])"
        )
        assert len(shown) >= 5
        assert [name for name, drawn in shown if not drawn] == []


def test_exercises_fold_their_solutions(visit: Any) -> None:
    with visit() as page:
        solution = page.locator(".solution", has_text="Add it to itself.")
        assert not solution.get_by_text("Add it to itself.").is_visible()
        solution.locator(".toggle-button").click()
        assert solution.get_by_text("Add it to itself.").is_visible()


def test_checks_and_further_reading_open_on_a_click(visit: Any) -> None:
    with visit() as page:
        for words, inside in [
            ("✓ checked: the largest number is the last", "assert"),
            ("Optional: other sums", "The square of the sum"),
        ]:
            line = page.locator("summary", has_text=words)
            hidden = page.locator("details", has=line).get_by_text(inside).first
            assert line.is_visible() and not hidden.is_visible()
            assert line.get_attribute("aria-label") is None
            line.click()
            assert hidden.is_visible()
        assert page.get_by_text("#@title").count() == 0
