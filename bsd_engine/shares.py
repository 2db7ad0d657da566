"""What the cuts share with those who only look at a record, without torch, which takes three seconds to load."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

Distance = Literal["min", "mean", "max"]
DISTANCES: tuple[Distance, ...] = ("min", "mean", "max")


def exact_count(share: float, n: int) -> int:
    """int(share * n), not fooled by the binary fraction: 0.29 of 100 is 29, although 0.29 * 100 < 29."""
    return min(n, math.floor(share * n + 1e-9))


def loss_discrepancy(altruistic_losses: np.ndarray | Tensor, main_losses: np.ndarray | Tensor) -> np.ndarray | Tensor:
    """(N,) I = altruistic loss - main loss, nats. Strongly negative is suspect. Paper: Eq. 9."""
    return altruistic_losses - main_losses
