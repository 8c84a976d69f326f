"""Who takes part in `benchmarks/speed.py`: one class each, with the same three calls.

All have vocabularies of their own for both languages, untied, and learn from the same batches. What
is not theirs to choose is the same for all: loss (cross-entropy with smoothed labels, the mean of
a real target token), clipping, and Adam in its fused form.
"""

import math
from collections.abc import Callable
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from transformer_lite import Transformer, TransformerConfig, fast, training
from transformer_lite.data.batching import Batch
from transformer_lite.data.vocabulary import BOS, PAD, SPECIALS, WordTokenizer
from transformer_lite.decoding import beam, greedy
from transformer_lite.interop import to_ctranslate2
from transformer_lite.positions import sinusoidal
from transformer_lite.runs.checkpoint import SavedModel

VOCABULARY, WIDTH, HEADS, LAYERS, INNER, DROPOUT = 8000, 256, 8, 3, 1024, 0.1
SMOOTHING = 0.1
BEAM = 5  # prefixes kept


class Contestant(Protocol):
    """What `benchmarks/speed.py` asks of each."""

    model: Any

    def loss(self, batch: Batch, precision: str) -> Tensor:
        """Mean loss of a real target token; `precision` is float32 or bfloat16."""
        ...

    @property
    def decode(self) -> Callable[[Batch, int], Tensor] | None:
        """Greedy decoding of so many tokens; None where there is none."""
        ...


def padded_loss(logits: Tensor, batch: Batch) -> Tensor:
    """The loss as it is usually written: all positions, those of the padding ignored."""
    return F.cross_entropy(
        logits.flatten(0, 1).float(),
        batch.target_out.masked_fill(~batch.target_mask, PAD).flatten(),
        ignore_index=PAD,
        label_smoothing=SMOOTHING,
    )


class Ours:
    """The Transformer of this package; post-norm with final norms, as the yardstick has."""

    model_class: type[Transformer] = fast.FastTransformer
    batch_loss: Callable[..., Tensor] = staticmethod(fast.batch_loss)
    attention_dropout: float | None = None  # as everywhere else

    def __init__(self) -> None:
        config = TransformerConfig(
            VOCABULARY, VOCABULARY, WIDTH, HEADS, LAYERS, INNER, DROPOUT,
            attention_dropout=self.attention_dropout, norm="post", final_norm=True, tie="none",
        )  # fmt: skip
        self.model = self.model_class(config)

    def loss(self, batch: Batch, precision: str) -> Tensor:
        """Mean loss of a real target token."""
        return self.batch_loss(self.model, batch, SMOOTHING, precision) / batch.target_tokens

    def decode(self, batch: Batch, length: int) -> Tensor:
        """`length` tokens a row, greedily; no id ends a row before that."""
        # An id that this model does not write: found once, before the clock runs.
        if not hasattr(self, "_eos"):
            probe = greedy(
                self.model, batch.source, batch.source_mask, bos=BOS, eos=PAD, max_length=length
            )
            written = {token for one in probe for token in one.tokens} | {PAD, BOS}
            self._eos = next(one for one in range(VOCABULARY) if one not in written)
        found = greedy(
            self.model, batch.source, batch.source_mask, bos=BOS, eos=self._eos, max_length=length
        )
        return torch.tensor([one.tokens for one in found])

    def search(self, batch: Batch, length: int) -> None:
        """The same with a beam of BEAM; `decode` comes first."""
        beam(
            self.model, batch.source, batch.source_mask, bos=BOS, eos=self._eos, max_length=length,
            beam_size=BEAM,
        )  # fmt: skip


class OursPlain(Ours):
    """The plain form, as chapters show it."""

    model_class = Transformer
    batch_loss = staticmethod(training.batch_loss)


class OursOwnRecipe(Ours):
    """Our own recipe: no dropout on attention weights, so that the fused attention can be used."""

    attention_dropout = 0.0


class TorchModel(nn.Module):
    """`torch.nn.Transformer` with embeddings, positions and output, as its tutorial builds it."""

    positions: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.source_embedding = nn.Embedding(VOCABULARY, WIDTH)
        self.target_embedding = nn.Embedding(VOCABULARY, WIDTH)
        self.register_buffer("positions", sinusoidal(256, WIDTH), persistent=False)
        self.dropout = nn.Dropout(DROPOUT)
        self.transformer = nn.Transformer(
            WIDTH, HEADS, LAYERS, LAYERS, INNER, DROPOUT, batch_first=True
        )
        self.output = nn.Linear(WIDTH, VOCABULARY, bias=False)
        for table in (self.source_embedding, self.target_embedding):
            nn.init.normal_(table.weight, std=WIDTH**-0.5)

    def embed(self, table: nn.Embedding, ids: Tensor) -> Tensor:
        """Embeddings × √D plus positions, with dropout."""
        embedded: Tensor = self.dropout(
            table(ids) * math.sqrt(WIDTH) + self.positions[: ids.shape[1]]
        )
        return embedded

    def encode(self, batch: Batch) -> Tensor:
        """Its masks are True where attention is FORBIDDEN."""
        memory: Tensor = self.transformer.encoder(
            self.embed(self.source_embedding, batch.source),
            src_key_padding_mask=~batch.source_mask,
        )
        return memory

    def features(self, memory: Tensor, batch: Batch, target: Tensor) -> Tensor:
        """The decoder over a whole target."""
        length = target.shape[1]
        found: Tensor = self.transformer.decoder(
            self.embed(self.target_embedding, target),
            memory,
            tgt_mask=torch.ones(length, length, dtype=torch.bool).triu(1),
            memory_key_padding_mask=~batch.source_mask,
            tgt_is_causal=True,
        )
        return found


