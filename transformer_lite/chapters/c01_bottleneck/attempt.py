"""One string, the right answer and what a model wrote: how far it got."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Attempt:
    """What a model made of one string; all three are strings of letters."""

    source: str
    target: str
    output: str

    @property
    def right(self) -> int:
        """How many letters are right before the first mistake."""
        for place, (wanted, written) in enumerate(zip(self.target, self.output, strict=False)):
            if wanted != written:
                return place
        return min(len(self.target), len(self.output))

    @property
    def wrong_places(self) -> list[int]:
        """The letters that are wrong, missing or too many, counted from 1."""
        places = range(max(len(self.target), len(self.output)))
        return [
            place + 1
            for place in places
            if self.target[place : place + 1] != self.output[place : place + 1]
        ]

    def verdict(self) -> str:
        """The outcome in one sentence; the front end forms the same one."""
        length = len(self.target)
        if self.right < length:
            stopped = ": the model stopped there" if len(self.output) == self.right else ""
            return f"First mistake at letter {self.right + 1} of {length}{stopped}."
        good = "The one letter is right" if length == 1 else f"All {length} letters are right"
        extra = len(self.output) - length
        if extra:
            return f"{good}, but the model went on: {extra} too many."
        return f"{good}."
