"""The live Transformer in a page: what a reader types, opens and changes is what Python has."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from ipywidgets import Widget
from loading import load
from traitlets import TraitError

from transformer_lite.chapters.c10_transformer import widget
from transformer_lite.chapters.c10_transformer.widget import SENTENCES, LiveTransformer
from transformer_lite.data import BOS, EOS
from transformer_lite.translator import Translator

EXAMPLES = load("c10_transformer", "widget_examples")
BOOK = Path(__file__).parents[3] / "book"
ASKED = "decoder.1.cross.weights"


@pytest.fixture(scope="module")
def translator() -> Translator:
    return Translator.load("pocket")


# The shape of each matrix of the opened box.
STAGES = """async () => {
  const shapes = [];
  for (const input of document.querySelectorAll(".panel .choice label input")) {
    input.click();
    await Promise.resolve();
    shapes.push(document.querySelector(".facts").lastChild.textContent);
  }
  return shapes;
}"""


def korean(page: Any) -> list[str]:
    """The tokens that are written, as the page has them; the first one, <bos>, was not."""
    shown: list[str] = page.locator(".tokens:has(small) .token:visible b").all_inner_texts()
    return shown[1:]


def test_the_reason_is_the_models_number(translator: Translator) -> None:
    told = translator.explain(SENTENCES[0])
    share = told.cross(widget.ASKED)[widget.STEP, told.source_tokens.index("eats")]
    asking = EXAMPLES.examples()["asking"].shown
    assert asking["question"]["right"] == "eats"
    assert asking["because"].startswith(f"eats gets {share:.3f}")


def test_a_page_can_carry_it(translator: Translator) -> None:
    state = Widget.get_manager_state(widgets=[LiveTransformer(translator)])
    assert len(json.dumps(state)) < 600_000


def test_what_boxes_refer_to_is_there() -> None:
    shown = EXAMPLES.examples()["asking"].shown
    assert all("def " in lines and '"""' not in lines for lines in shown["code"].values())
    for address, _ in shown["chapters"].values():
        assert not address or (BOOK / address).with_suffix(".md").is_file()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("text", "a sombrero"),
        ("opened", "decoder.2.self.key"),
        ("off", ["encoder"]),
        ("rows", {"decoder.2.self.0.1": [1]}),
        ("positions", 3),
    ],
)
def test_impossible_values_are_refused(name: str, value: Any) -> None:
    with pytest.raises(TraitError, match=r"must (hold|be)"):
        EXAMPLES.examples()["asking"].set_trait(name, value)


def test_sentences_are_translated_word_by_word(show: Any, translator: Translator) -> None:
    with show(LiveTransformer(translator, ask=False)) as page:

        def press(name: str) -> None:
            page.get_by_role("button", name=name, exact=True).click()

        press("restart")
        for sentence in SENTENCES:
            page.get_by_label("or take one").select_option(sentence)
            written = translator.explain(sentence).target_tokens
            assert korean(page) == []
            press("next word")
            press("next word")
            assert korean(page) == written[:2]
            press("back")
            assert korean(page) == written[:1]
            press("all")
            assert korean(page) == written
            press("restart")
        best = page.locator(".pictures svg").get_attribute("aria-label")
        ids = torch.tensor([[*translator.source.encode(sentence), EOS]])
        begin = torch.tensor([[BOS]])
        logits = translator.model(ids, torch.ones_like(ids, dtype=torch.bool), begin)
        share = logits.softmax(-1).max()
        assert best.startswith(f"Most probable next words: {written[0]} we {share:.3f}")


