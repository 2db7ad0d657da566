"""Scores, labels and slow references for tests of the splits."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import torch
from hypothesis import settings
from hypothesis import strategies as st

KINDS = {
    "numpy float32": (np.ndarray, np.float32),
    "numpy float64": (np.ndarray, np.float64),
    "torch float32": (torch.Tensor, np.float32),
    "torch float64": (torch.Tensor, np.float64),
}


quick = settings(deadline=None, max_examples=40)


scores_with_ties = st.lists(st.integers(-3, 3).map(float), min_size=1, max_size=30)


labels_with_gaps = st.sampled_from([0, 1, 3, 6])


@st.composite
def scored_labels(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Scores full of ties, and labels of at most four classes, numbered with gaps."""
    scores = draw(scores_with_ties)
    return np.array(scores), np.array([draw(labels_with_gaps) for _ in scores])


def as_kind(kind: str, values: object) -> np.ndarray | torch.Tensor:
    """An array of the kind under test; whole numbers and booleans keep their type."""
    array_type, dtype = KINDS[kind]
    array = np.array(values)
    array = array.astype(dtype) if array.dtype.kind == "f" else array
    return array if array_type is np.ndarray else torch.from_numpy(array)


def top(scores: np.ndarray, k: int) -> set[int]:
    """Indices of the k largest scores; among equals the lower index first."""
    return set(sorted(range(len(scores)), key=lambda i: (-scores[i], i))[:k])


def members(mask: np.ndarray) -> set[int]:
    return set(np.flatnonzero(mask).tolist())


def share_of(share: float, n: int) -> int:
    """int(share * n) in exact arithmetic of the decimal that was written."""
    return int(Fraction(str(share)) * n)
