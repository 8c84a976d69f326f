"""The beam over three small captions that no model translated."""

from collections.abc import Mapping

from widget_fixtures import HOSTILE

from transformer_lite.chapters.c13_decoding.widget import BeamTree, Candidate, Searched

# Greedy writes "a b c"; a beam of 2 drops it at step 2, and "d e" is more probable.
LOGS: Mapping[str, float] = {
    "▁a": -0.5,
    "▁d": -1.0,
    "▁a ▁b": -2.0,
    "▁a ▁e": -2.1,
    "▁d ▁e": -1.1,
    "▁d s": -1.5,
    "▁a ▁b <eos>": -2.25,
    "▁d ▁e <eos>": -1.2,
    "▁d s <eos>": -1.6,
}
GREEDY = ["▁a kept, ▁d dropped", "▁a ▁b kept, ▁a ▁e dropped", "▁a ▁b <eos> ended"]
TWO = [
    "▁a kept, ▁d kept",
    "▁d ▁e kept, ▁d s kept, ▁a ▁b dropped, ▁a ▁e dropped",
    "▁d ▁e <eos> ended, ▁d s <eos> ended",
]
THREE = [
    "▁a kept, ▁d kept",
    "▁d ▁e kept, ▁d s kept, ▁a ▁b kept, ▁a ▁e dropped",
    "▁d ▁e <eos> ended, ▁d s <eos> ended, ▁a ▁b <eos> ended",
]


def steps(told: list[str]) -> list[list[Candidate]]:
    """From "▁a ▁b kept, ▁a ▁e dropped" for each step."""
    return [
        [
            Candidate(tuple(prefix.split(" ")), LOGS[prefix], fate)
            for prefix, fate in (one.rsplit(" ", 1) for one in step.split(", "))
        ]
        for step in told
    ]


def searched(reference: str = "A b.") -> Searched:
    """The four beams."""
    beams = {1: steps(GREEDY), 2: steps(TWO), 3: steps(THREE), 5: steps(THREE)}
    return Searched(reference, beams)


def hostile() -> Searched:
    """A search of one step more than tokens, all of them markup."""
    kept = [Candidate((f"▁{HOSTILE}{n}",), -1.0 - n, "kept") for n in range(5)]
    ended = [Candidate((*one.tokens, "<eos>"), one.log_probability - 1, "ended") for one in kept]
    return Searched(HOSTILE, {w: [kept[:w], ended[:w]] for w in (1, 2, 3, 5)})


def examples() -> dict[str, BeamTree]:
    """As a reader meets it first, as full as it gets, and with markup for all texts."""
    captions = {"Ein A bekommt ein B.": searched(), "Ein D.": searched("A d.")}
    return {
        "asking": BeamTree(captions),
        "answered": BeamTree(captions, width=5, step=2, ask=False, prediction="no"),
        "hostile": BeamTree({HOSTILE: hostile()}, width=5, step=1, ask=False),
    }