def test_typing(show: Any, translator: Translator) -> None:
    with show(LiveTransformer(translator, ask=False, written=99)) as page:
        field, said = page.get_by_label("Type English"), page.locator(".sentence [role=status]")
        field.fill("The bird sees a dgo.")
        assert said.inner_text().startswith("The model does not know “dgo”.")
        assert page.locator(".waiting").count() == 1
        page.get_by_role("button", name="restart").click()
        page.get_by_role("button", name="next word").click()
        assert korean(page) == ["고양이"]  # of the last sentence that it could read
        assert field.input_value() == "The bird sees a dgo."
        page.locator(".offers button", has_text=re.compile("^dog$")).click()
        page.get_by_role("button", name="all", exact=True).click()
        assert korean(page) == translator.explain("the bird sees a dog").target_tokens
        field.fill("the bird sees an app")
        assert page.locator(".offers button:visible").all_inner_texts() == ["apple", "apples"]
        field.fill(10 * "the " + "bird")
        assert said.inner_text() == "At most 10 words, as in training: leave out 1."
        field.fill("<b>bird</b>")
        assert "“<b>bird</b>”" in said.inner_text() and said.locator("b").count() == 0


def test_boxes_show_the_numbers_of_the_model(show: Any, translator: Translator) -> None:
    told, length = translator.explain(SENTENCES[0]), {"S": 6, "T": 6, "D": 64, "F": 128, "V": 161}
    with show(LiveTransformer(translator, ask=False, written=99)) as page:
        for box in page.locator(".box").all():
            box.click()
            assert page.locator(".box[aria-pressed=true]").count() == 1
            for shape in page.evaluate(STAGES):
                rows, columns = shape[:5].split(" × ")
                assert shape[5:].startswith(f" = {length[rows]} × {length[columns]}")
        page.locator(".decoder .box", has_text="cross-attention").last.click()
        for head, name in enumerate(["head 1", "head 2", "head 3", "head 4"]):
            page.get_by_role("button", name=name, exact=True).click()
            for step, u in ((4, 2), (0, 1)):
                page.locator(".names button").nth(step).click()
                page.locator(".cells").focus()
                for key in [*6 * ["ArrowLeft"], *u * ["ArrowRight"]]:
                    page.keyboard.press(key)
                share = told.maps[widget.ASKED][head, step, u]
                words = f"looks at {told.source_tokens[u]}: {share:.3f}"
                assert page.locator(".said").inner_text().endswith(words)


def test_without_positions_two_people_change_places(show: Any, translator: Translator) -> None:
    live = LiveTransformer(translator, text="the man meets the woman", written=99, ask=False)
    with show(live) as page:
        slider = page.get_by_label("Positions ×")
        slider.focus()
        page.keyboard.press("Home")
        assert " ".join(korean(page)) == "≠ 여자 는 ≠ 남자 를 만나요 <eos>"
        assert "남자 는 여자 를 만나요 <eos>" in page.locator(".texts p").inner_text()
        page.get_by_role("button", name="Put everything back").click()
        assert " ".join(korean(page)) == "남자 는 여자 를 만나요 <eos>"
        page.get_by_label("layer 2").last.uncheck()
        assert korean(page)[0].startswith("≠")
        assert "decoder layer 2 off" in page.locator(".next").inner_text()


def test_a_row_of_the_readers_own(show: Any, translator: Translator) -> None:
    unchanged = "고양이 는 사과 를 먹어요 <eos>"
    with show(LiveTransformer(translator, ask=False, written=99, opened=ASKED)) as page:
        bars, weight = page.locator(".pictures svg"), page.locator(".edit input[type=range]")
        page.locator(".names button").first.click()
        before = bars.get_attribute("aria-label")
        page.locator(".cells").focus()
        for _ in range(3):  # from cat to apple
            page.keyboard.press("ArrowRight")
        weight.focus()
        page.keyboard.press("End")  # the apple eats
        assert page.locator(".said").inner_text() == "<bos> looks at apple: 1.000"
        assert " ".join(korean(page)) == "≠ 사과 는 사과 를 먹어요 <eos>"
        page.get_by_role("button", name="undo this row").click()
        assert " ".join(korean(page)) == unchanged
        page.get_by_role("button", name="head 1", exact=True).click()
        weight.press("End")
        assert "1 row of weights" in page.locator(".next").inner_text()
        assert " ".join(korean(page)) == unchanged  # one head of four is not enough
        page.get_by_role("button", name="undo this row").click()
        page.get_by_label("head 2 on").uncheck()
        assert bars.get_attribute("aria-label") != before
        assert "cross-attention, head 2 off" in page.locator(".next").inner_text()
        page.get_by_label("head 2 on").check()
        assert bars.get_attribute("aria-label") == before
        page.get_by_label("head 1 on").uncheck()
        assert weight.is_hidden() and "switched off" in page.locator(".facts").inner_text()
        page.get_by_role("button", name="mean", exact=True).click()
        assert weight.is_visible()
        page.get_by_label("all heads on").uncheck()
        assert weight.is_hidden()
        page.get_by_label("all heads on").check()
        assert bars.get_attribute("aria-label") == before


