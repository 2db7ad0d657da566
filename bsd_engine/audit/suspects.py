"""All samples ranked by how suspect their record is. The truth is no argument of anything here."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from bsd_engine.audit import redecide
from bsd_engine.audit.history import RunHistory
from bsd_engine.audit.reasons import initial_ranks, later_ranks

EARLY_WEIGHT, DISTANCE_WEIGHT, POOL_WEIGHT = 0.1, 0.05, 0.05


@dataclass(frozen=True, kw_only=True)
class Suspects:
    """What the record says about each sample, (N,) each, in the order of the samples; `order` ranks them."""

    epoch: int
    """Global, 0-based: the newest recorded one, which the flags are of."""
    score: np.ndarray
    """float32: larger is more suspect; see `suspects`."""
    rank: np.ndarray
    """int64: 1 for the most suspect."""
    als_flag: np.ndarray
    """bool: the altruistic loss at T1 was too small for ALS."""
    oss_flag: np.ndarray
    """bool: of the suspected class, and too near to a known one for OSS."""
    discrepancy_flag: np.ndarray
    """bool: below the cut of the loss discrepancy at the newest epoch."""
    drop_flag: np.ndarray
    """bool: both models call it the suspected class at the newest epoch of selective drop."""
    margin: np.ndarray
    """float32: ranks behind the cut over those of its class, at the newest epoch; positive is out, negative inside; NaN before T1."""
    epochs_in_pool: np.ndarray
    """int64, of `epochs_decided`."""
    epochs_decided: int
    """Main epochs from T1 on."""
    in_pool: np.ndarray
    """bool: at the newest epoch; all where there is no pool yet."""

    @property
    def order(self) -> np.ndarray:
        """(N,) int64: samples, the most suspect first."""
        return np.argsort(self.rank)

    def flags(self, sample: int) -> tuple[str, ...]:
        """Names of the flags of a sample."""
        named = {
            "ALS": self.als_flag,
            "OSS": self.oss_flag,
            "discrepancy": self.discrepancy_flag,
            "drop": self.drop_flag,
        }
        return tuple(name for name, flag in named.items() if flag[sample])


def suspects(history: RunHistory) -> Suspects:
    """Rank all samples of a run as far as it is recorded.

    The score is the mean of (main loss - altruistic loss) over the epochs from T1 on, in units of what a confident mistake
    costs (9.21 nats): near 1 where the altruistic model knows a label that the main model, which learned without the
    sample, contradicts all the time. To this come three small parts from 0 to 1: how small its altruistic loss was
    throughout (0.1), how near it lies to a known class, for the suspected class only (0.05), and the share of epochs
    outside the pool (0.05). Before T1 there are only the losses so far.

    On the demo's data with BadNets and Blended the first part alone ranks poison with an AUROC of 0.9986 and more; each of
    the others alone is far behind (0.72 to 0.97), and with weights of 0.5 they do harm.
    """
    n, first = history.num_samples, history.first_main
    begin = first + history.config.schedule.t1 if history.decided else first
    score = _gap(history, begin) + EARLY_WEIGHT * _percentile(
        -history.altruistic_loss[min(first, history.num_epochs - 1) :].mean(0)
    )
    flags = {name: np.zeros(n, bool) for name in ("als_flag", "oss_flag", "discrepancy_flag", "drop_flag")}
    margin, in_pool_epochs = np.full(n, np.nan, np.float32), np.zeros(n, np.int64)
    decided = max(0, history.num_epochs - begin) if history.decided else 0
    if decided:
        pools = history.in_pool[begin - first :]
        in_pool_epochs = pools.sum(0)
        flags |= _initial_flags(history)
        score += DISTANCE_WEIGHT * _nearness(history) + POOL_WEIGHT * (1 - in_pool_epochs / decided)
        margin, later = _margin_and_flags(history)
        flags |= later
    pool = history.pool(history.num_epochs - 1)
    return Suspects(
        epoch=history.num_epochs - 1,
        score=score.astype(np.float32),
        rank=redecide.ranks(score.astype(np.float32)),
        margin=margin,
        epochs_in_pool=in_pool_epochs,
        epochs_decided=decided,
        in_pool=np.ones(n, bool) if pool is None else pool,
        **flags,
    )


def _gap(history: RunHistory, begin: int) -> np.ndarray:
    """(N,) float64: mean of main minus altruistic loss from an epoch on, a confident mistake being 1."""
    split = history.config.split
    mistake = max(split.sce_weights[1] * -math.log(split.sce_bounds[1]), split.sce_weights[0])
    if history.num_epochs <= begin:
        return -history.altruistic_loss.mean(0, dtype=np.float64) / mistake
    return (history.main_loss[begin - history.first_main :] - history.altruistic_loss[begin:]).mean(
        0, dtype=np.float64
    ) / mistake


def _percentile(values: np.ndarray) -> np.ndarray:
    """(N,) float64: 1 for the largest value, 0 for the smallest."""
    return 1 - (redecide.ranks(values) - 1) / max(1, len(values) - 1)


def _nearness(history: RunHistory) -> np.ndarray:
    """(N,) float64: within the suspected class 1 for the sample nearest to a known class, 0 for the farthest; 0 elsewhere."""
    judged = (
        np.ones(history.num_samples, bool) if history.pseudo_target is None else history.labels == history.pseudo_target
    )
    sizes = np.bincount(history.labels)[history.labels]
    return np.where(judged, (initial_ranks(history).oss - 1) / np.maximum(1, sizes - 1), 0.0)


def _initial_flags(history: RunHistory) -> dict[str, np.ndarray]:
    split = initial_ranks(history).split
    return {"als_flag": ~split.als_mask, "oss_flag": ~split.oss_mask}


def _margin_and_flags(history: RunHistory) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """How far each sample is from the cut of its class at the newest epoch; on the initial pools from that of ALS."""
    epoch = history.num_epochs - 1
    if history.stage(epoch) == "initial_pools":
        ranks = initial_ranks(history)
        return ((ranks.als - ranks.split.als_mask.sum()) / history.num_samples).astype(np.float32), {}
    ranks = later_ranks(history, epoch)
    classes = len(history.class_names)
    kept = np.bincount(history.labels[ranks.split.completed_mask], minlength=classes)[history.labels]
    sizes = np.bincount(history.labels, minlength=classes)[history.labels]
    return ((ranks.in_class - kept) / sizes).astype(np.float32), {
        "discrepancy_flag": ~ranks.split.completed_mask,
        "drop_flag": ranks.split.dropped_mask,
    }
