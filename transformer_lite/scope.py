"""The scope of an attention: who may see whom, how rows are laid out, what is kept and recorded.

A scope stands where a mask would stand, and is handed down from the model to its attentions. So a
layer reads as the paper writes it, whether it is trained, asked for its weights, or used for one
token at a time.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

KeysValues = tuple[Float[Tensor, "B H S K"], Float[Tensor, "B H S K"]]


class AttentionRecord(dict[str, Tensor]):
    """Attention maps by name: "encoder.0.self", "decoder.1.self", "decoder.1.cross", …

    Each map is Float[B, H, T, S]. A row sums to 1, to 0 where a query may attend to nothing, and to
    less than 1 with a predictive window. In decoder maps row t belongs to the token being PRODUCED
    at t; in encoder maps to source token t. Weights are recorded before dropout.
    """


class Layout:
    """How the vectors outside an attention are laid out. This one: `B T D`, as inside.

    Others are `Hypotheses` and, for training without padding, `fast.packing.Packing`.
    """

    def unpack(self, x: Float[Tensor, "*queries D"]) -> Float[Tensor, "B T D"]:
        """Vectors as the attention takes them."""
        return x

    def pack(self, x: Float[Tensor, "B T D"]) -> Float[Tensor, "*queries D"]:
        """The inverse of `unpack`."""
        return x

    def maps(self, weights: Float[Tensor, "B H T S"]) -> Float[Tensor, "N H T S"]:
        """The attention maps of the rows outside."""
        return weights


class Hypotheses(Layout):
    """N = B · g rows, the g hypotheses of one sentence side by side.

    To an attention over the source they are further queries to the same keys: nothing that belongs
    to the sentence is copied.

    Args:
        sentences: B.
        rows: N, a multiple of B.
    """

    def __init__(self, sentences: int, rows: int) -> None:
        self.sentences, self.rows = sentences, rows

    def unpack(self, x: Float[Tensor, "N T D"]) -> Float[Tensor, "B G D"]:
        """`N T D` → `B g·T D`."""
        return x.reshape(self.sentences, -1, x.shape[-1])

    def pack(self, x: Float[Tensor, "B G D"]) -> Float[Tensor, "N T D"]:
        """`B g·T D` → `N T D`."""
        return x.reshape(self.rows, -1, x.shape[-1])

    def maps(self, weights: Float[Tensor, "B H G S"]) -> Float[Tensor, "N H T S"]:
        """`B H g·T S` → `N H T S`."""
        batch, heads, _, size = weights.shape
        grouped = weights.view(batch, heads, self.rows // batch, -1, size)  # B H g T S
        return grouped.transpose(1, 2).reshape(self.rows, heads, -1, size)


class KeyValueCache:
    """Keys and values of the target tokens written so far, for one attention.

    Args:
        capacity: number of tokens to make room for at once; None starts small and doubles.
    """

    def __init__(self, capacity: int | None = None) -> None:
        self.capacity = capacity
        self.length = 0
        self.keys: Tensor | None = None
        self.values: Tensor | None = None

    def append(
        self, key: Float[Tensor, "N H T K"], value: Float[Tensor, "N H T K"]
    ) -> tuple[Float[Tensor, "N H S K"], Float[Tensor, "N H S K"]]:
        """Store the newest keys and values, and return all from the first token on.

        Raises:
            ValueError: more tokens than the capacity that was asked for.
        """
        end = self.length + key.shape[2]
        if self.capacity is not None and end > self.capacity:
            raise ValueError(
                f"the cache was made for {self.capacity} target tokens and token {end} does not "
                "fit; start with a larger capacity, or with capacity=None"
            )
        if self.keys is None or self.values is None:
            self.keys = self._room(key, self.capacity or max(8, end))
            self.values = self._room(value, self.capacity or max(8, end))
        elif end > self.keys.shape[2]:
            self.keys = self._room(self.keys, 2 * end, copy=self.length)
            self.values = self._room(self.values, 2 * end, copy=self.length)
        self.keys[:, :, self.length : end] = key
        self.values[:, :, self.length : end] = value
        self.length = end
        return self.keys[:, :, :end], self.values[:, :, :end]

    @staticmethod
    def _room(like: Tensor, size: int, copy: int = 0) -> Tensor:
        rows, heads, _, width = like.shape
        room = like.new_empty(rows, heads, size, width)
        room[:, :, :copy] = like[:, :, :copy]
        return room

    def select(self, rows: Int[Tensor, " N"]) -> "KeyValueCache":
        """A cache whose row i is a copy of this cache's row `rows[i]`."""
        chosen = KeyValueCache(self.capacity)
        chosen.length = self.length
        if self.keys is not None and self.values is not None:
            chosen.keys = self._chosen(self.keys, rows)
            chosen.values = self._chosen(self.values, rows)
        return chosen

    def _chosen(self, kept: Tensor, rows: Tensor) -> Tensor:
        """These rows of what is kept, in new room of the same size; only the filled part moves."""
        room = kept.new_empty(len(rows), *kept.shape[1:])
        filled = slice(None), slice(None), slice(self.length)
        # Straight to its place: beam search does this at every step and for every layer.
        torch.index_select(kept[filled], 0, rows, out=room[filled])
        return room


@dataclass(frozen=True)
class Scope:
    """What one attention, or all attentions of one kind in a stack, may see and keep.

    Attributes:
        mask: True = may attend, broadcastable to `B H T S`; None allows everything.
        record: where the weights are written down; None: nowhere, and they need not be formed.
        known: by name, keys and values that need no computing, as those of a source read before.
        caches: by name, keys and values of the past; those of the newest tokens are added.
        query_layout, key_layout: how the vectors on both sides are laid out.
        name: of this attention, see `AttentionRecord`.
    """

    mask: Tensor | None = None
    record: AttentionRecord | None = None
    known: Mapping[str, KeysValues] = field(default_factory=dict)
    caches: Mapping[str, KeyValueCache] = field(default_factory=dict)
    query_layout: Layout = field(default_factory=Layout)
    key_layout: Layout = field(default_factory=Layout)
    name: str = "attention"

    def at(self, name: str) -> "Scope":
        """The same scope for the attention of this name."""
        return replace(self, name=name)

    def keys_values(self, make: Callable[[], KeysValues]) -> KeysValues:
        """Keys and values to attend to: known already, or made now and put behind the past."""
        if self.name in self.known:
            return self.known[self.name]
        made = make()
        return self.caches[self.name].append(*made) if self.name in self.caches else made
