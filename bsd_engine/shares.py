"""What the pool rules share with code that only reads a record. Loads no torch, which takes three seconds."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, TypeVar

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

Distance = Literal["min", "mean", "max"]
DISTANCES: tuple[Distance, ...] = ("min", "mean", "max")
Losses = TypeVar("Losses", np.ndarray, "Tensor")


def exact_count(share: float, n: int) -> int:
    """int(share * n), robust to binary fractions: 0.29 of 100 is 29, although 0.29 * 100 < 29 in floating point."""
    return min(n, math.floor(share * n + 1e-9))


def loss_discrepancy(altruistic_losses: Losses, main_losses: Losses) -> Losses:
    """(N,) I = altruistic loss - main loss, nats. Strongly negative is suspect. Paper: Eq. 9."""
    return altruistic_losses - main_losses
