"""Chapter 10: a whole Transformer that translates in the page, and every number of it."""

import math
from base64 import b64encode
from textwrap import wrap
from typing import Any

import torch
import traitlets

from transformer_lite.chapters.c10_transformer.boxes import CHAPTERS, Stage, boxes_of, code_of
from transformer_lite.data.pocket.corpus import glossary
from transformer_lite.data.pocket.hangul import romanise
from transformer_lite.palette import NEUTRAL, OUTPUT
from transformer_lite.widgets.base import StillWidget, check_trait, front_end
from transformer_lite.widgets.drawing import INK, QUIET, bar, card, text
from transformer_lite.widgets.frames import WIDTH, Question, Slider

SENTENCES = (
    "the cat eats an apple",
    "the man meets the woman",
    "the apple eats the cat",
    "a small child drew a big picture",
    "the teacher did not read the newspaper",
    "jun will give a book to mina",
    "we met an old man at the market yesterday",
)
# What the question is about: the step that writes the verb, from 0, and where it asks.
STEP, ASKED = 4, "decoder.1.cross"
LEGEND = (
    "Korean puts the verb last. While the model writes the verb of “the cat eats an apple”, which "
    "word will decoder layer 2 look at most? Predict."
)
ANSWERS = ("cat", "eats", "apple", "<eos>")
FACTORS = tuple(number / 4 for number in range(9))
MOST_WRITTEN = 99  # more than any translation has
_MARGIN, _LINE, _LETTERS = 20, 20, 38  # of the still picture; as many letters fit one of its lines


# `Any`: a chapter's folder imports nothing that loads models.
def packed(model: Any) -> tuple[str, str]:
    """All weights in half precision, as one base64 string, and a line for each: name and sizes.

    The output's matrix is left out: it is the target embedding's.
    """
    stored = [(name, one) for name, one in model.state_dict().items() if name != "output.weight"]
    data = b"".join(one.to(torch.float16).numpy().tobytes() for _, one in stored)
    return b64encode(data).decode(), "\n".join(
        " ".join(map(str, (name, *one.shape))) for name, one in stored
    )


