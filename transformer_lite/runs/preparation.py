"""From a recipe to what training starts with: the model, its tokenizers, the encoded pairs."""

from dataclasses import dataclass

import torch

from transformer_lite import data
from transformer_lite.data import Example, build_tokenizers, encode_pairs
from transformer_lite.runs.checkpoint import SavedModel, build_model
from transformer_lite.runs.recipe import Recipe
from transformer_lite.training import seed_for


@dataclass(frozen=True)
class Prepared:
    """What a recipe turns into before the first step.

    Attributes:
        saved: the untrained model, with all that a model folder holds.
        training, validation: the encoded pairs.
        references: the target texts of `validation`; None where BLEU says nothing of them.
        available: training pairs before those that are too long were left out.
    """

    saved: SavedModel
    training: list[Example]
    validation: list[Example]
    references: list[str] | None
    available: int


def prepare(recipe: Recipe) -> Prepared:
    """Load the corpus, build tokenizers and model, encode the pairs; the seed decides the weights.

    Raises:
        ValueError: `max_tokens` leaves no pair, or what the corpus or the model refuses.
        OSError: the corpus cannot be had.
    """
    corpus = data.load(**recipe.task)
    source, target = build_tokenizers(corpus, **recipe.tokenizer)
    training = encode_pairs(corpus.train, source, target, max_tokens=recipe.max_tokens)
    if not training:
        raise ValueError(
            f"max_tokens must leave some training pairs, but {recipe.max_tokens} leaves none; "
            "raise it"
        )
    torch.manual_seed(seed_for(recipe.training.seed, 0))
    fields = {name: value for name, value in recipe.model.items() if name != "kind"}
    sizes = {"source_vocab": len(source), "target_vocab": len(target)}
    model = build_model(recipe.model["kind"], fields | sizes)
    longest = max(example.source_length for example in training)
    return Prepared(
        SavedModel(model, source, target, longest, recipe.task),
        training,
        encode_pairs(corpus.valid, source, target),
        None if corpus.units == "characters" else [pair.target for pair in corpus.valid],
        len(corpus.train),
    )
