"""Made-up results for the bottleneck explorer: nothing in them was measured."""

from string import ascii_lowercase

import pandas as pd
from widget_fixtures import HOSTILE

from transformer_lite.chapters.c01_bottleneck.widget import BottleneckExplorer

REACH = {64: 4, 128: 9, 256: 14}  # letters a made-up model gets right
EXACT = {64: (0.9, 0.1, 0.0, 0.0), 128: (1.0, 0.455, 0.05, 0.0), 256: (1.0, 0.98, 0.41, 0.03)}


def make_results() -> pd.DataFrame:
    """Runs of the shape that `results.load("bottleneck")` gives."""
    runs = [
        {
            "task": "reverse",
            "attention": None,
            "context": "start",
            "steps": 3000,
            "seed": 1,
            "hidden": hidden,
            "exact_match": dict(zip(("5", "10", "15", "20"), EXACT[hidden], strict=True)),
            "samples": [
                _sample(length, number, reach) for length in range(1, 21) for number in range(4)
            ],
        }
        for hidden, reach in REACH.items()
    ]
    return pd.json_normalize(runs)


def examples() -> dict[str, BottleneckExplorer]:
    """As a reader meets it first, as full as it gets, and with markup for letters."""
    hostile = make_results()
    for samples in hostile["samples"]:
        samples[-1] = {"source": HOSTILE, "target": HOSTILE, "output": HOSTILE}
    return {
        "asking": BottleneckExplorer(make_results()),
        "answered": BottleneckExplorer(
            make_results(), length=20, sample=4, hidden=64, prediction="1 to 5", ask=False
        ),
        "hostile": BottleneckExplorer(hostile, length=20, sample=4, ask=False),
    }


def _sample(length: int, number: int, reach: int) -> dict[str, str]:
    """A string whose output goes wrong after `reach` letters; some end early, some go on."""
    source = "".join(chr(ord("a") + (7 * place + 3 * number) % 26) for place in range(length))
    target = source[::-1]
    tail = target[reach:].translate(str.maketrans(ascii_lowercase, ascii_lowercase[::-1]))
    output = target[:reach] + {2: "", 3: tail + "z"}.get(number, tail)
    return {"source": source, "target": target, "output": output}
