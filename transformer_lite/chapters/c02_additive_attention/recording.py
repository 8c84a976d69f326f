"""Decode a text with attention and keep what each step looked at."""

from typing import Any

import torch
from torch import Tensor

from transformer_lite.data import BOS, EOS, Tokenizer
from transformer_lite.decoding import evaluation_mode
from transformer_lite.seq2seq import RecurrentState, Seq2Seq

COMPONENTS = 8  # of each encoder output
LIKELY = 3
MOST_STEPS = 40  # nobody steps on for longer
DIGITS = 5  # after the point: a page stores some thousand numbers


@torch.no_grad()
def record(
    model: Seq2Seq, source_tokenizer: Tokenizer, target_tokenizer: Tokenizer, text: str
) -> dict[str, Any]:
    """Greedy decoding of one text, as plain data.

    Returns:
        `text`: as given. `source`: its S tokens, `<eos>` last. `values`: the first components of
        the S encoder outputs. `steps`: for each target token `written`, its S `energies` and the
        `likely` tokens, pairs of token and probability.
    """
    ids = [*source_tokenizer.encode(text), EOS]
    source = torch.tensor([ids], device=model.output.weight.device)
    steps = []
    with evaluation_mode(model):
        state = model.start(model.encode(source, torch.ones_like(source, dtype=torch.bool)))
        token = torch.full_like(source[0, :1], BOS)
        for _ in range(MOST_STEPS):
            logits, after = model.step(state, token)
            probability, likely = logits[0].softmax(-1).topk(LIKELY)
            tokens = target_tokenizer.tokens(likely.tolist())
            steps.append(
                {
                    "written": tokens[0],
                    "energies": _rounded(_energies(model, state, after)),
                    "likely": list(zip(tokens, _rounded(probability), strict=True)),
                }
            )
            state, token = after, likely[:1]
            if int(token) == EOS:
                break
    return {
        "text": text,
        "source": source_tokenizer.tokens(ids),
        "values": [_rounded(output) for output in state.memory.outputs[0, :, :COMPONENTS]],
        "steps": steps,
    }


def check(model: Any, source_tokenizer: Tokenizer, target_tokenizer: Tokenizer, texts: Any) -> None:
    """Raise ValueError unless `record` can decode these texts with this model.

    A window is refused because weights that it cut are not the softmax of the energies.
    """
    if not isinstance(model, Seq2Seq) or model.attention is None or model.attention.window:
        came = model.config if isinstance(model, Seq2Seq) else f"a {type(model).__name__}"
        raise ValueError(
            "model must be a Seq2Seq with attention and without a window, such as "
            f'Seq2Seq(Seq2SeqConfig(..., attention="additive")), but it is {came}'
        )
    for name, tokenizer, size in (
        ("source_tokenizer", source_tokenizer, model.source_vocab),
        ("target_tokenizer", target_tokenizer, model.target_vocab),
    ):
        if len(tokenizer) != size:
            raise ValueError(
                f"{name} must be the one that the model was trained with, of {size} ids, but it "
                f"has {len(tokenizer)}"
            )
    if isinstance(texts, str) or not texts:
        raise ValueError(
            f"texts must be a list of at least one text, but it is {texts!r}; write [text] for one"
        )


def _energies(model: Seq2Seq, state: RecurrentState, after: RecurrentState) -> Tensor:
    """The S energies of the step from `state` to `after`.

    Bahdanau's decoder asks with the state before the step, Luong's with the state after it.
    """
    asking = state if model.config.decoder == "bahdanau" else after
    assert model.attention is not None  # `check` has seen to that
    return model.attention.score.energies(asking.hidden[-1][:, None], state.prepared)[0, 0]


def _rounded(numbers: Tensor) -> list[float]:
    return [round(number, DIGITS) for number in numbers.tolist()]
