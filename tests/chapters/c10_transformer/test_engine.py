"""The Transformer in JavaScript computes what the package's computes, changed or not."""

import copy
from base64 import b64decode
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from playwright.sync_api import Page
from torch import Tensor

from transformer_lite.chapters.c06_multi_head.ablation import heads_off
from transformer_lite.chapters.c10_transformer import widget
from transformer_lite.data import BOS, EOS, Example, collate, load
from transformer_lite.evaluation import decode_all
from transformer_lite.scope import AttentionRecord
from transformer_lite.translator import Translator

ENGINE = Path(widget.__file__).with_name("engine.js")
# Logits travel as bytes: as numbers in words they would be ten times as long.
RUN = """([sources, changes]) => sources.map((source) => {
  const { tokens, trace } = model.run(source, { off: [], rows: {}, positions: 1, ...changes });
  const bytes = new Uint8Array(Float32Array.from(trace.logits.flatMap((x) => [...x])).buffer);
  return [tokens, btoa(bytes.reduce((letters, byte) => letters + String.fromCharCode(byte), ""))];
})"""


@pytest.fixture(scope="module")
def translator() -> Translator:
    """With the weights that the page has: rounded to half precision."""
    rounded = Translator.load("pocket")
    for parameter in rounded.model.parameters():  # not the table of positions
        parameter.data = parameter.data.half().float()
    return rounded


@pytest.fixture(scope="module")
def sources(translator: Translator) -> list[list[int]]:
    texts = [pair.source for pair in load("pocket", train=2000, valid=1).test]
    return [[*translator.source.encode(text), EOS] for text in texts]


@pytest.fixture(scope="module")
def page(reader: Any, translator: Translator) -> Iterator[Page]:
    """A page that has the engine, with the model of `translator` in it."""
    with reader.open(900, 800) as page:
        page.add_script_tag(path=ENGINE)
        page.evaluate(
            """([bytes, lines, ...rest]) => {
              globalThis.model = makeTransformer(readWeights(bytes, lines), ...rest);
            }""",
            [*widget.packed(translator.model), 4, BOS, EOS],
        )
        yield page


def in_page(
    page: Page, sources: Sequence[list[int]], **changes: Any
) -> list[tuple[list[int], Tensor]]:
    """The tokens that the engine writes, and its logits, Float[T, V]."""
    found = page.evaluate(RUN, [sources, changes])
    return [
        (tokens, torch.tensor(np.frombuffer(b64decode(logits), np.float32)).view(len(tokens), -1))
        for tokens, logits in found
    ]


@torch.no_grad()
def same(model: Any, sources: Sequence[list[int]], found: list[tuple[list[int], Tensor]]) -> None:
    """Asserts that the model writes these tokens, and has these logits at each step."""
    written = decode_all(model, [Example(source, []) for source in sources])
    batch = collate(
        [Example(source, list(one.tokens)) for source, one in zip(sources, written, strict=True)]
    )
    every = model(batch.source, batch.source_mask, batch.target_in)  # B T V
    for one, expected, (tokens, logits) in zip(written, every, found, strict=True):
        assert tokens == [*one.tokens, *([EOS] if one.finished else [])]
        difference = (logits - expected[: len(tokens)]).abs().max()
        assert difference <= 1e-5 * logits.abs().max()


def test_500_sentences_come_out_alike(page: Page, translator: Translator, sources: Any) -> None:
    assert len(sources) == 500
    found = in_page(page, sources)
    same(translator.model, sources, found)
    exact = decode_all(Translator.load("pocket").model, [Example(one, []) for one in sources])
    assert [tokens[:-1] for tokens, _ in found] == [
        list(one.tokens) for one in exact
    ]  # no rounding


