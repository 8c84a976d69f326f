"""Weight and influence in small captions that no model read."""

from typing import Any

from widget_fixtures import HOSTILE

from transformer_lite.chapters.c14_inside.widget import ATTENTIONS, WeightAndInfluence

# "x y ." became "a b b a .": rows of the cross-attention, and what hiding each token moves.
SOURCE, TARGET = ["▁x", "▁y", ".", "<eos>"], ["▁a", "▁b", "▁b", "a", ".", "<eos>"]
WEIGHTS = [
    [90, 10, 0, 0],
    [60, 40, 0, 0],
    [10, 80, 10, 0],
    [50, 50, 0, 0],
    [0, 0, 30, 70],
    [0, 0, 0, 100],
]
HIDDEN = [[80, 1, 0, 0], [2, 70, 0, 3], [30, 30, 0, 0], [19, 1, 0, 0], [0, 0, 25, 60], [1, 1, 1, 2]]


def square(size: int, columns: int) -> list[list[int]]:
    """All weight on the place of the row."""
    return [[100 * (row == column) for column in range(columns)] for row in range(size)]


def looked(german: str = "X y.", mark: str = "", source: list[str] = SOURCE) -> dict[str, Any]:
    """What `benchmarks/inside.py` stores of one caption; head 4 of each layer looks elsewhere."""
    rows, columns = len(TARGET), len(source)
    maps = {
        "encoder": [square(columns, columns)] * 4,
        "decoder": [square(rows, rows + 1)] * 4,
        "cross": [*[WEIGHTS] * 3, [[0, 0, 100, 0]] * rows],
    }
    names = [f"{attention} {layer}" for attention in ATTENTIONS for layer in (1, 2, 3)]
    without = [f"a b ba{mark}.", f"c b ba{mark}.", "a b.", f"a d b ba{mark}."]
    return {
        "german": german,
        "source": source,
        "target": [f"{TARGET[0]}{mark}", *TARGET[1:]],
        "translation": f"a b ba{mark}.",
        "maps": {name: maps[name.split()[0]] for name in names},
        "hidden": HIDDEN,
        "without": dict.fromkeys(names, without),
    }


def captions() -> list[dict[str, Any]]:
    """Two of them."""
    return [looked(), looked("Y x.", source=["▁y", "▁x", ".", "<eos>"])]


def examples() -> dict[str, WeightAndInfluence]:
    """As a reader meets it first, as full as it gets, and with markup for all texts."""
    hostile = looked(HOSTILE, HOSTILE, [HOSTILE, *SOURCE[1:]])
    return {
        "asking": WeightAndInfluence(captions()),
        "answered": WeightAndInfluence(
            captions(), row=2, head="layer 1, head 2", without=True, prediction="x", ask=False
        ),
        "hostile": WeightAndInfluence([hostile], head="layer 1, head 2", without=True, ask=False),
    }
