"""Answers to the exercises of chapter 10, right and wrong, as readers would write them."""

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from transformer_lite.positions import sinusoidal
from transformer_lite.transformer import Transformer, TransformerConfig


def embed_by_slices(table: Tensor, ids: Tensor, start: int) -> Tensor:
    d_model = table.shape[1]
    position = torch.arange(start, start + ids.shape[1]).unsqueeze(1)
    div_term = torch.exp(torch.arange(0, d_model, 2) * (-math.log(10000.0) / d_model))
    encoding = torch.zeros(ids.shape[1], d_model)
    encoding[:, 0::2] = torch.sin(position * div_term)
    encoding[:, 1::2] = torch.cos(position * div_term)
    return table[ids] * math.sqrt(d_model) + encoding


def embed_by_stacking(table: Tensor, ids: Tensor, start: int) -> Tensor:
    steps, width = ids.size(1), table.size(1)
    omega = 10000.0 ** (-2 * torch.arange(width // 2) / width)
    angles = torch.outer(torch.arange(steps) + start, omega)
    waves = torch.stack([angles.sin(), angles.cos()], dim=2).reshape(1, steps, width)
    return F.embedding(ids, table) * width**0.5 + waves


def embed_by_table(table: Tensor, ids: Tensor, start: int) -> Tensor:
    one_hot = F.one_hot(ids, len(table)).float()
    end = start + ids.shape[1]
    return one_hot @ (table * table.shape[1] ** 0.5) + sinusoidal(end, table.shape[1])[start:]


def model_of(table: Tensor) -> Transformer:
    """The package's, with this table for source, target and output."""
    config = TransformerConfig(
        len(table), len(table), table.shape[1], heads=1, layers=1, d_ff=1, dropout=0.0, tie="all"
    )
    model = Transformer(config).requires_grad_(False)
    model.output.weight.copy_(table)
    return model


def embed_by_package(table: Tensor, ids: Tensor, start: int) -> Tensor:
    model = model_of(table)
    return model.embed(model.source_embedding, ids, "ids", start)


def logits_by_matmul(features: Tensor, table: Tensor) -> Tensor:
    return features @ table.T


def logits_by_einsum(features: Tensor, table: Tensor) -> Tensor:
    return torch.einsum("btd,vd->btv", features, table)


def logits_by_linear(features: Tensor, table: Tensor) -> Tensor:
    output = nn.Linear(table.shape[1], len(table), bias=False)
    output.weight = nn.Parameter(table)
    result: Tensor = output(features).detach()
    return result


def logits_by_broadcasting(features: Tensor, table: Tensor) -> Tensor:
    return torch.sum(features.unsqueeze(2) * table, dim=3)


def logits_by_package(features: Tensor, table: Tensor) -> Tensor:
    result: Tensor = model_of(table).output(features)
    return result


def parameters_by_formula(vocab: int, d_model: int, d_ff: int, layers: int, shared: bool) -> int:
    layer_pair = 12 * d_model**2 + 4 * d_model * d_ff + 24 * d_model + 2 * d_ff
    return layers * layer_pair + vocab * d_model * (1 if shared else 3)


def parameters_by_list(vocab: int, d_model: int, d_ff: int, layers: int, shared: bool) -> int:
    square, widening, narrowing = (d_model, d_model), (d_model, d_ff), (d_ff, d_model)
    maps = 12 * [square] + 2 * [widening, narrowing]  # of a layer on each side
    total = vocab * d_model if shared else 3 * vocab * d_model
    for _ in range(layers):
        total += sum(rows * columns + columns for rows, columns in maps) + 5 * 2 * d_model
    return total


def counted(*modules: nn.Module) -> int:
    return sum(p.numel() for p in nn.ModuleList(modules).parameters())


def parameters_by_torch(vocab: int, d_model: int, d_ff: int, layers: int, shared: bool) -> int:
    with torch.device("meta"):
        encoder = nn.TransformerEncoderLayer(d_model, 2, d_ff)
        decoder = nn.TransformerDecoderLayer(d_model, 2, d_ff)
        embeddings = [nn.Embedding(vocab, d_model) for _ in range(1 if shared else 3)]
    return layers * counted(encoder, decoder) + counted(*embeddings)


def of_package(
    vocab: int, d_model: int, d_ff: int, layers: int, shared: bool, **settings: Any
) -> int:
    config = TransformerConfig(
        vocab, vocab, d_model, heads=2, layers=layers, d_ff=d_ff,
        tie="all" if shared else "none", **{"norm": "post"} | settings,
    )  # fmt: skip
    with torch.device("meta"):  # shapes without numbers
        return counted(Transformer(config))


RIGHT: dict[str, list[Callable[..., Any]]] = {
    "embed-at": [embed_by_slices, embed_by_stacking, embed_by_table, embed_by_package],
    "tied-logits": [
        logits_by_matmul,
        logits_by_einsum,
        logits_by_linear,
        logits_by_broadcasting,
        logits_by_package,
    ],
    "model-parameters": [
        parameters_by_formula,
        parameters_by_list,
        parameters_by_torch,
        of_package,
    ],
}

# ---- Mistakes as readers write them


def encodings(table: Tensor, ids: Tensor, start: int) -> Tensor:
    return sinusoidal(start + ids.shape[1], table.shape[1])[start:]


def embed_as_energies_are_scaled(table: Tensor, ids: Tensor, start: int) -> Tensor:
    return table[ids] / math.sqrt(table.size(-1)) + encodings(table, ids, start)


def embed_after_the_sum(table: Tensor, ids: Tensor, start: int) -> Tensor:
    x = table[ids] + encodings(table, ids, start)
    return x * math.sqrt(x.size(-1))


def embed_from_the_first_row(table: Tensor, ids: Tensor, start: int) -> Tensor:
    return embed_by_slices(table, ids, 0)


def embed_by_length_of_batch(table: Tensor, ids: Tensor, start: int) -> Tensor:
    x = table[ids] * table.shape[1] ** 0.5
    return x + encodings(table, ids.T, start)


def embed_with_sines_in_front(table: Tensor, ids: Tensor, start: int) -> Tensor:
    waves = encodings(table, ids, start)
    return table[ids] * table.shape[1] ** 0.5 + torch.cat([waves[:, 0::2], waves[:, 1::2]], 1)


def logits_as_energies(features: Tensor, table: Tensor) -> Tensor:
    return features @ table.T / math.sqrt(features.size(-1))


def logits_of_louder_table(features: Tensor, table: Tensor) -> Tensor:
    """With the table as it is on the way in."""
    return F.linear(features, table * table.shape[1] ** 0.5)


def logits_by_cosine(features: Tensor, table: Tensor) -> Tensor:
    return F.cosine_similarity(features[:, :, None], table, dim=-1)


def logits_by_columns(features: Tensor, table: Tensor) -> Tensor:
    return F.linear(features, table.T)


def parameters_of_two_encoders(
    vocab: int, d_model: int, d_ff: int, layers: int, shared: bool
) -> int:
    layer = 4 * (d_model**2 + d_model) + 2 * d_model * d_ff + d_ff + d_model + 4 * d_model
    return 2 * layers * layer + (1 if shared else 3) * vocab * d_model


def parameters_by_state(vocab: int, d_model: int, d_ff: int, layers: int, shared: bool) -> int:
    """Sizes of the saved tensors: a shared one is there under each of its names."""
    config = TransformerConfig(
        vocab, vocab, d_model, heads=2, layers=layers, d_ff=d_ff, norm="post",
        tie="all" if shared else "none",
    )  # fmt: skip
    with torch.device("meta"):
        return sum(tensor.numel() for tensor in Transformer(config).state_dict().values())


def parameters_of_torch_transformer(
    vocab: int, d_model: int, d_ff: int, layers: int, shared: bool
) -> int:
    with torch.device("meta"):
        stacks = nn.Transformer(d_model, 2, layers, layers, d_ff, batch_first=True)
    return counted(stacks) + (1 if shared else 3) * vocab * d_model


# ---- Symptoms: wrong in a way that no row computes


def embed_centred(table: Tensor, ids: Tensor, start: int) -> Tensor:
    x = embed_by_slices(table, ids, start)
    return x - x.mean(0)


def embed_at_one_position(table: Tensor, ids: Tensor, start: int) -> Tensor:
    return table[ids] * table.shape[1] ** 0.5 + sinusoidal(start + 1, table.shape[1])[start]


def logits_of_centred(features: Tensor, table: Tensor) -> Tensor:
    return (features - features.mean((0, 1))) @ table.T


def logits_from_the_largest(features: Tensor, table: Tensor) -> Tensor:
    logits = features @ table.T
    return logits - logits.max(-1, keepdim=True).values


NAMED: list[tuple[str, Callable[..., Any], str | None]] = [
    ("embed-at", lambda *case: case[0][case[1]] + encodings(*case), "not-multiplied"),
    ("embed-at", embed_as_energies_are_scaled, "divided"),
    ("embed-at", embed_after_the_sum, "positions-multiplied"),
    ("embed-at", embed_from_the_first_row, "start-ignored"),
    ("embed-at", embed_by_length_of_batch, "along-sentences"),
    ("embed-at", embed_with_sines_in_front, "halves"),
    ("tied-logits", logits_as_energies, "divided"),
    ("tied-logits", logits_of_louder_table, "multiplied"),
    ("tied-logits", logits_by_cosine, "lengths-lost"),
    ("tied-logits", logits_by_columns, "transposed"),
    ("tied-logits", lambda x, table: x[:, -1] @ table.T, "last-token-alone"),
    ("model-parameters", parameters_of_two_encoders, "decoder-like-encoder"),
    ("model-parameters", parameters_by_state, "shared-counted-again"),
    ("embed-at", embed_centred, "depends-on-batch-mates"),
    ("embed-at", embed_at_one_position, "not-continued"),
    ("embed-at", lambda *case: embed_by_slices(*case) + 1, None),
    ("tied-logits", logits_of_centred, "depends-on-batch-mates"),
    ("tied-logits", logits_from_the_largest, "depends-on-other-words"),
    ("tied-logits", lambda *case: logits_by_matmul(*case).tanh(), "not-in-proportion"),
    ("tied-logits", lambda *case: 3 * logits_by_matmul(*case), None),
    ("model-parameters", parameters_of_torch_transformer, "belongs-nowhere"),
    (
        "model-parameters",
        lambda *case: of_package(*case, positions="learned"),
        "belongs-nowhere",
    ),
    ("model-parameters", lambda *case: of_package(*case, norm="pre"), "belongs-nowhere"),
    (
        "model-parameters",
        lambda v, *rest: parameters_by_formula(v, *rest) - v * rest[0],  # without the words
        "words-miscounted",
    ),
    (
        "model-parameters",
        lambda v, d, f, n, shared: parameters_by_formula(v, d, f, n, shared) - n * (13 * d + 2 * f),
        "layers-miscounted",
    ),
]

# ---- Mutants of the references: which names take each other's place, what changes nothing

NAMES = {
    "sin": "cos",
    "cos": "sin",
    "column": "step",
    "start": "step",
    "step": "start",
    "features": "embedding",
    "d_model": "d_ff",
    "d_ff": "d_model",
    "vocab": "d_ff",
    "encoder_layer": "decoder_layer",
    "decoder_layer": "encoder_layer",
}

EQUIVALENT: list[tuple[str, str]] = []