class LiveTransformer(StillWidget):
    """A Transformer at work: translate word by word, open every box, switch parts off.

    The page computes by itself (`engine.js`). What the reader chose can be read back and set: the
    sentence (`text`), how many tokens are `written`, which matrix is `opened` (an attention's or
    network's name and a stage, "decoder.1.cross.weights"; None: no box is), what is changed: `off`
    (layers, "encoder.0", and heads, "encoder.0.self.3"), `rows` (the reader's own weights, by
    attention, head and row: "decoder.1.cross.0.4"), `positions` (a factor); `prediction` (one of
    `ANSWERS`; None before there is one), and `ask`: as long as it is True, the page asks.
    `still()` and `words()` show the unchanged model.

    Args:
        translator: the `Translator` "pocket".
        state: initial values of the names above, such as `ask=False`.

    Raises:
        traitlets.TraitError: a value of `state` is none that the model can take.
    """

    _esm, _css = front_end(__file__, "engine.js", "matrix.js", "sentence.js")

    heading = "A Transformer at work: English to Korean"
    text = traitlets.Unicode(SENTENCES[0], help="the sentence").tag(sync=True)
    written = traitlets.Int(STEP, min=0, max=MOST_WRITTEN, help="tokens, <eos> too").tag(sync=True)
    opened = traitlets.Unicode(None, allow_none=True, help="the matrix to see").tag(sync=True)
    off = traitlets.List(traitlets.Unicode(), help="layers and heads").tag(sync=True)
    rows = traitlets.Dict(help="weights of the reader's own").tag(sync=True)
    positions = Slider("Positions ×", FACTORS, 1.0)
    prediction = Question(LEGEND, ANSWERS)
    ask = traitlets.Bool(True, help="whether the answer waits for a prediction").tag(sync=True)
    shown = traitlets.Dict(help="weights, words and texts for the page").tag(sync=True)

    def __init__(self, translator: Any, **state: Any) -> None:
        self._translator, model = translator, translator.model
        boxes, heads = boxes_of(model), range(model.config.heads)
        self._opened = [f"{box.prefix}{one.name}" for box in boxes for one in box.stages]
        attentions = {box.prefix for box in boxes if box.kind == "attention"}
        self._parts = {f"{prefix}{head}" for prefix in attentions for head in heads}
        self._parts |= {prefix.rsplit(".", 2)[0] for prefix in attentions}
        asked = translator.explain(SENTENCES[0])
        shares = asked.cross(ASKED)[STEP]  # S
        right = asked.source_tokens[shares.argmax()]
        weights, shapes = packed(model)
        shown = {
            "heading": self.heading,
            "sentences": SENTENCES,
            "longest": translator.longest_source,
            "source": " ".join(translator.source.tokens(range(model.source_vocab))),
            "target": _glossed(translator.target.tokens(range(model.target_vocab))),
            "weights": weights,
            "shapes": shapes,
            "heads": len(heads),
            "boxes": [{**box._asdict(), "stages": [*map(_shown, box.stages)]} for box in boxes],
            "chapters": CHAPTERS,
            "code": dict(code_of(one.code) for box in boxes for one in box.stages if one.code),
            "question": {"legend": LEGEND, "values": ANSWERS, "right": right},
            "asked": {"text": SENTENCES[0], "written": STEP, "opened": f"{ASKED}.weights"},
            "because": f"{right} gets {shares.max():.3f} of 1, averaged over the heads.",
            "factors": FACTORS,
            "most": MOST_WRITTEN,
        }
        super().__init__(**state, shown=shown)

    @traitlets.validate("text")
    def _check_text(self, proposal: Any) -> str:
        try:
            tokens = self._translator.explain(proposal["value"]).source_tokens
        except ValueError as error:
            raise traitlets.TraitError(str(error)) from None
        return " ".join(tokens[:-1])

    @traitlets.validate("opened")
    def _check_opened(self, proposal: Any) -> str | None:
        opened: str | None = proposal["value"]
        check_trait("opened", opened, (None, *self._opened))
        return opened

    @traitlets.validate("off", "rows")
    def _check_parts(self, proposal: Any) -> Any:
        name = proposal["trait"].name
        for part in proposal["value"]:
            check_trait(name, part if name == "off" else part.rpartition(".")[0], self._parts)
        return proposal["value"]

    def words(self) -> str:
        """The sentence, its translation, and where each word of it looked."""
        told = self._translator.explain(self.text)
        return f"{self.text}\n{told.translation}\n{told.as_text(ASKED)}"

    def still(self) -> str:
        """The sentence, its translation, and the map of the last cross-attention."""
        told, meanings = self._translator.explain(self.text), glossary()
        y, parts = 2 * _MARGIN, []
        meant = " · ".join(meanings[token] for token in told.target_tokens if token in meanings)
        for words, look in ((self.text, INK), (told.translation, INK), (meant, QUIET)):
            for line in wrap(words, _LETTERS):
                parts.append(
                    text(_MARGIN, y, line, weight=600 if look == INK else None, colour=look)
                )
                y += _LINE
        shares, step = told.cross(ASKED).tolist(), 17
        left = WIDTH + _MARGIN - step * len(told.source_tokens)
        y += 9 * max(map(len, told.source_tokens))
        for u, word in enumerate(told.source_tokens):
            parts.append(text(left + step * u + 14, y - 6, word, turn=-90))
        for token, row in zip(told.target_tokens, shares, strict=True):
            parts.append(text(left - 6, y + 13, token, anchor="end"))
            for u, share in enumerate(row):
                parts.append(bar(left + step * u, y, step - 1, step - 1, NEUTRAL + "30"))
                side = (step - 1) * math.sqrt(share)
                corner = (step - 1 - side) / 2
                parts.append(bar(left + step * u + corner, y + corner, side, side, OUTPUT))
            y += step
        parts.append(text(_MARGIN, y + _LINE, "where decoder layer 2 looked", colour=QUIET))
        return card(WIDTH + 2 * _MARGIN, y + _LINE + _MARGIN, parts)

    def __repr__(self) -> str:
        return f"LiveTransformer(text={self.text!r}, written={self.written}, off={self.off!r})"


def _shown(stage: Stage) -> dict[str, Any]:
    return {**stage._asdict(), "code": code_of(stage.code)[0] if stage.code else None}


def _glossed(tokens: list[str]) -> str:
    """A line for each token: Korean, how it sounds, what it means; the last two may be empty."""
    meanings = glossary()
    sounds = [romanise(token) if token in meanings else "" for token in tokens]
    lines = zip(tokens, sounds, (meanings.get(token, "") for token in tokens), strict=True)
    return "\n".join(map("\t".join, lines))
