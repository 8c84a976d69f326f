"""Three more contestants for `benchmarks/speed.py`, on request, each in an environment of its own.

    make bench PEER=x-transformers             # or: python benchmarks/peers.py x-transformers
    python benchmarks/peers.py joeynmt --save  # also writes benchmarks/speed-joeynmt.json

The first call makes the environment in runs/peers/<name>: this package with the torch and the other
versions of requirements.txt, and the peer. Later calls use it again until the pins change. Then
speed.py runs there, with the peer beside the yardstick and ours; further options go to it.
"""

import argparse
import subprocess
import venv
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from contestants import DROPOUT, HEADS, INNER, LAYERS, VOCABULARY, WIDTH, Contestant, padded_loss
from torch import Tensor, nn

from transformer_lite.data.batching import Batch
from transformer_lite.data.vocabulary import BOS, EOS, PAD, UNK

# What each peer needs beside torch and this package, in full: nothing else is installed for it.
PINS = {
    "x-transformers": [
        "x-transformers==2.31.10",  # the newest
        "einops==0.8.2",  # it moves the axes of its tensors
        "einx==0.4.3",  # more of the same
        "frozendict==2.5.1",  # needed by einx
        "torch-einops-utils==0.2.0",  # its helpers for masks and padding
        "loguru==0.7.3",  # its log
    ],
    "labml-nn": [
        "labml-nn==0.5.1",  # the newest
        "labml==0.4.168",  # its attention calls tracker.debug, which labml 0.5.3 no longer has
        "pyyaml==6.0.3",  # the tracker's settings
    ],
    "joeynmt": [
        "joeynmt==2.3.0",  # the newest, and the last
        "sentencepiece==0.2.3",  # its tokenizers are loaded with the model; not used here
        "subword-nmt==0.3.8",  # the same
        "tensorboard==2.20.0",  # its log, loaded with the model; not used here
        "protobuf==3.20.3",  # below 3.21, as it asks; for tensorboard
        "absl-py==2.5.1",  # for tensorboard
        "importlib-metadata==10.2.0",  # it looks up its own version
        "lazy-importer==0.1.0",  # for importlib-metadata
        "zipp==4.1.2",  # for importlib-metadata
    ],
}


class XTransformers:
    """`XTransformer` of x-transformers, with its `generate` and its cache of keys and values.

    Post-norm as the yardstick, but it has no final norms then. No biases in attention and norms.
    Sinusoidal positions with a learned scale. Embeddings are not scaled. Fused attention is on; the
    cache does not hold the keys and values of the source, which are computed anew at every step.
    """

    def __init__(self) -> None:
        from x_transformers import XTransformer

        side = {
            "num_tokens": VOCABULARY, "max_seq_len": 256, "scaled_sinu_pos_emb": True,
            "depth": LAYERS, "heads": HEADS, "attn_dim_head": WIDTH // HEADS, "attn_flash": True,
            "ff_mult": INNER / WIDTH, "ff_custom_activation": nn.ReLU(), "pre_norm": False,
            "emb_dropout": DROPOUT, "attn_dropout": DROPOUT, "attn_sublayer_dropout": DROPOUT,
            "ff_dropout": DROPOUT, "ff_sublayer_dropout": DROPOUT,
        }  # fmt: skip
        sides = {f"{name}_{key}": value for name in ("enc", "dec") for key, value in side.items()}
        self.model: Any = XTransformer(dim=WIDTH, **sides)

    def loss(self, batch: Batch, precision: str) -> Tensor:
        """Mean loss of a real target token; its own forward pass knows no smoothed labels."""
        mask = batch.source_mask
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            memory = self.model.encoder(batch.source, mask=mask, return_embeddings=True)
            logits = self.model.decoder.net(batch.target_in, context=memory, context_mask=mask)
        return padded_loss(logits, batch)

    @torch.no_grad()
    def decode(self, batch: Batch, length: int) -> Tensor:
        """`generate`, greedy, with its cache."""
        self.model.eval()
        start = torch.full((len(batch.source), 1), BOS)
        found: Tensor = self.model.generate(
            batch.source, start, length, mask=batch.source_mask, temperature=0.0
        )
        self.model.train()
        return found


