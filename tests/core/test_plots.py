import warnings
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib import font_manager, ft2font

from transformer_lite.plots import attention_heads, attention_map, font_families, save

SOURCE, TARGET = ["the", "cat", "<eos>"], ["고양이", "가"]


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    plt.close("all")


def weights(*shape: int) -> torch.Tensor:
    torch.manual_seed(0)
    return torch.randn(*shape).softmax(-1)


def labels(ax: plt.Axes) -> tuple[list[str], list[str]]:
    return (
        [one.get_text() for one in ax.get_xticklabels()],
        [one.get_text() for one in ax.get_yticklabels()],
    )


def test_labels_and_values_come_from_the_arguments() -> None:
    map_ = weights(2, 3).requires_grad_()
    ax = attention_map(map_, SOURCE, TARGET, title="고양이 sees")
    assert labels(ax) == (SOURCE, TARGET)
    assert ax.get_title() == "고양이 sees"
    (image,) = ax.get_images()
    assert np.array_equal(image.get_array(), map_.detach().numpy())
    assert image.get_clim() == (0.0, 1.0), "maps of one scale can be compared"


def test_every_cell_says_its_weight_unless_it_is_small() -> None:
    map_ = torch.tensor([[0.71, 0.04, 0.25], [0.05, 0.95, 0.0]])
    ax = attention_map(map_, SOURCE, TARGET)
    found = {(round(t.get_position()[1]), round(t.get_position()[0])): t.get_text()
             for t in ax.texts}  # fmt: skip
    assert found == {(0, 0): "71", (0, 2): "25", (1, 0): "5", (1, 1): "95"}
    colours = {t.get_text(): t.get_color() for t in ax.texts}
    assert colours == {"71": "white", "25": "black", "5": "black", "95": "white"}


def test_large_maps_have_no_numbers() -> None:
    ax = attention_map(weights(21, 10), ["a"] * 10, ["b"] * 21)
    assert not ax.texts


def test_one_map_a_head_on_a_common_scale() -> None:
    maps = weights(3, 2, 3)
    figure = attention_heads(maps, SOURCE, TARGET, "decoder.0.cross")
    axes = figure.get_axes()
    assert [ax.get_title() for ax in axes] == ["head 0", "head 1", "head 2"]
    assert figure.get_suptitle() == "decoder.0.cross"
    for head, ax in enumerate(axes):
        assert np.array_equal(ax.get_images()[0].get_array(), maps[head].numpy())
        assert ax.get_images()[0].get_clim() == (0.0, 1.0)
        assert labels(ax)[0] == SOURCE
    assert labels(axes[0])[1] == TARGET


def test_hangul_has_glyphs_in_the_fonts_that_are_used() -> None:
    files = [font_manager.findfont(family) for family in font_families()]
    known = set().union(*(ft2font.FT2Font(file).get_charmap() for file in files))
    syllables = {chr(code) for code in range(ord("가"), ord("힣") + 1)}
    others = set("abcXYZäöüßéèŏŭ “”←▁<>0123456789")
    assert {ord(one) for one in syllables | others} <= known


def test_no_glyph_is_missing_when_the_figure_is_drawn(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # matplotlib only warns of an empty box
        attention_map(weights(2, 3), SOURCE, TARGET, title="주의 ŏ ←")
        save(tmp_path / "map.png")
        attention_heads(weights(2, 2, 3), SOURCE, TARGET, "머리")
        save(str(tmp_path / "heads.svg"))


def test_tokens_are_never_read_as_formulas() -> None:
    tokens = ["$x^2$", "a_b", "50$"]
    ax = attention_map(weights(2, 3), tokens, ["$y$", "b"])
    for text in [*ax.get_xticklabels(), *ax.get_yticklabels()]:
        assert not text.get_parse_math()


def test_labels_are_legible_and_short_whatever_the_tokens_hold(tmp_path: Path) -> None:
    tokens = ["a\0\x1b[2J\x85\ufffe", "\ud800", "x" * 60]
    ax = attention_map(weights(2, 3), tokens, ["-->", "</svg>"], title="\0")
    assert labels(ax) == (["a��[2J��", "�", "x" * 23 + "…"], ["-->", "</svg>"])
    save(tmp_path / "map.svg")
    ElementTree.parse(tmp_path / "map.svg")


@pytest.mark.parametrize("shape", [(3, 2), (2, 4), (1, 3)])
def test_labels_that_do_not_fit_are_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="2 target tokens and 3 source tokens"):
        attention_map(weights(*shape), SOURCE, TARGET)
    assert not plt.get_fignums(), "a map that is refused leaves an empty figure behind"
    with pytest.raises(ValueError, match="2 target tokens and 3 source tokens"):
        attention_heads(weights(2, *shape), SOURCE, TARGET)


def test_half_precision_weights_can_be_drawn() -> None:
    ax = attention_map(weights(2, 3).to(torch.bfloat16), SOURCE, TARGET)
    assert len(ax.get_images()) == 1


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_the_same_figure_gives_the_same_bytes(kind: str, tmp_path: Path) -> None:
    files = []
    for number in range(2):
        attention_map(weights(2, 3), SOURCE, TARGET)
        files.append(tmp_path / f"{number}.{kind}")
        save(files[-1])
        plt.close("all")
    first, second = (file.read_bytes() for file in files)
    assert first == second and len(first) > 1000


def test_unknown_kinds_of_file_are_refused(tmp_path: Path) -> None:
    attention_map(weights(2, 3), SOURCE, TARGET)
    with pytest.raises(ValueError, match="docx"):
        save(tmp_path / "map.docx")