@pytest.mark.parametrize("off", ["encoder.0", "decoder.1", "encoder.0.self.3", "decoder.0.cross.2"])
def test_switched_off(page: Page, translator: Translator, sources: Any, off: str) -> None:
    stack, index, *head = off.split(".")
    changed: Any = copy.deepcopy(translator.model)
    layers: Any = getattr(changed, stack).layers
    with ExitStack() as until:
        if head:
            attention = getattr(layers[int(index)], f"{head[0]}_attention")
            until.enter_context(heads_off(attention, int(head[1])))
        else:
            del layers[int(index)]
        same(changed, sources[:20], in_page(page, sources[:20], off=[off]))


@pytest.mark.parametrize("factor", [0, 0.5])
def test_scaled_positions(page: Page, translator: Translator, sources: Any, factor: float) -> None:
    changed: Any = copy.deepcopy(translator.model)
    changed.positions.table *= factor
    same(changed, sources[:20], in_page(page, sources[:20], positions=factor))


def test_weights_of_the_readers_own(page: Page, translator: Translator, sources: Any) -> None:
    source = sources[0]
    row = torch.rand(len(source)).softmax(0)
    changed: Any = copy.deepcopy(translator.model)
    attention = changed.encoder.layers[1].self_attention

    def attend(query: Tensor, key: Tensor, value: Tensor, scope: Any) -> Tensor:
        weights = (query @ key.transpose(2, 3) / 4).softmax(-1)
        weights[0, 2, 1] = row
        return weights @ value

    attention._attend = attend
    rows = {"encoder.1.self.2.1": row.tolist()}
    same(changed, [source], in_page(page, [source], rows=rows))


def test_a_reader_leads_the_decoder(page: Page, translator: Translator) -> None:
    """What chapter 10 tells: all heads look at "apple", and the apple eats."""
    source = [*translator.source.encode("the cat eats an apple"), EOS]
    rows = {f"decoder.1.cross.{head}.0": [0, 0, 0, 0, 1, 0] for head in range(4)}
    [(tokens, _)] = in_page(page, [source], rows=rows)
    assert translator.target.decode(tokens[:-1]) == "사과 는 사과 를 먹어요"


@torch.no_grad()
def test_the_trace_is_what_the_model_went_through(
    page: Page, translator: Translator, sources: Any
) -> None:
    source, model = sources[0], translator.model
    found = page.evaluate(
        "source => JSON.parse(JSON.stringify(model.run(source), "
        "(_, x) => (ArrayBuffer.isView(x) ? [...x] : x)))", source
    )  # fmt: skip
    trace, read = found["trace"], torch.tensor([[BOS, *found["tokens"][:-1]]])
    kept: dict[str, Tensor] = {}
    parts = [
        (name, part) for name, part in model.named_modules() if "layers" in name or "norm" in name
    ]
    for name, part in parts:
        part.register_forward_hook(lambda _, __, out, name=name: kept.update({name: out[0]}))
    record, ids = AttentionRecord(), torch.tensor([source])
    logits = model(ids, torch.ones_like(ids, dtype=torch.bool), read, record)[0]
    for name, maps in record.items():
        for head, weights in enumerate(trace[f"{name}.weights"]):
            for t, row in enumerate(weights):
                torch.testing.assert_close(
                    torch.tensor(row, dtype=torch.float32),
                    maps[0, head, t, : len(row)],
                    rtol=1e-3,
                    atol=1e-5,
                )
    layer = "decoder.layers.1"
    for name, expected in {
        "memory": kept["encoder.norm"],
        "decoder.1.cross.query": kept[f"{layer}.cross_attention.query"],
        "decoder.1.cross.key": kept[f"{layer}.cross_attention.key"],
        "decoder.1.cross.output": kept[f"{layer}.cross_attention"],
        "decoder.1.network.normalised": kept[f"{layer}.feed_forward_residual.norm"],
        "decoder.1.network.hidden": kept[f"{layer}.feed_forward.expand"].relu(),
        "decoder.1.network.residual": kept[layer],
        "features": kept["decoder.norm"],
        "probabilities": logits.softmax(-1),
    }.items():
        torch.testing.assert_close(torch.tensor(trace[name]), expected, rtol=1e-4, atol=1e-4)
