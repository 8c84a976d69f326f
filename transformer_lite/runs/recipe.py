"""Recipes: everything that defines a training run, in one TOML file."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from inspect import signature
from pathlib import Path
from typing import Any, get_type_hints

from transformer_lite.checks import (
    check_at_least,
    check_at_most,
    check_keys,
    check_one_of,
    check_types,
    shown,
)
from transformer_lite.data import LOADERS, build_tokenizers
from transformer_lite.reading import read_toml
from transformer_lite.runs.checkpoint import KINDS
from transformer_lite.training import TrainingConfig

SHIPPED = Path(__file__).parent / "recipes"
MOST_THREADS = 1024


@dataclass(frozen=True)
class Validation:
    """How to watch a run.

    Attributes:
        every: steps between two validations; each one also writes a checkpoint.
        sentences: validation pairs that are decoded freely for exact match and BLEU, at most.
        keep: newest checkpoints that are kept, besides the best one. At least two: one is there
            if the other gets damaged. Averaging takes more.
    """

    every: int = 500
    sentences: int = 200
    keep: int = 2

    def __post_init__(self) -> None:
        check_at_least(1, self, "every sentences")
        check_at_least(2, self, "keep")


@dataclass(frozen=True)
class Machine:
    """How a run uses the machine; what it learns depends on none of it, but for rounding.

    Attributes:
        threads: CPU threads of each process; models of notebook size are fastest with one.
        compile: let `torch.compile` turn the loss into machine code, which takes a C++ compiler and
            a minute before the first step; with dropout other random numbers are drawn.
    """

    threads: int = 1
    compile: bool = False

    def __post_init__(self) -> None:
        check_at_least(1, self, "threads")
        check_at_most(MOST_THREADS, self, "threads")


@dataclass(frozen=True)
class Recipe:
    """A training run: which data, which tokenizer, which model, how to train.

    Attributes:
        task: `name` of the corpus and the options of `data.load`.
        model: `kind` (a key of `checkpoint.KINDS`) and fields of its configuration; the vocabulary
            sizes come from the tokenizers.
        training: see `TrainingConfig`.
        tokenizer: options of `data.build_tokenizers`.
        validation: see `Validation`.
        machine: see `Machine`.
        max_tokens: training pairs with more tokens than this on one side are left out; None keeps
            all.
    """

    task: dict[str, Any]
    model: dict[str, Any]
    training: TrainingConfig
    tokenizer: dict[str, Any] = field(default_factory=dict)
    validation: Validation = field(default_factory=Validation)
    machine: Machine = field(default_factory=Machine)
    max_tokens: int | None = None

    def __post_init__(self) -> None:
        if self.max_tokens is not None:
            check_at_least(1, self, "max_tokens")

    @classmethod
    def load(cls, name_or_path: str | Path) -> "Recipe":
        """Read a recipe that ships with the package, by name, or a TOML file, by path.

        Raises:
            ValueError: no such recipe, not TOML, or what `from_dict` raises.
        """
        path = SHIPPED / f"{name_or_path}.toml"
        if not path.is_file():
            path = Path(name_or_path)
        if not path.is_file():
            raise ValueError(
                f"the recipe must be the path of a TOML file or one of "
                f"{', '.join(shipped_recipes())}, but it is {shown(str(name_or_path))}"
            )
        tables = read_toml(path)
        try:
            return cls.from_dict(tables)
        except (ValueError, TypeError) as error:
            raise ValueError(f"the recipe {path.name} cannot be used: {error}") from error

    @classmethod
    def from_dict(cls, tables: dict[str, Any]) -> "Recipe":
        """A recipe from its tables; the inverse of `to_dict`.

        Raises:
            ValueError: a table or key that no recipe has, or a value of a wrong type.
        """
        check_keys("the keys of a recipe", tables, [one.name for one in fields(cls)])
        check_types("", tables, {"max_tokens": int | None})
        training = _table(tables, "training", TrainingConfig)
        if "betas" in training:
            training["betas"] = tuple(training["betas"])
        models = {kind: configuration for kind, (configuration, _) in KINDS.items()}
        return cls(
            task=_table_of_one(tables, "task", "name", LOADERS),
            model=_table_of_one(tables, "model", "kind", models),
            training=TrainingConfig(**training),
            tokenizer=_table(tables, "tokenizer", build_tokenizers),
            validation=Validation(**_table(tables, "validation", Validation)),
            machine=Machine(**_table(tables, "machine", Machine)),
            max_tokens=tables.get("max_tokens"),
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain tables, ready for JSON."""
        tables = asdict(self)
        tables["training"]["betas"] = list(self.training.betas)
        return tables


def shipped_recipes() -> list[str]:
    """Names of the recipes that ship with the package."""
    return sorted(path.stem for path in SHIPPED.glob("*.toml"))


def _table(tables: dict[str, Any], name: str, takes: Callable[..., Any]) -> dict[str, Any]:
    """One table, whose keys must be options that `takes` takes."""
    table = tables.get(name, {})
    if not isinstance(table, dict):
        raise ValueError(f"[{name}] must be a table, but it is {shown(table)}")
    parameters = signature(takes).parameters.values()
    check_keys(
        f"the keys of [{name}]",
        table,
        [one.name for one in parameters if one.default is not one.empty],
    )
    check_types(f"[{name}] ", table, get_type_hints(takes))
    return dict(table)


def _table_of_one(
    tables: dict[str, Any], name: str, key: str, choices: Mapping[str, Callable[..., Any]]
) -> dict[str, Any]:
    """One table, whose `key` chooses what its other keys belong to."""
    table = tables.get(name)
    if not isinstance(table, dict) or key not in table:
        raise ValueError(f"[{name}] must be a table with the key {key!r}, but it is {shown(table)}")
    choice = table[key]
    check_one_of(f"[{name}] {key}", choice, choices)
    others = {other: value for other, value in table.items() if other != key}
    return {key: choice} | _table({name: others}, name, choices[choice])
