"""Text in, text out, and which words were looked at."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from bs4 import BeautifulSoup
from torch import Tensor

from transformer_lite import (
    AttentionRecord,
    Seq2Seq,
    Seq2SeqConfig,
    Transformer,
    TransformerConfig,
    Translator,
)
from transformer_lite.attention_table import attention_table
from transformer_lite.data import SubwordTokenizer, WordTokenizer
from transformer_lite.decoding import Hypothesis
from transformer_lite.evaluation import longest_translation
from transformer_lite.runs.checkpoint import SavedModel
from transformer_lite.translator import Explanation, word_groups

WORDS = WordTokenizer.train(["the cat drinks milk", "고양이 는 우유 를 마셔요"])
PIECES = SubwordTokenizer.train(["Ein Hund rennt durch den Schnee.", "A dog runs."], 60)
TAGS = WordTokenizer(["<b>milk</b>"])
SOURCE = ["▁Ein", "▁Hu", "nd", "▁rennt", ".", "<eos>"]
TARGET = ["▁A", "▁do", "g", "▁run", "s", ".", "<eos>"]


def translator(model: Any, tokenizer: Any, task: str = "copy") -> Translator:
    return Translator(SavedModel(model.eval(), tokenizer, tokenizer, 40, {"name": task}))


def small(tokenizer: Any, seed: int = 0, **fields: Any) -> Transformer:
    torch.manual_seed(seed)
    sizes = {"d_model": 16, "heads": 2, "layers": 2, "d_ff": 16}
    return Transformer(TransformerConfig(len(tokenizer), len(tokenizer), **sizes, **fields))


def explanation(cross: dict[str, Tensor], target_tokens: list[str] = TARGET) -> Explanation:
    return Explanation("A dog runs.", SOURCE, target_tokens, cross, target_tokens)


def uneven(heads: int = 2, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(heads, len(TARGET), len(SOURCE), generator=generator)
    return (3 * scores).softmax(-1)


def test_a_text_and_a_list_of_texts() -> None:
    torch.manual_seed(6)
    brief = Seq2Seq(Seq2SeqConfig(len(WORDS), len(WORDS), "additive", d_embedding=8, hidden=8))
    with torch.no_grad():
        for parameter in brief.parameters():
            parameter *= 3  # so that the translation depends on the text
        brief.output.bias[2] += 2  # so that it ends, at different lengths
    model = translator(brief, WORDS)
    texts = ["the cat drinks milk", "milk", "the milk drinks the cat"]
    assert model(texts) == [model(text) for text in texts]
    assert len({len(model(text).split()) for text in texts}) > 1
    assert model([]) == []
    assert model("The cat drinks milk.") == model("the cat drinks milk"), "as people type"


@pytest.mark.parametrize("beam_size", [1, 3])
@pytest.mark.parametrize(
    "model",
    [
        small(WORDS),
        Seq2Seq(Seq2SeqConfig(len(WORDS), len(WORDS), "additive", d_embedding=8, hidden=8)),
        Seq2Seq(
            Seq2SeqConfig(
                len(WORDS), len(WORDS), "general", "luong", input_feeding=True, d_embedding=8,
                hidden=8,
            )
        ),
    ],
    ids=["transformer", "bahdanau", "luong"],
)  # fmt: skip
def test_every_map_belongs_to_the_tokens_of_the_explanation(model: Any, beam_size: int) -> None:
    model = translator(model, WORDS)
    text = "the cat drinks milk"
    found = model.explain(text, beam_size=beam_size)
    assert found.translation == model(text, beam_size=beam_size)
    assert found.source_tokens == ["the", "cat", "drinks", "milk", "<eos>"]
    assert any(name.endswith(".cross") for name in found.maps)
    for name, weights in found.maps.items():
        rows = found.source_tokens if name.startswith("encoder") else found.target_tokens
        columns = found.target_tokens if "decoder" in name and "self" in name else None
        columns = columns or found.source_tokens
        assert weights.shape[1:] == (len(rows), len(columns)), name
        torch.testing.assert_close(weights.sum(-1), torch.ones(weights.shape[:2]))


class Scripted(Transformer):
    """A model whose map tells the steps apart: row t looks at source token t."""

    def features(
        self,
        source: Tensor,
        source_mask: Tensor,
        target_in: Tensor,
        record: AttentionRecord | None = None,
    ) -> Tensor:
        assert record is not None
        rows = torch.eye(target_in.shape[1], source.shape[1])
        record["decoder.0.cross"] = rows[None, None]
        return torch.zeros(len(source), target_in.shape[1], self.config.d_model)


@pytest.mark.parametrize("finished", [True, False])
def test_row_t_belongs_to_the_token_written_at_t(
    finished: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = WORDS.encode("고양이 는 마셔요")
    hypothesis = Hypothesis(tuple(ids), -1.0, -1.0, finished)
    monkeypatch.setattr("transformer_lite.translator.decode_all", lambda *_, **__: [hypothesis])
    model = Scripted(TransformerConfig(len(WORDS), len(WORDS), 8, 2, 1, 8))
    found = translator(model, WORDS, task="pocket").explain("the cat drinks milk")
    target, source, weights = found.by_word()
    assert target == [
        "고양이 goyangi “cat”",
        "는 neun “topic”",
        "마셔요 masyeoyo “drink”",
        *(["<eos>"] if finished else []),
    ]
    looked = [source[int(row.argmax())] for row in weights]
    assert looked == ["the", "cat", "drinks", "milk"][: len(target)]


def test_korean_is_labelled_with_sound_and_meaning_in_pocket_only() -> None:
    model = small(WORDS)
    plain = translator(model, WORDS).explain("milk")
    assert plain.target_labels == plain.target_tokens


def test_cross_averages_heads_and_layers() -> None:
    first, second = uneven(seed=1), uneven(seed=2)
    found = explanation(
        {"encoder.0.self": torch.zeros(2, 6, 6), "decoder.0.cross": first,
         "decoder.0.self": torch.zeros(2, 7, 7), "decoder.1.cross": second}
    )  # fmt: skip
    torch.testing.assert_close(found.cross("decoder.1.cross"), (second[0] + second[1]) / 2)
    torch.testing.assert_close(found.cross(), (first.sum(0) + second.sum(0)) / 4)


def test_pieces_are_grouped_to_words() -> None:
    assert word_groups(SOURCE) == [[0], [1, 2], [3, 4], [5]]
    assert word_groups(["the", "cat", "<eos>"]) == [[0], [1], [2]]
    assert word_groups(["a", "b", " ", "c", "<eos>"]) == [[0], [1], [2], [3], [4]]
    assert word_groups(["▁A", "<unk>", "▁b", "<eos>"]) == [[0], [1], [2], [3]]
    assert word_groups(["▁", "A", "b", "<eos>"]) == [[0, 1, 2], [3]]
    assert word_groups([]) == []


def test_weights_of_pieces_add_up_over_a_source_word_and_average_over_a_target_word() -> None:
    weights = uneven(heads=1)
    target, source, grouped = explanation({"decoder.0.cross": weights}).by_word()
    assert target == ["A", "dog", "runs.", "<eos>"]
    assert source == ["Ein", "Hund", "rennt.", "<eos>"]
    torch.testing.assert_close(grouped.sum(1), torch.ones(4))
    hund_for_dog = (weights[0, 1:3, 1] + weights[0, 1:3, 2]).mean()
    torch.testing.assert_close(grouped[1, 1], hund_for_dog)
    torch.testing.assert_close(grouped[3, 3], weights[0, 6, 5])


def test_text_names_the_words_that_weigh_most() -> None:
    weights = torch.full((1, len(TARGET), len(SOURCE)), 0.02)
    for row, column in enumerate([0, 1, 2, 3, 4, 4, 5]):
        weights[0, row, column] = 0.9
    lines = explanation({"decoder.0.cross": weights}).as_text(most=2).splitlines()
    assert [line.split("  ←  ")[0].strip() for line in lines] == ["A", "dog", "runs.", "<eos>"]
    assert lines[0].split("←")[1].strip().startswith("Ein 0.90, ")
    assert lines[1].split("←")[1].strip().startswith("Hund 0.92, ")
    assert lines[2].split("←")[1].strip().startswith("rennt. 0.92, ")
    assert all(line.count(",") == 1 for line in lines), "two words each"
    assert len({line.index("←") for line in lines}) == 1, "in one column"


def test_explaining_real_pieces() -> None:
    model = translator(small(PIECES), PIECES)
    found = model.explain("Ein Hund rennt durch den Schnee.")
    target, source, weights = found.by_word()
    assert source == ["Ein", "Hund", "rennt", "durch", "den", "Schnee.", "<eos>"]
    assert weights.shape == (len(target), len(source))
    torch.testing.assert_close(weights.sum(1), torch.ones(len(target)))


def test_a_translation_that_was_cut_off_has_no_row_for_its_end() -> None:
    model = small(WORDS)
    with torch.no_grad():
        model.output.weight[2] = 0  # <eos> never wins
        model.output.weight *= 10
    found = translator(model, WORDS).explain("milk")
    assert "<eos>" not in found.target_tokens
    assert len(found.target_tokens) == longest_translation(2)
    assert found.maps["decoder.0.cross"].shape == (2, longest_translation(2), 2)
    assert found.as_text().count("\n") == longest_translation(2) - 1


def test_a_run_folder_is_as_good_as_its_best_checkpoint(unbroken: Path) -> None:
    from_run = Translator.load(unbroken)
    assert from_run.longest_source == 5 and from_run.task["name"] == "copy"
    assert isinstance(from_run("abcd"), str)
    assert from_run("abcd") == Translator.load(str(unbroken))("abcd")


def test_what_is_saved_translates_and_explains_alike(tmp_path: Path) -> None:
    pocket = Translator.load("pocket")
    pocket.save(str(tmp_path / "models" / "mine"))
    loaded = Translator.load(str(tmp_path / "models" / "mine"))
    texts = ["the cat eats an apple", "the cat sees a dog"]
    assert loaded(texts) == pocket(texts)
    assert repr(loaded.explain(texts[0])) == repr(pocket.explain(texts[0]))
    assert (loaded.task, loaded.longest_source) == (pocket.task, pocket.longest_source)


def test_a_model_of_ones_own_needs_no_corpus(tmp_path: Path) -> None:
    own = Translator(SavedModel(small(WORDS).eval(), WORDS, WORDS, 40))
    own.save(tmp_path / "own")
    loaded = Translator.load(tmp_path / "own")
    assert loaded.task is None
    assert repr(loaded.explain("milk")) == repr(own.explain("milk"))


def test_saving_overwrites_nothing(tmp_path: Path) -> None:
    (tmp_path / "theses").mkdir()
    (tmp_path / "theses" / "mine.txt").write_text("years of work")
    model = translator(small(WORDS), WORDS)
    model.save(tmp_path / "model")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for name in ("theses", "model", "theses/mine.txt"):
        with pytest.raises(FileExistsError, match=f"{name} exists already.*name another folder"):
            translator(small(WORDS, seed=1), WORDS).save(tmp_path / name)
    after = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert after == before


def test_an_explanation_shows_itself() -> None:
    found = explanation({"decoder.0.cross": uneven()})
    assert repr(found) == f"A dog runs.\n{found.as_text()}"
    page = BeautifulSoup(str(found._repr_html_()), "html.parser")
    target, source, weights = found.by_word()
    assert [tag.get_text() for tag in page.find_all("th", scope="row")] == target
    assert [tag.get_text() for tag in page.find_all("th", scope="col")] == source
    cells = [[int(tag.get_text()) for tag in row.find_all("td")] for row in page("tr")[1:]]
    torch.testing.assert_close(torch.tensor(cells) / 100, weights, atol=0.0051, rtol=0)
    caption = page.find("caption")
    assert caption is not None and caption.get_text().startswith("“A dog runs.”: each row")


def test_an_explanation_is_no_markup() -> None:
    model = translator(small(TAGS), TAGS)
    page = str(model.explain("<b>milk</b>")._repr_html_())
    assert "<b>" not in page and "&lt;b&gt;milk&lt;/b&gt;" in page and "&lt;eos&gt;" in page


def test_without_attention_an_explanation_is_its_translation() -> None:
    found = explanation({"encoder.0.self": torch.zeros(2, 6, 6)})
    assert repr(found) == "A dog runs." and found._repr_html_() is None


@pytest.mark.parametrize(("ink", "paper"), [(0x21, 0xFF), (0xD6, 0x11)], ids=["light", "dark"])
@pytest.mark.parametrize("weight", [0.0, 0.5, 1.0])
def test_every_shade_lets_the_number_be_read(ink: int, paper: int, weight: float) -> None:
    """WCAG 2.2, criterion 1.4.3: a contrast of 4.5 : 1, on the page's own colours."""
    page = attention_table(torch.tensor([[weight]]), ["s"], ["t"], "one cell")
    shade = re.search(r"rgba\((\d+), (\d+), (\d+), ([\d.]+)\)\">", page)
    assert shade is not None
    alpha = float(shade[4])
    below = luminance([alpha * int(one) + (1 - alpha) * paper for one in shade.groups()[:3]])
    above = luminance([ink] * 3)
    assert (max(above, below) + 0.05) / (min(above, below) + 0.05) >= 4.5


def luminance(colour: Sequence[float]) -> float:
    red, green, blue = (
        one / 255 / 12.92 if one <= 10 else ((one / 255 + 0.055) / 1.055) ** 2.4 for one in colour
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
