"""Names of the arrays that a recording stacks over all epochs in `arrays.npz`; other arrays stay in the epoch's
file."""

from __future__ import annotations

from bsd_engine.events import EpochState

LOSSES = ("altruistic_loss", "main_loss")
LABELS = ("altruistic_prediction", "main_prediction", "nearest_class")
STACKED = (*LOSSES, *LABELS, "oss_score", "oss_distances", "clean_mask", "landmark_features")
DISTANCES = 3
"""Rows of `oss_distances` in each epoch."""


def rows_an_epoch(name: str) -> int:
    """Return the number of rows that an epoch has in the stack of an array."""
    return DISTANCES if name == "oss_distances" else 1


def is_recorded(states: list[EpochState], name: str) -> bool:
    """Return whether any epoch has an array."""
    return any(getattr(state, name) is not None for state in states)
