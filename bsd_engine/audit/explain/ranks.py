"""Ranks of all samples beside the split that cut them, computed once for an epoch (10 ms for 50,000 samples)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from bsd_engine.audit.explain import traces
from bsd_engine.audit.history import RunHistory
from bsd_engine.method.pools import InitialSplit, LaterSplit


@dataclass(frozen=True)
class InitialRanks:
    """The split at T1 with the ranks of all samples."""

    split: InitialSplit[np.ndarray]
    als: np.ndarray
    """(N,) int64, by altruistic loss."""
    oss: np.ndarray | None
    """(N,) int64, by OSS score within the given label; None where no class is suspected."""


@dataclass(frozen=True)
class LaterRanks:
    """The split of a later epoch with the ranks of all samples."""

    split: LaterSplit[np.ndarray]
    overall: np.ndarray
    """(N,) int64, by loss discrepancy."""
    in_class: np.ndarray
    """(N,) int64, the same within the given label."""


def initial_ranks(history: RunHistory) -> InitialRanks:
    """Split and ranks at T1."""

    def make() -> InitialRanks:
        split = traces.trace(history, history.first_main + history.config.schedule.t1).initial
        assert split is not None, "T1 is the epoch of the first split"
        scores = history.oss_score if split.oss_counts else None
        return InitialRanks(
            split, ranks(split.losses), None if scores is None else ranks_within(scores, history.labels)
        )

    return history.derived("initial", make)


def later_ranks(history: RunHistory, epoch: int) -> LaterRanks:
    """Split and ranks of an epoch of class completion or selective drop."""

    def make() -> LaterRanks:
        split = traces.trace(history, epoch).later
        assert split is not None, f"epoch {epoch} comes after the initial pools"
        return LaterRanks(split, ranks(split.discrepancy), ranks_within(split.discrepancy, history.labels))

    return history.derived(("later", epoch), make)


def ranks(scores: np.ndarray) -> np.ndarray:
    """(N,) int64: rank of each sample, 1 for the largest score, equal scores by index, as `splits` cuts."""
    scores = np.require(scores, requirements=["C", "W"])
    order = torch.argsort(torch.as_tensor(scores), descending=True, stable=True).numpy()
    result = np.empty(len(scores), np.int64)
    result[order] = np.arange(1, len(scores) + 1)
    return result


def ranks_within(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(N,) int64: rank of each sample within its given label, 1 for the largest score."""
    result = np.zeros(len(scores), np.int64)
    for label in np.unique(labels):
        in_class = labels == label
        result[in_class] = ranks(scores[in_class])
    return result
