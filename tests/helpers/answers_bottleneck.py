"""Right answers to the exercises of chapter 01, written as readers would write them."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


def shift_by_cat(target: Tensor, bos: int) -> Tensor:
    first = torch.full((target.shape[0], 1), bos)
    return torch.cat([first, target[:, :-1]], dim=1)


def shift_by_roll(target: Tensor, bos: int) -> Tensor:
    shifted = torch.roll(target, shifts=1, dims=1)
    shifted[:, 0] = bos
    return shifted


def match_by_index(predicted: list[list[int]], reference: list[list[int]], eos: int) -> float:
    correct = 0
    for p, r in zip(predicted, reference, strict=True):
        if eos in p:
            p = p[: p.index(eos)]
        if p == r:
            correct += 1
    return correct / len(predicted)


def match_as_tensor(predicted: list[list[int]], reference: list[list[int]], eos: int) -> Tensor:
    return torch.tensor(match_by_index(predicted, reference, eos))


def last_by_index(outputs: Tensor, lengths: Tensor) -> Tensor:
    return outputs[torch.arange(outputs.shape[0]), lengths - 1]


def last_by_gather(outputs: Tensor, lengths: Tensor) -> Tensor:
    index = (lengths - 1)[:, None, None].expand(-1, 1, outputs.shape[2])
    return outputs.gather(1, index).squeeze(1)


def last_by_loop(outputs: Tensor, lengths: Tensor) -> Tensor:
    return torch.stack([row[int(length) - 1] for row, length in zip(outputs, lengths, strict=True)])


def gru_by_chunks(x: Tensor, h: Tensor, weights: dict[str, Tensor]) -> Tensor:
    i_r, i_z, i_n = F.linear(x, weights["weight_ih"], weights["bias_ih"]).chunk(3, -1)
    h_r, h_z, h_n = F.linear(h, weights["weight_hh"], weights["bias_hh"]).chunk(3, -1)
    r, z = torch.sigmoid(i_r + h_r), torch.sigmoid(i_z + h_z)
    return (1 - z) * torch.tanh(i_n + r * h_n) + z * h


def gru_by_torch(x: Tensor, h: Tensor, weights: dict[str, Tensor]) -> Tensor:
    cell = torch.nn.GRUCell(x.shape[1], h.shape[1])
    cell.load_state_dict(weights)
    return cell(x, h)


def loss_by_ignore_index(logits: Tensor, target: Tensor, pad: int) -> Tensor:
    return F.cross_entropy(logits.flatten(0, 1), target.flatten(), ignore_index=pad)


def loss_by_mask(logits: Tensor, target: Tensor, pad: int) -> Tensor:
    keep = target != pad
    return F.cross_entropy(logits[keep], target[keep])


def loss_by_gather(logits: Tensor, target: Tensor, pad: int) -> Tensor:
    right = logits.log_softmax(-1).gather(-1, target.unsqueeze(-1)).squeeze(-1)
    mask = (target != pad).float()
    return -(right * mask).sum() / mask.sum()


RIGHT: dict[str, list[Callable[..., Any]]] = {
    "shift-right": [shift_by_cat, shift_by_roll],
    "exact-match": [match_by_index, match_as_tensor],
    "last-state": [last_by_index, last_by_gather, last_by_loop],
    "gru-step": [gru_by_chunks, gru_by_torch],
    "masked-loss": [loss_by_ignore_index, loss_by_mask, loss_by_gather],
}