def test_what_cannot_be_seen_cannot_be_changed(show: Any, translator: Translator) -> None:
    opened = "decoder.1.self.weights"
    with show(LiveTransformer(translator, ask=False, written=99, opened=opened)) as page:
        page.locator(".names button").nth(1).click()
        assert page.locator(".edit").is_visible()
        page.locator(".cells").press("ArrowRight")
        page.locator(".cells").press("ArrowRight")
        assert page.locator(".said").inner_text().endswith("it comes later")
        assert page.locator(".edit").is_hidden()
        page.locator(".names button").first.click()  # a row of one weight
        page.locator(".cells").press("ArrowLeft")
        page.locator(".cells").press("ArrowLeft")
        assert page.locator(".said").inner_text() == "<bos> looks at <bos>: 1.000"
        assert page.locator(".edit").is_hidden()


def test_the_question_waits(show: Any, translator: Translator) -> None:
    with show(LiveTransformer(translator)) as page:
        page.get_by_label("or take one").select_option("the man meets the woman")
        page.get_by_role("button", name="next word", exact=True).click()
        boxes = page.locator(".decoder .box", has_text="attention")
        boxes.first.click()
        assert page.locator(".panel").is_visible() and page.locator(".guess").is_visible()
        boxes.nth(3).click()
        assert page.locator(".panel").is_hidden()
        assert "answer first, or skip" in page.locator(".view .result").inner_text()
        page.get_by_role("button", name="skip").click()
        assert page.locator(".panel").is_visible() and page.locator(".guess").is_hidden()
        assert korean(page) == ["남자"]


def test_predict_by_keyboard_then_explore(show: Any, translator: Translator) -> None:
    with show(LiveTransformer(translator), 360) as page:
        assert page.locator(".panel").is_hidden()
        page.get_by_role("button", name="Reveal").click()
        assert "Choose one of the answers first." in page.locator(".view .result").inner_text()
        page.get_by_label("eats", exact=True).focus()
        page.keyboard.press("Space")
        page.keyboard.press("Enter")
        assert "✓ You predicted eats: right." in page.locator(".view .result").inner_text()
        assert page.locator(".said").inner_text() == "를 looks at eats: 0.996"
        page.evaluate("addEventListener('keydown', () => (document.title = 'a slide is turned'))")
        page.locator(".cells").focus()
        page.keyboard.press("ArrowUp")
        assert page.locator(".said").inner_text().startswith("사과 looks at eats")
        page.keyboard.press("End")
        assert page.locator(".said").inner_text().startswith("사과 looks at <eos>")
        page.keyboard.press("Escape")
        assert page.title() == "A widget"
        assert page.evaluate("document.activeElement === document.body")


def test_paper_shows_what_was_opened(show: Any, translator: Translator) -> None:
    with show(LiveTransformer(translator, opened=ASKED)) as page:
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert page.locator(".panel").is_visible() and page.locator(".guess").is_hidden()
        page.evaluate("dispatchEvent(new Event('afterprint'))")
        assert page.locator(".panel").is_hidden() and page.locator(".guess").is_visible()
