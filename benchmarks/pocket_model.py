"""Make the English → Korean model that ships with the package, from its recipe.

    python benchmarks/pocket_model.py          # trains in runs/pocket unless that run is done

The folder transformer_lite/data/pocket/model/ is replaced by the best checkpoint without its
optimiser, with the recipe beside it.
"""

import shutil
from pathlib import Path

from transformer_lite import data, runs
from transformer_lite.runs import checkpoint
from transformer_lite.runs.recipe import Recipe

RUN = Path("runs/pocket")
SHIPPED = Path(data.__file__).parent / "pocket" / "model"
FILES = ("model.json", "model.safetensors", "tokenizers.json")


def main() -> None:
    """Train or resume, then ship."""
    best = runs.train(Recipe.load("pocket"), RUN, resume=runs.holds_run(RUN))
    checkpoint.check_folder(best)
    shutil.rmtree(SHIPPED, ignore_errors=True)
    with checkpoint.atomic_folder(SHIPPED) as folder:
        for name in FILES:
            shutil.copyfile(best / name, folder / name)
        shutil.copyfile(RUN / "recipe.json", folder / "recipe.json")


if __name__ == "__main__":
    main()