class LabML:
    """`EncoderDecoder` of labml-nn, from the parts of its package `transformers`.

    Pre-norm always, with final norms. No dropout on embeddings. The output layer has a bias. Time
    comes first in its tensors, and masks have the shape (query, key, pair), True where attention
    is allowed.
    """

    decode = None  # it has samplers for single tokens, but nothing that writes a translation

    def __init__(self) -> None:
        from labml_nn.transformers import mha, models
        from labml_nn.transformers.feed_forward import FeedForward

        def attention() -> Any:
            return mha.MultiHeadAttention(HEADS, WIDTH, DROPOUT)

        def layer(source_attention: Any) -> Any:
            return models.TransformerLayer(
                d_model=WIDTH, self_attn=attention(), src_attn=source_attention,
                feed_forward=FeedForward(WIDTH, INNER, DROPOUT), dropout_prob=DROPOUT,
            )  # fmt: skip

        def embeddings() -> Any:
            return models.EmbeddingsWithPositionalEncoding(WIDTH, VOCABULARY, max_len=256)

        self.model: Any = models.EncoderDecoder(
            models.Encoder(layer(None), LAYERS), models.Decoder(layer(attention()), LAYERS),
            embeddings(), embeddings(), models.Generator(VOCABULARY, WIDTH),
        )  # fmt: skip

    def loss(self, batch: Batch, precision: str) -> Tensor:
        """Mean loss of a real target token."""
        length = batch.target_in.shape[1]
        source_mask = batch.source_mask.T[None]
        target_mask = torch.ones(length, length, dtype=torch.bool).tril()[..., None]
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            features = self.model(batch.source.T, batch.target_in.T, source_mask, target_mask)
            logits = self.model.generator(features)
        return padded_loss(logits.transpose(0, 1), batch)


class JoeyNMT:
    """Joey NMT's Transformer, with its `greedy`.

    Post-norm as the yardstick, but it has no final norms then. It has no cache: its `greedy` runs
    the decoder again over all that is written, and its output layer over every position.
    """

    def __init__(self) -> None:
        from joeynmt.decoders import TransformerDecoder
        from joeynmt.embeddings import Embeddings
        from joeynmt.encoders import TransformerEncoder
        from joeynmt.initialization import initialize_model
        from joeynmt.model import Model
        from joeynmt.search import greedy

        sizes = {
            "num_layers": LAYERS, "num_heads": HEADS, "hidden_size": WIDTH, "ff_size": INNER,
            "dropout": DROPOUT, "emb_dropout": DROPOUT, "layer_norm": "post",
        }  # fmt: skip
        table = {
            "embedding_dim": WIDTH, "scale": True, "vocab_size": VOCABULARY, "padding_idx": PAD
        }  # fmt: skip
        # Its own vocabulary fixes the ids of the special tokens; the model asks for no more of it.
        ids: Any = SimpleNamespace(
            pad_index=PAD, bos_index=BOS, eos_index=EOS, unk_index=UNK, sep_index=None,
            specials=[], lang_tags=[],
        )  # fmt: skip
        self.model: Any = Model(
            TransformerEncoder(**sizes), TransformerDecoder(**sizes, vocab_size=VOCABULARY),
            Embeddings(**table), Embeddings(**table), ids, ids,
        )  # fmt: skip
        initialize_model(self.model, {}, PAD, PAD)
        self._greedy = greedy

    def encode(self, batch: Batch) -> Tensor:
        """Its masks have the shape (pair, 1, position), True for real tokens."""
        memory: Tensor = self.model(
            "encode", src=batch.source, src_length=None, src_mask=batch.source_mask[:, None]
        )[0]
        return memory

    def loss(self, batch: Batch, precision: str) -> Tensor:
        """Mean loss of a real target token."""
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            logits = self.model(
                "decode", encoder_output=self.encode(batch), encoder_hidden=None,
                src_mask=batch.source_mask[:, None], trg_input=batch.target_in, unroll_steps=None,
                trg_mask=batch.target_mask[:, None],
            )[0]  # fmt: skip
        return padded_loss(logits, batch)

    @torch.no_grad()
    def decode(self, batch: Batch, length: int) -> Tensor:
        """Its `greedy`, which writes no `<eos>` before the given length."""
        self.model.eval()
        found: Tensor = self._greedy(
            batch.source_mask[:, None], length, self.model, self.encode(batch), None,
            min_output_length=length,
        )[0]  # fmt: skip
        self.model.train()
        return found


PEERS: dict[str, Callable[[], Contestant]] = {
    "x-transformers": XTransformers,
    "labml-nn": LabML,
    "joeynmt": JoeyNMT,
}


def environment(peer: str) -> Path:
    """The Python of the peer's environment, which is made first where it is missing or old."""
    root = Path(__file__).parents[1]
    folder = root / "runs" / "peers" / peer
    python, done = folder / "bin" / "python", folder / "installed.txt"
    shared = root / "requirements.txt"
    wanted = "\n".join([*PINS[peer], shared.read_text()])
    if not done.exists() or done.read_text() != wanted:
        print(f"making {folder.relative_to(root)}", flush=True)
        venv.create(folder, clear=True, with_pip=True)
        install = [str(python), "-m", "pip", "install", "--quiet"]
        subprocess.run([*install, "--constraint", str(shared), "--editable", str(root)], check=True)
        subprocess.run([*install, "--no-deps", *PINS[peer]], check=True)
        done.write_text(wanted)
    return python


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("peer", choices=PEERS)
    arguments, others = parser.parse_known_args()
    python = environment(arguments.peer)
    speed = Path(__file__).with_name("speed.py")
    raise SystemExit(subprocess.call([python, speed, "--peer", arguments.peer, *others]))


if __name__ == "__main__":
    main()
