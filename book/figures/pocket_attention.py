"""Draw book/images/pocket-attention.svg: where the pocket model looks while it translates.

Run by `make figures`. What the caption on the landing page says is checked here, on the weights.
"""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")

from transformer_lite import Translator, plots

SENTENCE = "the cat eats an apple"
LOOKED_AT = {"고양이": "cat", "사과": "apple", "먹어요": "eats"}
PICTURE = Path(__file__).parents[1] / "images" / "pocket-attention.svg"


def main() -> None:
    """Translate, check what the caption claims, draw."""
    explanation = Translator.load("pocket").explain(SENTENCE)
    words, tokens = explanation.source_tokens, explanation.target_tokens
    weights = explanation.cross("decoder.1.cross")

    strongest = [words[place] for place in weights.argmax(dim=1).tolist()]
    found = dict(zip(tokens, strongest, strict=True))
    if {token: found.get(token) for token in LOOKED_AT} != LOOKED_AT:
        raise SystemExit(f"the caption should say something else: the tokens looked at {found}")

    plots.attention_map(weights, words, explanation.target_labels)
    plots.save(PICTURE)


if __name__ == "__main__":
    main()
