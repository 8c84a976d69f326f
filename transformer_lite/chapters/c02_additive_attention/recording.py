"""What a decoder with attention wrote, and where it looked at each step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Recording:
    """One text, decoded.

    Attributes:
        text: the source as a reader knows it.
        source: its S tokens, `<eos>` last.
        written: T target tokens in their order.
        weights: T rows of S numbers from 0 to 1; row t belongs to the step that wrote token t.
        parts: what the source is made of: names, each with its places, such as
            `{"day": range(0, 1), "month": range(2, 7), "year": range(8, 12)}` for "9 March 2021".
            Places may be left out. Without any they are the beginning, the middle and the end.

    Raises:
        ValueError: the rows do not fit the tokens; a part is empty, lies outside the source, or
            shares a place with another one.
    """

    text: str
    source: Sequence[str]
    written: Sequence[str]
    weights: Sequence[Sequence[float]]
    parts: Mapping[str, range] = field(default_factory=dict)

    def __post_init__(self) -> None:
        lengths, count = [len(row) for row in self.weights], len(self.source)
        if not lengths or lengths != [count] * len(self.written):
            raise ValueError(
                f"weights must be a row of {count} for each of the tokens written, of "
                f"which there must be at least one and are {len(self.written)}, but the lengths of "
                f"its rows are {lengths}"
            )
        places = [place for part in self.parts.values() for place in part]
        within = len({*places} & {*range(count)})  # each counted once
        if not all(self.parts.values()) or within < len(places):
            raise ValueError(
                f"parts must be ranges of the places 0 to {count - 1} of source that share none, "
                f"but it is {dict(self.parts)}"
            )
