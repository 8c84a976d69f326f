"""Recipes: everything that defines a training run, in one TOML file."""

import tomllib
from dataclasses import asdict, dataclass, field, fields
from inspect import signature
from pathlib import Path
from typing import Any

from transformer_lite.data import build_tokenizers
from transformer_lite.training import TrainingConfig

SHIPPED = Path(__file__).parent / "recipes"


@dataclass(frozen=True)
class Validation:
    """How to watch a run.

    Attributes:
        every: steps between two validations; each one also writes a checkpoint.
        sentences: validation pairs that are decoded freely for the exact match, at most.
    """

    every: int = 500
    sentences: int = 200

    def __post_init__(self) -> None:
        if self.every < 1 or self.sentences < 1:
            raise ValueError(
                "validation needs every ≥ 1 and sentences ≥ 1, but they are "
                f"{self.every} and {self.sentences}"
            )


@dataclass(frozen=True)
class Recipe:
    """A training run: which data, which tokenizer, which model, how to train.

    Attributes:
        task: `name` of the corpus and the options of `data.load`.
        model: `kind` ("transformer" or "seq2seq") and fields of its configuration; the vocabulary
            sizes come from the tokenizers.
        training: see `TrainingConfig`.
        tokenizer: options of `data.build_tokenizers`.
        validation: see `Validation`.
        longest: training pairs with more tokens than this on one side are left out; None keeps all.
    """

    task: dict[str, Any]
    model: dict[str, Any]
    training: TrainingConfig
    tokenizer: dict[str, Any] = field(default_factory=dict)
    validation: Validation = field(default_factory=Validation)
    longest: int | None = None

    @classmethod
    def load(cls, name_or_path: str) -> "Recipe":
        """Read a recipe that ships with the package, by name, or a TOML file, by path.

        Raises:
            ValueError: no such recipe, not TOML, or a table or key that no recipe has.
        """
        path = SHIPPED / f"{name_or_path}.toml"
        if not path.is_file():
            path = Path(name_or_path)
        if not path.is_file():
            raise ValueError(
                f"there is no recipe {name_or_path!r}: give the path of a TOML file, or one of "
                f"{', '.join(shipped_recipes())}"
            )
        try:
            return cls.from_dict(tomllib.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError) as error:
            raise ValueError(f"the recipe {path.name} cannot be used: {error}") from error

    @classmethod
    def from_dict(cls, tables: dict[str, Any]) -> "Recipe":
        """A recipe from its tables; the inverse of `to_dict`."""
        _check_keys("a recipe", tables, _names(cls))
        for required, key in (("task", "name"), ("model", "kind")):
            if key not in tables.get(required, {}):
                raise ValueError(f"a recipe needs the table [{required}] with the key {key!r}")
        training = dict(tables.get("training", {}))
        _check_keys("[training]", training, _names(TrainingConfig))
        if "betas" in training:
            training["betas"] = tuple(training["betas"])
        validation = tables.get("validation", {})
        _check_keys("[validation]", validation, _names(Validation))
        tokenizer = dict(tables.get("tokenizer", {}))
        options = [name for name in signature(build_tokenizers).parameters if name != "corpus"]
        _check_keys("[tokenizer]", tokenizer, options)
        return cls(
            task=dict(tables["task"]),
            model=dict(tables["model"]),
            training=TrainingConfig(**training),
            tokenizer=tokenizer,
            validation=Validation(**validation),
            longest=tables.get("longest"),
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain tables, ready for JSON."""
        tables = asdict(self)
        tables["training"]["betas"] = list(self.training.betas)
        return tables


def shipped_recipes() -> list[str]:
    """Names of the recipes that ship with the package."""
    return sorted(path.stem for path in SHIPPED.glob("*.toml"))


def _names(kind: type) -> list[str]:
    return [one.name for one in fields(kind)]


def _check_keys(where: str, table: dict[str, Any], known: list[str]) -> None:
    unknown = sorted(set(table) - set(known))
    if unknown:
        raise ValueError(f"{where} has no key {', '.join(unknown)}; it may have {', '.join(known)}")
