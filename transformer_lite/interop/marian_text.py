"""Text in, text out with MarianMT models: their tokenizers and folders, as ours.

Our batches count on the ids 0 to 3 being `<pad>`, `<bos>`, `<eos>` and `<unk>`. Marian has these
elsewhere in its vocabulary, and starts a target with its padding. So its tokens are numbered anew,
in the tokenizers and in the rows of the embeddings alike; nothing else needs to know.
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import torch

from transformer_lite.data import BOS, PAD, SPECIALS, UNK, Tokenizer
from transformer_lite.interop.marian import adapt, import_transformers
from transformer_lite.reading import check_finite, read_json
from transformer_lite.runs.checkpoint import CheckpointError, SavedModel

FILES = ["config.json", "generation_config.json", "tokenizer_config.json", "vocab.json",
         "target_vocab.json", "source.spm", "target.spm"]  # fmt: skip
WEIGHTS = ("model.safetensors", "pytorch_model.bin")  # one is enough; the first one present is read


class MarianPieces(Tokenizer):
    """One side of a `transformers.MarianTokenizer`, with its ids put into our order.

    Args:
        backend: the `MarianTokenizer`.
        side: how `backend` is told which side a text belongs to.
        vocabulary: Marian's id of each piece.
        order: Marian's id for each of our ids; it begins with those of the SPECIALS.
    """

    kind = "marian"

    def __init__(
        self,
        backend: Any,
        side: Literal["text", "text_target"],
        vocabulary: Mapping[str, int],
        order: Sequence[int],
    ) -> None:
        self._backend, self._side = backend, side
        piece = {index: piece for piece, index in vocabulary.items()}
        # A table may have more rows than there are pieces: numbers are rounded up for speed.
        others = [piece.get(index, SPECIALS[UNK]) for index in order[len(SPECIALS) :]]
        self._pieces = [*SPECIALS, *others]
        self._ids = {theirs: ours for ours, theirs in enumerate(order)}

    def __len__(self) -> int:
        return len(self._pieces)

    def encode(self, text: str) -> list[int]:
        """Give the ids of the pieces, a language code (`>>fra<<`) included.

        Raises ValueError for an empty text.
        """
        if not text.strip():
            raise ValueError("text must hold at least one word, but it is empty")
        # A reader who types "</s>" means four characters, not the end of the sentence.
        options = {"add_special_tokens": False, "split_special_tokens": True}
        theirs = self._backend(**{self._side: text}, **options)["input_ids"]
        return [self._ids[index] for index in theirs]

    def token(self, index: int) -> str:
        """Give one piece, with ▁ where it opens a word."""
        return self._pieces[index]

    def join(self, ids: Sequence[int]) -> str:
        """Put the pieces together; each ▁ but the first becomes a space."""
        return str(self._backend.convert_tokens_to_string([self._pieces[i] for i in ids]))

    def to_json(self) -> dict[str, Any]:
        """Raise ValueError: this tokenizer lives in files of its own."""
        raise ValueError(
            "the tokenizer of a Marian model is not written into our checkpoints; keep the folder "
            "that the model came from"
        )


def load_marian(name_or_folder: str | Path) -> SavedModel:
    """A MarianMT model with its tokenizers, ready for `Translator`.

    Padding and `<bos>` are never written: their logits are −∞.

    Args:
        name_or_folder: a folder that `save_pretrained` filled with model and tokenizer, or the name
            of a model on the Hugging Face Hub, which is fetched once and then kept in its cache.

    Raises:
        CheckpointError: there is no such folder and no such model, no network, or what is there is
            not a whole MarianMT model with its tokenizer.
        ImportError: transformers or sentencepiece is not installed.
        ValueError: a MarianMT model that ours cannot follow; see `from_marian`.
    """
    transformers = import_transformers()
    folder = Path(name_or_folder)
    if not folder.is_dir():
        folder = _fetch(str(name_or_folder))
    try:
        kind = read_json(folder / "config.json").get("model_type")
        if kind != "marian":
            raise ValueError(f"its config.json says model_type={kind!r}")
        with _quiet(transformers.utils.logging):
            tokenizer = transformers.MarianTokenizer.from_pretrained(folder)
            model, report = transformers.MarianMTModel.from_pretrained(
                folder, output_loading_info=True
            )
        if report["missing_keys"]:  # the library would go on with random numbers in their place
            raise ValueError(f"weights are missing: {', '.join(sorted(report['missing_keys']))}")
        check_finite(folder, dict(model.named_parameters()))
    except Exception as error:  # the library raises whatever the missing or damaged file leads to
        raise CheckpointError(
            f"{name_or_folder} holds no whole MarianMT model with its tokenizer "
            f"({_first_line(error)}); save both there with save_pretrained, or fetch it again"
        ) from error
    return _renumbered(model.float(), tokenizer, str(name_or_folder))


@contextmanager
def _quiet(logging: Any) -> Iterator[None]:
    """Neither a progress bar for what takes a second nor advice that does not concern us."""
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            # sacremoses would normalise punctuation, but MarianTokenizer never asks it to.
            warnings.filterwarnings("ignore", "Recommended: pip install sacremoses")
            yield
    finally:
        if shown:
            logging.enable_progress_bar()


def _fetch(name: str) -> Path:
    """The folder of a model of the Hugging Face Hub, from its cache where there is no network."""
    from huggingface_hub import snapshot_download  # comes with transformers

    try:
        folder = Path(snapshot_download(name, allow_patterns=FILES))
        for weights in WEIGHTS:
            if not any((folder / one).exists() for one in WEIGHTS):
                snapshot_download(name, allow_patterns=[weights])
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"there is no Marian model {name!r}: it is no folder, and it could not be fetched from "
            f"Hugging Face ({_first_line(error)}); check the name and the network, or give the "
            "folder of a model that was fetched before"
        ) from error
    return folder


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0] or type(error).__name__


def _renumbered(model: Any, tokenizer: Any, name: str) -> SavedModel:
    pieces = tokenizer.encoder
    target_pieces = tokenizer.target_encoder if tokenizer.separate_vocabs else pieces
    order = _order(pieces, model.config.vocab_size, model.config, tokenizer, name)
    rows = model.lm_head.out_features
    target_order = _order(target_pieces, rows, model.config, tokenizer, name)
    ours = adapt(model, order, target_order)
    with torch.no_grad():
        ours.output.bias[[PAD, BOS]] = -torch.inf
    return SavedModel(
        ours.eval(),
        MarianPieces(tokenizer, "text", pieces, order),
        MarianPieces(tokenizer, "text_target", target_pieces, target_order),
        longest_source=model.config.max_position_embeddings,
        task={"name": name},
    )


def _order(
    pieces: Mapping[str, int], rows: int, config: Any, tokenizer: Any, name: str
) -> list[int]:
    """Marian's id for each of ours: those of the SPECIALS, then all others as they stand."""
    if max(pieces.values()) >= rows:
        raise CheckpointError(
            f"{name} holds a tokenizer and a model that do not belong together: there is a piece "
            f"with the id {max(pieces.values())}, but the model has {rows} rows"
        )
    pad, eos, unk = config.pad_token_id, pieces[tokenizer.eos_token], pieces[tokenizer.unk_token]
    # Marian starts a target with its padding, or with a token that may also stand inside it.
    special = [pad, config.decoder_start_token_id, eos, unk]
    return [*special, *(index for index in range(rows) if index not in (pad, eos, unk))]
