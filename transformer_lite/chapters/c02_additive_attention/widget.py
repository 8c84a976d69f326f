"""Chapter 02: follow a trained decoder token by token, from energies to weights to context."""

from collections.abc import Sequence
from typing import Any

import traitlets

from transformer_lite.chapters.c02_additive_attention.recording import check, record
from transformer_lite.chapters.c02_additive_attention.step import Step, mark
from transformer_lite.chapters.c02_additive_attention.still import draw
from transformer_lite.data import Tokenizer
from transformer_lite.seq2seq import Seq2Seq
from transformer_lite.widgets.base import StillWidget, check_trait, front_end


class DecoderStepper(StillWidget):
    """Predict, then see, which source token weighs most when the next target token is written.

    The model decodes each text once, greedily, when the widget is made; from then on the model is
    not needed: softmax and weighted sum are computed from the stored energies and encoder outputs.
    What the reader chose can be read back and set, all counted from 0: `text`, `step`,
    `prediction` (a source token; None before there is one), `revealed`, and `ask` (hide the
    answer again after each change).

    Args:
        model: a trained `Seq2Seq` with attention.
        source_tokenizer, target_tokenizer: those that it was trained with.
        texts: at least one text to choose from.
        state: initial values of the names above, such as `step=3`.

    Raises:
        ValueError: the model has no attention, or a window; a tokenizer does not fit it; there is
            no text, or one that the tokenizer does not know.
        traitlets.TraitError: a value of `state` is outside its range.
    """

    _esm, _css = front_end(__file__)

    recorded: traitlets.List[Any] = traitlets.List(help="by text: source, values and steps").tag(
        sync=True
    )
    text = traitlets.Int(0, help="which text, from 0").tag(sync=True)
    step = traitlets.Int(0, help="which target token is being written, from 0").tag(sync=True)
    prediction = traitlets.Int(
        None, allow_none=True, help="the source token that will weigh most, as guessed, from 0"
    ).tag(sync=True)
    revealed = traitlets.Bool(False, help="whether the answer is shown").tag(sync=True)
    ask = traitlets.Bool(True, help="whether a change hides the answer").tag(sync=True)

    def __init__(
        self,
        model: Seq2Seq,
        source_tokenizer: Tokenizer,
        target_tokenizer: Tokenizer,
        texts: Sequence[str],
        **state: Any,
    ) -> None:
        check(model, source_tokenizer, target_tokenizer, texts)
        recorded = [record(model, source_tokenizer, target_tokenizer, text) for text in texts]
        super().__init__(recorded=recorded, **state)

    @traitlets.validate("text", "step", "prediction")
    def _check(self, proposal: Any) -> int | None:
        name: str = proposal["trait"].name
        value: int | None = proposal["value"]
        if value is not None:
            check_trait(name, value, self._allowed(name))
        return value

    @traitlets.observe("text")
    def _fit(self, _: Any) -> None:
        """Another text may have fewer steps and fewer tokens than the one before it."""
        self.step = min(self.step, self._allowed("step")[-1])
        if self.prediction is not None and self.prediction not in self._allowed("prediction"):
            self.prediction = None

    def _allowed(self, name: str) -> range:
        if name == "text":
            return range(len(self.recorded))
        chosen = self.recorded[self.text]
        return range(len(chosen["steps" if name == "step" else "source"]))

    @property
    def now(self) -> Step:
        """Everything about the step that is chosen."""
        chosen = self.recorded[self.text]
        return Step(chosen["source"], values=chosen["values"], **chosen["steps"][self.step])

    @property
    def energies(self) -> list[float]:
        """How well each source token fits the decoder's state, one number a source token."""
        return self.now.energies

    @property
    def weights(self) -> list[float]:
        """The softmax of the energies, one number a source token."""
        return self.now.weights

    @property
    def context(self) -> list[float]:
        """The first components of the context: encoder outputs, each times its weight, summed."""
        return self.now.context

    @property
    def written(self) -> list[str]:
        """The target tokens written so far, that of this step last."""
        steps = self.recorded[self.text]["steps"]
        return [step["written"] for step in steps[: self.step + 1]]

    def still(self) -> str:
        """Energies, weights, context and the written token, as an SVG picture."""
        return draw(self.now, self.step, self.written)

    def words(self) -> str:
        """Energies, weights, context and the written token, as text."""
        now = self.now
        *before, after = map(mark, self.written)
        tokens = zip(map(mark, now.source), now.energies, now.weights, strict=True)
        return "\n".join(
            (
                f"Step {self.step + 1}: written so far {' '.join(before) or '(nothing)'}, "
                f"now {after}",
                "source token  energy  weight",
                *(f"{token:12}  {energy:6.2f}  {weight:6.2f}" for token, energy, weight in tokens),
                f"first {len(now.context)} numbers of the context: "
                f"{' '.join(f'{number:.2f}' for number in now.context)}",
                now.sentence(),
            )
        )

    def __repr__(self) -> str:
        return f"DecoderStepper(text={self.text}, step={self.step})"
