"""A decoder with attention that nobody trained: enough to be stepped through."""

from collections.abc import Sequence
from typing import Any

import torch

from transformer_lite import Seq2Seq, Seq2SeqConfig
from transformer_lite.data import CharacterTokenizer

TEXTS = ["9 March 2021", "Wednesday the 21st of September 2089"]  # there is no longer date


def make_decoder(
    texts: Sequence[str] = TEXTS, **options: Any
) -> tuple[Seq2Seq, CharacterTokenizer, CharacterTokenizer]:
    """An untrained model whose energies differ clearly, with its tokenizers."""
    source = CharacterTokenizer.train(texts)
    target = CharacterTokenizer.train(["0123456789-"])
    chosen = {"attention": "additive", "hidden": 32, "d_embedding": 16, **options}
    with torch.random.fork_rng():
        torch.manual_seed(16)  # writes 5 and 9 tokens, <eos> last
        model = Seq2Seq(Seq2SeqConfig(len(source), len(target), **chosen))
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.mul_(3)
    return model.eval(), source, target
