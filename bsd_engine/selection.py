"""The k largest of some scores, for numpy and torch arrays alike."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

A = TypeVar("A", np.ndarray, Tensor)


def as_tensors(*arrays: np.ndarray | Tensor) -> list[Tensor]:
    """Tensors that share memory where possible; a read-only array, as in an `EpochState`, is copied."""
    return [a if isinstance(a, Tensor) else torch.as_tensor(np.require(a, requirements=["C", "W"])) for a in arrays]


def like(result: Tensor, example: A) -> A:
    """The result as a tensor or an array, whichever the example is."""
    if isinstance(example, Tensor):
        return result
    return result.numpy()


def _kth_smallest(scores: Tensor, k: int) -> Tensor:
    """Element k, from 0, of the ascending order. Of 50,000 numpy selects it in 0.1 ms, torch in 0.7; a sort takes 6."""
    if scores.device.type == "cpu" and scores.dtype in (torch.float32, torch.float64):
        return torch.as_tensor(np.partition(scores.detach().numpy(), k)[k])
    return scores.kthvalue(k + 1).values


def top_mask(scores: Tensor, k: int) -> Tensor:
    """(N,) bool: the k largest scores, among equals the lower index first."""
    n = len(scores)
    if not 0 < k < n:
        return torch.full((n,), k >= n, dtype=torch.bool, device=scores.device)
    lowest = _kth_smallest(scores, n - k)
    mask = ~(scores <= lowest)
    ties = (scores == lowest).nonzero().squeeze(1)
    if len(ties) == 0:  # the k-th score is NaN, and a sort puts NaN first
        mask = torch.zeros_like(mask)
        mask[torch.argsort(scores, descending=True, stable=True)[:k]] = True
        return mask
    mask[ties[: k - int(mask.sum())]] = True
    return mask
