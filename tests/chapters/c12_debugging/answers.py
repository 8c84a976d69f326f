"""Answers to the exercises of chapter 12, right and wrong, as readers would write them."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from transformer_lite.attention import scaled_dot_product_attention
from transformer_lite.masks import causal_mask


def attention_by_page(query: Tensor, key: Tensor, value: Tensor, heads: int) -> Tensor:
    batch, steps, d_model = query.shape
    width = d_model // heads

    def split(x: Tensor) -> Tensor:
        return x.view(batch, steps, heads, width).transpose(1, 2)

    energies = split(query) @ split(key).mT / width**0.5
    past = torch.ones(steps, steps, dtype=torch.bool).tril()
    weights = energies.masked_fill(~past, -torch.inf).softmax(dim=-1)
    heads_beside = weights @ split(value)
    return heads_beside.transpose(1, 2).reshape(query.shape)


def attention_by_torch(query: Tensor, key: Tensor, value: Tensor, heads: int) -> Tensor:
    q, k, v = (x.unflatten(-1, (heads, -1)).transpose(1, 2) for x in (query, key, value))
    return F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2)


def attention_by_heads(query: Tensor, key: Tensor, value: Tensor, heads: int) -> Tensor:
    pieces = zip(*(x.chunk(heads, dim=-1) for x in (query, key, value)), strict=True)
    mask = causal_mask(query.shape[1])
    return torch.cat([scaled_dot_product_attention(*piece, mask)[0] for piece in pieces], dim=-1)


def attention_renormalised(query: Tensor, key: Tensor, value: Tensor, heads: int) -> Tensor:
    """A mask behind the softmax whose rows are made to sum to 1 again."""
    q, k, v = (x.unflatten(-1, (heads, -1)).transpose(1, 2) for x in (query, key, value))
    weights = torch.softmax(q @ k.mT / q.shape[-1] ** 0.5, -1).tril()
    return (weights / weights.sum(-1, keepdim=True) @ v).transpose(1, 2).flatten(2)


def loss_by_page(logits: Tensor, target: Tensor) -> Tensor:
    return F.cross_entropy(logits.mT, target[:, 1:], ignore_index=0)


def loss_by_picking(logits: Tensor, target: Tensor) -> Tensor:
    real = target[:, 1:] > 0
    return F.nll_loss(logits[real].log_softmax(dim=-1), target[:, 1:][real])


def loss_by_gather(logits: Tensor, target: Tensor) -> Tensor:
    wanted = target[:, 1:]
    picked = logits.softmax(-1).gather(2, wanted.unsqueeze(2)).squeeze(2)
    return -picked.log().masked_fill(wanted == 0, 0.0).sum() / wanted.count_nonzero()


def gap_by_page(together: Tensor, alone: list[Tensor]) -> Tensor:
    gaps = []
    for padded, own in zip(together, alone, strict=True):
        gaps.append((padded[: len(own)] - own).abs().max())
    return torch.stack(gaps).max()


def gap_by_mask(together: Tensor, alone: list[Tensor]) -> Tensor:
    """The sentences padded to one length, and what is padding left out."""
    padded = torch.zeros_like(together)
    for row, own in zip(padded, alone, strict=True):
        row[: len(own)] = own
    lengths = torch.tensor([len(own) for own in alone])
    real = torch.arange(together.shape[1]) < lengths[:, None]
    return (padded - together)[real].abs().max()


def gap_at_once(together: Tensor, alone: list[Tensor]) -> Tensor:
    real = [together[b, : own.shape[0]] for b, own in enumerate(alone)]
    return torch.dist(torch.cat(alone), torch.cat(real), p=float("inf"))


RIGHT: dict[str, list[Callable[..., Any]]] = {
    "mend-attention": [
        attention_by_page,
        attention_by_torch,
        attention_by_heads,
        attention_renormalised,
    ],
    "mend-loss": [loss_by_page, loss_by_picking, loss_by_gather],
    "mates-gap": [gap_by_page, gap_by_mask, gap_at_once],
}

# ---- What the page has, and what is left when some of it is mended


def attention_of_page(
    query: Tensor, key: Tensor, value: Tensor, heads: int, mended: str = ""
) -> Tensor:
    batch, steps, d_model = query.shape
    width = d_model // heads

    def split(x: Tensor) -> Tensor:
        if "split" in mended:
            return x.view(batch, steps, heads, width).transpose(1, 2)
        return x.view(batch, heads, steps, width)

    q, k, v = split(query), split(key), split(value)
    energies = q @ k.mT / (width if "scale" in mended else d_model) ** 0.5
    past = torch.ones(steps, steps, dtype=torch.bool).tril()
    if "mask" in mended:
        weights = energies.masked_fill(~past, -torch.inf).softmax(dim=-1)
    else:
        weights = energies.softmax(dim=-1) * past
    return (weights @ v).transpose(1, 2).reshape(query.shape)


def loss_of_page(logits: Tensor, target: Tensor, mended: str = "") -> Tensor:
    wanted = target[:, 1:] if "shift" in mended else target[:, :-1]
    scores = logits if "softmax" in mended else logits.softmax(dim=-1)
    ignored = 0 if "padding" in mended else -100
    return F.cross_entropy(scores.mT, wanted, ignore_index=ignored)


# ---- Mistakes as readers write them


def attention_without_exchange(query: Tensor, key: Tensor, value: Tensor, heads: int) -> Tensor:
    batch, steps, d_model = query.shape
    q, k, v = (x.view(batch, steps, heads, -1) for x in (query, key, value))
    past = torch.ones(steps, steps, dtype=torch.bool).tril()
    weights = (q @ k.mT / d_model**0.5).softmax(dim=-1) * past
    return (weights @ v).transpose(1, 2).reshape(query.shape)


def attention_with_own_mask(
    hide: Callable[[Tensor], Tensor], query: Tensor, key: Tensor, value: Tensor, heads: int
) -> Tensor:
    q, k, v = (x.unflatten(-1, (heads, -1)).transpose(1, 2) for x in (query, key, value))
    weights = hide(q @ k.mT / q.shape[-1] ** 0.5)
    return (weights @ v).transpose(1, 2).flatten(2)


def hidden_by_strict_triangle(energies: Tensor) -> Tensor:
    past = torch.ones_like(energies, dtype=torch.bool).tril(-1)
    return energies.masked_fill(~past, -torch.inf).softmax(-1)


def hidden_by_triu(energies: Tensor) -> Tensor:
    """The triangle of a convention in which True is hidden."""
    hidden = torch.ones_like(energies).triu(1) == 1
    return energies.masked_fill(~hidden, -torch.inf).softmax(-1)


def hidden_a_little(energies: Tensor) -> Tensor:
    return (energies - 5 * torch.ones_like(energies).triu(1)).softmax(-1)


def hidden_and_scaled(energies: Tensor) -> Tensor:
    past = torch.ones_like(energies, dtype=torch.bool).tril()
    return energies.masked_fill(~past, -torch.inf).softmax(-1) / 2


def hidden_and_compared_with_mates(energies: Tensor) -> Tensor:
    past = torch.ones_like(energies, dtype=torch.bool).tril()
    return (energies - energies.mean(0) / 2).masked_fill(~past, -torch.inf).softmax(-1)


def attention_merged_by_view(query: Tensor, key: Tensor, value: Tensor, heads: int) -> Tensor:
    q, k, v = (x.unflatten(-1, (heads, -1)).transpose(1, 2) for x in (query, key, value))
    return F.scaled_dot_product_attention(q, k, v, is_causal=True).reshape(query.shape)


def loss_with_both_cut(logits: Tensor, target: Tensor) -> Tensor:
    return F.cross_entropy(logits[:, :-1].mT, target[:, 2:], ignore_index=0)


def loss_by_mask_of_input(logits: Tensor, target: Tensor) -> Tensor:
    losses = F.cross_entropy(logits.mT, target[:, 1:], reduction="none")
    return losses[target[:, :-1] != 0].mean()


def loss_times_mask(logits: Tensor, target: Tensor) -> Tensor:
    losses = F.cross_entropy(logits.mT, target[:, 1:], reduction="none")
    return (losses * (target[:, 1:] != 0)).mean()


def loss_of_words(logits: Tensor, target: Tensor) -> Tensor:
    real = target[:, 1:] > 2
    return F.cross_entropy(logits[real], target[:, 1:][real])


def loss_over_places(logits: Tensor, target: Tensor) -> Tensor:
    """The softmax runs over the places of a sentence."""
    return F.nll_loss(logits.log_softmax(1).mT, target[:, 1:], ignore_index=0)


def loss_of_half_the_padding(logits: Tensor, target: Tensor) -> Tensor:
    losses = F.cross_entropy(logits.mT, target[:, 1:], reduction="none")
    weight = (1 + (target[:, 1:] != 0)) / 2
    return (losses * weight).sum() / weight.sum()


def gap_padded(together: Tensor, alone: list[Tensor]) -> Tensor:
    return (torch.nn.utils.rnn.pad_sequence(alone, batch_first=True) - together).abs().max()


def gap_subtracted(together: Tensor, alone: list[Tensor]) -> float:
    return max((together[b] - own).abs().max().item() for b, own in enumerate(alone))


def gap_padded_by_last(together: Tensor, alone: list[Tensor]) -> Tensor:
    """The last row again and again, until the length fits."""
    steps = together.shape[1]
    rows = [torch.cat([own, own[-1:].repeat(steps - len(own), 1)]) for own in alone]
    return (torch.stack(rows) - together).abs().max()


def gap_of_last(together: Tensor, alone: list[Tensor]) -> Tensor:
    return (together[:, -1] - torch.stack([own[-1] for own in alone])).abs().max()


def gap_from_the_end(together: Tensor, alone: list[Tensor]) -> Tensor:
    pairs = zip(together, alone, strict=True)
    return torch.stack([(a[-len(b) :] - b).abs().max() for a, b in pairs]).max()


def gap_signed(together: Tensor, alone: list[Tensor]) -> float:
    return max((a[: len(b)] - b).max().item() for a, b in zip(together, alone, strict=True))


def gap_signed_to_the_end(together: Tensor, alone: list[Tensor]) -> float:
    return abs(gap_signed(together, alone))


def gap_without_newest(together: Tensor, alone: list[Tensor]) -> Tensor:
    """The last word of a sentence is left out, where it has more than one."""
    return gap_by_page(together, [own[: max(1, len(own) - 1)] for own in alone])


def mean_gap(together: Tensor, alone: list[Tensor]) -> float:
    pairs = zip(together, alone, strict=True)
    return sum((a[: len(b)] - b).abs().mean().item() for a, b in pairs) / len(alone)


def gap_in_words(together: Tensor, alone: list[Tensor]) -> int:
    pairs = zip(together, alone, strict=True)
    return sum(int((a[: len(b)].argmax(-1) != b.argmax(-1)).sum()) for a, b in pairs)


def gap_in_deviations(together: Tensor, alone: list[Tensor]) -> Tensor:
    return gap_by_page(together, alone) / together.std()


NAMED: list[tuple[str, Callable[..., Any], str | None]] = [
    *(
        ("mend-attention", partial(attention_of_page, mended=mended), named)
        for mended, named in {
            "": "untouched",
            "scale": "heads-split-wrong",
            "mask": "heads-split-wrong",
            "mask scale": "heads-split-wrong",
            "split": "mask-after-softmax",
            "split scale": "mask-after-softmax",
            "split mask": "scaled-by-other-width",
        }.items()
    ),
    ("mend-attention", attention_without_exchange, "axes-not-exchanged"),
    ("mend-attention", attention_merged_by_view, "heads-merged-wrong"),
    *(
        ("mend-attention", partial(attention_with_own_mask, hide), named)
        for hide, named in {
            (lambda energies: energies.tril().softmax(-1)): "mask-as-factor",
            hidden_by_strict_triangle: "other-words-hidden",
            hidden_by_triu: "other-words-hidden",
            hidden_a_little: "future-seen",
            hidden_and_scaled: "sums-not-one",
            hidden_and_compared_with_mates: "depends-on-batch-mates",
        }.items()
    ),
    ("mend-attention", lambda *case: -attention_by_torch(*case), "sums-not-one"),
    *(
        ("mend-loss", partial(loss_of_page, mended=mended), named)
        for mended, named in {
            "": "untouched",
            "padding": "not-shifted",
            "softmax": "not-shifted",
            "padding softmax": "not-shifted",
            "shift": "padding-counted",
            "shift softmax": "padding-counted",
            "shift padding": "softmax-first",
        }.items()
    ),
    ("mend-loss", loss_with_both_cut, "shifted-twice"),
    ("mend-loss", loss_by_mask_of_input, "what-was-read-counted"),
    ("mend-loss", loss_of_words, "eos-not-counted"),
    ("mend-loss", loss_times_mask, "wrong-mean"),
    ("mend-loss", loss_over_places, "not-normalised"),
    ("mend-loss", loss_of_half_the_padding, "reads-padding"),
    ("mend-loss", lambda *case: 2 * loss_by_page(*case), None),
    *(
        ("mates-gap", gap, named)
        for gap, named in {
            gap_padded: "padding-compared",
            gap_subtracted: "padding-compared",
            gap_padded_by_last: "reads-padding",
            gap_of_last: "one-row-only",
            lambda together, alone: gap_by_page(together[:1], alone[:1]): "one-sentence-only",
            gap_from_the_end: "from-the-end",
            mean_gap: "mean-for-maximum",
            gap_signed: "no-absolute-value",
            gap_signed_to_the_end: "no-absolute-value",
            gap_without_newest: "gap-missed",
            gap_in_deviations: "other-distance",
            gap_in_words: "best-words-only",
            lambda together, alone: together[0, 0].max() - alone[0].min(): "gap-missed",
            lambda *case: 2 * gap_by_page(*case): None,
        }.items()
    ),
]

# ---- Mutants of the references: which names take each other's place, what changes nothing

NAMES = {
    "query": "key",
    "key": "query",
    "value": "key",
    "row": "step",
    "step": "row",
    "mine": "head",
    "wanted": "PAD",
    "abs": "float",
    "together": "alone",
    "alone": "together",
    "padded": "own",
    "own": "padded",
    "here": "there",
    "there": "here",
    "a": "b",
    "b": "a",
}

EQUIVALENT = [
    ("mend-attention", "query → key"),  # their shapes are the same
    ("mend-attention", "query → key"),
    ("mend-loss", "0 → -1"),  # there is one axis
    ("mend-loss", "wanted != PAD → wanted > PAD"),
]
