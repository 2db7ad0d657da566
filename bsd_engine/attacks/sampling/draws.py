"""Random numbers that belong to a sample: a function of seed, stream and the sample's number alone.

They do not depend on the batch that the sample comes in, on the process, or on the version of numpy or torch.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

_GOLDEN = 0x9E3779B97F4A7C15
_MASK = 2**64 - 1
_MOST_PER_SAMPLE = 2**24


def _mixed(bits: np.ndarray) -> np.ndarray:
    """splitmix64's output function, in place."""
    bits ^= bits >> np.uint64(30)
    bits *= np.uint64(0xBF58476D1CE4E5B9)
    bits ^= bits >> np.uint64(27)
    bits *= np.uint64(0x94D049BB133111EB)
    bits ^= bits >> np.uint64(31)
    return bits


def uniform(seed: int, stream: int, indices: Tensor, count: int) -> Tensor:
    """(B, count) float32 in [0, 1): the random numbers of each sample.

    Parameters
    ----------
    seed : int
    stream : int
        Different streams are independent of each other, for example those of training and test images.
    indices : (B,) int
        Number of each sample in its data set.
    count : int
        Numbers per sample, at most 2**24.
    """
    start = _mixed(np.array([(seed * _GOLDEN + stream) & _MASK], dtype=np.uint64))
    number = indices.cpu().numpy().astype(np.uint64)[:, None] * np.uint64(_MOST_PER_SAMPLE) + np.arange(
        count, dtype=np.uint64
    )
    bits = _mixed((number + np.uint64(1)) * np.uint64(_GOLDEN) + start)
    return torch.from_numpy((bits >> np.uint64(40)).astype(np.float32) * np.float32(2.0**-24))