class Torch:
    """The yardstick."""

    def __init__(self) -> None:
        self.model = TorchModel()

    def loss(self, batch: Batch, precision: str) -> Tensor:
        """Mean loss of a real target token."""
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            memory = self.model.encode(batch)
            logits = self.model.output(self.model.features(memory, batch, batch.target_in))
        return padded_loss(logits, batch)

    @torch.no_grad()
    def decode(self, batch: Batch, length: int) -> Tensor:
        """It has no cache: every step runs the decoder over all that was written so far."""
        self.model.eval()
        memory = self.model.encode(batch)
        written = torch.full((len(batch.source), 1), BOS)
        for _ in range(length):
            features = self.model.features(memory, batch, written)[:, -1]
            token = self.model.output(features).argmax(-1, keepdim=True)
            written = torch.cat([written, token], dim=1)
        self.model.train()
        return written[:, 1:]


class Marian:
    """MarianMT of Hugging Face's library transformers, with its `generate`."""

    def __init__(self) -> None:
        from transformers import MarianConfig, MarianMTModel  # an extra, and slow to load

        config = MarianConfig(
            vocab_size=VOCABULARY, decoder_vocab_size=VOCABULARY,
            share_encoder_decoder_embeddings=False, tie_word_embeddings=False,
            d_model=WIDTH, encoder_layers=LAYERS, decoder_layers=LAYERS,
            encoder_attention_heads=HEADS, decoder_attention_heads=HEADS,
            encoder_ffn_dim=INNER, decoder_ffn_dim=INNER, activation_function="relu",
            dropout=DROPOUT, attention_dropout=DROPOUT, activation_dropout=DROPOUT,
            scale_embedding=True, max_position_embeddings=256,
            pad_token_id=PAD, decoder_start_token_id=BOS, eos_token_id=VOCABULARY - 1,
            forced_eos_token_id=None,
        )  # fmt: skip
        self.model: Any = MarianMTModel(config)

    def loss(self, batch: Batch, precision: str) -> Tensor:
        """Mean loss of a real target token."""
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            found = self.model(
                input_ids=batch.source,
                attention_mask=batch.source_mask.long(),
                decoder_input_ids=batch.target_in,
            )
        return padded_loss(found.logits, batch)

    @torch.no_grad()
    def decode(self, batch: Batch, length: int) -> Tensor:
        """`generate`, greedy, with its cache."""
        self.model.eval()
        found: Tensor = self.model.generate(
            input_ids=batch.source, attention_mask=batch.source_mask.long(),
            num_beams=1, do_sample=False, min_new_tokens=length, max_new_tokens=length,
        )  # fmt: skip
        self.model.train()
        return found[:, 1:]


class CTranslate2:
    """What `interop.to_ctranslate2` exports of ours, with CTranslate2's own threads."""

    quantization = "float32"

    def __init__(self) -> None:
        import ctranslate2  # an extra

        words = WordTokenizer(map(str, range(VOCABULARY - len(SPECIALS))))
        self._words = words.tokens(range(VOCABULARY))
        self._ids = {word: index for index, word in enumerate(self._words)}
        with TemporaryDirectory() as folder:
            saved = SavedModel(Ours().model, words, words, longest_source=256)
            to_ctranslate2(saved, folder, self.quantization)
            self._translator = ctranslate2.Translator(
                folder, inter_threads=1, intra_threads=torch.get_num_threads()
            )

    def decode(self, batch: Batch, length: int) -> Tensor:
        """`translate_batch`, greedy; no `<eos>` before the given length."""
        sources = [
            [self._words[index] for index in row[real][:-1].tolist()]  # it adds <eos> itself
            for row, real in zip(batch.source, batch.source_mask, strict=True)
        ]
        found = self._translator.translate_batch(
            sources, beam_size=1, min_decoding_length=length, max_decoding_length=length
        )
        return torch.tensor([[self._ids[word] for word in one.hypotheses[0]] for one in found])


class CTranslate2Int8(CTranslate2):
    """The same in whole numbers of eight bits."""

    quantization = "int8"


YARDSTICK = "nn.Transformer"
CONTESTANTS: dict[str, Callable[[], Contestant]] = {
    YARDSTICK: Torch,
    "ours": Ours,
    "ours, own recipe": OursOwnRecipe,
    "ours, plain": OursPlain,
    "Marian": Marian,
}
# These only decode.
EXPORTED = {"CTranslate2": CTranslate2, "CTranslate2, int8": CTranslate2Int8}
