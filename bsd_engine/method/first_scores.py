"""What the first split of a run reads, as plain arrays. Loads no torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class FirstScores:
    """The scores that the first split reads."""

    losses: np.ndarray
    """(N,) float32, nats: altruistic losses."""
    oss: np.ndarray | None
    """(N,) float32: OSS scores; None where no class is suspected."""
    target: int | None
    """The suspected label; None with all-to-all and where no class is suspected."""
